//! When a child that failed is started again, and when it is given up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How a child is restarted.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The pause after the first failure; doubled with each further one within `window`, up to `max`, with jitter.
    pub first: Duration,
    pub max: Duration,
    /// How many failures within `window` are borne; one more, and the child is given up.
    pub intensity: usize,
    pub window: Duration,
    /// The pause after which a child that was given up is started anew.
    pub long_pause: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            max: Duration::from_secs(10),
            intensity: 5,
            window: Duration::from_secs(60),
            long_pause: Duration::from_secs(300),
        }
    }
}

/// The part of a pause that chance may take from it or add to it.
const JITTER: f64 = 0.2;

impl Policy {
    /// Returns the pause after the `n`-th failure in a row, counted from 1; `chance` is from 0 to 1.
    pub(super) fn delay(&self, n: usize, chance: f64) -> Duration {
        let doublings = u32::try_from(n.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
        let delay = self.first.saturating_mul(1 << doublings).min(self.max);
        delay.mul_f64(1.0 + JITTER * (2.0 * chance - 1.0))
    }
}

/// The failures of one child that still count.
#[derive(Debug, Default)]
pub(super) struct Failures(VecDeque<Instant>);

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequel {
    /// It is started again after the pause.
    Restart(Duration),
    GiveUp,
}

impl Failures {
    /// Counts a failure.
    pub(super) fn count(&mut self, now: Instant, policy: &Policy, chance: f64) -> Sequel {
        self.0.push_back(now);
        while self.0.front().is_some_and(|first| now.saturating_duration_since(*first) > policy.window) {
            self.0.pop_front();
        }
        if self.0.len() > policy.intensity {
            Sequel::GiveUp
        } else {
            Sequel::Restart(policy.delay(self.0.len(), chance))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Failures, Policy, Sequel};
    use std::time::{Duration, Instant};

    #[test]
    fn pauses_double_up_to_the_longest_and_chance_moves_them_by_a_fifth() {
        let policy = Policy::default();
        let pauses: Vec<u128> = (1..=9).map(|n| policy.delay(n, 0.5).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(policy.delay(1, 0.0), Duration::from_millis(80));
        assert_eq!(policy.delay(1, 1.0), Duration::from_millis(120));
        assert_eq!(policy.delay(usize::MAX, 0.5), policy.max);
    }

    #[test]
    fn the_failure_after_those_that_are_borne_gives_the_child_up() {
        let (policy, start) = (Policy::default(), Instant::now());
        let mut failures = Failures::default();
        for second in 0..5 {
            let sequel = failures.count(start + Duration::from_secs(second), &policy, 0.5);
            assert!(matches!(sequel, Sequel::Restart(_)), "{second}: {sequel:?}");
        }
        assert_eq!(failures.count(start + Duration::from_secs(60), &policy, 0.5), Sequel::GiveUp);
    }

    #[test]
    fn failures_outside_of_the_window_are_forgotten() {
        let (policy, start) = (Policy::default(), Instant::now());
        let mut failures = Failures::default();
        for n in 0..100 {
            let sequel = failures.count(start + Duration::from_secs(13 * n), &policy, 0.5);
            assert!(matches!(sequel, Sequel::Restart(_)), "{n}: {sequel:?}");
        }
    }
}
