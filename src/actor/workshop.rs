//! What belongs to an entity and not to its actor: it outlives the actor's failures and every configuration.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::{Addr, Handler, Message};
use futures_util::future::join_all;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, RwLock, RwLockReadGuard, oneshot, watch};

use crate::config::model::{Entity, Throttle};
use crate::domain::key::InternalKey;
use crate::domain::name::{EntityName, SourceName};
use crate::source::gate::Gate;
use crate::source::past::{PastRun, PastRuns};

use super::entity::{EntityActor, Previews};
use super::lock::whole;
use super::messages::Ordered;
use super::store::requests::lease::Fence;
use super::store::requests::pause::Pauses;
use super::store::requests::queue::{ClaimedLook, Receipt, Subject, WorkItemId};

/// Results of orders that nobody has asked for yet.
const UNCLAIMED: usize = 256;

/// The workshops of all entities that were ever configured; clones are the same.
///
/// One that is taken out of the configuration keeps its workshop: when it comes back, looks may still be under way in it, and
/// what its throttle has given is given.
#[derive(Clone, Default)]
pub(super) struct Workshops(Arc<Mutex<BTreeMap<EntityName, Arc<Workshop>>>>);

impl Workshops {
    /// Gives the workshop of an entity, which works by this configuration of its throttle now.
    pub(super) fn open(&self, entity: &Entity) -> Arc<Workshop> {
        let mut workshops = whole(&self.0);
        let workshop = workshops.entry(entity.name.clone()).or_insert_with(|| Workshop::open(&entity.throttle));
        workshop.gate.set(&entity.throttle);
        Arc::clone(workshop)
    }

    /// Gives the latest runs at a source, the latest first.
    pub(super) fn past_runs(&self, entity: &EntityName, source: &SourceName) -> Vec<PastRun> {
        let workshop = whole(&self.0).get(entity).cloned();
        workshop.map(|workshop| workshop.past_runs(source).list()).unwrap_or_default()
    }

    /// Tells whether nothing is under way in the workshop of an entity.
    pub(super) fn is_idle(&self, entity: &EntityName) -> bool {
        whole(&self.0).get(entity).is_some_and(|workshop| workshop.is_idle())
    }

    /// Waits until nothing is under way in the workshop of an entity.
    pub(super) fn idle_at(&self, entity: &EntityName) -> impl Future<Output = ()> + Send + use<> {
        let idle = whole(&self.0).get(entity).map(|workshop| workshop.idle());
        async move { drop(join_all(idle).await) }
    }

    /// Tells every actor that works in one of them.
    pub(super) fn tell<M>(&self, message: impl Fn() -> M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        EntityActor: Handler<M>,
    {
        whole(&self.0).values().for_each(|workshop| workshop.tell(message()));
    }

    /// Waits until nothing is under way in any of them.
    pub(super) fn idle(&self) -> impl Future<Output = ()> + Send + use<> {
        let idle: Vec<_> = whole(&self.0).values().map(|workshop| workshop.idle()).collect();
        async move { drop(join_all(idle).await) }
    }
}

/// Where an entity's looks are made.
pub struct Workshop {
    /// What every invocation passes.
    pub(super) gate: Arc<Gate>,
    pub(super) orders: Orders,
    pub(super) previews: Previews,
    pub(super) paused: Paused,
    /// Who works here now; it is told of what ends here, also of what another one before it has begun.
    actor: Mutex<Option<Addr<EntityActor>>>,
    under_way: Mutex<UnderWay>,
    /// What is claimed and waits for room.
    ready: Mutex<VecDeque<Ready>>,
    claiming: AtomicBool,
    /// How many looks, claims and visits are under way.
    busy: watch::Sender<usize>,
    records: RecordLocks,
    introductions: RwLock<()>,
    /// The latest runs, by source.
    past: Mutex<BTreeMap<SourceName, PastRuns>>,
}

/// What of the entity is paused.
#[derive(Default)]
pub(super) struct Paused(Mutex<Pauses>);

impl Paused {
    pub(super) fn is_entity(&self) -> bool {
        whole(&self.0).entity
    }

    pub(super) fn is_source(&self, source: &SourceName) -> bool {
        whole(&self.0).sources.contains(source)
    }

    /// Works by these from now on, and returns those of before.
    pub(super) fn set(&self, pauses: Pauses) -> Pauses {
        std::mem::replace(&mut *whole(&self.0), pauses)
    }
}

/// The looks under way, by number, with their work items.
#[derive(Default)]
struct UnderWay {
    last: u64,
    looks: BTreeMap<u64, Vec<Receipt>>,
}

/// A look that is claimed and waits for room.
struct Ready {
    claimed: ClaimedLook,
    /// The lease under which it was claimed.
    fence: Fence,
    since: Instant,
}

/// Something under way, for as long as this is held.
pub(super) struct Busy(Arc<Workshop>);

/// A look under way, for as long as this is held.
pub(super) struct Held {
    busy: Busy,
    number: u64,
}

/// A claim under way, for as long as this is held.
pub(super) struct Claiming(Busy);

/// Says that no other look is at a record, for as long as this is held.
pub(super) type Alone = OwnedMutexGuard<()>;

impl Workshop {
    /// Opens an empty one, whose throttle has nothing to give yet.
    pub(super) fn open(throttle: &Throttle) -> Arc<Self> {
        Arc::new(Self {
            gate: Arc::new(Gate::new(throttle)),
            orders: Orders::default(),
            previews: Previews::default(),
            paused: Paused::default(),
            actor: Mutex::default(),
            under_way: Mutex::default(),
            ready: Mutex::default(),
            claiming: AtomicBool::new(false),
            busy: watch::Sender::new(0),
            records: RecordLocks::default(),
            introductions: RwLock::default(),
            past: Mutex::default(),
        })
    }

    /// Gives the book of the latest runs at a source.
    pub(super) fn past_runs(&self, source: &SourceName) -> PastRuns {
        whole(&self.past).entry(source.clone()).or_default().clone()
    }

    /// Says who works here from now on.
    pub(super) fn serve(&self, actor: Addr<EntityActor>) {
        *whole(&self.actor) = Some(actor);
    }

    /// Tells whoever works here now.
    pub(super) fn tell<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        EntityActor: Handler<M>,
    {
        if let Some(actor) = &*whole(&self.actor) {
            actor.do_send(message);
        }
    }

    /// Says that something is under way.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.send_modify(|busy| *busy += 1);
        Busy(Arc::clone(self))
    }

    /// Says that a look at these items is under way.
    pub(super) fn hold(self: &Arc<Self>, items: Vec<Receipt>) -> Held {
        let mut under_way = whole(&self.under_way);
        under_way.last += 1;
        let number = under_way.last;
        under_way.looks.insert(number, items);
        Held { busy: self.busy(), number }
    }

    /// Returns the number of looks under way.
    pub(super) fn looks(&self) -> u32 {
        u32::try_from(whole(&self.under_way).looks.len()).unwrap_or(u32::MAX)
    }

    /// Returns the work items of the looks under way, and of those that wait for room.
    pub(super) fn items(&self) -> Vec<Receipt> {
        let ready = whole(&self.ready);
        let waiting = ready.iter().flat_map(|ready| &ready.claimed.items).map(|item| item.receipt);
        whole(&self.under_way).looks.values().flatten().copied().chain(waiting).collect()
    }

    /// Returns the number of looks that wait for room.
    pub(super) fn ready(&self) -> u32 {
        u32::try_from(whole(&self.ready).len()).unwrap_or(u32::MAX)
    }

    /// Gives the look that has waited longest for room, if it was claimed under this lease; with its record, unless another look has been
    /// at that since.
    pub(super) fn next_ready(&self, fence: &Fence) -> Option<(ClaimedLook, Option<Alone>)> {
        let mut ready = whole(&self.ready);
        let Ready { claimed, .. } = if ready.front()?.fence == *fence { ready.pop_front()? } else { return None };
        drop(ready);
        let alone = match &claimed.subject {
            Subject::Record(record) => self.records.lock_fresh(*record),
            Subject::UnknownKey { .. } => None,
        };
        Some((claimed, alone))
    }

    /// Returns how long the look has waited for room that has waited longest.
    pub(super) fn oldest_ready(&self) -> Option<Duration> {
        whole(&self.ready).front().map(|ready| ready.since.elapsed())
    }

    /// Lets go of the looks that wait for room, and gives their items.
    pub(super) fn let_go(&self) -> Vec<Receipt> {
        let ready = std::mem::take(&mut *whole(&self.ready));
        self.records.forget_fresh();
        ready.into_iter().flat_map(|ready| ready.claimed.items).map(|item| item.receipt).collect()
    }

    /// Says that work is being claimed; `None` if it is already.
    pub(super) fn claim(self: &Arc<Self>) -> Option<Claiming> {
        let is_first = !self.claiming.swap(true, Ordering::AcqRel);
        is_first.then(|| {
            self.records.watch();
            Claiming(self.busy())
        })
    }

    /// Tells whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        *self.busy.borrow() == 0
    }

    /// Waits until nothing is under way.
    pub(super) fn idle(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut busy = self.busy.subscribe();
        // If the other end is gone, nothing is under way either.
        async move { drop(busy.wait_for(|busy| *busy == 0).await) }
    }

    /// Waits until no other look is at this record.
    pub(super) async fn alone_with(&self, record: InternalKey) -> Alone {
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

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.send_modify(|busy| *busy -= 1);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        whole(&self.busy.0.under_way).looks.remove(&self.number);
    }
}

impl Claiming {
    /// Gives the record to a look that comes of this claim; `None` if another look has been at it since the claim began, so that what
    /// was recalled with it may be old.
    pub(super) fn alone_since(&self, record: InternalKey) -> Option<Alone> {
        let Self(Busy(workshop)) = self;
        workshop.records.lock_untouched(record)
    }

    /// Has looks wait for room that come of this claim.
    pub(super) fn put_by(&self, looks: impl Iterator<Item = ClaimedLook>, fence: &Fence) {
        let Self(Busy(workshop)) = self;
        for claimed in looks {
            if let Subject::Record(record) = &claimed.subject {
                workshop.records.keep_fresh(*record);
            }
            whole(&workshop.ready).push_back(Ready { claimed, fence: fence.clone(), since: Instant::now() });
        }
    }
}

impl Drop for Claiming {
    fn drop(&mut self) {
        let Self(Busy(workshop)) = self;
        workshop.claiming.store(false, Ordering::Release);
    }
}

/// A lock for each record that is being looked at, and none for the others.
#[derive(Default)]
struct RecordLocks(Mutex<Locks>);

#[derive(Default)]
struct Locks {
    turns: HashMap<InternalKey, Arc<Turn<()>>>,
    /// The records that have been looked at since the last claim began.
    touched: HashSet<InternalKey>,
    /// Those of looks that wait for room which nobody has looked at since they were claimed.
    fresh: HashSet<InternalKey>,
}

impl RecordLocks {
    /// Keeps in mind from now on which records are looked at.
    fn watch(&self) {
        let mut locks = whole(&self.0);
        let Locks { turns, touched, fresh: _ } = &mut *locks;
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        *touched = turns.keys().copied().collect();
    }

    async fn lock(&self, record: InternalKey) -> Alone {
        let turn = whole(&self.0).turn(record);
        turn.lock_owned().await
    }

    /// Gives none for a record that has been looked at since it is kept in mind.
    fn lock_untouched(&self, record: InternalKey) -> Option<Alone> {
        let mut locks = whole(&self.0);
        if locks.touched.contains(&record) {
            return None;
        }
        locks.turn(record).try_lock_owned().ok()
    }

    /// Keeps in mind, longer than until the next claim, whether a record of the last one is looked at.
    fn keep_fresh(&self, record: InternalKey) {
        let mut locks = whole(&self.0);
        match locks.touched.contains(&record) {
            true => locks.fresh.remove(&record),
            false => locks.fresh.insert(record),
        };
    }

    /// Forgets those that wait for room.
    fn forget_fresh(&self) {
        whole(&self.0).fresh.clear();
    }

    /// Gives none for a record that has been looked at since it is kept in mind.
    fn lock_fresh(&self, record: InternalKey) -> Option<Alone> {
        let mut locks = whole(&self.0);
        let is_fresh = locks.fresh.remove(&record);
        is_fresh.then(|| locks.turn(record).try_lock_owned().ok()).flatten()
    }
}

impl Locks {
    fn turn(&mut self, record: InternalKey) -> Arc<Turn<()>> {
        self.turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        self.touched.insert(record);
        self.fresh.remove(&record);
        Arc::clone(self.turns.entry(record).or_default())
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

#[cfg(test)]
mod tests {
    use crate::domain::key::InternalKey;

    use super::RecordLocks;

    const ONE: InternalKey = InternalKey(1);
    const OTHER: InternalKey = InternalKey(2);

    #[tokio::test]
    async fn a_record_that_was_looked_at_since_a_claim_began_is_not_given_to_what_was_recalled_with_it() {
        let locks = RecordLocks::default();
        drop(locks.lock(OTHER).await);
        let held = locks.lock(ONE).await;
        locks.watch();
        assert!(locks.lock_untouched(ONE).is_none(), "another look is at it");
        drop(held);
        assert!(locks.lock_untouched(ONE).is_none(), "another look was at it when the claim began");
        assert!(locks.lock_untouched(OTHER).is_some(), "that was before");
        locks.watch();
        drop(locks.lock(ONE).await);
        assert!(locks.lock_untouched(ONE).is_none(), "another look came and went meanwhile");
        assert!(locks.lock_untouched(OTHER).is_some_and(|_alone| locks.lock_untouched(OTHER).is_none()));
    }

    #[tokio::test]
    async fn a_look_that_has_waited_for_room_recalls_its_record_anew_if_another_one_was_at_it() {
        let locks = RecordLocks::default();
        let held = locks.lock(ONE).await;
        locks.watch();
        [ONE, OTHER].into_iter().for_each(|record| locks.keep_fresh(record));
        drop(held);
        locks.watch();
        assert!(locks.lock_fresh(ONE).is_none(), "another look was at it when its claim began");
        assert!(locks.lock_fresh(OTHER).is_some(), "another claim in between does no harm");
        assert!(locks.lock_fresh(OTHER).is_none(), "it has been looked at");
        locks.watch();
        locks.keep_fresh(OTHER);
        drop(locks.lock(OTHER).await);
        assert!(locks.lock_fresh(OTHER).is_none(), "another look came and went while it waited");
    }
}
