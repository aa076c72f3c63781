//! The demo does what it says, and leaves nothing behind, however it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::support::daemon::{Process, processes};
use crate::support::program::{program, run};
use crate::support::site::open_directory;
use crate::support::wait::until;

/// A place for the demo's own temporary directory.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(open_directory())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn demo(&self) -> Command {
        let mut command = program(env!("CARGO_BIN_EXE_retcon"));
        command.arg("demo").env("TMPDIR", self.path()).current_dir("/");
        command
    }

    fn start(&self) -> Child {
        let mut command = self.demo();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).spawn().expect("the demo starts")
    }

    /// Waits for the demo's end: it did not succeed, says why, and has left neither a process nor a file.
    #[track_caller]
    fn expect_failure_without_a_trace(&self, mut demo: Child, why: &str) {
        let told = demo.stdout.take().map(drain);
        let complaints = demo.stderr.take().map(drain);
        let status = until(|| demo.try_wait().expect("the demo is ours"), || "the demo does not end");
        let [_, stderr] = [told, complaints].map(|reader| reader.expect("piped").join().expect("it was read"));
        assert_eq!(status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
        self.expect_nothing_left();
    }

    #[track_caller]
    fn expect_nothing_left(&self) {
        assert_eq!(processes(self.path()), Vec::<Process>::new(), "processes are left");
        let files: Vec<_> = fs::read_dir(self.path()).expect("the place is there").collect();
        assert!(files.is_empty(), "files are left: {files:?}");
    }
}

impl Drop for Place {
    /// Ends what a demo that failed its test has left.
    fn drop(&mut self) {
        for process in processes(self.path()) {
            kill_process(process.pid, Signal::KILL).ok();
        }
    }
}

/// Reads a pipe to its end, so that nobody has to wait for room in it.
fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text).expect("the demo writes text")
    })
}

/// Waits until the demo tells a line that begins like this.
#[track_caller]
fn wait_for_line(demo: &mut Child, beginning: &str) {
    let told = BufReader::new(demo.stdout.as_mut().expect("stdout is piped"));
    let found = told.lines().map_while(Result::ok).any(|line| line.trim_start().starts_with(beginning));
    assert!(found, "the demo never told {beginning:?}");
}

#[test]
fn the_demo_tells_all_its_steps_and_leaves_nothing() {
    let place = Place::new();
    let told = run(&mut place.demo(), b"").exits(0);
    let stdout = told.stdout();
    for line in [
        "1. A customer is created in crm",
        "$ retcon notify customer crm C-1 --wait",
        "2. She moves",
        "$ retcon conflicts",
        "--take crm",
        "$ retcon explain customer 1",
        "5. The shop deletes her",
        "billing  no customer",
        "$ retcon history customer 1",
        "every line checked",
    ] {
        assert!(stdout.contains(line), "{line:?} is not told: {told}");
    }
    assert!(!stdout.contains('\x1b'), "colour where there is no terminal: {told}");
    assert!(told.stderr.is_empty(), "{told}");
    place.expect_nothing_left();
}

#[rstest]
#[case::ctrl_c(Signal::INT)]
#[case::terminated(Signal::TERM)]
#[case::terminal_gone(Signal::HUP)]
fn a_demo_that_is_interrupted_leaves_nothing(#[case] signal: Signal) {
    let place = Place::new();
    let mut demo = place.start();
    wait_for_line(&mut demo, "2. She moves");
    kill_process(Pid::from_child(&demo), signal).expect("the demo is ours");
    place.expect_failure_without_a_trace(demo, "interrupted");
}

#[test]
fn ctrl_c_in_the_middle_of_a_command_leaves_nothing() {
    let place = Place::new();
    let mut demo = place.start();
    wait_for_line(&mut demo, "$ retcon notify");
    kill_process_group(Pid::from_child(&demo), Signal::INT).expect("the demo's group is ours");
    place.expect_failure_without_a_trace(demo, "interrupted");
}

#[test]
fn a_demo_that_is_interrupted_while_postgresql_is_made_leaves_nothing() {
    let place = Place::new();
    let demo = place.start();
    let cluster = "state/pg/data";
    until(
        || fs::read_dir(place.path()).ok()?.flatten().find(|stage| stage.path().join(cluster).exists()).map(drop),
        || "the demo makes no PostgreSQL",
    );
    kill_process(Pid::from_child(&demo), Signal::INT).expect("the demo is ours");
    place.expect_failure_without_a_trace(demo, "interrupted");
}

#[test]
fn a_demo_that_nobody_reads_any_more_ends_and_leaves_nothing() {
    let place = Place::new();
    let mut demo = place.start();
    wait_for_line(&mut demo, "1. A customer");
    drop(demo.stdout.take());
    until(|| demo.try_wait().expect("the demo is ours"), || "the demo does not end");
    place.expect_nothing_left();
}

#[test]
fn a_demo_whose_daemon_dies_says_so_and_leaves_nothing() {
    let place = Place::new();
    let mut demo = place.start();
    wait_for_line(&mut demo, "1. A customer");
    let daemon = processes(place.path()).into_iter().find(|process| process.command.contains("retcond"));
    kill_process(daemon.expect("a daemon runs").pid, Signal::KILL).expect("the daemon is ours");
    place.expect_failure_without_a_trace(demo, "The daemon's last words");
}

#[test]
fn a_demo_without_python_says_what_to_install() {
    let place = Place::new();
    let empty = open_directory();
    let told = run(place.demo().env("PATH", empty.path()), b"").exits(1);
    assert!(told.stderr().contains("hint: apt-get install python3"), "{told}");
    place.expect_nothing_left();
}

#[test]
fn a_demo_without_a_daemon_says_where_it_was_looked_for() {
    let place = Place::new();
    let alone = open_directory();
    fs::copy(env!("CARGO_BIN_EXE_retcon"), alone.path().join("retcon")).expect("a copy");
    let mut command = program(alone.path().join("retcon"));
    let told = run(command.arg("demo").env("TMPDIR", place.path()), b"").exits(1);
    told.complains_of("cannot find retcond").complains_of(alone.path().to_str().expect("a path of ours is UTF-8"));
    place.expect_nothing_left();
}
