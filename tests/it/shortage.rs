//! A machine that has no descriptors or no processes left: nothing is done, nothing is parked, and it goes on when there are
//! some again.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::program::{program, run};
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::system::testing;
use crate::support::wait::until;

const ANN: &str = r#"{"email":"x","name":"Ann"}"#;
const BEA: &str = r#"{"email":"x","name":"Bea"}"#;
const RETRY: &str = "retry = { first = \"20ms\", max = \"50ms\", attempts = 2 }";
/// Holds a program until a file `go` is there.
const HELD: &str = ": > \"$system/begun\"; until [ -e \"$system/go\" ]; do sleep 0.01; done\n";
/// The user that no other process of a machine is likely to have.
const NOBODY: u32 = 65534;

/// Lets the daemon open nothing above this number from now on; what it has open stays so. Gives what was allowed before.
fn allow_descriptors(daemon: &Daemon<'_>, current: Option<u64>) -> Option<u64> {
    // The hard limit, which only root may raise, is the one that it has from us.
    let maximum = getrlimit(Resource::Nofile).maximum;
    prlimit(Some(daemon.pid()), Resource::Nofile, Rlimit { current, maximum }).expect("the daemon is ours").current
}

/// Waits until billing is down for want of something.
#[track_caller]
fn wait_until_down(daemon: &Daemon<'_>, want: &str) {
    let wanted = |event: &Value| {
        let error = event["error"].as_str().unwrap_or_default();
        event["msg"] == "source down" && event["source"] == "billing" && error.contains(want)
    };
    daemon.wait_for_event(wanted);
}

/// Expects that nothing was given up and nothing done twice.
#[track_caller]
fn expect_nothing_spent(site: &Site, daemon: &Daemon<'_>) {
    let work = site.get("/v1/work-items?state=done");
    let items = work["items"].as_array().expect("a list");
    assert!(!items.is_empty() && items.iter().all(|item| item["attempts"] == 0), "{work}");
    assert_eq!(site.get("/v1/status")["entities"][0]["in_doubt"], 0);
    assert!(daemon.events().iter().all(|event| event["msg"] != "actor failed"), "{}", daemon.log_text());
}

#[test]
fn work_waits_while_no_descriptor_is_left_and_spends_no_attempts() {
    let site = Site::with(RETRY, &[Sh.source("crm"), Sh.source("billing")]);
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    // A look that has read, and is about to create, when the shortage begins.
    site.system("crm").fault("read.after", HELD);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| site.system("crm").dir().join("begun").exists().then_some(()), || daemon.log_text());
    let before = allow_descriptors(&daemon, Some(8));
    site.write("systems/crm/go", "");
    wait_until_down(&daemon, "Too many open files");
    allow_descriptors(&daemon, before);
    site.system("crm").heal();
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [ANN]);
    assert_eq!(site.runs().count("billing", "create"), 1);
    expect_nothing_spent(&site, &daemon);
    daemon.stop();
}

/// A site that an ordinary user can have a daemon in, with all that it needs: where the tests are may be closed to others.
fn ordinary_site() -> Site {
    let site = Site::with(RETRY, &[Sh.source("crm"), Sh.source("billing")]);
    let mut config = fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    config = config.replace(&site.database_table(), "[database]\nurl = \"embedded\"\n\n");
    for name in ["plain.sh", "recorder.sh"] {
        let (from, to) = (testing("sources").join(name), site.path().join(name));
        fs::copy(&from, &to).expect("it can be copied");
        config = config.replace(from.to_str().expect("it is UTF-8"), to.to_str().expect("it is UTF-8"));
    }
    site.write("retcon.toml", &config);
    fs::copy(env!("CARGO_BIN_EXE_retcond"), site.path().join("retcond")).expect("it can be copied");
    site
}

/// Lets the daemon start no process and no thread from now on, or lets it do so again.
fn allow_processes(daemon: &Daemon<'_>, most: &str) {
    // Where root may not set the limits of others, their user may.
    let mut command = program("prlimit");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let pid = daemon.pid().to_string();
    run(command.current_dir("/").args(["--pid", &pid, &format!("--nproc={most}:")]), b"").exits(0);
}

/// Hands all of a directory to a user.
fn hand_over(directory: &Path, user: u32) {
    run(program("chown").args(["-R", &format!("{user}:{user}")]).arg(directory), b"").exits(0);
    chown(directory, Some(user), Some(user)).expect("we are root");
}

/// Starts a daemon as a user whose processes are counted, which root's are not.
#[track_caller]
fn start_counted(site: &Site) -> Daemon<'_> {
    let mut command = program(site.path().join("retcond"));
    if rustix::process::geteuid().is_root() {
        hand_over(site.path(), NOBODY);
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut daemon = Daemon::spawn_by(site, command);
    daemon.wait_until_ready();
    daemon
}

#[test]
fn work_waits_while_no_process_can_be_started_and_spends_no_attempts() {
    let site = ordinary_site();
    let daemon = start_counted(&site);
    let most = getrlimit(Resource::Nproc).maximum.map_or("unlimited".to_owned(), |most| most.to_string());
    site.system("crm").put("a", ANN);
    // Not even a thread can be started, and none was until now.
    allow_processes(&daemon, "1");
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    daemon.wait_for_event(|event| event["msg"] == "source down" && event["source"] == "crm");
    let guardian = daemon.wait_for_event(|event| event["msg"] == "guardian started")["pid"].as_i64();
    let guardian = guardian.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).expect("it is told");
    kill_process(guardian, Signal::KILL).expect("it is the daemon's");
    daemon.wait_for_event(|event| event["msg"] == "guardian cannot be started");
    site.retcon(&["reload"]).exits(0);
    allow_processes(&daemon, &most);
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [ANN]);

    // A look that has read, and is about to write, when the shortage begins.
    site.system("crm").put("a", BEA);
    site.system("crm").fault("read.after", HELD);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| site.system("crm").dir().join("begun").exists().then_some(()), || daemon.log_text());
    allow_processes(&daemon, "1");
    site.write("systems/crm/go", "");
    wait_until_down(&daemon, "Resource temporarily unavailable");
    allow_processes(&daemon, &most);
    site.system("crm").heal();
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [BEA]);
    assert_eq!((site.runs().count("billing", "create"), site.runs().count("billing", "update")), (1, 1));
    expect_nothing_spent(&site, &daemon);
    daemon.stop();
}
