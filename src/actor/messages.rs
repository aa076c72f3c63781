//! What the API asks of the actors, and what it is answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actix::Message;

use crate::config::Config;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::merge::{ConflictKind, Contender, Decision};
use crate::domain::name::{EntityName, SourceName};
use crate::domain::plan::{Moved, Preview, Shown};
use crate::domain::pointer::Pointer;
use crate::domain::record::{DoubtId, Settlement};
use crate::source::gate::GateState;
use crate::store::requests::browse::{HandledItems, Handling, WorkFilter};
use crate::store::requests::inbox::{BatchId, OrderAlike};
use crate::store::requests::queue::{Deed, Enqueued, Notification, WorkItemId};
use crate::store::requests::repeatable::Attempt;
use crate::store::requests::view::{Approved, CountedDeletes, Counts, Handled};
use crate::store::{StoreError, Usage};

use super::supervision::{ActorStatus, Supervision};

pub use crate::source::past::PastRun;

/// Why work could not be taken on.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("no entity is named {0}")]
    UnknownEntity(EntityName),
    #[error("the entity {0} has no source named {1}")]
    UnknownSource(EntityName, SourceName),
    #[error("cannot store the work")]
    Store(#[from] StoreError),
    /// An actor is being restarted, or the daemon stops; trying again later helps.
    #[error("cannot take work on now")]
    Away,
}

/// Takes notifications on: answered once they are durable, all or none, in their order.
#[derive(Message)]
#[rtype(result = "Result<Vec<Enqueued>, Refusal>")]
pub struct Notify(pub Vec<Notification>);

/// Asks for a look at a record; `None` if there is none of this key.
#[derive(Message)]
#[rtype(result = "Result<Option<Enqueued>, Refusal>")]
pub struct SyncRecord {
    pub entity: EntityName,
    pub record: InternalKey,
}

/// Carries a person's resolution of a conflict out: makes a look at once.
#[derive(Message)]
#[rtype(result = "Result<Ordered, Refusal>")]
pub struct Resolve {
    pub conflict: i64,
    /// `None`: as it stands now.
    pub revision: Option<i64>,
    pub decision: Decision,
    /// Of the request with a key that says so.
    pub attempt: Option<Attempt>,
}

/// Takes back what a version changed: makes a look at once.
#[derive(Message)]
#[rtype(result = "Result<Ordered, Refusal>")]
pub struct Undo {
    pub entity: EntityName,
    pub record: InternalKey,
    pub version: i64,
    /// Of the request with a key that says so.
    pub attempt: Option<Attempt>,
}

/// Says what a deed would come to, or a look without one; reads the sources, and records and writes nothing.
#[derive(Message)]
#[rtype(result = "Result<Previewed, Refusal>")]
pub struct GetPreview {
    pub entity: EntityName,
    pub record: InternalKey,
    /// `None`: an ordinary look.
    pub deed: Option<Deed>,
}

/// What came of the question.
#[derive(Debug, Clone)]
pub enum Previewed {
    Ready(Arc<PreviewReady>),
    /// It takes longer than 5 s: who asks for the same again is told what comes of it.
    Reading,
    /// The deed cannot be carried out, whatever the sources hold.
    Refused(Ordered),
    /// It cannot be told here and now: another daemon serves the entity, or its work is paused.
    Unserved(&'static str),
    /// The look failed: the reason.
    Failed(String),
}

/// A preview, and how old what it rests on was when it was made.
#[derive(Debug)]
pub struct PreviewReady {
    pub preview: Preview,
    /// When it was made.
    pub at: SystemTime,
    /// How long before that each copy was read.
    pub ages: BTreeMap<SourceName, Duration>,
}

/// Has conflicts of an entity decided alike, each in its turn: answered with their batch, when all orders are durable.
#[derive(Message)]
#[rtype(result = "Result<BatchId, Refusal>")]
pub struct DecideAlike(pub OrderAlike);

/// Carries out what a person was shown, if it still comes to just that: makes a look at once.
#[derive(Message)]
#[rtype(result = "Result<Ordered, Refusal>")]
pub struct Apply {
    pub entity: EntityName,
    pub record: InternalKey,
    pub deed: Deed,
    pub shown: Shown,
    /// Of the request with a key that says so.
    pub attempt: Option<Attempt>,
}

/// Carries a person's word on a doubt out: makes a look at once.
#[derive(Message)]
#[rtype(result = "Result<Ordered, Refusal>")]
pub struct Settle {
    pub doubt: DoubtId,
    pub settlement: Settlement,
    /// Of the request with a key that says so.
    pub attempt: Option<Attempt>,
}

/// What came of a person's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// Decided, recorded, and written wherever that is possible now.
    Applied { record: InternalKey, version: i64 },
    /// Stored; the look at it takes longer than 5 s.
    Pending(WorkItemId),
    /// No such conflict, record, version or doubt.
    NotFound,
    /// The values moved: nothing was applied; the conflict as it stands now, or `None` if it is closed.
    Stale(Option<Standing>),
    /// It would not come to what the person was shown: nothing was applied.
    Moved(Moved),
    /// A later version changed these places again: nothing was undone.
    Blocked(Vec<Pointer>),
    /// The decision makes no sense for this conflict: the reason.
    Senseless(String),
    /// What is in doubt cannot be settled so: nothing was applied.
    Unsettleable(Unsettleable),
    /// The look failed before it could decide; the order is stored and will be tried again.
    Failed { item: WorkItemId, error: String },
}

/// Why a doubt cannot be settled in the way that was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsettleable {
    /// It is not in doubt any more.
    Closed,
    /// The key is that of another record's copy.
    Taken { key: ForeignKey, record: InternalKey },
    /// There is no such item at the source.
    NothingThere(ForeignKey),
    /// The copy that is said to be gone is there.
    StillThere(ForeignKey),
}

/// A conflict as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub conflict: i64,
    pub revision: i64,
    pub kind: ConflictKind,
    pub contenders: Vec<Contender>,
}

/// Approves all deletions of an entity that are held now, and has their records looked at again.
#[derive(Message)]
#[rtype(result = "Result<Approved, Refusal>")]
pub struct ApproveDeletes {
    pub entity: EntityName,
    /// Only those that were counted so.
    pub counted: Option<CountedDeletes>,
    /// Of the request with a key that says so.
    pub attempt: Option<Attempt>,
}

/// Stops an entity, or one of its sources, for the time being, or lets it go on; answered when it is on record.
#[derive(Message)]
#[rtype(result = "Result<(), Refusal>")]
pub struct Pause {
    pub entity: EntityName,
    /// `None`: the entity itself.
    pub source: Option<SourceName>,
    pub paused: bool,
    /// Who wants it so, if that is known.
    pub who: Option<String>,
}

/// Makes a parked, waiting or ready item ready at once, with fresh attempts.
#[derive(Message)]
#[rtype(result = "Result<Handled, Refusal>")]
pub struct RetryItem {
    pub item: WorkItemId,
    /// Of the request with a key that says so.
    pub attempt: Option<Attempt>,
}

/// Ends an item that is not running, as dropped.
#[derive(Message)]
#[rtype(result = "Result<Handled, Refusal>")]
pub struct DropItem {
    pub item: WorkItemId,
    /// Of the request with a key that says so.
    pub attempt: Option<Attempt>,
}

/// Retries or drops many parked items at once.
#[derive(Message)]
#[rtype(result = "Result<HandledItems, Refusal>")]
pub struct HandleItems {
    pub filter: WorkFilter,
    /// The number of the last item that is meant.
    pub last: i64,
    pub handling: Handling,
    /// Of the request with a key that says so.
    pub attempt: Option<Attempt>,
}

/// Asks for the latest runs at a source that this daemon has made, the latest first.
#[derive(Message)]
#[rtype(result = "Vec<PastRun>")]
pub struct ListRuns {
    pub entity: EntityName,
    pub source: SourceName,
}

/// Puts another configuration in force; answered when every entity works by it. Whoever was given up is started
/// anew, also by one that is in force already.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reconfigure {
    pub config: Arc<Config>,
}

/// Asks how every actor is.
#[derive(Message)]
#[rtype(result = "Supervision")]
pub struct GetSupervision;

/// Asks how everything is.
#[derive(Message)]
#[rtype(result = "Result<Status, Refusal>")]
pub struct GetStatus;

/// How everything is.
#[derive(Debug, Clone)]
pub struct Status {
    pub uptime_s: u64,
    pub database: DatabaseStatus,
    pub entities: Vec<EntityStatus>,
    /// Whether notifications are accepted and every entity's actor is up.
    pub ready: bool,
}

/// Asks how everything is as far as that can be told now; answered in seconds, whatever the database does.
#[derive(Message)]
#[rtype(result = "Survey")]
pub struct GetSurvey;

/// How everything is, as far as it can be told.
#[derive(Debug, Clone)]
pub struct Survey {
    pub uptime: Duration,
    /// As it was when it was asked just now.
    pub database: DatabaseStatus,
    pub usage: Usage,
    /// None before the database was ready for the first time.
    pub entities: Vec<EntityStatus>,
    /// Whether the counts of the entities are known: the database has told them.
    pub knows_counts: bool,
    pub actors: Vec<ActorStatus>,
}

#[derive(Debug, Clone)]
pub struct DatabaseStatus {
    pub up: bool,
    pub error: Option<String>,
}

#[derive(Debug, Clone)]
pub struct EntityStatus {
    pub name: EntityName,
    /// `up`, `starting`, `standby`, `paused`, `given-up`.
    pub state: &'static str,
    /// The daemon that serves it, if that is another one.
    pub served_by: Option<String>,
    pub counts: Counts,
    pub in_flight: u32,
    pub throttle: GateState,
    pub sources: BTreeMap<SourceName, SourceStatus>,
}

#[derive(Debug, Clone)]
pub struct SourceStatus {
    /// `up`, `down`, `paused`, `given-up`; `standby` where another daemon serves the entity.
    pub state: &'static str,
    pub restarts: u64,
    pub last_error: Option<String>,
    /// In milliseconds, while it is down.
    pub next_probe_ms: Option<u64>,
}
