//! What retcon knows of one record, and what its sources answered.

use std::collections::BTreeMap;

use super::json::Json;
use super::key::{ForeignKey, InternalKey};
use super::name::SourceName;
use super::pointer::Pointer;

/// Whether a record exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    Live,
    /// Removed; its agreed document is kept, so that an undo can bring it back.
    Deleted,
}

/// One data item of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub id: InternalKey,
    pub state: RecordState,
    /// Counts the changes of the agreed document, from 1; 0 as long as nothing was ever agreed.
    pub version: i64,
    /// What every source should hold; `None` where nothing is agreed.
    pub agreed: Option<Json>,
}

/// The base of one copy: what it is known to have held, and the agreed document it stands for.
///
/// Where the two are needed and why: ARCHITECTURE.md, "The merge".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base {
    /// What the copy held when it was last dealt with, within the source's fields; `None`: nothing.
    pub shadow: Option<Json>,
    /// Places at which the shadow is *unknown*: it differs from everything, absence included.
    pub unknown: Vec<Pointer>,
    /// The agreed document that the copy stands for, within the source's fields; `None`: absence.
    pub ack: Option<Json>,
    /// Places at which a correction is still owed to the source: there it stands for nothing that was ever agreed.
    pub owed: Vec<Pointer>,
}

impl Base {
    /// Returns the base of a copy that is there and of which nothing else is known.
    pub fn unknown() -> Self {
        Self { unknown: vec![Pointer::root()], ..Self::default() }
    }
}

/// What one look at a copy gave. An outage cannot be mistaken for a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    Present(Json),
    /// The source answered that the copy does not exist (exit 2).
    Missing,
    /// The source could not be asked: exit 1, a time-out, down, paused.
    Unreachable(String),
    /// The source answered something that no contract allows.
    Broken(String),
}

/// How a source stands to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// It has a copy, known by the link's key.
    Linked,
    /// It has none that we know of: none was ever made, or ours was removed.
    Unlinked,
    /// Unlinked on purpose (`on_delete = "unlink"`): takes no part.
    Detached,
}

/// The association record - source - foreign key, with all that is known of the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub state: LinkState,
    /// The copy's key; there is one just where the state is [`LinkState::Linked`].
    pub key: Option<ForeignKey>,
    pub base: Base,
    /// The last reading, kept while the copy contends in an open conflict.
    pub last: Option<Json>,
    /// When the copy was first found missing, in microseconds since the Unix epoch, while `delete_after` runs.
    pub missing_since: Option<i64>,
    /// The write that has been started or decided and whose end is not settled. At most one for a copy.
    pub open: Option<OpenOperation>,
    /// Whether the copy was in step when last dealt with.
    pub in_step: bool,
    pub last_error: Option<String>,
}

impl Link {
    /// Returns the link of a source that never had the record.
    pub fn unlinked() -> Self {
        Self {
            state: LinkState::Unlinked,
            key: None,
            base: Base::default(),
            last: None,
            missing_since: None,
            open: None,
            in_step: false,
            last_error: None,
        }
    }
}

/// The name of an operation: every attempt at one document for one copy bears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub uuid::Uuid);

/// The short name of an operation, which a person can type: its number among all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DoubtId(pub i64);

/// What a person says of a copy in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// This is the copy's key.
    Key(ForeignKey),
    /// There is no such copy: a create made none, or what an update was sent to is gone.
    Absent,
}

/// What a program said at its end, as it is kept for a person: a few KiB, nothing in it that a terminal would act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// As `exit status 3` or `signal 9`.
    pub exit: String,
    /// The first of it.
    pub stdout: String,
    /// The last of it.
    pub stderr: String,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    Create,
    Update,
    Delete,
}

/// How far an open operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationState {
    /// Recorded, and its program may be running.
    InFlight,
    /// Its attempts have ended, none of them with success; the next look decides.
    Open,
    /// Nobody knows whether it took effect, and no reading can tell: the copy takes no part.
    InDoubt,
}

/// A write with its intent on record and no settled end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOperation {
    pub id: OperationId,
    pub kind: OperationKind,
    pub state: OperationState,
    /// The key it was sent to; `None` for a create.
    pub key: Option<ForeignKey>,
    /// What it sends; `None` for a delete.
    pub document: Option<Json>,
    /// The copy's base if it took effect as sent: the agreed document that it carries, and the places it left alone.
    pub carries: Base,
    /// The version of the agreed document that it carries.
    pub version: i64,
    pub attempts: i32,
    /// Whether an attempt at it may have taken effect (docs/data-sources.md, "What an end means").
    pub may_have_taken_effect: bool,
}

/// How an operation ended for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationEnd {
    /// It took effect; with the key that the copy has now.
    Done { key: Option<ForeignKey> },
    /// It never will take effect, or another document took its place.
    Superseded,
}

/// All that is known of a record when a look at it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub record: Record,
    /// One for each source that was ever linked; a configured source without one is unlinked.
    pub links: BTreeMap<SourceName, Link>,
    /// The places of the open conflicts, each with its row.
    pub conflicts: Vec<OpenConflict>,
    /// Whether the sources have ever stored something other than what they were sent.
    pub tidies: BTreeMap<SourceName, bool>,
    /// The database's clock when this was recalled, in microseconds since the Unix epoch.
    pub now: i64,
}

/// A conflict on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConflict {
    pub id: i64,
    /// Grows with every change of its contenders.
    pub revision: i64,
    pub conflict: super::merge::Conflict,
}
