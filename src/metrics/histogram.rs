//! Durations, counted by how long they are.

use std::time::Duration;

/// The upper bounds of the buckets, in seconds: from a program that answers at once to one that is cut off.
pub(super) const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0];

/// How many durations there were of each length.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Histogram {
    /// Of each bucket alone; the last one has no bound.
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Histogram {
    pub(super) fn add(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.counts[bucket] += 1;
        self.sum += duration;
    }

    /// Returns how many there were up to each bound.
    pub(super) fn up_to(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut count = 0;
        BOUNDS.iter().zip(self.counts).map(move |(bound, more)| {
            count += more;
            (*bound, count)
        })
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_all_that_are_no_longer_than_its_bound() {
        let mut histogram = Histogram::default();
        for millis in [0, 1, 2, 1_000, 1_001, 600_000] {
            histogram.add(Duration::from_millis(millis));
        }
        let up_to: Vec<u64> = histogram.up_to().map(|(_, count)| count).collect();
        assert_eq!(up_to, [2, 3, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5]);
        assert_eq!((histogram.count(), histogram.sum()), (6, Duration::from_millis(602_004)));
    }
}
