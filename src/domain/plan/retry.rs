//! What becomes of a work item whose look left something to be made up.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::name::SourceName;

use super::Owed;

/// When to try again (`[entities.NAME.retry]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryTerms {
    /// The first delay; doubled each time, up to `max`.
    pub first: Duration,
    pub max: Duration,
    /// Looks that may fail before the item is parked.
    pub attempts: u32,
}

impl RetryTerms {
    /// Returns the delay before attempt `attempts + 1`; `jitter` from 0 to 1 takes up to half of it away.
    pub fn delay(&self, attempts: u32, jitter: f64) -> Duration {
        let doubled = self.first.saturating_mul(1u32.checked_shl(attempts.min(31)).unwrap_or(u32::MAX));
        doubled.min(self.max).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
    }
}

/// The end of a look for its work items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is owed.
    Done,
    /// Look again at once; nothing is owed that cannot be done now.
    AtOnce,
    Later {
        due_in: Duration,
        error: Option<String>,
        blocked_by: Vec<SourceName>,
        spent: bool,
    },
    Parked {
        error: String,
    },
    /// Parked by a limit: to try it again is a person's consent.
    Held {
        error: String,
    },
}

/// Judges what is owed after a look, `attempts` having failed before it.
///
/// What no retry helps parks; what failed is tried as often as the terms say; what is unreachable waits for its source. What a limit
/// holds parks once nothing else is to be waited for. A deletion that is held is on a list of its own, and owes nothing.
pub fn judge(owed: &BTreeMap<SourceName, Owed>, attempts: u32, terms: &RetryTerms, jitter: f64) -> Verdict {
    let error = || {
        let reasons = owed.iter().filter_map(|(name, owed)| owed.reason().map(|why| format!("{name}: {why}")));
        Some(reasons.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
    };
    let any = |which: fn(&Owed) -> bool| owed.values().any(which);
    let is_unreachable = |owed: &Owed| matches!(owed, Owed::Unreachable(_));
    let is_held = any(|owed| matches!(owed, Owed::ChangeHeld(_)));
    let parked = || match (error().unwrap_or_default(), is_held) {
        (error, true) => Verdict::Held { error },
        (error, false) => Verdict::Parked { error },
    };
    if owed.values().all(|owed| matches!(owed, Owed::DeletionHeld(_))) {
        return Verdict::Done;
    }
    if any(|owed| matches!(owed, Owed::Impossible(_))) {
        return parked();
    }
    let failed = any(|owed| matches!(owed, Owed::Failed(_)));
    // While another source is away the item lives on for its sake.
    if failed && attempts + 1 >= terms.attempts && !any(is_unreachable) {
        return parked();
    }
    if failed || any(|owed| matches!(owed, Owed::Unknown(_))) {
        return Verdict::Later {
            due_in: terms.delay(attempts, jitter),
            error: error(),
            blocked_by: Vec::new(),
            spent: true,
        };
    }
    if any(|owed| matches!(owed, Owed::Moved)) {
        return Verdict::AtOnce;
    }
    if let Some(due_in) = owed.values().filter_map(not_before).min() {
        return Verdict::Later { due_in, error: error(), blocked_by: Vec::new(), spent: false };
    }
    let away = owed.iter().filter(|(_, owed)| is_unreachable(owed));
    let blocked_by: Vec<SourceName> = away.map(|(name, _)| name.clone()).collect();
    if blocked_by.is_empty() {
        return parked();
    }
    Verdict::Later { due_in: terms.delay(attempts, jitter), error: error(), blocked_by, spent: false }
}

fn not_before(owed: &Owed) -> Option<Duration> {
    match owed {
        Owed::NotBefore(left) => Some(Duration::from_micros(u64::try_from(*left).unwrap_or(0))),
        Owed::Unreachable(_)
        | Owed::Failed(_)
        | Owed::Unknown(_)
        | Owed::Impossible(_)
        | Owed::DeletionHeld(_)
        | Owed::ChangeHeld(_)
        | Owed::Moved => None,
    }
}
