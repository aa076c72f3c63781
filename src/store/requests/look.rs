//! One look at a record: what is recalled, what is decided, what came of it.

mod rows;
mod copies;
mod sheet;
mod conflicts;
mod recall;
mod introduce;
mod limits;
mod decide;
mod results;
mod unlinked;
mod gone;

use crate::config::model::Limit;
use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::merge::{Change, Conflict, Overruled};
use crate::domain::name::{EntityName, SourceName};
use crate::domain::pointer::Pointer;
use crate::domain::record::{DoubtId, Link, OpenOperation, OperationEnd, OperationId, OperationState, Output, Record};

use super::queue::{Finish, WorkItemId};

pub(in crate::store) use copies::release_held;
pub(in crate::store) use limits::ask_all;
pub(in crate::store) use recall::{all_known, known, recall_claimed};
pub(in crate::store) use rows::{conflict, list, one};
pub(in crate::store) use sheet::{Sheet, introduced};

/// Recalls all that is known of a record, in one round trip. Gives `None` if there is no such record.
#[derive(Debug, Clone)]
pub struct Recall {
    pub entity: EntityName,
    pub record: InternalKey,
}

/// Recalls the latest versions about some places of a record, those above and below them included, the oldest first: as many
/// and as old ones as can count for [`restless::fights`](crate::domain::restless::fights).
#[derive(Debug, Clone)]
pub struct RecallRecent {
    pub entity: EntityName,
    pub record: InternalKey,
    pub places: Vec<Pointer>,
}

/// Recalls what bears on a key that no record is known by: the operations of that source that are in doubt, and the
/// key's own row if its copy was deleted.
#[derive(Debug, Clone)]
pub struct RecallUnknown {
    pub entity: EntityName,
    pub source: SourceName,
    pub key: ForeignKey,
    /// The items of the look.
    pub items: Vec<WorkItemId>,
}

/// What bears on an unknown key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// Creates and updates of unknown end at this source, in doubt or to be tried again, that were recorded before the items were
    /// last asked for.
    pub doubts: Vec<Unsettled>,
    /// The copy that bore this key and was deleted: the document it was deleted with, and how long ago.
    pub retired: Option<(Option<Json>, std::time::Duration)>,
    /// For the [`Introduce`] that rests on this.
    pub now: Moment,
}

/// A write whose end is not settled, of some record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    pub id: DoubtId,
    pub record: InternalKey,
    pub open: OpenOperation,
}

/// The state of things in which an unknown key was recalled; only the store can tell what has moved since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The doubts that count.
    pub(in crate::store) doubts: Vec<OperationId>,
    /// When the key was retired, in microseconds since the Unix epoch.
    pub(in crate::store) retired_at: Option<i64>,
}

/// Gives a newly seen item its record, before anything is created anywhere, in one transaction.
///
/// Under unique constraints, in this order: if the key is linked by now, or was retired again since `recalled_at`, or one of
/// the doubts recalled was settled, or a write that may have made this copy is in flight again, gives
/// [`Introduced::LookAgain`]. If `match_value` belongs to a live record: where that record has a live copy in this source,
/// makes a new record for this key, without a match value ([`Introduced::Rival`]); where a write to its copy there is not
/// settled, gives [`Introduced::Unsettled`]; else links the key there, with an empty base ([`Introduced::Joined`]), and a look
/// that was about to create that copy finds out ([`Decide`]). Else makes a new record with the next internal key, its link
/// (empty base), its key and its match value ([`Introduced::New`]).
/// The items' `record` is set. A retired key becomes current for the new record.
///
/// A key of which nothing has to be considered but that nobody knows it is introduced together with what other looks record.
#[derive(Debug, Clone)]
pub struct Introduce {
    pub entity: EntityName,
    pub source: SourceName,
    pub key: ForeignKey,
    pub match_value: Option<String>,
    pub items: Vec<WorkItemId>,
    /// [`UnknownKey::now`] of the recall on which this rests.
    pub recalled_at: Moment,
}

/// Where a newly seen item belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Introduced {
    New(InternalKey),
    Joined(InternalKey),
    /// It matches `of`, which already has a live copy there; it is `record`, held by a `match` conflict.
    Rival {
        record: InternalKey,
        of: InternalKey,
    },
    /// It matches a record whose copy there a write may be making, or may have made, that is not settled.
    Unsettled {
        by: DoubtId,
        state: OperationState,
    },
    /// Things moved meanwhile.
    LookAgain,
}

/// Says whether a record of another internal key that is live, and has a live copy in `source`, bears this match value.
#[derive(Debug, Clone)]
pub struct FindRival {
    pub entity: EntityName,
    pub record: InternalKey,
    pub source: SourceName,
    pub match_value: String,
}

/// The first transaction of a look: records what was decided, as if every write had failed, and the intents.
///
/// Gives `false`, and records nothing, if the record's version is not `expected_version` any more, if a link bears the key of
/// another record's copy, or if a copy that is to be created has been introduced since the recall. Without writes to come, `finish` ends the work items and this is the look's only transaction;
/// if their claim is over, this was recorded before, and that is all.
#[derive(Debug, Clone)]
pub struct Decide {
    pub entity: EntityName,
    pub expected_version: i64,
    /// As decided. Where its version is greater than expected, a row of history is made from `changes`, `overruled` and `cause`.
    pub record: Record,
    pub cause: Json,
    pub changes: Vec<Change>,
    pub overruled: Vec<Overruled>,
    /// All conflicts that are open now: new ones are opened, changed ones get the next revision (and keep, in `contended`, every
    /// value that ever stood), the others are closed with `closed_by`.
    pub conflicts: Vec<Conflict>,
    pub closed_by: Json,
    /// The links that changed, by source; `open` is not looked at.
    pub links: Vec<(SourceName, Link)>,
    /// Keys whose copies are gone: retired, with the document that the copy last held.
    pub retired: Vec<(SourceName, ForeignKey, Option<Json>)>,
    /// The record's match value from now on; ensured where it is free.
    pub match_value: Option<String>,
    /// Operations that a reading settled, and such as never will take effect.
    pub ended: Vec<(OperationId, OperationEnd)>,
    /// Writes that are about to start, or whose intent stays: stored, or updated where the id is known.
    pub operations: Vec<(SourceName, OpenOperation)>,
    /// Items whose order is decided with this: their `command` becomes null.
    pub decided_items: Vec<WorkItemId>,
    pub finish: Option<Finish>,
}

/// A [`Decide`] that the limits of the entity bear on: what they do not let pass is not recorded.
#[derive(Debug, Clone)]
pub struct DecideWithin {
    pub decision: Decide,
    pub limits: Limits,
}

/// What a decision asks of the limits of its entity, and what it records of them.
///
/// Both are counted when the decision is recorded and in its transaction, by one at a time: what was asked twice counts once, and
/// no more passes than the limit lets, whoever asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// A removal that rests on the absence of these sources' copies; `None`: there is none, or no limit. It passes if
    /// a person has approved the deletion of one of them, and then counts for nothing; it does not pass while one is held.
    pub removal: Option<Counted>,
    /// Accepted changes of these sources; `None`: there are none, or no limit, or a person consents.
    pub changes: Option<Counted>,
    /// Copies whose deletion is held from now on.
    pub held: Vec<(SourceName, ForeignKey)>,
    /// Sources whose deletions are held no more.
    pub over: Vec<SourceName>,
    /// Items to whose changes a person has consented, which is done with.
    pub consented: Vec<WorkItemId>,
}

/// What counts against a limit: one for a removal, one of each source for changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub sources: Vec<SourceName>,
    pub limit: Limit,
}

/// Lists those of some sources, at which a record's copy is missing, because of which its deletion waits for a person.
#[derive(Debug, Clone)]
pub struct ListHeld {
    pub entity: EntityName,
    pub record: InternalKey,
    pub sources: Vec<SourceName>,
}

/// Asks for looks at the records, except one, whose deletion is held because of these sources: that one's copy shows again, so
/// others may.
///
/// Each is asked for once, until it has been looked at and is held still. Gives their number.
#[derive(Debug, Clone)]
pub struct AskHeld {
    pub entity: EntityName,
    pub sources: Vec<SourceName>,
    pub except: InternalKey,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    Recorded,
    /// Where a [`Decide`] gives `false`.
    Moved,
    /// A limit is reached: the part of these sources is to be left out.
    Over(Vec<SourceName>),
}

/// The second transaction of a look: what came of the writes. Only copies, their keys and operations change.
///
/// A key that is another record's copy already is not taken: the write that gave it is in doubt from now on, its link stays
/// as it was, and where the items were to be done, their outcome is `in-doubt`. If the claim of the items is over, this was
/// recorded before, and that is all.
#[derive(Debug, Clone)]
pub struct RecordResults {
    pub entity: EntityName,
    pub record: InternalKey,
    pub links: Vec<(SourceName, Link)>,
    /// New keys: a create's, or the one that replaced the former key (which stays as `former`).
    pub keys: Vec<(SourceName, ForeignKey)>,
    pub retired: Vec<(SourceName, ForeignKey, Option<Json>)>,
    pub ended: Vec<(OperationId, OperationEnd)>,
    pub operations: Vec<(SourceName, OpenOperation, String)>,
    /// What the programs said; kept as long as their writes are not settled.
    pub outputs: Vec<(OperationId, Output)>,
    /// Items whose order is decided with this: their `command` becomes null.
    pub decided_items: Vec<WorkItemId>,
    /// Sources that stored something other than what they were sent.
    pub tidies: Vec<SourceName>,
    pub finish: Finish,
}

/// Lists the copies that a record has lost and whose keys are nobody else's, the last one of each source.
#[derive(Debug, Clone)]
pub struct ListGone {
    pub entity: EntityName,
    pub record: InternalKey,
}

/// Lists those of `keys` that no copy at this source bears or bore, in their order; a retired key counts as unlinked.
#[derive(Debug, Clone)]
pub struct ListUnlinked {
    pub entity: EntityName,
    pub source: SourceName,
    pub keys: Vec<ForeignKey>,
    /// Lists behind them as many at most of those besides that notifications tell of since the create was recorded.
    pub most_told: u32,
    /// The create that may have made one of them.
    pub operation: OperationId,
}

/// A key that no copy bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlinked {
    pub key: ForeignKey,
    /// A notification of it that still waits came before the create was recorded: it is none of that.
    pub is_older: bool,
}
