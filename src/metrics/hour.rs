//! How much was done in each minute of the last hour.

use std::time::{SystemTime, UNIX_EPOCH};

/// How many minutes are kept.
pub const MINUTES: usize = 60;

/// A minute, counted from whatever beginning: the same one for all who count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute(pub u64);

impl Minute {
    /// The minute of a time.
    pub fn of(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 60))
    }
}

/// The minutes of an hour, each with a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    counts: [u32; MINUTES],
    /// The last minute in which something was counted.
    latest: Minute,
}

impl Default for Hour {
    fn default() -> Self {
        Self { counts: [0; MINUTES], latest: Minute(0) }
    }
}

impl Hour {
    /// Counts one more; what comes from a minute before the latest counts as of that one, since clocks are set back sometimes.
    pub fn count(&mut self, now: Minute) {
        self.advance(now);
        let place = &mut self.counts[place(self.latest)];
        *place = place.saturating_add(1);
    }

    /// Returns the numbers of the hour that ends with this minute, the oldest first.
    pub fn until(&self, now: Minute) -> [u32; MINUTES] {
        let mut hour = self.clone();
        hour.advance(now);
        std::array::from_fn(|n| hour.counts[(place(hour.latest) + 1 + n) % MINUTES])
    }

    /// Lets go of what is older than an hour.
    fn advance(&mut self, now: Minute) {
        let steps = now.0.saturating_sub(self.latest.0).min(MINUTES as u64);
        self.latest = self.latest.max(now);
        for back in 0..steps {
            self.counts[place(Minute(self.latest.0 - back))] = 0;
        }
    }
}

fn place(minute: Minute) -> usize {
    usize::try_from(minute.0 % MINUTES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts at these minutes, and gives those that are not zero at `now`, by how many minutes ago they were.
    #[track_caller]
    fn check(at: &[u64], now: u64, expected: &[(usize, u32)]) {
        let mut hour = Hour::default();
        at.iter().for_each(|minute| hour.count(Minute(*minute)));
        let until = hour.until(Minute(now));
        let found: Vec<(usize, u32)> =
            until.iter().rev().enumerate().filter(|(_, n)| **n > 0).map(|(ago, n)| (ago, *n)).collect();
        assert_eq!(found, expected, "{at:?} seen from {now}");
    }

    #[test]
    fn each_minute_of_the_last_hour_has_its_number() {
        check(&[], 1000, &[]);
        check(&[1000], 1000, &[(0, 1)]);
        check(&[1000, 1000, 1003], 1004, &[(1, 1), (4, 2)]);
        check(&[1000, 1059], 1059, &[(0, 1), (59, 1)]);
    }

    #[test]
    fn what_is_older_is_forgotten() {
        check(&[1000], 1060, &[]);
        check(&[1000, 1060], 1060, &[(0, 1)]);
        check(&[1000, 5000], 5000, &[(0, 1)]);
        check(&[1000], 99_000, &[]);
    }

    #[test]
    fn a_clock_that_is_set_back_counts_in_the_latest_minute() {
        check(&[1000, 990], 1000, &[(0, 2)]);
        check(&[1000], 990, &[(0, 1)]);
    }
}
