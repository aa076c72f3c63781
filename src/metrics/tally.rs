//! What this process has counted since it was started.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Histogram, Hour, MINUTES, Minute};
use crate::domain::name::{EntityName, SourceName};

/// Where everybody counts; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Books>);

/// What is counted for ever, and what for an hour.
#[derive(Debug, Default)]
struct Books {
    counted: Mutex<Counted>,
    /// The looks of each entity.
    hours: Mutex<BTreeMap<EntityName, Hour>>,
}

/// One kind of run of a source's program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Invocation {
    pub entity: EntityName,
    pub source: SourceName,
    pub operation: &'static str,
    pub outcome: &'static str,
}

/// One kind of request to the API, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    pub method: &'static str,
    /// The pattern of the path, never the path itself.
    pub route: String,
    pub status: u16,
    /// The code of the problem; empty where there was none.
    pub problem: &'static str,
}

/// The numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Counted {
    pub invocations: BTreeMap<Invocation, u64>,
    /// How long the runs of each operation took.
    pub durations: BTreeMap<&'static str, Histogram>,
    /// How long the runs of each entity have waited for its throttle.
    pub waited: BTreeMap<EntityName, Duration>,
    /// Looks by what they came to.
    pub looks: BTreeMap<&'static str, u64>,
    /// How long looks took.
    pub look_durations: Histogram,
    /// Notifications that were stored, and whether they joined what waited already.
    pub notifications: BTreeMap<(EntityName, bool), u64>,
    pub requests: BTreeMap<Request, u64>,
}

impl Tally {
    /// Counts a run that has ended.
    pub fn invoked(&self, invocation: Invocation, elapsed: Duration) {
        self.change(|counted| {
            counted.durations.entry(invocation.operation).or_default().add(elapsed);
            *counted.invocations.entry(invocation).or_default() += 1;
        });
    }

    /// Counts the time that a run has waited for its entity's throttle.
    pub fn waited(&self, entity: &EntityName, time: Duration) {
        self.change(|counted| match counted.waited.get_mut(entity) {
            Some(waited) => *waited += time,
            None => drop(counted.waited.insert(entity.clone(), time)),
        });
    }

    /// Counts a look at a record of an entity that has ended in this minute.
    pub fn looked(&self, entity: &EntityName, minute: Minute, outcome: &'static str, elapsed: Duration) {
        let mut hours = self.0.hours.lock().unwrap_or_else(PoisonError::into_inner);
        match hours.get_mut(entity) {
            Some(hour) => hour.count(minute),
            None => hours.entry(entity.clone()).or_default().count(minute),
        }
        drop(hours);
        self.change(|counted| {
            *counted.looks.entry(outcome).or_default() += 1;
            counted.look_durations.add(elapsed);
        });
    }

    /// Counts notifications that were stored.
    pub fn notified(&self, notifications: impl IntoIterator<Item = (EntityName, bool)>) {
        self.change(|counted| {
            for notified in notifications {
                *counted.notifications.entry(notified).or_default() += 1;
            }
        });
    }

    /// Counts a request that was answered.
    pub fn answered(&self, request: Request) {
        self.change(|counted| *counted.requests.entry(request).or_default() += 1);
    }

    /// Returns the looks of an entity in each minute of the hour that ends with this one, the oldest first.
    pub fn hour(&self, entity: &EntityName, now: Minute) -> [u32; MINUTES] {
        let hours = self.0.hours.lock().unwrap_or_else(PoisonError::into_inner);
        hours.get(entity).map_or([0; MINUTES], |hour| hour.until(now))
    }

    /// Returns what was counted until now.
    pub fn read(&self) -> Counted {
        self.0.counted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Each change is whole, so a panic of another who counted does not matter.
    fn change(&self, change: impl FnOnce(&mut Counted)) {
        change(&mut self.0.counted.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
