//! What people look for: records by whatever is known of them, all that happened to one, work and acts by what they are about.
//!
//! Every question reads a bounded part, by an index. Where what is asked for may be rare among what an index gives, a question looks
//! through so much and no further, and says where to go on: a page may have less than there was room for, and still not be the last.

mod records;
mod timeline;
mod work;
mod acts;
mod sources;

use crate::domain::history::Version;
use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::merge::ConflictKind;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::pointer::Pointer;
use crate::domain::record::{OperationKind, Output, RecordState};

use super::access::ActRow;
use super::pause::PausedRow;
use super::view::{Page, WorkItemRow, WorkState};

pub use timeline::Below;

/// How many entries a question looks through for those that it asks for.
pub const LOOKED_THROUGH: i64 = 2_000;

/// How many parked items are handled at once.
pub const AT_ONCE: i64 = 10_000;

/// What is the matter with the records that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    All,
    /// Those with an open conflict.
    Conflicting,
    /// Those with a write in doubt, in the order of the doubts.
    Doubtful,
}

/// Lists records of an entity, narrowed to what is the matter with them, their state and a source in which they have a copy.
#[derive(Debug, Clone)]
pub struct BrowseRecords {
    pub entity: EntityName,
    pub among: Among,
    pub state: Option<RecordState>,
    pub source: Option<SourceName>,
    pub after: i64,
    pub limit: i64,
}

/// Lists these records of an entity, as far as there are any, in this order.
#[derive(Debug, Clone)]
pub struct ListSome {
    pub entity: EntityName,
    pub records: Vec<InternalKey>,
}

/// A record as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands in the list.
    pub place: i64,
    pub record: InternalKey,
    pub state: RecordState,
    pub version: i64,
    /// RFC 3339 in UTC.
    pub changed_at: String,
    /// The text of what is agreed, or its beginning.
    pub beginning: Option<String>,
    pub links: Vec<(SourceName, ForeignKey)>,
    pub conflicts: i64,
    pub doubts: i64,
}

/// Finds what a key names, or named, in some sources of an entity.
#[derive(Debug, Clone)]
pub struct FindNamed {
    pub entity: EntityName,
    pub sources: Vec<SourceName>,
    pub key: ForeignKey,
}

/// What a key names in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub source: SourceName,
    pub record: InternalKey,
    pub state: KeyState,
    /// Since when; RFC 3339 in UTC.
    pub since: String,
}

/// How a key stands to a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// The copy bears it.
    Current,
    /// The copy bears another one now.
    Former,
    /// The copy was deleted.
    Retired,
}

/// Lists the keys that a record's copies bear or bore, the latest first, and tells when something of each copy was last recorded.
#[derive(Debug, Clone)]
pub struct ListKeys {
    pub entity: EntityName,
    pub record: InternalKey,
}

/// What is told of a record's copies besides what they hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    pub keys: Vec<KeyRow>,
    /// When something of the copy was last recorded: RFC 3339 in UTC, `None` if that was not kept.
    pub recorded: Vec<(SourceName, Option<String>)>,
}

/// A key of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    pub source: SourceName,
    pub key: ForeignKey,
    pub state: KeyState,
    /// Since when; RFC 3339 in UTC.
    pub since: String,
}

/// Lists what happened to a record, the latest first: at most `limit` things below a place.
#[derive(Debug, Clone)]
pub struct ReadTimeline {
    pub entity: EntityName,
    pub record: InternalKey,
    pub below: Below,
    pub limit: usize,
    /// At what the acts are done that are about this record.
    pub targets: Targets,
}

/// The targets of acts, as they stand in the trail.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    pub of_record: Vec<String>,
    /// What stands before and after the number of a conflict.
    pub of_conflict: Vec<(String, String)>,
    /// What stands before and after the number of a doubt.
    pub of_doubt: Vec<(String, String)>,
}

/// A part of what happened to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    pub moments: Vec<Moment>,
    /// Where the next part begins, if there is one.
    pub next: Option<Below>,
    /// Which versions were taken back, and by which.
    pub undone: Vec<(i64, i64)>,
    /// Acts that may be the reason of what is shown, also of before it.
    pub acts: Vec<ActRow>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When, in microseconds since the Unix epoch.
    pub micros: i64,
    /// When; RFC 3339 in UTC.
    pub at: String,
    pub what: Happened,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    Changed(Version),
    Written(WriteRow),
    Opened(ConflictMoment),
    Closed(ConflictMoment),
    Done(ActRow),
}

/// A conflict that was opened or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictMoment {
    pub id: i64,
    pub kind: ConflictKind,
    pub path: Pointer,
    /// RFC 3339 in UTC.
    pub opened_at: String,
    /// When and by what, if it is closed.
    pub closed: Option<(String, Option<Json>)>,
}

/// A write to a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRow {
    pub number: i64,
    pub source: SourceName,
    pub kind: OperationKind,
    pub state: WriteState,
    pub key: Option<ForeignKey>,
    /// The key that its program printed.
    pub new_key: Option<String>,
    /// The text of what it sent, or its beginning.
    pub document: Option<String>,
    /// The version that it carries.
    pub version: i64,
    pub attempts: i64,
    pub last_end: Option<String>,
    pub output: Option<Output>,
    /// RFC 3339 in UTC.
    pub ended_at: Option<String>,
}

/// How far a write has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteState {
    InFlight,
    Open,
    InDoubt,
    Done,
    Superseded,
}

/// What work is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkFilter {
    pub entity: Option<EntityName>,
    /// The one that was notified of, or that is waited for.
    pub source: Option<SourceName>,
    /// A text that its last error has in it.
    pub reason: Option<String>,
}

/// Lists work items in a state, which is not done.
#[derive(Debug, Clone)]
pub struct BrowseWork {
    pub state: WorkState,
    pub filter: WorkFilter,
    pub after: i64,
    pub limit: i64,
}

/// Counts parked items, up to [`AT_ONCE`] of them.
#[derive(Debug, Clone)]
pub struct CountParked {
    pub filter: WorkFilter,
}

/// How many parked items there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    pub items: i64,
    /// The number of the last of them.
    pub last: i64,
    /// The first of them.
    pub first: Vec<WorkItemRow>,
}

/// What is done with many parked items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    Retry,
    Drop,
}

/// Retries or drops parked items, all in one transaction: those up to a number, and at most [`AT_ONCE`].
#[derive(Debug, Clone)]
pub struct HandleParked {
    pub filter: WorkFilter,
    /// What was parked later is not meant.
    pub last: i64,
    pub handling: Handling,
}

/// How many items were handled, by entity.
pub type HandledItems = Vec<(EntityName, i64)>;

/// Lists what people did, the latest first, narrowed.
#[derive(Debug, Clone)]
pub struct BrowseActs {
    pub who: Option<String>,
    pub act: Option<String>,
    pub outcome: Option<ActOutcome>,
    /// 0: from the latest.
    pub after: i64,
    pub limit: i64,
}

/// How an act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActOutcome {
    Done,
    Refused,
    Unknown,
}

/// Tells what waits for a source, and since when it is paused, and by whom.
#[derive(Debug, Clone)]
pub struct ReadSource {
    pub entity: EntityName,
    pub source: SourceName,
}

/// What the database knows of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// The items that wait for it.
    pub waiting: i64,
    /// Whether there may be more.
    pub or_more: bool,
    /// `None`: it is not paused.
    pub paused: Option<PausedRow>,
}

/// Makes a page of a list that was looked through up to a place; `end` is that place, if there may be more behind it.
fn narrowed<T>(items: Vec<T>, limit: i64, end: Option<i64>, place: impl Fn(&T) -> i64) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(0);
    let mut items = items;
    if items.len() <= limit {
        return Page { items, next: end };
    }
    items.truncate(limit);
    let next = items.last().map(place);
    Page { items, next }
}
