//! A running server process: found, watched and stopped.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The postmaster of our data directory: a process that is what its lock file says.
#[derive(Debug)]
pub(super) struct Postmaster {
    pub pid: Pid,
    /// Means this very process, even if its number is given away.
    process: OwnedFd,
    /// To be reaped, unless an earlier daemon started it.
    child: Option<Child>,
}

/// What the postmaster has written of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It takes connections.
    Ready,
    /// It starts, recovers or stops.
    Other,
}

/// What the postmaster of a data directory writes there of itself.
pub(super) const LOCK_FILE: &str = "postmaster.pid";

/// What stands in the lock file.
struct LockFile {
    pid: Pid,
    phase: Phase,
}

impl Postmaster {
    /// Finds the process that runs on `data`, if one does.
    pub fn find(data: &Path) -> Option<(Self, Phase)> {
        let file = LockFile::read(data)?;
        let process = pidfd_open(file.pid, PidfdFlags::empty()).ok()?;
        let found = Self { pid: file.pid, process, child: None };
        // The check comes after the descriptor, and that it lives after the check: so both are of one process.
        (is_postmaster_of(file.pid, data) && found.is_alive()).then_some((found, file.phase))
    }

    /// Takes over the reaping of `child` if it is this process; gives it back if not.
    pub fn reap(mut self, child: Child) -> (Self, Option<Child>) {
        if child.id() == self.pid.as_raw_nonzero().get().cast_unsigned() {
            self.child = Some(child);
            return (self, None);
        }
        (self, Some(child))
    }

    /// Tells whether it runs.
    pub fn is_alive(&self) -> bool {
        !self.wait(Duration::ZERO)
    }

    /// Waits until it has ended, `limit` at most; tells whether it has.
    pub fn wait(&self, limit: Duration) -> bool {
        let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: limit.subsec_nanos().into() };
        let mut watched = [PollFd::new(&self.process, PollFlags::IN)];
        // An interrupted wait is a short one; its caller has another signal to send.
        poll(&mut watched, Some(&limit)).is_ok_and(|ready| ready > 0)
    }

    /// Sends a signal; that it has ended already is no failure.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.process, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Reaps it if it has ended; else it goes on, and whoever reaps for us reaps it.
            drop(child.try_wait());
        }
    }
}

impl LockFile {
    fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join(LOCK_FILE)).ok()?;
        let pid = parse_pid(&text)?;
        let phase = match text.lines().nth(7).map(str::trim) {
            Some("ready") => Phase::Ready,
            Some(_) | None => Phase::Other,
        };
        Some(Self { pid, phase })
    }
}

/// Removes a lock file (of a data directory or a socket) that names a process which is there and is no postmaster of ours:
/// another program with that number, or one of ours that has ended and that nobody has reaped.
///
/// PostgreSQL would take either for a running server, and never start. Files of processes that are gone it removes itself.
pub(super) fn remove_misleading_lock_file(path: &Path, data: &Path) -> io::Result<()> {
    let named = fs::read_to_string(path).ok().and_then(|text| parse_pid(&text));
    match named {
        Some(pid) if Path::new(&format!("/proc/{pid}")).exists() && !is_postmaster_of(pid, data) => {
            fs::remove_file(path)
        }
        Some(_) | None => Ok(()),
    }
}

/// Reads the first line of a lock file.
fn parse_pid(text: &str) -> Option<Pid> {
    Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
}

/// Tells whether a process is a postmaster on `data`, to which it changes its working directory.
fn is_postmaster_of(pid: Pid, data: &Path) -> bool {
    let about = Path::new("/proc").join(pid.to_string());
    if !fs::read_to_string(about.join("comm")).is_ok_and(|name| name.trim_end() == "postgres") {
        return false;
    }
    match fs::read_link(about.join("cwd")) {
        Ok(directory) => directory == data,
        // Root in a container without the right to trace cannot see it; then its command line must do.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            use std::os::unix::ffi::OsStrExt as _;
            fs::read(about.join("cmdline"))
                .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == data.as_os_str().as_bytes()))
        }
        Err(_) => false,
    }
}
