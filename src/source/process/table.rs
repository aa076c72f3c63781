//! The processes of this machine, as `/proc` has them.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open, pidfd_send_signal, waitpid};

use super::kept::LOAD;

/// What a process belongs to.
#[derive(Debug, Clone, Copy)]
pub(in crate::source) struct Kin {
    pub(in crate::source) parent: i32,
    pub(in crate::source) group: i32,
    /// It has ended, and nobody has taken its exit yet.
    pub(in crate::source) is_dead: bool,
}

/// Returns the numbers of all processes.
pub(in crate::source) fn all() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(Pid::from_raw).collect()
}

/// Returns the number that was given out last.
pub(super) fn last_number() -> Option<i32> {
    // One line of some thirty bytes. It is asked for after every run, so no more is done for it than must be.
    let mut line = [0; 128];
    let count = rustix::io::pread(LOAD.fd().ok()?, &mut line, 0).ok()?;
    str::from_utf8(&line[..count]).ok()?.split_whitespace().last()?.parse().ok()
}

/// Returns what a process belongs to; `None` if there is no such process.
pub(in crate::source) fn kin(pid: Pid) -> Option<Kin> {
    let stat = stat(pid)?;
    let mut fields = stat.split_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X");
    let mut numbers = fields.map(str::parse);
    Some(Kin { parent: numbers.next()?.ok()?, group: numbers.next()?.ok()?, is_dead })
}

/// Tells whether a process is between its old program and its new one: it has memory, and no environment yet.
///
/// Who started it may know its number by then, and its environment reads as if it were empty.
pub(super) fn is_being_loaded(pid: Pid) -> bool {
    /// Where the size of its memory and the end of its environment stand, counted from the state on.
    const PLACES: (usize, usize) = (20, 48);
    let Some(stat) = stat(pid) else { return false };
    let field = |place| stat.split_whitespace().nth(place);
    field(PLACES.0) != Some("0") && field(PLACES.1) == Some("0")
}

/// Returns what proc_pid_stat(5) tells of a process, from its state on.
fn stat(pid: Pid) -> Option<String> {
    let mut stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    // The name, in parentheses, may hold anything: what counts stands after the last one.
    let end = stat.rfind(')')?;
    Some(stat.split_off(end + 1))
}

/// A process that was killed, and may not be gone yet: it holds its files, and ends what it had asked the kernel for, some time
/// after its environment is not shown any more.
pub(in crate::source) struct Ending(Option<OwnedFd>);

impl Ending {
    /// Waits until nothing is left of it, no thread either, for so long at most; tells whether that is so.
    ///
    /// One that could not be got hold of passes for gone: whoever looks for such processes finds it once more.
    pub(in crate::source) fn is_over_within(&self, time: Duration) -> bool {
        let Some(process) = &self.0 else { return true };
        let time = Timespec::try_from(time).ok();
        poll(&mut [PollFd::new(process, PollFlags::IN)], time.as_ref()).is_ok_and(|ready| ready > 0)
    }
}

/// Kills a process if it is the right one; gives it if it is, and may be there still.
pub(in crate::source) fn kill_if(pid: Pid, is_right: impl Fn(Pid) -> bool) -> Option<Ending> {
    if !is_right(pid) {
        return None;
    }
    // Its number may be given to another process at any time, until a descriptor stands for it: look again with that.
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => return Some(Ending(None)),
        Err(_) => return None,
    };
    if !is_right(pid) {
        return None;
    }
    match pidfd_send_signal(&process, Signal::KILL) {
        Ok(()) => {}
        Err(Errno::SRCH) => return None,
        // It is another user's: all that can be done is to wait for its end.
        Err(_) => return Some(Ending(Some(process))),
    }
    if kin(pid).is_some_and(|kin| kin.parent == getpid().as_raw_pid()) {
        // As process 1 of a container we are its parent now; it has been killed, so the wait is short.
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }
    Some(Ending(Some(process)))
}
