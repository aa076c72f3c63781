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
        // utime and stime (proc(5)).
        ticks(&fields(&self.proc("stat")), 2)
    }

    /// The time that it has spent on cores with all processes below it, PostgreSQL's too, whether they run or have ended.
    pub fn cpu_of_all(&self) -> Duration {
        let processes = fs::read_dir("/proc").expect("proc(5)").filter_map(|entry| {
            let (path, stat) = entry.ok().map(|entry| (entry.path(), entry.path().join("stat")))?;
            let pid = path.file_name()?.to_str()?.parse::<i32>().ok()?;
            Some((pid, fields(&fs::read_to_string(stat).ok()?)))
        });
        let processes: Vec<(i32, Vec<u64>)> = processes.collect();
        let mut family = vec![self.pid().as_raw_nonzero().get()];
        let (mut spent, mut next) = (Duration::ZERO, 0);
        while let Some(parent) = family.get(next).copied() {
            // utime, stime, cutime and cstime: those that have ended are counted where they were waited for.
            spent +=
                processes.iter().find(|(pid, _)| *pid == parent).map_or(Duration::ZERO, |(_, stat)| ticks(stat, 4));
            family.extend(processes.iter().filter(|(_, stat)| stat[1] == parent as u64).map(|(pid, _)| *pid));
            next += 1;
        }
        spent
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

/// Gives the numbers that follow the name in `/proc/PID/stat`: the parent is the second; what is no number counts as 0.
fn fields(stat: &str) -> Vec<u64> {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect()
}

/// Adds up so many of the times, which are in hundredths of a second.
fn ticks(fields: &[u64], count: usize) -> Duration {
    Duration::from_millis(fields.iter().skip(11).take(count).sum::<u64>() * 10)
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
