//! What people decide: the inbox of open conflicts, those that are alike, and many of them decided at once.

mod batch;
mod conflicts;

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::domain::key::InternalKey;
use crate::domain::merge::{ConflictKind, Decision};
use crate::domain::name::{EntityName, SourceName};
use crate::domain::pointer::Pointer;

use super::queue::WorkItemId;
use super::view::{ConflictRow, Page, WorkState};

/// How many conflicts are decided at once.
pub const MOST_AT_ONCE: i64 = 10_000;

/// So many are counted at most.
pub const MOST_COUNTED: i64 = 100_000;

/// Names what conflicts of an entity have in common that are alike: the place, the kind, and the contending sources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Likeness(String);

/// What is no name of a likeness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no conflicts are alike by this name")]
pub struct InvalidLikeness;

impl Likeness {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Likeness {
    type Err = InvalidLikeness;

    fn from_str(text: &str) -> Result<Self, InvalidLikeness> {
        let is_name = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_name.then(|| Self(text.to_owned())).ok_or(InvalidLikeness)
    }
}

impl fmt::Display for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Counts the open conflicts of every entity that has any, a million in all at most.
#[derive(Debug, Clone)]
pub struct CountInbox;

/// The open conflicts of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityCount {
    pub entity: EntityName,
    pub conflicts: i64,
    /// When the oldest was opened; RFC 3339 in UTC.
    pub oldest: String,
}

/// What the conflicts that are listed have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within {
    Alike(Likeness),
    Record(InternalKey),
    /// All of the entity that are of this kind, at this place, and of this source; as far as that is said.
    Entity {
        kind: Option<ConflictKind>,
        path: Option<Pointer>,
        source: Option<SourceName>,
    },
}

/// Lists open conflicts of an entity by number.
#[derive(Debug, Clone)]
pub struct ListInbox {
    pub entity: EntityName,
    pub within: Within,
    pub after: i64,
    pub limit: i64,
}

/// A conflict in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxRow {
    pub row: ConflictRow,
    /// When its contenders moved last; RFC 3339 in UTC.
    pub moved_at: String,
    /// All that contend, sorted.
    pub sources: Vec<SourceName>,
    pub alike: Likeness,
}

/// Lists the largest groups of conflicts of an entity that are alike, the largest first.
#[derive(Debug, Clone)]
pub struct ListGroups {
    pub entity: EntityName,
    pub limit: i64,
}

/// Finds the open conflicts of an entity that are alike; `None` if there are none any more.
#[derive(Debug, Clone)]
pub struct FindGroup {
    pub entity: EntityName,
    pub alike: Likeness,
}

/// Conflicts that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub alike: Likeness,
    /// [`MOST_COUNTED`] at most.
    pub conflicts: i64,
    pub path: Pointer,
    pub kind: ConflictKind,
    pub sources: Vec<SourceName>,
    /// The first of them, and since when it is open.
    pub first: i64,
    pub oldest: String,
}

/// Names open conflicts of an entity that are alike, by number.
#[derive(Debug, Clone)]
pub struct ListPicks {
    pub entity: EntityName,
    pub alike: Likeness,
    pub limit: i64,
}

/// One conflict, as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    pub conflict: i64,
    pub revision: i64,
    pub record: InternalKey,
}

/// The number of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchId(pub i64);

/// Orders conflicts of an entity to be decided alike: an order for each, all of them or none.
///
/// Each counts as long as its conflict stands as it was shown. Sent again with the same `form`, it is the batch that it was, and nothing
/// is ordered.
#[derive(Debug, Clone)]
pub struct OrderAlike {
    pub form: Uuid,
    /// Who orders it, as in the audit trail.
    pub who: String,
    pub entity: EntityName,
    pub path: Pointer,
    pub kind: ConflictKind,
    pub sources: Vec<SourceName>,
    pub decision: Decision,
    /// The conflicts, each with the revision that was shown.
    pub shown: Vec<(i64, i64)>,
}

/// Finds a batch.
#[derive(Debug, Clone)]
pub struct FindBatch {
    pub id: BatchId,
}

/// A batch, and what has become of its orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    pub id: BatchId,
    pub entity: EntityName,
    pub path: Pointer,
    pub kind: ConflictKind,
    pub sources: Vec<SourceName>,
    pub decision: Decision,
    /// How many orders it had.
    pub orders: i64,
    /// RFC 3339 in UTC.
    pub at: String,
    /// How many were carried out. Orders that ended long ago are forgotten, and counted nowhere.
    pub applied: i64,
    /// How many were not applied: the conflict had moved, or was closed, or the order was dropped.
    pub refused: i64,
    /// How many failed, and wait for a person.
    pub parked: i64,
    /// How many are still to come, or under way.
    pub coming: i64,
}

/// Lists the orders of a batch by number that were refused, or that failed.
#[derive(Debug, Clone)]
pub struct ListBatch {
    pub id: BatchId,
    pub after: i64,
    pub limit: i64,
}

/// An order of a batch that was refused, or that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    pub item: WorkItemId,
    pub record: InternalKey,
    pub state: WorkState,
    pub outcome: Option<String>,
    pub last_error: Option<String>,
}

/// A list of what is asked for here.
pub type Inbox = Page<InboxRow>;
