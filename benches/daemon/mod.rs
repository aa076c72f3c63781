//! A daemon that is measured.

#![allow(dead_code, reason = "each bench uses its part")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A running daemon, stopped when it is dropped.
pub struct Daemon(Child);

impl Daemon {
    /// Starts the daemon whose `retcon.toml` is in `directory`, and waits until it is up.
    pub fn start(directory: &Path, mut is_up: impl FnMut() -> bool) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retcond"));
        command.arg("--config").arg(directory.join("retcon.toml")).stdin(Stdio::null());
        let daemon = Self(command.spawn().expect("retcond starts"));
        while !is_up() {
            sleep(Duration::from_millis(10));
        }
        daemon
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// The time that it has spent on cores.
    pub fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace().collect::<Vec<_>>());
        // utime and stime (proc(5)), in hundredths of a second.
        let ticks: u64 = fields.iter().flatten().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// What it has in memory, in KiB.
    pub fn memory(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("proc(5)")
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid().as_raw_nonzero())).expect("the daemon runs")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        kill_process(self.pid(), Signal::TERM).expect("the daemon is ours");
        let status = self.0.wait().expect("the daemon is ours");
        assert!(status.success(), "the daemon stopped with {status}");
    }
}

/// Makes a directory for a daemon and its PostgreSQL, which runs as another user where this runs as root.
pub fn directory() -> TempDir {
    let open = Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("retcon-bench.").permissions(open).tempdir().expect("a directory")
}
