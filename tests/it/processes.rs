//! One process, whatever it does: it ends, nothing of it is left, and what it printed is there.

use std::ops::ControlFlow;
use std::time::Duration;

use retcon::source::process::cancel::Cancel;
use retcon::source::process::{Exit, Limits, Spec, Stdout, run};
use rstest::rstest;
use rustix::process::{Pid, Resource, Rlimit, getpid, getrlimit, setrlimit};

use crate::support::alone::{is_alone, run_alone};
use crate::support::bench::{Hostile, Outcome};
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::system::testing;
use crate::support::wait::until;

/// So soon that it has always passed, whatever is run.
const SOON: Duration = Duration::from_millis(300);

/// Runs `hostile MODE DONE` and expects it to have succeeded with `DONE` printed.
#[track_caller]
fn succeeds(hostile: &Hostile) -> Outcome {
    let outcome = hostile.run();
    let stderr = String::from_utf8_lossy(&outcome.ended.stderr);
    assert_eq!(outcome.ended.exit, Exit::Status(0), "stderr: {stderr}");
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "DONE");
    outcome
}

fn deadline(hostile: &mut Hostile) {
    hostile.limits.deadline = SOON;
}

#[rstest]
#[case::that_waits("hang")]
#[case::that_closes_its_pipes("close-all-and-hang")]
#[case::that_stops_itself("stop")]
#[case::whose_child_holds_its_pipes("grandchild-and-hang")]
fn a_program_ends_at_its_deadline(#[case] mode: &str) {
    let outcome = Hostile::new(mode, "").with(deadline).run();
    assert_eq!(outcome.ended.exit, Exit::TimedOut);
    assert!(outcome.ended.elapsed >= SOON);
}

#[test]
fn a_program_that_ignores_sigterm_is_killed_after_the_grace() {
    let stubborn = Hostile::new("stubborn", "").with(deadline).with(|hostile| hostile.limits.grace = SOON);
    let outcome = stubborn.run();
    assert_eq!(outcome.ended.exit, Exit::TimedOut);
    assert_eq!(outcome.stdout, b"ready\n");
    assert!(outcome.ended.elapsed >= SOON * 2, "{:?}", outcome.ended.elapsed);
}

#[test]
fn a_program_that_finishes_after_its_deadline_has_timed_out() {
    let script = "trap 'echo saved; exit 0' TERM; echo started; while :; do sleep 0.01; done";
    let late = Hostile::new("", "").with(deadline).with(|hostile| {
        hostile.spec.program = "/bin/sh".into();
        hostile.spec.args = vec!["-c".into(), script.into()];
    });
    let outcome = late.run();
    assert_eq!(outcome.ended.exit, Exit::TimedOut);
    assert_eq!(outcome.stdout, b"started\nsaved\n");
}

#[test]
fn a_program_ends_when_it_is_cancelled() {
    let cancel = Cancel::new().expect("a descriptor is left");
    let hang = Hostile::new("hang", "").with(|hostile| hostile.cancel = cancel.clone());
    let outcome = std::thread::scope(|scope| {
        let running = scope.spawn(|| hang.run());
        until(|| (!hang.pids().is_empty()).then_some(()), || "the program does not start");
        assert!(!cancel.is_triggered());
        cancel.trigger();
        running.join().expect("the run ends")
    });
    assert_eq!(outcome.ended.exit, Exit::Cancelled);
    assert!(cancel.is_triggered());
}

#[test]
fn a_flood_on_stdout_is_stopped() {
    let outcome = Hostile::new("flood-stdout", "").run();
    assert_eq!(outcome.ended.exit, Exit::Flooded);
    assert!(outcome.stdout.len() < (4 << 20) + (128 << 10), "{}", outcome.stdout.len());
}

#[test]
fn a_flood_on_stderr_ends_at_the_deadline_and_its_end_is_kept() {
    let outcome = Hostile::new("flood-stderr", "").with(deadline).run();
    assert_eq!(outcome.ended.exit, Exit::TimedOut);
    assert_eq!(outcome.ended.stderr.len(), 64 << 10);
    assert!(outcome.ended.stderr_dropped > 0);
}

#[test]
fn of_a_long_stderr_the_last_words_are_kept() {
    let ended = succeeds(&Hostile::new("talk", "DONE")).ended;
    assert_eq!(ended.stderr.len(), 64 << 10);
    assert!(ended.stderr.ends_with(b"xxx\0last words\n") || ended.stderr.ends_with(b"xxxlast words\n"));
    assert_eq!(ended.stderr_dropped + (64 << 10), 1024 * 1023 + 11);
}

#[rstest]
#[case::that_never_reads_it("deaf")]
#[case::that_closes_it("close-stdin")]
fn a_long_stdin_does_not_hold_up_a_program(#[case] mode: &str) {
    succeeds(&Hostile::new(mode, "DONE").with(|hostile| hostile.spec.stdin = Some(vec![b'x'; 1 << 20])));
}

/// Should the daemon be killed before the program has read its document, half of it must not pass for the whole.
#[test]
fn all_of_a_stdin_is_there_before_the_program_begins() {
    let measure = Hostile::new("", "").with(|hostile| {
        hostile.spec.program = "/bin/sh".into();
        hostile.spec.args = ["-c", "stat -L -c %s /proc/self/fd/0"].map(Into::into).to_vec();
        hostile.spec.stdin = Some(vec![b'x'; 1 << 20]);
    });
    let outcome = measure.run();
    assert_eq!((outcome.ended.exit, outcome.stdout), (Exit::Status(0), b"1048576\n".to_vec()));
}

#[test]
fn a_program_that_never_reads_and_never_ends_is_ended() {
    let hang = Hostile::new("hang", "").with(deadline).with(|hostile| hostile.spec.stdin = Some(vec![b'x'; 1 << 20]));
    assert_eq!(hang.run().ended.exit, Exit::TimedOut);
}

#[test]
fn a_program_may_print_much_before_it_reads_much() {
    let outcome = Hostile::new("read-last", "").with(|hostile| hostile.spec.stdin = Some(vec![b'x'; 1 << 20])).run();
    assert_eq!(outcome.ended.exit, Exit::Status(0));
    assert_eq!(outcome.stdout.len(), 1 << 20);
    assert_eq!(outcome.stdout.last(), Some(&b'z'));
}

#[rstest]
#[case::in_its_group("grandchild")]
#[case::in_a_session_of_its_own("session")]
#[case::as_a_daemon("daemon")]
fn what_a_program_leaves_running_ends_with_it(#[case] mode: &str) {
    let hostile = Hostile::new(mode, "DONE");
    succeeds(&hostile);
    assert_eq!(hostile.pids().len(), 2, "it was there");
}

#[test]
fn what_a_program_leaves_running_may_finish_its_output() {
    succeeds(&Hostile::new("late", "DONE"));
}

#[rstest]
fn a_signal_is_told_from_a_status(#[values(6, 9, 11, 15)] signal: i32) {
    let outcome = Hostile::new("crash", &signal.to_string()).run();
    assert_eq!(outcome.ended.exit, Exit::Signal(signal));
}

#[rstest]
#[case::is_not_there("/nonexistent/program", "No such file or directory")]
#[case::is_not_on_the_path("no-such-program", "No such file or directory")]
#[case::is_no_program("/etc/passwd", "Permission denied")]
#[case::is_a_directory("/etc", "Permission denied")]
fn a_program_that_cannot_be_started_is_told_with_the_reason(#[case] program: &str, #[case] reason: &str) {
    let outcome = Hostile::new("", "").with(|hostile| hostile.spec.program = program.into()).run();
    let Exit::NotStarted(why) = &outcome.ended.exit else { panic!("{:?}", outcome.ended) };
    assert!(why.contains(reason), "{why}");
}

#[rstest]
#[case::by_its_path("./no-interpreter")]
#[case::by_its_name("no-interpreter")]
fn no_shell_is_started_for_a_script_that_names_none(#[case] program: &str) {
    let outcome = Hostile::new("", "").with(|hostile| {
        hostile.spec.program = program.into();
        hostile.spec.directory = testing("sources");
        hostile.spec.env.push("PATH", ".");
    });
    let ended = outcome.run().ended;
    assert!(matches!(&ended.exit, Exit::NotStarted(why) if why.contains("Exec format")), "{ended:?}");
}

#[test]
fn a_bare_name_is_looked_up_on_the_path_that_the_program_is_given() {
    let outcome = Hostile::new("", "").with(|hostile| {
        hostile.spec.program = "sh".into();
        hostile.spec.args = vec!["-c".into(), "printf DONE".into()];
        hostile.spec.env.push("PATH", "/nonexistent:/bin");
    });
    succeeds(&outcome);
}

#[test]
fn a_program_replaced_between_two_runs_is_the_new_one() {
    let hostile = Hostile::new("", "");
    let link = hostile.spec.directory.join("program");
    for (target, exit) in [("/bin/true", 0), ("/bin/false", 1)] {
        let fresh = link.with_extension("new");
        std::os::unix::fs::symlink(target, &fresh).expect("a link");
        std::fs::rename(&fresh, &link).expect("a link");
        let ended = Hostile::new("", "").with(|other| other.spec.program = link.clone()).run().ended;
        assert_eq!(ended.exit, Exit::Status(exit));
    }
}

/// Nobody takes anything.
struct Panics;

impl Stdout for Panics {
    fn receive(&mut self, _bytes: &[u8]) -> ControlFlow<()> {
        panic!("refused");
    }
}

#[test]
fn a_panic_of_whoever_takes_the_output_leaves_no_process() {
    let hostile = Hostile::new("stubborn", "");
    let run = || run(&hostile.spec, &hostile.limits, &hostile.cancel, None, &mut Panics);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("it panicked");
    hostile.expect_nothing_left();
}

#[test]
fn a_program_finds_its_signals_and_descriptors_as_after_a_login() {
    if !is_alone() {
        let shell = "trap '' HUP INT QUIT TERM CHLD USR1 USR2; exec 7</dev/null 8>&2";
        run_alone("processes::a_program_finds_its_signals_and_descriptors_as_after_a_login", shell);
        return;
    }
    let outcome = Hostile::new("descriptors", "").run();
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "0\n1\n2\n");
    let outcome = Hostile::new("signals", "").run();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let masks = text.lines().map(|line| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok());
    // Signals 32 and 33 are the C library's own, and 34 and above have no meaning of their own.
    let masks: Option<Vec<u64>> = masks.map(|mask| Some(mask? & 0x7fff_ffff)).collect();
    assert_eq!(masks, Some(vec![0, 0]), "{text}");
    // SIGCHLD was ignored: without care the kernel would have thrown the status away.
    assert_eq!(Hostile::new("crash", "11").run().ended.exit, Exit::Signal(11));
}

/// The signals that this process handles or ignores, of those below 32: bit 0 is signal 1.
fn handled_or_ignored(pid: Pid) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).expect("it is there");
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("Linux says so");
        u64::from_str_radix(line.trim(), 16).expect("a mask") as u32 & 0x7fff_ffff
    };
    mask("SigIgn") | mask("SigCgt")
}

#[test]
fn a_daemon_handles_no_signal_but_those_that_are_reset_for_its_programs() {
    let site = Site::with("", &[Sh.source("crm")]);
    let daemon = site.start();
    // What the language's runtime handles from the first moment on; what was ignored before that is found out.
    let from_the_start = [libc::SIGSEGV, libc::SIGBUS];
    let ours = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGCHLD, libc::SIGUSR1, libc::SIGUSR2];
    let known = from_the_start.into_iter().chain(ours).chain([libc::SIGALRM, libc::SIGPIPE]);
    let known = known.fold(handled_or_ignored(getpid()), |mask, signal| mask | 1 << (signal - 1));
    assert_eq!(handled_or_ignored(daemon.pid()) & !known, 0, "add it to those that source/process/setup.rs resets");
    daemon.stop();
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}

#[test]
fn two_hundred_runs_leave_no_descriptor_and_no_child() {
    if !is_alone() {
        run_alone("processes::two_hundred_runs_leave_no_descriptor_and_no_child", "");
        return;
    }
    let mixed = |number: usize| match number % 5 {
        0 => Hostile::new("hang", "").with(|hostile| hostile.limits.deadline = Duration::from_millis(5)),
        1 => Hostile::new("deaf", "DONE").with(|hostile| hostile.spec.stdin = Some(vec![b'x'; 1 << 20])),
        2 => Hostile::new("", "").with(|hostile| hostile.spec.program = "/nonexistent".into()),
        3 => Hostile::new("flood-stdout", ""),
        _ => Hostile::new("grandchild", "DONE").with(|hostile| hostile.limits.drain = Duration::from_millis(5)),
    };
    // What every run needs is opened by the first that does, and kept: what is given nothing to read has it from `/dev/null`.
    [0, 1].into_iter().for_each(|number| drop(mixed(number).run()));
    let before = open_descriptors();
    for number in 0..200 {
        mixed(number).run();
    }
    assert_eq!(open_descriptors(), before);
    let children = std::fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id()));
    assert_eq!(children.expect("Linux"), "");
    let none = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
    assert_eq!(none.expect_err("there is no child"), rustix::io::Errno::CHILD);
}

/// Runs `spec` with at most `limit` descriptors.
fn run_with_descriptors(limit: u64, spec: &Spec, limits: &Limits) -> (Exit, Vec<u8>) {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(limit), ..before }).expect("the limit can be lowered");
    let mut stdout = Vec::new();
    let ended = run(spec, limits, &Cancel::never(), None, &mut Gather(&mut stdout));
    setrlimit(Resource::Nofile, before).expect("the limit can be raised again");
    (ended.exit, stdout)
}

struct Gather<'a>(&'a mut Vec<u8>);

impl Stdout for Gather<'_> {
    fn receive(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        self.0.extend_from_slice(bytes);
        ControlFlow::Continue(())
    }
}

#[test]
fn where_descriptors_run_out_a_program_either_never_starts_or_ends_as_ever() {
    if !is_alone() {
        run_alone("processes::where_descriptors_run_out_a_program_either_never_starts_or_ends_as_ever", "");
        return;
    }
    let hostile = Hostile::new("close-stdin", "DONE").with(|hostile| hostile.spec.stdin = Some(b"x".to_vec()));
    succeeds(&hostile);
    let first = open_descriptors() as u64;
    let mut outcomes = Vec::new();
    for limit in first..first + 16 {
        let (exit, stdout) = run_with_descriptors(limit, &hostile.spec, &hostile.limits);
        match exit {
            Exit::NoRoom(why) => {
                assert!(why.contains("Too many open files"), "{why}");
                assert!(stdout.is_empty());
                outcomes.push(false);
            }
            other => {
                assert_eq!((other, stdout), (Exit::Status(0), b"DONE".to_vec()), "with {limit} descriptors");
                outcomes.push(true);
            }
        }
    }
    assert!(!outcomes[0] && outcomes[15] && outcomes.is_sorted(), "{outcomes:?}");
}
