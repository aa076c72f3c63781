//! What people ask: lists and single things as the HTTP API shows them, in domain terms.

mod records;
mod conflicts;
mod doubts;
mod deletes;
mod work_items;
mod counts;

use std::collections::BTreeMap;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::merge::Conflict;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::record::{DoubtId, Known, OperationId, OperationKind, Output, Record};
use crate::store::run::{Fault, Parameter, Session};

use super::queue::{Order, WorkItemId};

pub(super) use conflicts::conflict_row;
pub(super) use doubts::output;
pub(super) use records::version;
pub(super) use work_items::work_item_row;

/// A part of a list: at most `limit` items after `after` (an id, 0 for the beginning), and where the next part begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<i64>,
}

/// Makes a page of rows, one more than its limit of which were asked for; `place` is where an item stands in the list.
pub(super) fn page<T>(
    rows: &[Row],
    limit: i64,
    item: impl Fn(&Row) -> Result<T, Fault>,
    place: impl Fn(&T) -> i64,
) -> Result<Page<T>, Fault> {
    let limit = usize::try_from(limit).unwrap_or(0);
    let items = rows.iter().take(limit).map(item).collect::<Result<Vec<T>, _>>()?;
    let next = if rows.len() > limit { items.last().map(place) } else { None };
    Ok(Page { items, next })
}

/// A page has so many bytes at most, as they are stored, and one item more; what is beyond is on the next one.
const LARGEST: usize = 4 << 20;

/// So many items are read before it is known how large they are.
const FIRST: usize = 16;

/// Reads a page of items that may be large: in parts, so that one of large items ends early. `parameters` says what goes with
/// the statement that lists so many rows after a place.
pub(super) async fn page_of_large<T>(
    session: &Session<'_>,
    (sql, parameters): (&'static str, impl Fn(i64, i64) -> Vec<Parameter>),
    (mut after, limit): (i64, i64),
    (item, place): (impl Fn(&Row) -> Result<T, Fault>, impl Fn(&T) -> i64),
) -> Result<Page<T>, Fault> {
    let limit = usize::try_from(limit).unwrap_or(0);
    let (mut items, mut size) = (Vec::new(), 0);
    loop {
        let wanted = affordable(items.len(), size).min(limit - items.len());
        let parameters = parameters(after, i64::try_from(wanted + 1).unwrap_or(i64::MAX));
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|each| &**each as _).collect();
        let rows = session.list(sql, &parameters).await?;
        let mut taken = 0;
        for row in rows.iter().take(wanted) {
            if size >= LARGEST {
                break;
            }
            size += row.raw_size_bytes();
            items.push(item(row)?);
            taken += 1;
        }
        let last = items.last().map(&place);
        match last {
            Some(last) if taken < rows.len() && size < LARGEST && items.len() < limit => after = last,
            Some(_) | None => {
                let next = if taken < rows.len() { last } else { None };
                return Ok(Page { items, next });
            }
        }
    }
}

/// How many more items there is room for, if they are like those that were read.
fn affordable(items: usize, size: usize) -> usize {
    let Some(each) = size.checked_div(items) else { return FIRST };
    (LARGEST.saturating_sub(size) / each.max(1)).max(1)
}

impl<T> Page<T> {
    /// Turns every item into another.
    pub fn map<U>(self, other: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(other).collect(), next: self.next }
    }
}

/// Lists records of an entity by internal key; with `source` and `key`, those that have or had that key there;
/// with `source` alone, those linked there. A key says nothing without its source.
#[derive(Debug, Clone)]
pub struct ListRecords {
    pub entity: EntityName,
    pub source: Option<SourceName>,
    pub key: Option<ForeignKey>,
    pub after: i64,
    pub limit: i64,
}

/// One row of the list of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    pub record: Record,
    pub links: Vec<(SourceName, ForeignKey)>,
    pub conflicts: i64,
}

/// Shows one record. Gives `None` if there is no such record.
#[derive(Debug, Clone)]
pub struct ShowRecord {
    pub entity: EntityName,
    pub record: InternalKey,
}

/// One record as shown; by source, the keys that its copies had before, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordView {
    pub known: Known,
    pub former_keys: BTreeMap<SourceName, Vec<ForeignKey>>,
}

/// Lists the history of a record from version 1, as [`crate::domain::history::Version`]s.
#[derive(Debug, Clone)]
pub struct ListHistory {
    pub entity: EntityName,
    pub record: InternalKey,
    pub after: i64,
    pub limit: i64,
}

/// Lists open conflicts by id, of one entity or of all, or of one record of an entity.
#[derive(Debug, Clone)]
pub struct ListConflicts {
    pub entity: Option<EntityName>,
    pub record: Option<InternalKey>,
    pub after: i64,
    pub limit: i64,
}

/// Finds one conflict, open or closed.
#[derive(Debug, Clone)]
pub struct FindConflict {
    pub id: i64,
}

/// A conflict as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictRow {
    pub id: i64,
    pub revision: i64,
    pub entity: EntityName,
    pub record: InternalKey,
    pub conflict: Conflict,
    /// RFC 3339 in UTC.
    pub opened_at: String,
    pub closed: bool,
}

/// Lists what is in doubt by number, of one entity or of all.
#[derive(Debug, Clone)]
pub struct ListDoubts {
    pub entity: Option<EntityName>,
    pub after: i64,
    pub limit: i64,
}

/// Lists the deletions that wait for a person, by number.
#[derive(Debug, Clone)]
pub struct ListDeletes {
    pub entity: Option<EntityName>,
    pub after: i64,
    pub limit: i64,
}

/// Finds one write, in doubt or settled.
#[derive(Debug, Clone)]
pub struct FindDoubt {
    pub id: DoubtId,
}

/// A write in doubt as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubtRow {
    pub id: DoubtId,
    pub operation: OperationId,
    pub entity: EntityName,
    pub record: InternalKey,
    pub source: SourceName,
    pub kind: OperationKind,
    /// The key that it was sent to; `None` for a create.
    pub key: Option<ForeignKey>,
    pub document: Option<Json>,
    /// When it was decided; RFC 3339 in UTC.
    pub since: String,
    pub attempts: i64,
    /// How its last attempt ended; `None` if it never did.
    pub last_end: Option<String>,
    pub output: Option<Output>,
    /// The first unknown keys of that source that wait for it.
    pub waiting: Vec<ForeignKey>,
    /// Whether it is not in doubt any more.
    pub settled: bool,
}

/// Finds the record whose copy bears a key now.
#[derive(Debug, Clone)]
pub struct FindHolder {
    pub entity: EntityName,
    pub source: SourceName,
    pub key: ForeignKey,
}

/// A deletion that `max_deletes` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRow {
    pub id: i64,
    pub entity: EntityName,
    pub record: InternalKey,
    /// The copy that is missing.
    pub source: SourceName,
    pub key: ForeignKey,
    /// RFC 3339 in UTC.
    pub held_at: String,
}

/// Counts the deletions of an entity that wait for a person.
#[derive(Debug, Clone)]
pub struct CountDeletes {
    pub entity: EntityName,
}

/// The deletions of an entity that waited for a person when they were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedDeletes {
    pub deletes: i64,
    /// The number of the last of them.
    pub last: i64,
}

/// Approves all deletions of an entity that wait now, and asks for a look at each of their records.
///
/// What is held later is not approved. Asked again, it approves what is held then.
#[derive(Debug, Clone)]
pub struct ApproveDeletes {
    pub entity: EntityName,
    /// Only those that were counted so: none, if others were held between them meanwhile.
    pub counted: Option<CountedDeletes>,
}

/// What was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The number of deletions.
    pub deletes: u64,
    /// The looks, one for each record.
    pub items: Vec<WorkItemId>,
}

/// The state of a work item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkState {
    Ready,
    Running,
    Waiting,
    Parked,
    Done,
}

/// Lists work items by id.
#[derive(Debug, Clone)]
pub struct ListWorkItems {
    pub state: Option<WorkState>,
    pub entity: Option<EntityName>,
    pub after: i64,
    pub limit: i64,
}

/// Finds one work item.
#[derive(Debug, Clone)]
pub struct FindWorkItem {
    pub id: WorkItemId,
}

/// A work item as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkItemRow {
    pub id: WorkItemId,
    pub entity: EntityName,
    /// A copy, or a record alone.
    pub copy: Option<(SourceName, ForeignKey)>,
    pub record: Option<InternalKey>,
    pub state: WorkState,
    pub attempts: i64,
    /// RFC 3339 in UTC; `None` while it waits for a source that is down.
    pub due_at: Option<String>,
    pub blocked_by: Vec<SourceName>,
    pub last_error: Option<String>,
    pub outcome: Option<String>,
    pub coalesced_into: Option<WorkItemId>,
    pub order: Option<Order>,
}

/// What a person's word about a work item came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handled {
    Done(EntityName),
    NotFound,
    /// It is running or done, and this can no longer be said of it.
    NotNow(WorkState),
}

/// Makes a parked, waiting or ready item ready, due now, with fresh attempts.
#[derive(Debug, Clone)]
pub struct RetryWorkItem {
    pub id: WorkItemId,
}

/// Ends a parked, waiting or ready item as done, with the outcome `dropped`.
#[derive(Debug, Clone)]
pub struct DropWorkItem {
    pub id: WorkItemId,
}

/// Counts, exactly and in one statement, for every entity that has a row anywhere.
#[derive(Debug, Clone)]
pub struct CountAll;

/// The counts of one entity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub ready: i64,
    pub running: i64,
    pub waiting: i64,
    pub parked: i64,
    /// The age of the oldest item that is not done, in seconds; 0 if there is none.
    pub oldest_s: i64,
    /// Live records.
    pub records: i64,
    /// Open conflicts.
    pub conflicts: i64,
    pub in_doubt: i64,
    /// Deletions that wait for a person.
    pub deletes_held: i64,
}
