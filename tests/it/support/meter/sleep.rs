//! Whether processes sleep: nothing of theirs runs, or could if a processor were free.

use std::collections::{BTreeSet, HashSet};
use std::fs;

use rustix::process::Pid;

/// Threads that sleep, each with how often it has given its processor up.
#[derive(Debug, PartialEq, Eq)]
struct Asleep(BTreeSet<[u64; 3]>);

/// Tells whether `look` is true and no thread of these processes ran while it was asked, nor was about to.
pub(super) fn while_asleep(processes: &HashSet<Pid>, look: impl FnOnce() -> bool) -> bool {
    let before = Asleep::of(processes);
    // Whoever has run since, and sleeps again, has given its processor up once more.
    before.is_some() && look() && Asleep::of(processes) == before
}

impl Asleep {
    /// `None` if one of them does not sleep.
    fn of(processes: &HashSet<Pid>) -> Option<Self> {
        let mut threads = BTreeSet::new();
        for process in processes {
            let entries = fs::read_dir(format!("/proc/{process}/task")).ok()?;
            for entry in entries {
                threads.insert(Self::thread(&fs::read_to_string(entry.ok()?.path().join("status")).ok()?)?);
            }
        }
        Some(Self(threads))
    }

    /// Reads what the kernel says of a thread.
    fn thread(status: &str) -> Option<[u64; 3]> {
        let says = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        // One that is about to run is said to be running.
        if !says("State")?.trim_start().starts_with('S') {
            return None;
        }
        let number = |name| says(name)?.trim().parse().ok();
        Some([number("Pid")?, number("voluntary_ctxt_switches")?, number("nonvoluntary_ctxt_switches")?])
    }
}
