//! What a program left running outside its process group, found and killed.
//!
//! A process that made a session or a group of its own escapes the group's SIGKILL. It is known by the mark of its run. What
//! hides its environment on purpose stays.

use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::super::guardian::Guardian;
use super::mark::Mark;
use super::table::{Ending, all, kill_if, last_number};

/// The greatest distance between two process numbers that is searched one by one; beyond it, `/proc` is listed.
const NEAR: i32 = 4096;

/// How often the search is repeated, as what was found may have started more.
const ROUNDS: usize = 16;

/// For how long those that were killed are waited for, each round: the kernel takes moments, if no device holds the processes up.
const PATIENCE: Duration = Duration::from_millis(100);

/// Kills what the process `leader`, which has been reaped, left behind. Those that lead other runs, as the guardian knows, are not
/// of this one, and need not be looked at.
pub(super) fn kill(leader: Pid, mark: &Mark, guardian: Option<&Guardian>) {
    for _ in 0..ROUNDS {
        let mut suspects = younger_than(leader);
        if let Some(guardian) = guardian {
            guardian.leave_out_leaders(&mut suspects);
        }
        let killed: Vec<Ending> = suspects.into_iter().filter_map(|pid| kill_if(pid, |pid| mark.is_on(pid))).collect();
        if killed.is_empty() {
            return;
        }
        let until = Instant::now() + PATIENCE;
        for ending in killed {
            ending.is_over_within(until.saturating_duration_since(Instant::now()));
        }
    }
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
