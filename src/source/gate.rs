//! The gate that every invocation of an entity's programs passes: its throttle.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::model::Throttle;
use crate::domain::throttle::{Admission, Bucket, Pace};
use crate::points::{Mistake, planted};

use super::process::cancel::Cancel;

/// How long somebody who waits may take to notice that he is cancelled.
const HEED: Duration = Duration::from_millis(100);

/// How many may start at once where there is room.
const ROOM: usize = 100;

/// The throttle of one entity, shared by all its sources and by every configuration it comes to run under.
///
/// Who waits first passes first.
#[derive(Debug)]
pub struct Gate {
    started: Instant,
    /// The longest time between two looks at whether one is cancelled.
    heed: Duration,
    line: Mutex<Line>,
    /// The first in the line left it, or the pace is another.
    moved: Condvar,
}

/// The wait was cancelled; nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot wait any longer for the throttle: cancelled")]
pub struct Cancelled;

/// How a gate is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GateState {
    /// Invocations that wait.
    pub waiting: usize,
    /// How long one that came now would wait.
    pub wait: Duration,
}

/// Those who wait, and what they wait for.
#[derive(Debug)]
struct Line {
    bucket: Bucket,
    waiting: VecDeque<Ticket>,
    next: Ticket,
}

/// A place in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticket(u64);

impl Gate {
    /// Makes a gate whose bucket is empty: whoever passed before it was there is not known.
    pub fn new(throttle: &Throttle) -> Self {
        Self::heeding(throttle, HEED)
    }

    fn heeding(throttle: &Throttle, heed: Duration) -> Self {
        let bucket = Bucket::new(pace(throttle), Duration::ZERO);
        let line = Mutex::new(Line { bucket, waiting: VecDeque::new(), next: Ticket(0) });
        Self { started: Instant::now(), heed, line, moved: Condvar::new() }
    }

    /// Changes the limits, also for those who wait; what has been taken stays taken.
    pub fn set(&self, throttle: &Throttle) {
        let mut line = self.line();
        line.bucket.change(pace(throttle), self.now());
        self.moved.notify_all();
    }

    /// Empties the bucket: another daemon has served the entity, and what it took is not known.
    pub fn empty(&self) {
        self.line().bucket.empty(self.now());
        self.moved.notify_all();
    }

    /// Waits until one more invocation may start. Blocks.
    ///
    /// # Errors
    /// [`Cancelled`]; nothing was taken.
    pub fn pass(&self, cancel: &Cancel) -> Result<(), Cancelled> {
        let mut line = self.line();
        let ticket = line.join();
        loop {
            if cancel.is_triggered() {
                self.leave(&mut line, ticket);
                return Err(Cancelled);
            }
            let now = self.now();
            let patience = match line.admit(ticket, now) {
                _ if planted(Mistake::NoThrottle) => return Ok(()),
                None => self.heed,
                Some(Admission::Wait { until }) => self.heed.min(until.saturating_sub(now)),
                Some(Admission::Go) => {
                    self.leave(&mut line, ticket);
                    return Ok(());
                }
            };
            line = self.moved.wait_timeout(line, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets one more invocation start if nobody need wait; tells whether it may.
    pub fn pass_at_once(&self) -> bool {
        let mut line = self.line();
        planted(Mistake::NoThrottle)
            || line.waiting.is_empty() && matches!(line.bucket.admit(self.now()), Admission::Go)
    }

    /// Tells whether so many could start now that nobody who is about to come will have to wait.
    pub fn has_room(&self) -> bool {
        let line = self.line();
        line.waiting.is_empty() && line.bucket.wait(ROOM, self.now()).is_zero()
    }

    /// Leaves the line, and tells those who are in it still.
    fn leave(&self, line: &mut Line, ticket: Ticket) {
        line.leave(ticket);
        if !line.waiting.is_empty() {
            self.moved.notify_all();
        }
    }

    /// Returns how it is now.
    pub fn state(&self) -> GateState {
        let line = self.line();
        let waiting = line.waiting.len();
        GateState { waiting, wait: line.bucket.wait(waiting, self.now()) }
    }

    /// A line is whole between any two statements of ours: that one who held it panicked does not matter.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Line {
    fn join(&mut self) -> Ticket {
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        self.waiting.push_back(ticket);
        ticket
    }

    /// Takes a token for the first in the line; `None` for anybody else.
    fn admit(&mut self, ticket: Ticket, now: Duration) -> Option<Admission> {
        (self.waiting.front() == Some(&ticket)).then(|| self.bucket.admit(now))
    }

    fn leave(&mut self, ticket: Ticket) {
        self.waiting.retain(|waiting| *waiting != ticket);
    }
}

fn pace(throttle: &Throttle) -> Option<Pace> {
    Pace::new(throttle.rate, throttle.burst)
}
