//! The durable queue: what waits to be looked at.

mod enqueue;
mod claim;
mod intake;
mod finish;
mod rename;
mod rematch;
mod upkeep;

use std::time::Duration;

use tokio::sync::mpsc;

use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::merge::Decision;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::plan::Shown;
use crate::domain::record::{DoubtId, Known, Settlement};
use crate::domain::rules::Rules;

use finish::{columns, receipt};

pub(in crate::store) use finish::{find_running, ids, is_running};

/// The name of a work item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkItemId(pub i64);

/// What a claim gives for an item, and the end of its look shows: that ends this claim and no later one, however often it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt {
    pub item: WorkItemId,
    /// How often the item had been claimed then, that time included.
    pub claim: i64,
}

/// A hint that a copy may have changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notification {
    pub entity: EntityName,
    pub source: SourceName,
    pub key: ForeignKey,
}

/// Stores notifications, all or none; answers in their order.
///
/// Each coalesces with an item for the same copy that is ready, waiting or parked (also with an earlier one of the same
/// request), never with a running one: then a new item is made. A waiting item becomes due now unless its own source is
/// among those that it waits for (`blocked_by`); a parked one becomes ready with fresh attempts.
/// Must lead to another look even if the item is being claimed at this instant (`on conflict do update`, not `do nothing`).
/// Rows are taken in sorted order, so that two requests cannot deadlock.
#[derive(Debug, Clone)]
pub struct Enqueue {
    pub notifications: Vec<Notification>,
}

/// What became of one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueued {
    pub id: WorkItemId,
    pub coalesced: bool,
}

/// Asks for a look at a record, as [`Enqueue`] does for a copy. With an order, a new item is always made, and is due
/// now, before everything else: a person waits.
/// Gives `None` if there is no such record.
#[derive(Debug, Clone)]
pub struct EnqueueRecord {
    pub entity: EntityName,
    pub record: InternalKey,
    pub order: Option<Order>,
}

/// What a person has ordered; stored with the work item that carries it out, until that has been decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Decide the open conflict `conflict`, as it stood at `revision`; `together` with others, if it is one of many.
    Resolve { conflict: i64, revision: i64, decision: Decision, together: Option<Together> },
    /// Take back what a version changed.
    Undo { version: i64 },
    /// Settle what is in doubt about a copy.
    Settle { doubt: DoubtId, settlement: Settlement },
    /// Do what a person was shown, if it still comes to just that.
    AsShown { deed: Deed, shown: Shown },
}

/// A person's decision about many conflicts at once, of which an order is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    pub batch: i64,
    /// The name of the person, as in the audit trail.
    pub who: String,
}

/// What a person does to a record after having been shown what it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Decides conflicts of the record, all of them in one version.
    Resolve(Vec<Choice>),
    /// Takes back what a version changed.
    Undo { version: i64 },
}

/// A person's word on one of the conflicts of a record, as it stood at `revision`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub conflict: i64,
    pub revision: i64,
    pub decision: Decision,
}

/// Claims due work of an entity, the longest due first: at most `limit` looks.
///
/// All ready and waiting items of a record are claimed together, due or not: one look serves them. Passed over are items of a
/// record that has a running one, items for a key that has a running one, and items for an unknown key of a source at which
/// a create or update has been in flight since before the item arrived (rule *Unknown keys*). The link and the open
/// operations are read in one statement. Items become running, with their record set where it is known.
/// Items with an order come one to a look, and alone: siblings wait.
/// A key in state `former` finds its record like a current one; a `retired` key counts as unknown.
///
/// With the looks comes what is known of their records. Nothing else may be at a record while a look at it rests on that: whoever
/// claims sees to it, and recalls anew otherwise.
#[derive(Debug, Clone)]
pub struct Claim {
    pub entity: EntityName,
    pub limit: i64,
    /// Told of what is being claimed, if anything is, while that is still being made durable. Nothing of it counts unless the reply
    /// is the same: the claim may be undone, or its end stay unknown.
    pub ahead: Option<mpsc::UnboundedSender<Claimed>>,
}

/// Stores a notification, as [`Enqueue`] does, and claims its item, as [`Claim`] does, in one transaction: where that is all that there
/// is to do for its entity, and nobody has that locked. Gives `None` otherwise; nothing was stored then.
#[derive(Debug, Clone)]
pub struct TakeIn {
    pub notification: Notification,
    /// As for a [`Claim`].
    pub ahead: Option<mpsc::UnboundedSender<Claimed>>,
}

/// What was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub looks: Vec<ClaimedLook>,
    /// How long until the next item not claimed here is due; `None` if none is, or only such as are passed over now.
    pub next_due: Option<Duration>,
}

/// One look to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedLook {
    pub subject: Subject,
    pub items: Vec<ClaimedItem>,
    /// What is known of the record that it is about.
    pub known: Option<Known>,
}

/// What is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Record(InternalKey),
    /// A key that no live link and no former key names.
    UnknownKey {
        source: SourceName,
        key: ForeignKey,
    },
}

/// One claimed item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedItem {
    pub receipt: Receipt,
    /// Looks that failed before this one, and that count.
    pub attempts: u32,
    pub order: Option<Order>,
    /// A person has consented to what a limit held back.
    pub consents: bool,
}

/// Ends claimed items without anything to record of a record: what their look has left in flight, if it failed, may have
/// taken effect. See [`Finish`].
#[derive(Debug, Clone)]
pub struct FinishItems {
    pub entity: EntityName,
    pub finish: Finish,
}

/// Puts items back that were claimed and at which no look has begun: they are ready, due now. See [`WorkEnd::Again`].
#[derive(Debug, Clone)]
pub struct GiveBack {
    pub entity: EntityName,
    pub items: Vec<Receipt>,
}

/// Has claimed items for an unknown key wait for a write that may have made their copy: for one in doubt until it is settled,
/// for another `due_in` at most. They are due at once when the write has moved on; if it has by now, they are due now.
#[derive(Debug, Clone)]
pub struct Hold {
    pub entity: EntityName,
    pub items: Vec<Receipt>,
    pub by: DoubtId,
    pub due_in: Duration,
    /// What the items wait for, for people.
    pub error: String,
    /// Whether the attempt counts.
    pub spent: bool,
}

/// Asks whether any of a look's items is still under its claim. If none is, and the lease is still the same, the look has ended: that is on
/// record.
#[derive(Debug, Clone)]
pub struct FindRunning {
    pub items: Vec<Receipt>,
}

/// How claimed items end. Ends only items that are running under these claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    pub items: Vec<Receipt>,
    pub end: WorkEnd,
}

/// The end of a look for its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkEnd {
    /// Done. Parked items of the same record are done with it.
    Done { outcome: &'static str },
    /// To be looked at again. If another item for the same subject is ready or waiting by now, this one ends as done with the
    /// outcome `coalesced`, `coalesced_into` that other, which becomes due no later than this one would. An item for a copy
    /// that is gone by now is from then on one for its record, to which something is owed.
    Again {
        due_in: Duration,
        error: Option<String>,
        /// Not empty: waits, not due, until one of these sources is released.
        blocked_by: Vec<SourceName>,
        /// Whether the attempt counts.
        spent: bool,
        /// Whether to show the item as waiting (something is owed) or ready (only look again).
        waiting: bool,
    },
    /// Parked: a person decides. Coalesces like `Again` does.
    Parked { error: String },
    /// Parked by a limit: to try it again is a person's consent.
    Held { error: String },
}

/// Puts back what was claimed and is not looked at, by a dead daemon or because a claim's answer was lost: running items
/// other than `held` are ready, due now; blocked items are released; operations in flight become in doubt (creates) or open
/// (updates and deletes), but for records of `held` items.
#[derive(Debug, Clone)]
pub struct Recover {
    pub entity: EntityName,
    /// The items of the looks under way, by the claims that these rest on.
    pub held: Vec<Receipt>,
}

/// Gives all that is known of sources by their former names to their present ones: links, keys, writes, work, and who contends in
/// open conflicts. What was said of the past, the versions and the conflicts that are over, keeps the names of its time.
///
/// All or nothing, and done once: where nothing is known of a former name, nothing is done. Nothing of the entity is claimed.
#[derive(Debug, Clone)]
pub struct Rename {
    pub entity: EntityName,
    /// Each former name with the present one.
    pub names: Vec<(SourceName, SourceName)>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renamed {
    /// Those of which something was known by the former name.
    Done(Vec<(SourceName, SourceName)>),
    /// Copies are known of both names: they are two sources, and nothing was done.
    Refused { former: SourceName, present: SourceName },
}

/// Makes the match values of an entity's records by these rules, a part at a time, unless that is what they are made by already. Nothing of
/// the entity is claimed meanwhile. Gives what is to be done next; `None` if it is over. Whoever is cut off begins anew.
#[derive(Debug, Clone)]
pub struct Rematch {
    pub entity: EntityName,
    pub rules: Rules,
    pub part: RematchPart,
}

/// A part of making match values by other rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RematchPart {
    /// Finds out whether there is anything to be done.
    Begin,
    /// Takes some of the values away that were made by other rules: two that were made by different ones may be equal by accident.
    Clear,
    /// Makes those of the next records after this one.
    Make {
        after: i64,
        /// There are no others: those were taken away.
        is_anew: bool,
    },
}

/// What a recovery has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// The number of items put back.
    pub put_back: u64,
    /// Whether there is work to claim, now or later.
    pub has_work: bool,
}

/// Names the entities that have due work which nobody has claimed.
#[derive(Debug, Clone)]
pub struct ListDue;

/// Makes items due that wait for `source`: all of them, or one by chance (a probe). Gives their number.
#[derive(Debug, Clone)]
pub struct Release {
    pub entity: EntityName,
    pub source: SourceName,
    pub probe: bool,
}

/// Removes work items that ended, writes that were settled, and batches whose orders are gone, longer ago than `older_than`, a
/// thousand at a time. Gives their
/// number.
#[derive(Debug, Clone)]
pub struct PurgeFinished {
    pub older_than: Duration,
}

/// Asks whether the database answers.
#[derive(Debug, Clone)]
pub struct Ping;

/// Waits until the database takes writes, and all that can be seen in it is as safe as any commit: on the standbys that commits
/// wait for, if they do. After a crash, or a commit's wait that was cancelled, what can be seen need not be.
#[derive(Debug, Clone)]
pub struct Confirm;
