//! What a program left running outside its process group, found and killed.
//!
//! A process that made a session or a group of its own escapes the group's SIGKILL. It is known by two signs, both of them
//! needed: it has every `RETCON_*` variable that the program was given, and its parent is gone. The second spares the
//! processes of another run, which can have the same variables where one `list` runs beside another. What hides its
//! environment on purpose stays.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open, pidfd_send_signal, waitpid};

/// The greatest distance between two process numbers that is searched one by one; beyond it, `/proc` is listed.
const NEAR: i32 = 4096;

/// How often the search is repeated, as what was found may have started more.
const ROUNDS: usize = 16;

/// Kills what the process `leader`, which has been reaped, left behind.
pub(super) fn kill(leader: Pid, env: &[(OsString, OsString)]) {
    let marks: Vec<Vec<u8>> = env.iter().filter_map(|(name, value)| mark(name, value)).collect();
    if marks.is_empty() {
        return;
    }
    for _ in 0..ROUNDS {
        let killed = younger_than(leader).into_iter().filter(|pid| kill_if_left_behind(*pid, &marks)).count();
        if killed == 0 {
            return;
        }
    }
}

/// Returns `NAME=VALUE` of a variable by which processes are told apart.
fn mark(name: &OsStr, value: &OsStr) -> Option<Vec<u8>> {
    let name = name.as_bytes();
    name.starts_with(b"RETCON_").then(|| [name, b"=", value.as_bytes()].concat())
}

/// Returns the numbers that processes started after `leader` may have: usually none or a few.
fn younger_than(leader: Pid) -> Vec<Pid> {
    let first = leader.as_raw_pid();
    match last_number() {
        Some(last) if (first..first.saturating_add(NEAR)).contains(&last) => {
            (first + 1..=last).filter_map(Pid::from_raw).collect()
        }
        // The numbers began anew, or many processes were started, or the kernel does not say.
        Some(_) | None => all(),
    }
}

/// Returns the number that was given out last.
fn last_number() -> Option<i32> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().last()?.parse().ok()
}

fn all() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(Pid::from_raw).collect()
}

/// Kills the process if it has the marks and nobody waits for it; tells whether it did.
fn kill_if_left_behind(pid: Pid, marks: &[Vec<u8>]) -> bool {
    if !has_marks(pid, marks) {
        return false;
    }
    // Its number may be given to another process at any time, until a descriptor stands for it: look again with that.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    if !has_marks(pid, marks) || !is_left_behind(pid) || pidfd_send_signal(&process, Signal::KILL).is_err() {
        return false;
    }
    if kin(pid.as_raw_pid()).is_some_and(|kin| kin.parent == getpid().as_raw_pid()) {
        // As process 1 of a container we are its parent now; it has been killed, so the wait is short.
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }
    true
}

fn has_marks(pid: Pid, marks: &[Vec<u8>]) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{}/environ", pid.as_raw_pid())) else { return false };
    marks.iter().all(|mark| environment.split(|byte| *byte == 0).any(|entry| entry == mark))
}

/// Tells whether the process lost its parent and was handed to one of our own ancestors, or to us.
///
/// A child that one of these started itself is in its session; what was handed to it came from another one.
fn is_left_behind(pid: Pid) -> bool {
    let Some(Kin { parent, session }) = kin(pid.as_raw_pid()) else { return false };
    let mut line = std::iter::successors(Some(getpid().as_raw_pid()), |ancestor| Some(kin(*ancestor)?.parent));
    kin(parent).is_some_and(|kin| kin.session != session) && line.any(|ancestor| ancestor == parent)
}

/// What a process belongs to.
struct Kin {
    parent: i32,
    session: i32,
}

/// Returns what a process belongs to, as `/proc` has it.
fn kin(pid: i32) -> Option<Kin> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything: what counts stands after the last one.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut numbers = fields.split_whitespace().skip(1).map(str::parse);
    let (parent, _group, session) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(Kin { parent, session })
}
