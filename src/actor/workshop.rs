//! What belongs to an entity and not to its actor: it outlives the actor's failures and every configuration.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard, RwLock, RwLockReadGuard, oneshot};

use crate::config::model::Throttle;
use crate::domain::key::InternalKey;
use crate::source::gate::Gate;

use super::messages::Ordered;
use super::store::requests::queue::WorkItemId;

/// Results of orders that nobody has asked for yet.
const UNCLAIMED: usize = 256;

/// Where an entity's looks are made.
pub struct Workshop {
    /// What every invocation passes.
    pub(super) gate: Arc<Gate>,
    pub(super) orders: Orders,
    under_way: Mutex<UnderWay>,
    claiming: AtomicBool,
    records: RecordLocks,
    introductions: RwLock<()>,
}

/// The looks under way, by number, with their work items.
#[derive(Default)]
struct UnderWay {
    last: u64,
    looks: BTreeMap<u64, Vec<WorkItemId>>,
}

/// A look under way, for as long as this is held.
pub(super) struct Held {
    workshop: Arc<Workshop>,
    number: u64,
}

/// A claim under way, for as long as this is held.
pub(super) struct Claiming(Arc<Workshop>);

impl Workshop {
    /// Opens an empty one, whose throttle has nothing to give yet.
    pub(super) fn open(throttle: &Throttle) -> Arc<Self> {
        Arc::new(Self {
            gate: Arc::new(Gate::new(throttle)),
            orders: Orders::default(),
            under_way: Mutex::default(),
            claiming: AtomicBool::new(false),
            records: RecordLocks::default(),
            introductions: RwLock::default(),
        })
    }

    /// Says that a look at these items is under way.
    pub(super) fn hold(self: &Arc<Self>, items: Vec<WorkItemId>) -> Held {
        let mut under_way = whole(&self.under_way);
        under_way.last += 1;
        let number = under_way.last;
        under_way.looks.insert(number, items);
        Held { workshop: Arc::clone(self), number }
    }

    /// Returns the number of looks under way.
    pub(super) fn looks(&self) -> u32 {
        u32::try_from(whole(&self.under_way).looks.len()).unwrap_or(u32::MAX)
    }

    /// Returns the work items of the looks under way.
    pub(super) fn items(&self) -> Vec<WorkItemId> {
        whole(&self.under_way).looks.values().flatten().copied().collect()
    }

    /// Says that work is being claimed; `None` if it is already.
    pub(super) fn claim(self: &Arc<Self>) -> Option<Claiming> {
        let is_first = !self.claiming.swap(true, Ordering::AcqRel);
        is_first.then(|| Claiming(Arc::clone(self)))
    }

    /// Tells whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        !self.claiming.load(Ordering::Acquire) && self.looks() == 0
    }

    /// Waits until no other look is at this record.
    pub(super) async fn alone_with(&self, record: InternalKey) -> OwnedMutexGuard<()> {
        self.records.lock(record).await
    }

    /// Held while it is found out whose copy a new key is.
    pub(super) async fn introducing(&self) -> RwLockReadGuard<'_, ()> {
        self.introductions.read().await
    }

    /// Waits until it is known whose copies the keys are that were being looked at when this was called.
    pub(super) async fn all_introduced(&self) {
        drop(self.introductions.write().await);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        whole(&self.workshop.under_way).looks.remove(&self.number);
    }
}

impl Drop for Claiming {
    fn drop(&mut self) {
        self.0.claiming.store(false, Ordering::Release);
    }
}

/// A lock for each record that is being looked at, and none for the others.
#[derive(Default)]
struct RecordLocks(Mutex<HashMap<InternalKey, Arc<Turn<()>>>>);

impl RecordLocks {
    async fn lock(&self, record: InternalKey) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = whole(&self.0);
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(record).or_default())
        };
        lock.lock_owned().await
    }
}

/// Who waits for which order, and what came of orders before anybody asked.
#[derive(Default)]
pub(super) struct Orders(Mutex<Awaited>);

#[derive(Default)]
struct Awaited {
    waiting: HashMap<WorkItemId, oneshot::Sender<Ordered>>,
    early: BTreeMap<WorkItemId, Ordered>,
}

impl Orders {
    /// Gives what comes of the order that this work item carries.
    pub(super) fn wait(&self, item: WorkItemId) -> oneshot::Receiver<Ordered> {
        let (tell, told) = oneshot::channel();
        let mut awaited = whole(&self.0);
        match awaited.early.remove(&item) {
            Some(ordered) => drop(tell.send(ordered)),
            None => drop(awaited.waiting.insert(item, tell)),
        }
        told
    }

    /// Tells whoever waits for it.
    pub(super) fn ended(&self, item: WorkItemId, ordered: Ordered) {
        let mut awaited = whole(&self.0);
        match awaited.waiting.remove(&item) {
            Some(waiting) => drop(waiting.send(ordered)),
            None => {
                awaited.early.insert(item, ordered);
                while awaited.early.len() > UNCLAIMED {
                    awaited.early.pop_first();
                }
            }
        }
        awaited.waiting.retain(|_, waiting| !waiting.is_closed());
    }
}

/// What stands behind these locks is changed in one step, whatever panics.
fn whole<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
