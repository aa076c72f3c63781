//! A running `retcond`, whose end is part of every test: it must leave no process behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::program::program;
use super::runs::Ticks;
use super::site::Site;
use super::socket::call;
use super::wait::until;

/// A daemon that serves a [`Site`].
pub(crate) struct Daemon<'a> {
    site: &'a Site,
    /// The name of its state directory.
    state: &'a str,
    child: Child,
}

/// The state directory of the configuration.
const STATE: &str = "state";

impl<'a> Daemon<'a> {
    /// Starts `retcond` and waits until `/readyz` says that it is ready.
    #[track_caller]
    pub(crate) fn start(site: &'a Site) -> Self {
        Self::start_in(site, STATE)
    }

    /// Starts one with a state directory of its own, beside others on the same database.
    #[track_caller]
    pub(crate) fn start_in(site: &'a Site, state: &'a str) -> Self {
        let mut daemon = Self::spawn_in(site, state);
        daemon.wait_until_ready();
        daemon
    }

    /// Waits until `/readyz` says that it is ready.
    #[track_caller]
    pub(crate) fn wait_until_ready(&mut self) {
        let (site, socket) = (self.site, self.socket());
        until(
            || {
                let ended = self.child.try_wait().expect("the daemon is ours");
                assert!(ended.is_none(), "retcond ended, {ended:?}:\n{}", log_text(site));
                let ready = call(&socket, "GET", "/readyz", None);
                ready.is_ok_and(|answer| answer.status == 200).then_some(())
            },
            || format!("retcond is not ready:\n{}", log_text(site)),
        );
    }

    /// Starts `retcond` without waiting for anything.
    #[track_caller]
    pub(crate) fn spawn(site: &'a Site) -> Self {
        Self::spawn_in(site, STATE)
    }

    fn spawn_in(site: &'a Site, state: &'a str) -> Self {
        Self::spawn_with(site, state, program(env!("CARGO_BIN_EXE_retcond")))
    }

    /// Likewise, by this command.
    #[track_caller]
    pub(crate) fn spawn_by(site: &'a Site, command: Command) -> Self {
        Self::spawn_with(site, STATE, command)
    }

    /// Likewise, with a state directory of its own.
    #[track_caller]
    pub(crate) fn spawn_with(site: &'a Site, state: &'a str, mut command: Command) -> Self {
        let log = File::options().append(true).create(true).open(log_path(site)).expect("a log file");
        command.arg("--config").arg(site.path().join("retcon.toml")).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.env("RETCON__SERVER__STATE_DIR", site.path().join(state));
        Self { site, state, child: command.spawn().expect("retcond starts") }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.site.path().join(self.state).join("retcon.sock")
    }

    /// Sends a request to this daemon, and gives the body of its answer.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = call(&self.socket(), "GET", path, None);
        answer.unwrap_or_else(|error| panic!("no answer to {path}: {error}")).has_status(200).json()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// When its process was started.
    pub(crate) fn began(&self) -> Ticks {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it is there");
        // After the name, which may hold anything, the twentieth word.
        let word = stat.rsplit_once(')').and_then(|(_, words)| words.split_whitespace().nth(19));
        Ticks(word.and_then(|word| word.parse().ok()).expect("the kernel says when it was started"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the daemon is ours");
    }

    /// Stops it as `systemctl stop` does; it says that it was well, and nothing of it is left.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "retcond did not stop in order: {status}\n{}", self.log_text());
        assert_eq!(processes(self.site.path()), Vec::<Process>::new(), "left behind");
    }

    /// Kills it with nothing said, as a power failure does, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("the daemon is ours");
    }

    /// Kills it and nothing that it started, as the kernel does that is out of memory; the next daemon of the site sees to that.
    pub(crate) fn kill_alone(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("the daemon is ours");
        self.bury();
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the daemon is ours")
    }

    /// Leaves what a daemon that is dead has started to the next one of the site.
    pub(crate) fn bury(self) {
        std::mem::forget(self);
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let Self { site, child, .. } = self;
        until(
            || child.try_wait().expect("the daemon is ours"),
            || format!("retcond does not stop:\n{}", log_text(site)),
        )
    }

    /// Its log so far, daemons before it on this site included.
    pub(crate) fn log_text(&self) -> String {
        log_text(self.site)
    }

    /// The events of its log.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.log_text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for an event of the log.
    #[track_caller]
    pub(crate) fn wait_for_event(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        until(|| self.events().into_iter().find(&wanted), || format!("no such event:\n{}", self.log_text()))
    }
}

impl Drop for Daemon<'_> {
    /// Ends what a failed test has left, down to the last process that belongs to its site.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        for process in processes(self.site.path()) {
            kill_process(process.pid, Signal::KILL).ok();
        }
    }
}

fn log_path(site: &Site) -> std::path::PathBuf {
    site.path().join("retcond.log")
}

fn log_text(site: &Site) -> String {
    fs::read_to_string(log_path(site)).unwrap_or_default()
}

/// A process of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) command: String,
}

/// The processes that run in a directory or name it in their command line: whoever was started for it.
pub(crate) fn processes(dir: &Path) -> Vec<Process> {
    let own = rustix::process::getpid();
    let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
    pids.filter(|pid| *pid != own).filter_map(|pid| belonging(pid, dir)).collect()
}

fn belonging(pid: Pid, dir: &Path) -> Option<Process> {
    let proc = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    let command = String::from_utf8_lossy(&fs::read(proc.join("cmdline")).ok()?).replace('\0', " ");
    let inside = fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    (inside || command.contains(dir.to_str()?)).then_some(Process { pid, command })
}
