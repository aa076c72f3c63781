//! How often programs may be started: a bucket that fills at a steady pace, and of which each start takes one token.
//!
//! The generic cell rate algorithm: all that is remembered is the moment at which the bucket will be full. Moments are times
//! since a start that the caller chooses, on a clock that never goes back. Everything is rounded against whoever wants to
//! start.

#[cfg(test)]
mod tests;

use std::time::Duration;

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The time in which one token comes in; at least a nanosecond.
    period: Duration,
    /// At least 1.
    burst: u32,
}

/// What may be started now: never more in any window than `rate` times its length, and `burst`.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// `None`: no limit.
    pace: Option<Pace>,
    /// When it is full, if nothing is taken: each token that is not there puts that off by a period.
    full_at: Duration,
}

/// The answer to who wants to start something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// A token was taken.
    Go,
    /// Nothing was taken; there will be a token at `until`.
    Wait { until: Duration },
}

impl Pace {
    /// The pace of `rate` starts a second, of which `burst` may follow each other at once; `None` is no limit.
    pub fn new(rate: f64, burst: u32) -> Option<Self> {
        (rate > 0.0).then(|| Self { period: period(rate), burst: burst.max(1) })
    }

    /// The time in which an empty bucket becomes full.
    fn filling(&self) -> Duration {
        self.period.saturating_mul(self.burst)
    }
}

/// The shortest whole number of nanoseconds that is no shorter than one part in `rate` of a second.
fn period(rate: f64) -> Duration {
    const SECOND: f64 = 1e9;
    let mut nanos = (SECOND / rate).ceil();
    // The division was rounded, perhaps down; this product is rounded too, but its sign is right.
    if nanos.mul_add(rate, -SECOND) < 0.0 {
        nanos = nanos.next_up().ceil();
    }
    // What is too much for the type, centuries, becomes the most that it holds.
    Duration::from_nanos((nanos as u64).max(1))
}

impl Bucket {
    /// Makes an empty bucket: what was taken before `now` is not known.
    pub fn new(pace: Option<Pace>, now: Duration) -> Self {
        Self { pace, full_at: now.saturating_add(pace.map_or(Duration::ZERO, |pace| pace.filling())) }
    }

    /// Lets go of all tokens that are there: somebody else may have taken some by now that are not known here.
    pub fn empty(&mut self, now: Duration) {
        *self = Self::new(self.pace, now);
    }

    /// Takes a token, if there is one.
    pub fn admit(&mut self, now: Duration) -> Admission {
        let Some(pace) = self.pace else { return Admission::Go };
        let until = self.turn(pace, 0, now);
        if until > now {
            return Admission::Wait { until };
        }
        self.full_at = self.full_at.max(now).saturating_add(pace.period);
        Admission::Go
    }

    /// Says how long somebody who came at `now` would wait behind `ahead` others.
    pub fn wait(&self, ahead: usize, now: Duration) -> Duration {
        let Some(pace) = self.pace else { return Duration::ZERO };
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        self.turn(pace, ahead, now).saturating_sub(now)
    }

    /// Changes the pace: the tokens that are there stay, as far as the bucket still holds them. Where there was no limit,
    /// nobody counted, and there are none.
    pub fn change(&mut self, pace: Option<Pace>, now: Duration) {
        let kept = match (self.pace, pace) {
            (Some(old), Some(new)) => {
                let there = old.filling().saturating_sub(self.full_at.saturating_sub(now)).as_nanos();
                let kept = there.saturating_mul(new.period.as_nanos()) / old.period.as_nanos();
                Duration::from_nanos(u64::try_from(kept).unwrap_or(u64::MAX))
            }
            (None, _) | (_, None) => Duration::ZERO,
        };
        *self = Self::new(pace, now);
        self.full_at = self.full_at.saturating_sub(kept).max(now);
    }

    /// When there is a token for one who has `ahead` others before him: the bucket may lack all others that it holds by then.
    fn turn(&self, pace: Pace, ahead: u32, now: Duration) -> Duration {
        let full_then = self.full_at.max(now).saturating_add(pace.period.saturating_mul(ahead));
        full_then.saturating_sub(pace.period.saturating_mul(pace.burst - 1))
    }
}
