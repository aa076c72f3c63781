//! Waits for something to come true: the only place in these tests that lets time pass.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long anything may take. Far beyond what it does take: whoever waits this long has found a fault.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Asks until the answer is `Some`; fails after [`DEADLINE`], with what `trouble` says then.
#[track_caller]
pub(crate) fn until<T, D: Display>(mut ask: impl FnMut() -> Option<T>, trouble: impl FnOnce() -> D) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        if start.elapsed() > DEADLINE {
            panic!("waited in vain: {}", trouble());
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
