//! The mark that every process of a run bears, wherever it goes: a variable of its environment.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use uuid::Uuid;

use super::table;

/// The variable that holds the mark.
const VARIABLE: &str = "RETCON_RUN_ID";
/// For how long a process that is being loaded is waited for; it takes far less than a millisecond where the disk answers.
const LOADING: Duration = Duration::from_secs(1);
/// The pause before it is looked at again.
const PAUSE: Duration = Duration::from_micros(100);

/// Whose runs they are: one daemon's, from its start to its end, or one command's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family(Uuid);

/// What one run is known by; no two runs of this machine share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    family: Family,
    number: u64,
}

impl Family {
    /// Makes a family that has no runs yet.
    #[expect(clippy::new_without_default, reason = "no two are equal")]
    pub fn new() -> Self {
        Self(Uuid::new_v4())
    }

    /// Returns the mark of its run of this number.
    pub fn mark(self, number: u64) -> Mark {
        Mark { family: self, number }
    }

    /// Tells whether a process belongs to one of its runs; one that is a zombie belongs to none.
    pub(in crate::source) fn is_on(self, pid: Pid) -> bool {
        let beginning = format!("{VARIABLE}={self}.");
        has_entry(pid, |entry| entry.starts_with(beginning.as_bytes()))
    }
}

impl Mark {
    /// Returns the mark of a run that is alone in its family.
    pub(super) fn alone() -> Self {
        Family::new().mark(0)
    }

    /// Returns the variable that bears it.
    pub fn variable(&self) -> (OsString, OsString) {
        (VARIABLE.into(), format!("{}.{}", self.family, self.number).into())
    }

    /// Tells whether a process belongs to the run; a zombie does not.
    pub(super) fn is_on(&self, pid: Pid) -> bool {
        let whole = format!("{VARIABLE}={}.{}", self.family, self.number);
        has_entry(pid, |entry| entry == whole.as_bytes())
    }
}

/// Looks for an entry in the environment of a process.
fn has_entry(pid: Pid, is_it: impl Fn(&[u8]) -> bool) -> bool {
    environment(pid).is_some_and(|environment| environment.split(|byte| *byte == 0).any(is_it))
}

/// Returns the environment of a process, in the form of proc(5), as soon as it has one; `None` if it is not shown to us.
fn environment(pid: Pid) -> Option<Vec<u8>> {
    let path = format!("/proc/{}/environ", pid.as_raw_pid());
    let start = Instant::now();
    let mut environment = fs::read(&path).ok()?;
    while environment.is_empty() && start.elapsed() < LOADING {
        // What is loaded by now may have been read a moment too early.
        let was_loaded = !table::is_being_loaded(pid);
        environment = fs::read(&path).ok()?;
        if was_loaded {
            break;
        }
        thread::sleep(PAUSE);
    }
    Some(environment)
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl FromStr for Family {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::Pid;

    use super::Family;

    #[test]
    fn a_process_bears_the_mark_that_it_was_given_and_no_other() {
        let (family, other) = (Family::new(), Family::new());
        let mark = family.mark(1);
        let mut child = Command::new("sleep").arg("60").envs([mark.variable()]).spawn().expect("it is there");
        let pid = Pid::from_child(&child);
        assert!(mark.is_on(pid) && family.is_on(pid));
        assert!(!family.mark(11).is_on(pid), "the number is compared as a whole");
        assert!(!other.mark(1).is_on(pid) && !other.is_on(pid));
        child.kill().expect("it is ours");
        assert!(child.wait().is_ok() && !mark.is_on(pid));
        assert_eq!(family.to_string().parse(), Ok(family));
    }

    #[test]
    fn a_process_bears_its_mark_from_the_moment_at_which_it_has_begun() {
        let family = Family::new();
        for number in 0..500 {
            let mark = family.mark(number);
            let mut child = Command::new("sleep").arg("60").envs([mark.variable()]).spawn().expect("it is there");
            let is_known = mark.is_on(Pid::from_child(&child));
            child.kill().and_then(|()| child.wait()).expect("it is ours");
            assert!(is_known, "number {number} was not known");
        }
    }
}
