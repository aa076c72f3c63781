//! Recordings of one entity's looks that are made together: while one is under way, the next ones gather, and go in one transaction,
//! each statement once for all of them.
//!
//! Where other looks are under way, a recording waits for theirs, though no longer than for a [`BREATH`]; one that comes alone goes at
//! once. What has to be considered of one, or fails, undoes all: then each is made by itself. Nobody waits for long for a transaction
//! that is held up: after [`PATIENCE`] the next ones go beside it.
//!
//! A group never grows so large that PostgreSQL would not take what each of it could send alone. Where the database went away over a
//! group, it may be one of them that it cannot bear: each is made by itself for a while, so that no other suffers for it again.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::domain::key::InternalKey;
use crate::store::requests::lease::Fence;
use crate::store::requests::look::{Sheet, introduced};
use crate::store::{Store, StoreError};

use super::{Fault, Mode, Request, Session, TIMEOUT, Way, run};

/// For how long a transaction is waited for before others of the same entity are begun beside it.
const PATIENCE: Duration = Duration::from_millis(200);

/// For how long the recordings of other looks are waited for.
const BREATH: Duration = Duration::from_millis(5);

/// How many looks one transaction records at most.
const MOST: usize = 32;

/// How many bytes the looks of one transaction record at most, about; a look that records more goes alone.
const MOST_BYTES: usize = 4 << 20;

/// For how long each is made by itself after the database went away over several.
const CAUTION: Duration = Duration::from_secs(10);

/// What a look records, which may be recorded together with what others do.
pub(in crate::store) trait Recording: Request {
    /// Gives what is recorded where nothing has to be considered; `None` where something has.
    fn sheet(&self) -> Option<Sheet>;

    /// Gives the reply once that is recorded, with the record that it has introduced, where it has.
    fn reply(&self, introduced: Option<InternalKey>) -> Self::Reply;
}

/// What has gathered, for each lease under which anything has, or is being recorded.
#[derive(Default)]
pub(in crate::store) struct Lanes {
    lanes: Mutex<HashMap<Fence, Lane>>,
    /// Under which leases each is made by itself, and until when.
    apart: Mutex<HashMap<Fence, Instant>>,
}

/// What is recorded next under one lease.
#[derive(Default)]
struct Lane {
    gathered: Vec<Waiting>,
    /// Says that it is to go.
    goes: Arc<Notify>,
}

/// What one look records, and who is to be told.
struct Waiting {
    sheet: Sheet,
    bytes: usize,
    asker: oneshot::Sender<End>,
    /// With how many it goes at once.
    company: usize,
    since: Instant,
}

/// What came of it.
#[derive(Clone)]
enum End {
    /// All is recorded; of a new key, as this record.
    Recorded(Option<InternalKey>),
    /// Nothing is: each is to be recorded by itself.
    Apart,
    /// Nothing is, since there is something to be considered of the only one.
    NotPlain,
    Deposed,
    /// The database is away, and the end may be unknown.
    Away(Arc<dyn Error + Send + Sync>),
}

/// Records what a look records, together with what others do meanwhile.
pub(in crate::store) async fn run_together<R: Recording>(
    request: R,
    fence: Fence,
    looks: u32,
    store: &Store,
) -> Result<R::Reply, StoreError> {
    let sheet = if store.lanes.is_apart(&fence) { None } else { request.sheet() };
    let Some(sheet) = sheet else { return run(request, store, Some(fence), Way::Short).await };
    store.may_write().await?;
    let (asker, end) = oneshot::channel();
    // The other half may be anywhere, and keeps the sources busy.
    let company = usize::try_from(looks.div_ceil(2)).unwrap_or(MOST).min(MOST);
    let bytes = sheet.bytes();
    if store.lanes.enter(&fence, Waiting { sheet, bytes, asker, company, since: Instant::now() }) {
        store.runtime().spawn(serve(store.clone(), fence.clone()));
    }
    // Without a word the task has failed, or the runtime has ended: whether it was recorded is unknown.
    match end.await.unwrap_or_else(|lost| End::Away(Arc::new(lost))) {
        End::Recorded(introduced) => Ok(request.reply(introduced)),
        End::Apart => run(request, store, Some(fence), Way::Short).await,
        End::NotPlain => run(request, store, Some(fence), Way::Long).await,
        End::Deposed => Err(StoreError::Deposed { action: R::ACTION, entity: fence.entity }),
        End::Away(cause) => Err(StoreError::Unavailable(Box::new(cause))),
    }
}

/// Makes one transaction after the other, until nothing has gathered.
async fn serve(store: Store, fence: Fence) {
    loop {
        while let Some((goes, left)) = store.lanes.to_wait_for(&fence) {
            drop(tokio::time::timeout(left, goes.notified()).await);
        }
        let group = store.lanes.next(&fence);
        if group.is_empty() {
            return;
        }
        let under_way = tokio::spawn(record(store.clone(), fence.clone(), group));
        // A panic has harmed those of this group alone, who are told by its channels.
        drop(tokio::time::timeout(PATIENCE, under_way).await);
    }
}

/// Makes one transaction of a group, and tells all who asked for it.
async fn record(store: Store, fence: Fence, group: Vec<Waiting>) {
    let (mut all, mut askers) = (Sheet::default(), Vec::with_capacity(group.len()));
    for Waiting { sheet, asker, .. } in group {
        askers.push((asker, all.introduces()..all.introduces() + sheet.introduces()));
        all.absorb(sheet);
    }
    let ended = match attempt(&store, &fence, all).await {
        Ok(introduced) => Ok(introduced),
        Err(Undone::NotPlain) if askers.len() == 1 => Err(End::NotPlain),
        Err(Undone::NotPlain | Undone::Failed) => Err(End::Apart),
        Err(Undone::Deposed) => Err(End::Deposed),
        Err(Undone::Away(cause)) => {
            if askers.len() > 1 {
                store.lanes.keep_apart(&fence);
            }
            Err(End::Away(cause.into()))
        }
    };
    for (asker, places) in askers {
        let end = match &ended {
            Ok(introduced) => End::Recorded(places.last().and_then(|place| introduced.get(place).copied())),
            Err(end) => end.clone(),
        };
        // Whoever asked may be gone.
        drop(asker.send(end));
    }
}

/// Why nothing is recorded, as far as is known.
enum Undone {
    NotPlain,
    /// One of them failed by itself, or was overtaken.
    Failed,
    Deposed,
    Away(Box<dyn Error + Send + Sync>),
}

/// Gives the records that were introduced.
async fn attempt(store: &Store, fence: &Fence, sheet: Sheet) -> Result<Vec<InternalKey>, Undone> {
    let object = store.session().await.map_err(Undone::of)?;
    let session = Session::new(&object, Mode::Transaction, Some(fence), true);
    let introduces = sheet.introduces() > 0;
    let steps = sheet.transaction(&fence.entity);
    let concluded = tokio::time::timeout(TIMEOUT, session.conclude(steps)).await;
    drop(session);
    let introduced = |rows: Vec<_>| if introduces { introduced(&rows) } else { Ok(Vec::new()) };
    let fault = match concluded.unwrap_or(Err(Fault::Silent)).and_then(introduced) {
        Ok(introduced) => return Ok(introduced),
        Err(Fault::NotPlain) => return Err(Undone::NotPlain),
        Err(fault) if fault.is_overtaken() => return Err(Undone::Failed),
        Err(fault) => fault,
    };
    let error = fault.into_error("record looks");
    if matches!(error, StoreError::Unavailable(_)) {
        store.end(object);
        store.note(&error);
    }
    Err(Undone::of(error))
}

impl Undone {
    fn of(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::Away(cause),
            StoreError::Deposed { .. } => Self::Deposed,
            // Whose fault it is shows when each is made by itself.
            StoreError::Refused { .. } | StoreError::Failed { .. } | StoreError::Unreadable { .. } => Self::Failed,
        }
    }
}

impl Lane {
    /// For how long others are still waited for; `None` if they are not.
    fn left(&self) -> Option<Duration> {
        let oldest = self.gathered.iter().map(|waiting| waiting.since).min()?;
        let is_early = self.gathered.iter().all(|waiting| waiting.company > self.gathered.len());
        BREATH.checked_sub(oldest.elapsed()).filter(|left| is_early && !left.is_zero())
    }
}

impl Lanes {
    /// Has it gather with the others; tells whether it is the first, and nobody sees to them yet.
    fn enter(&self, fence: &Fence, waiting: Waiting) -> bool {
        let mut lanes = self.lanes();
        let is_first = !lanes.contains_key(fence);
        let lane = lanes.entry(fence.clone()).or_default();
        lane.gathered.push(waiting);
        if lane.left().is_none() {
            lane.goes.notify_one();
        }
        is_first
    }

    /// Gives what says that enough have come, and for how long they are waited for; `None` if they are not.
    fn to_wait_for(&self, fence: &Fence) -> Option<(Arc<Notify>, Duration)> {
        let lanes = self.lanes();
        let lane = lanes.get(fence)?;
        Some((Arc::clone(&lane.goes), lane.left()?))
    }

    /// Takes the next group of what has gathered; none if nothing has, and then nobody sees to it any more.
    fn next(&self, fence: &Fence) -> Vec<Waiting> {
        let mut lanes = self.lanes();
        let Some(lane) = lanes.get_mut(fence) else { return Vec::new() };
        let (mut group, mut left): (Vec<Waiting>, Vec<Waiting>) = (Vec::new(), Vec::new());
        let mut bytes: usize = 0;
        for waiting in std::mem::take(&mut lane.gathered) {
            let goes_with = |other: &Waiting| other.sheet.goes_with(&waiting.sheet);
            let is_too_much = group.len() >= MOST || bytes.saturating_add(waiting.bytes) > MOST_BYTES;
            if group.is_empty() || !is_too_much && group.iter().all(goes_with) {
                bytes = bytes.saturating_add(waiting.bytes);
                group.push(waiting);
            } else {
                left.push(waiting);
            }
        }
        lane.gathered = left;
        if group.is_empty() {
            lanes.remove(fence);
        }
        group
    }

    /// Has each be made by itself for a while.
    fn keep_apart(&self, fence: &Fence) {
        let (now, mut apart) = (Instant::now(), open(&self.apart));
        apart.retain(|_, until| *until > now);
        apart.insert(fence.clone(), now + CAUTION);
    }

    fn is_apart(&self, fence: &Fence) -> bool {
        open(&self.apart).get(fence).is_some_and(|until| *until > Instant::now())
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<Fence, Lane>> {
        open(&self.lanes)
    }
}

/// A panic while it was open has left nothing half-written.
fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
