//! The guardian: what the daemon's programs come to when the daemon cannot end them itself.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use retcon::config::model::{Log, LogFormat, Severity};
use retcon::log::discard;
use retcon::source::boot_time::BootTime;
use retcon::source::guardian::{Guardian, GuardianError, Post};
use retcon::source::process::cancel::Cancel;
use retcon::source::process::{Exit, run};
use rstest::rstest;
use rustix::process::{Pid, Signal, getsid, kill_process};

use crate::support::bench::{Collect, Hostile};
use crate::support::daemon::{Daemon, processes};
use crate::support::site::{Site, open_directory};
use crate::support::system::Language::Sh;
use crate::support::wait::{DEADLINE, until};

const ANN: &str = r#"{"email":"x","name":"Ann"}"#;

/// A program of five processes: itself, one beside it, one that has hidden its environment, and two in a session of their own.
const CLAN: &str = "sleep 1000 & env -i /bin/sleep 1001 & setsid sh -c 'sleep 1002; :' &\n\
                    : > \"$system/begun\"; sleep 1003; :\n";

fn post(state_dir: &Path) -> Post {
    let log = Log { level: Severity::Info, format: LogFormat::Text };
    Post::new(state_dir, &log).by(Path::new(env!("CARGO_BIN_EXE_retcond")))
}

#[track_caller]
fn guardian(state_dir: &Path) -> Guardian {
    Guardian::start(post(state_dir), &discard()).expect("a guardian starts")
}

#[track_caller]
fn signal(guardian: Option<Pid>, signal: Signal) {
    kill_process(guardian.expect("there is a guardian"), signal).expect("it is ours");
}

/// The guardian that a daemon's log names last.
fn guardian_of(daemon: &Daemon<'_>) -> Option<Pid> {
    let started = daemon.events().into_iter().rfind(|event| event["msg"] == "guardian started")?;
    Pid::from_raw(started["pid"].as_i64()?.try_into().ok()?)
}

/// Waits until no process of the site is left.
#[track_caller]
fn expect_nothing_left(site: &Site, log: &str) {
    let left = || processes(site.path());
    until(|| left().is_empty().then_some(()), || format!("{:#?}\n{log}", left()));
}

/// Lets a create begin that is a whole clan of processes.
#[track_caller]
fn with_a_clan(site: &Site) -> Daemon<'_> {
    site.system("billing").fault("create", CLAN);
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    let sleeping = || processes(site.path()).iter().filter(|process| process.command.contains("sleep 100")).count();
    // The four, and the shell in the session of its own.
    until(|| (sleeping() >= 5).then_some(()), || format!("{:#?}\n{}", processes(site.path()), daemon.log_text()));
    daemon
}

fn two() -> Site {
    Site::new(&[Sh.source("crm"), Sh.source("billing")])
}

#[test]
fn all_that_a_killed_daemon_was_running_is_gone_before_the_next_one_runs_anything() {
    let site = two();
    let daemon = with_a_clan(&site);
    let guardian = guardian_of(&daemon);
    // It cannot do its work yet.
    signal(guardian, Signal::STOP);
    daemon.kill_alone();
    site.system("billing").heal();
    let mut next = Daemon::spawn(&site);
    next.wait_for_event(|event| event["msg"] == "waiting for what an earlier daemon left running to end");
    assert_eq!(site.runs().started().count(), 2, "the read and the create of before");
    assert!(processes(site.path()).len() > 5);
    signal(guardian, Signal::CONT);
    until(|| (guardian_of(&next) != guardian).then_some(()), || next.log_text());
    assert!(processes(site.path()).iter().all(|process| !process.command.contains("sleep 100")), "{}", next.log_text());
    next.wait_until_ready();
    site.wait_until_at_rest();
    site.runs().assert_none_meet();
    next.stop();
}

#[test]
fn all_that_a_killed_daemon_was_running_is_gone_in_moments_also_where_no_other_daemon_comes() {
    let site = two();
    let daemon = with_a_clan(&site);
    let log = daemon.log_text();
    daemon.kill_alone();
    expect_nothing_left(&site, &log);
}

#[test]
fn a_daemon_that_stands_still_beyond_its_lease_loses_its_programs_and_goes_on_when_it_can() {
    let site = two();
    let daemon = with_a_clan(&site);
    daemon.signal(Signal::STOP);
    daemon.wait_for_event(|event| event["msg"] == "daemon silent beyond its lease, its programs are killed");
    let left = || processes(site.path());
    // The daemon and its guardian; what was killed may need a moment.
    until(|| (left().len() == 2).then_some(()), || format!("{:#?}", left()));
    site.system("billing").heal();
    daemon.signal(Signal::CONT);
    site.wait_until_at_rest();
    site.system("crm").put("b", ANN);
    site.notify("crm", "b");
    assert_eq!(site.system("billing").documents(), [ANN], "of the first one nobody knows");
    daemon.stop();
}

#[test]
fn a_guardian_that_was_killed_is_replaced_by_one_that_knows_all() {
    let site = two();
    let daemon = with_a_clan(&site);
    let first = guardian_of(&daemon);
    signal(first, Signal::KILL);
    daemon.wait_for_event(|event| event["msg"] == "guardian ended");
    until(|| (guardian_of(&daemon) != first).then_some(()), || daemon.log_text());
    // It is killed before it could have told anything itself.
    let log = daemon.log_text();
    daemon.kill_alone();
    expect_nothing_left(&site, &log);
}

#[test]
fn a_daemon_that_is_stopped_leaves_no_guardian() {
    let site = two();
    let daemon = site.start();
    let guardian = guardian_of(&daemon).expect("there is one");
    let named = processes(site.path()).into_iter().find(|process| process.pid == guardian).expect("it runs");
    assert!(named.command.starts_with("retcon-guardian "), "{named:?}");
    // Ctrl-C and a closed terminal go to the session of the daemon.
    assert_eq!(getsid(Some(guardian)), Ok(guardian));
    for ending in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        signal(Some(guardian), ending);
    }
    daemon.stop();
    let log = fs::read_to_string(site.path().join("retcond.log")).expect("it logged");
    assert!(!log.contains("guardian ended") && !log.contains("were killed"), "{log}");
}

#[test]
fn a_daemon_that_cannot_go_on_leaves_no_guardian() {
    let site = two();
    site.write(
        "retcon.toml",
        "[server]\nlisten = \"\"\n\n[database]\nurl = \"postgres://nobody@127.0.0.1:1/x?sslmode=require\"\n\n[entities.x]\n",
    );
    fs::create_dir(site.path().join("state")).expect("a directory");
    // No socket can be made where a directory is.
    fs::create_dir(site.path().join("state/retcon.sock")).expect("a directory");
    let mut daemon = Daemon::spawn(&site);
    assert_ne!(daemon.wait().code(), Some(0), "{}", daemon.log_text());
    assert_eq!(processes(site.path()), [], "{}", daemon.log_text());
}

/// Runs a hostile program under a guardian.
fn run_guarded(hostile: &Hostile, guardian: &Guardian) -> Exit {
    let mut stdout = Collect::new();
    run(&hostile.spec, &hostile.limits, &hostile.cancel, Some(guardian), &mut stdout).exit
}

#[rstest]
#[case::that_hangs("hang")]
#[case::that_ignores_sigterm("stubborn")]
#[case::that_stopped_itself("stop")]
#[case::with_a_child("grandchild-and-hang")]
fn what_runs_when_the_lease_is_over_is_killed(#[case] mode: &str) {
    let dir = open_directory();
    let guardian = guardian(dir.path());
    let hostile = Hostile::new(mode, "");
    let exit = std::thread::scope(|scope| {
        let running = scope.spawn(|| run_guarded(&hostile, &guardian));
        until(|| (!hostile.pids().is_empty()).then_some(()), || "the program does not start");
        guardian.alive_for(Duration::ZERO);
        running.join().expect("the run ends")
    });
    assert_eq!(exit, Exit::Signal(9));
    hostile.expect_nothing_left();
    guardian.end();
}

#[test]
fn what_is_started_beyond_the_lease_is_killed_at_once_until_there_is_another() {
    let dir = open_directory();
    let guardian = guardian(dir.path());
    let work = || Hostile::new("session", "DONE");
    assert_eq!(run_guarded(&work(), &guardian), Exit::Status(0), "with no lease told there is no end");
    guardian.alive_until(BootTime::now());
    for _ in 0..3 {
        let hostile = Hostile::new("hang", "");
        assert_eq!(run_guarded(&hostile, &guardian), Exit::Signal(9));
    }
    guardian.alive_for(DEADLINE);
    assert_eq!(run_guarded(&work(), &guardian), Exit::Status(0));
    guardian.end();
}

#[test]
fn the_end_of_a_lease_that_was_renewed_ends_nothing() {
    let dir = open_directory();
    let guardian = guardian(dir.path());
    let cancel = Cancel::new().expect("a descriptor is left");
    let hostile = Hostile::new("hang", "").with(|hostile| hostile.cancel = cancel.clone());
    let soon = BootTime::now() + Duration::from_millis(300);
    guardian.alive_until(soon);
    guardian.alive_for(DEADLINE);
    let exit = std::thread::scope(|scope| {
        let running = scope.spawn(|| run_guarded(&hostile, &guardian));
        until(|| (!hostile.pids().is_empty() && BootTime::now() > soon).then_some(()), || "the program does not start");
        // One that it would kill is killed by now, or the guardian cannot have heard of this one.
        guardian.alive_for(DEADLINE);
        assert_eq!(run_guarded(&Hostile::new("session", "DONE"), &guardian), Exit::Status(0));
        cancel.trigger();
        running.join().expect("the run ends")
    });
    assert_eq!(exit, Exit::Cancelled);
    guardian.end();
}

/// A process outside of any run, which is killed when this goes.
struct Stranger(Child);

impl Stranger {
    fn start(env: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>) -> Self {
        let mut command = Command::new("setsid");
        command.args(["--wait", "sleep", "1000"]).env_clear().env("PATH", "/bin:/usr/bin").envs(env);
        Self(command.stdin(Stdio::null()).spawn().expect("it starts"))
    }

    fn is_there(&mut self) -> bool {
        self.0.try_wait().expect("it is ours").is_none()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.0.id())).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        children.for_each(|child| kill_process(child, Signal::KILL).unwrap_or_default());
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn nobody_elses_process_is_killed() {
    let (dir, other_dir) = (open_directory(), open_directory());
    let (guardian, other) = (guardian(dir.path()), guardian(other_dir.path()));
    let hostile = Hostile::new("grandchild-and-hang", "");
    let cancel = Cancel::new().expect("a descriptor is left");
    let beside = Hostile::new("grandchild-and-hang", "").with(|beside| beside.cancel = cancel.clone());
    // A person's command at the same copy, somebody who uses our names, and a program of another daemon that has told nothing.
    let same = [("RETCON_ENTITY".into(), hostile.spec.env.get("RETCON_ENTITY").expect("it is told").to_owned())];
    let forged = [("RETCON_RUN_ID".into(), "1".into())];
    let mut strangers = [Stranger::start(same), Stranger::start(forged), Stranger::start([other.mark().variable()])];
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run_guarded(&hostile, &guardian));
        let running_beside = scope.spawn(|| run_guarded(&beside, &other));
        for hostile in [&hostile, &beside] {
            until(|| (hostile.pids().len() == 2).then_some(()), || "the program does not start");
        }
        guardian.alive_for(Duration::ZERO);
        assert_eq!(running.join().expect("the run ends"), Exit::Signal(9));
        guardian.end();
        assert!(!running_beside.is_finished());
        assert!(strangers.iter_mut().all(Stranger::is_there));
        cancel.trigger();
        assert_eq!(running_beside.join().expect("the run ends"), Exit::Cancelled);
    });
    other.end();
    assert!(!strangers[2].is_there(), "what bears the mark of the other daemon ends with it");
    assert!(strangers[..2].iter_mut().all(Stranger::is_there));
}

#[test]
fn a_program_of_which_its_daemon_could_not_tell_any_more_is_killed_by_its_mark() {
    let dir = open_directory();
    let guardian = guardian(dir.path());
    let mut untold = Stranger::start([guardian.mark().variable()]);
    guardian.end();
    until(|| (!untold.is_there()).then_some(()), || "it is there still");
}

#[test]
fn a_program_that_takes_long_to_end_is_waited_for() {
    let dir = open_directory();
    let guardian = guardian(dir.path());
    // The kernel shows no environment any more as soon as it begins to take the memory back.
    let mut large = Command::new("perl");
    large.args(["-e", "my $large = 'x' x 4e8; sleep 1000"]).envs([guardian.mark().variable()]);
    let mut large = Stranger(large.spawn().expect("it starts"));
    let pages = || -> Option<u64> {
        fs::read_to_string(format!("/proc/{}/statm", large.0.id())).ok()?.split(' ').nth(1)?.parse().ok()
    };
    until(|| pages().filter(|pages| *pages > 80_000), || "it does not grow");
    guardian.end();
    assert!(!large.is_there(), "it is about to end only");
}

#[test]
fn a_guardian_that_takes_nothing_holds_nobody_up_and_is_replaced() {
    let dir = open_directory();
    let guardian = guardian(dir.path());
    let first = guardian.pid();
    signal(first, Signal::STOP);
    until(
        || {
            (0..1000).for_each(|_| guardian.alive_for(DEADLINE));
            guardian.pid().is_some_and(|pid| Some(pid) != first).then_some(())
        },
        || "it is not replaced",
    );
    assert_eq!(run_guarded(&Hostile::new("session", "DONE"), &guardian), Exit::Status(0));
    guardian.end();
}

#[test]
fn whoever_waits_in_vain_for_the_guardian_before_him_says_for_whom() {
    let dir = open_directory();
    let first = guardian(dir.path());
    let second = Guardian::start(post(dir.path()).patient(Duration::ZERO), &discard());
    match second.expect_err("the first one stands there") {
        GuardianError::Taken { pid, .. } => {
            assert_eq!(pid, first.pid().map(|pid| pid.as_raw_pid().cast_unsigned()));
        }
        error @ (GuardianError::Lock { .. } | GuardianError::Start { .. }) => panic!("{error}"),
    }
    first.end();
    guardian(dir.path()).end();
}
