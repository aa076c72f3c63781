//! Makes public what has happened: gives events their numbers once they are committed, and hands them to those who follow.
//!
//! Most events are told by the database itself, where they happen. What happens to this daemon is told here: actors that fail,
//! sources that go and come, configurations.

mod rounds;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, watch};

use super::lock::whole;
use super::store::requests::event::{EventRow, NewEvent};

/// How many events are kept for those who follow; who is further behind reads them from the database.
const RECENT: usize = 512;
/// How many of this daemon's own events wait for a database that is away. The oldest are let go then, and are in the log.
const PENDING: usize = 4096;

/// Where events are made public; clones are the same.
#[derive(Clone, Default)]
pub struct Herald(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// There may be something new.
    told: Notify,
    /// Not on record yet.
    pending: Mutex<VecDeque<NewEvent>>,
    /// How far the ledger was read.
    ledger: Mutex<u64>,
    recent: watch::Sender<Arc<Recent>>,
    closed: watch::Sender<bool>,
}

/// The latest events.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    /// The number that was given last; 0 if nothing was made public by this daemon yet.
    pub last: i64,
    /// Up to the last one, without a gap.
    pub events: VecDeque<Arc<EventRow>>,
}

impl Recent {
    /// Returns the number before those that are at hand.
    pub fn before(&self) -> i64 {
        self.last - self.events.len() as i64
    }

    /// Goes on to another last number, of which these events are at hand.
    fn follow(&self, last: i64, events: Vec<EventRow>) -> Self {
        let is_whole = self.last + events.len() as i64 == last;
        let mut next = if is_whole { self.events.clone() } else { VecDeque::new() };
        next.extend(events.into_iter().map(Arc::new));
        // Nothing is lacking at the end, so what is there has no gap.
        next.drain(..next.len().saturating_sub(RECENT));
        Self { last, events: next }
    }
}

impl Herald {
    /// Has something made public that has happened to this daemon.
    pub(super) fn tell(&self, event: NewEvent) {
        let mut pending = whole(&self.0.pending);
        if pending.len() == PENDING {
            pending.pop_front();
        }
        pending.push_back(event);
        drop(pending);
        self.wake();
    }

    /// Says that something may have been told.
    pub(super) fn wake(&self) {
        self.0.told.notify_one();
    }

    /// Gives what is made public from now on, for as long as that is held; `None` if there are too many who follow.
    pub fn follow(&self, at_most: usize) -> Option<Follower> {
        if self.0.recent.receiver_count() >= at_most || *self.0.closed.borrow() {
            return None;
        }
        let (recent, closed) = (self.0.recent.subscribe(), self.0.closed.subscribe());
        self.wake();
        Some(Follower { recent, closed })
    }

    /// Returns how many follow.
    pub fn followers(&self) -> usize {
        self.0.recent.receiver_count()
    }

    /// Sends everybody away who follows.
    pub fn close(&self) {
        self.0.closed.send_replace(true);
    }
}

/// Somebody who follows.
pub struct Follower {
    recent: watch::Receiver<Arc<Recent>>,
    closed: watch::Receiver<bool>,
}

impl Follower {
    /// Returns the latest events.
    pub fn recent(&mut self) -> Arc<Recent> {
        Arc::clone(&self.recent.borrow_and_update())
    }

    /// Waits until nothing is made public any more.
    pub(super) async fn closed(&mut self) {
        // Whoever would close it is gone: that is the end, too.
        drop(self.closed.wait_for(|closed| *closed).await);
    }

    /// Waits until there are others than the latest that were returned; `false` if there never will be.
    pub async fn wait(&mut self) -> bool {
        tokio::select! {
            biased;
            _ = self.closed.wait_for(|closed| *closed) => false,
            changed = self.recent.changed() => changed.is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::EventKind;
    use crate::domain::json::{Json, Object};

    fn event(number: i64) -> EventRow {
        EventRow {
            number,
            at: String::new(),
            kind: EventKind::Sync,
            entity: None,
            source: None,
            record: None,
            details: Json::Object(Object::new()),
        }
    }

    fn numbers(recent: &Recent) -> Vec<i64> {
        recent.events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn what_is_at_hand_has_no_gap() {
        let first = Recent::default().follow(2, vec![event(1), event(2)]);
        assert_eq!((numbers(&first), first.before()), (vec![1, 2], 0));
        let next = first.follow(4, vec![event(3), event(4)]);
        assert_eq!((numbers(&next), next.before()), (vec![1, 2, 3, 4], 0));
        let behind = next.follow(9, vec![event(8), event(9)]);
        assert_eq!((numbers(&behind), behind.before()), (vec![8, 9], 7));
        let unread = behind.follow(12, Vec::new());
        assert_eq!((numbers(&unread), unread.before()), (vec![], 12));
    }

    #[test]
    fn only_so_many_are_at_hand() {
        let many = Recent::default().follow(600, (1..=600).map(event).collect());
        assert_eq!((many.events.len(), many.before()), (RECENT, 600 - RECENT as i64));
    }
}
