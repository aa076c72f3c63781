//! Which fault a run makes, and the making of those that end it.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use crate::books::FaultPlan;
use crate::chance::Chance;

/// What a run does that it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Outage,
    /// Before or after it took effect.
    HangBefore,
    HangAfter,
    Garbage,
    Flood,
    /// Its change took effect, and then it exits so.
    ApplyExit1,
    ApplyExit4,
    ApplyKilled,
    Reject,
    Fail,
    /// It could read, and cannot reach its system to change something.
    CutOff,
    /// It goes on showing what it deletes.
    Stale,
    Slow,
}

impl Fault {
    /// Draws the fault of a run.
    pub fn draw(plan: &FaultPlan, chance: &mut Chance, operation: &str) -> Option<Self> {
        let changes = matches!(operation, "create" | "update" | "delete");
        if plan.outage {
            return Some(Self::Outage);
        }
        let hang = if changes && chance.per_mille(500) { Self::HangAfter } else { Self::HangBefore };
        let applied = [Self::ApplyExit1, Self::ApplyExit4, Self::ApplyKilled];
        let applied = chance.pick(&applied).copied().unwrap_or(Self::ApplyExit4);
        let fail = if changes && chance.per_mille(500) { Self::CutOff } else { Self::Fail };
        let rows = [
            (plan.hang, hang, true),
            (plan.garbage, Self::Garbage, operation != "delete"),
            (plan.flood, Self::Flood, true),
            (plan.apply_fail, applied, changes),
            (plan.reject, Self::Reject, changes),
            (plan.fail, fail, true),
            (plan.stale, Self::Stale, operation == "delete"),
            (plan.slow, Self::Slow, true),
        ];
        rows.into_iter().find_map(|(n, fault, fits)| (fits && chance.per_mille(n)).then_some(fault))
    }

    /// Names its class, as on a run's list.
    pub fn class(self) -> &'static str {
        match self {
            Self::Outage => "source-outage",
            Self::HangBefore | Self::HangAfter => "source-hang",
            Self::Garbage => "source-garbage",
            Self::Flood => "source-flood",
            Self::ApplyExit1 | Self::ApplyExit4 | Self::ApplyKilled => "source-apply-then-fail",
            Self::Reject => "source-reject",
            Self::Fail | Self::CutOff => "source-fail",
            Self::Stale => "source-stale-read",
            Self::Slow => "source-slow",
        }
    }

    /// Names it in the log of changes, where it comes after a change took effect.
    pub fn after_effect(self) -> Option<&'static str> {
        match self {
            Self::HangAfter => Some("apply-hang"),
            Self::Garbage => Some("apply-garbage"),
            Self::Flood => Some("apply-flood"),
            Self::ApplyExit1 => Some("apply-exit-1"),
            Self::ApplyExit4 => Some("apply-exit-4"),
            Self::ApplyKilled => Some("apply-killed"),
            Self::Outage | Self::HangBefore | Self::Reject | Self::Fail | Self::CutOff | Self::Stale | Self::Slow => {
                None
            }
        }
    }
}

/// Does nothing until it is killed; half of the time it does not listen to SIGTERM.
pub fn hang(chance: &mut Chance) -> ! {
    if chance.per_mille(500) {
        // SAFETY: to ignore a signal touches no memory.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    }
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}

/// Dies without a word.
pub fn die() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}

/// Prints without end, to the one or the other stream.
pub fn flood(chance: &mut Chance) -> ! {
    let chunk = [b'x'; 1 << 16];
    let to_stdout = chance.per_mille(800);
    loop {
        let written = if to_stdout {
            std::io::stdout().write_all(&chunk)
        } else {
            // Nobody is told to end it before its time: let others work meanwhile.
            thread::sleep(Duration::from_millis(2));
            std::io::stderr().write_all(&chunk)
        };
        if written.is_err() {
            std::process::exit(74);
        }
    }
}

/// Gives what no contract allows a program to print for this operation.
///
/// None of it can be taken for a key, nor for a list of them: a program that names wrong keys cannot be told from a right one.
pub fn garbage(chance: &mut Chance, operation: &str) -> &'static [u8] {
    const NO_KEYS: [&[u8]; 5] =
        [b"{\"a\":", b"{\"a\":1}{\"b\":2}", b"\xef\xbb\xbf{\"a\":1}\xff", b"<html>502 Bad Gateway</html>", b"a\tb\n"];
    const NO_DOCUMENTS: [&[u8]; 4] = [b"", b"{\"a\":1,\"a\":2}", b"NaN", b"two\nlines\n"];
    match operation {
        "read" if chance.per_mille(500) => chance.pick(&NO_DOCUMENTS).copied().unwrap_or(b""),
        _ => chance.pick(&NO_KEYS).copied().unwrap_or(b"{"),
    }
}
