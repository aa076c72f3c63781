//! The writes of a look, and its second transaction.

use std::collections::BTreeMap;

use crate::config::model::ReadBack;
use crate::domain::json::Json;
use crate::domain::key::ForeignKey;
use crate::domain::merge;
use crate::domain::name::SourceName;
use crate::domain::plan::{self, Conclusion, Owed, Plan, conclude};
use crate::domain::record::{Known, Link, OpenOperation, OperationEnd, OperationId, OperationKind, Output, Reading};
use crate::points::{self, Point};
use crate::source::boot_time::BootTime;
use crate::store::StoreError;

use super::super::errand::{Taken, Write, WriteOrder, Written};
use super::super::source::{Foresee, Reserve, Reserved, visit};
use super::super::store::requests::look::RecordResults;
use super::super::store::requests::queue::Finish;
use super::decide::{Intents, outcome};
use super::{Look, Readings, blocked_by, word};

/// What is known, before it is decided, of the turn of a look's first write.
pub(super) enum Place {
    /// It has its source's turn.
    Taken(Reserved),
    /// It will have it in moments.
    Soon,
    /// It may have to wait for long, or must not count as begun while it waits.
    Later,
}

impl Place {
    /// Whether the decision is to be the word that it starts.
    pub(super) fn begins(&self) -> bool {
        match self {
            Self::Taken(_) | Self::Soon => true,
            Self::Later => false,
        }
    }
}

impl Look {
    /// Makes the writes one after the other: no two runs at a record overlap where one changes something. The first may have
    /// its turn already, or have been begun with the decision, which was put to the database at `decided`.
    pub(super) async fn write(
        &self,
        known: &Known,
        taken: &Readings,
        plan: &Plan,
        intents: &Intents,
        (place, decided): (Place, BootTime),
    ) -> BTreeMap<SourceName, Written> {
        let mut results = BTreeMap::new();
        let mut begun = place.begins().then_some(decided);
        let mut reserved = match place {
            Place::Taken(reserved) => Some(reserved),
            Place::Soon | Place::Later => None,
        };
        for (name, write) in &plan.writes {
            let (reserved, begun) = (reserved.take(), begun.take());
            let Some(order) = self.order_of(known, taken, plan, (name, write), intents) else { continue };
            let Some(actor) = self.desk.sources.get(name) else { continue };
            let written = match reserved {
                Some(reserved) => reserved.make().await,
                None => {
                    let start = self.desk.start_of(order.operation, begun);
                    visit(actor, Write { order, start }).await
                }
            };
            results.insert(name.clone(), written);
        }
        results
    }

    /// Takes its source's turn for the first write, where that can be had at once and keeps nobody else waiting for the time of a
    /// commit; where others are looked at, finds out whether it will have it in moments. In both cases the decision and its start are
    /// recorded in one. A write that waits for long must not count as begun, so it has none of this.
    pub(super) async fn reserve(&self, known: &Known, taken: &Readings, plan: &Plan, intents: &Intents) -> Place {
        let Some((name, write)) = plan.writes.first_key_value() else { return Place::Later };
        let order = self.order_of(known, taken, plan, (name, write), intents);
        let (Some(order), Some(source)) = (order, self.desk.sources.get(name)) else { return Place::Later };
        if self.desk.workshop.looks() <= 1 {
            return source.send(Reserve(order)).await.ok().flatten().map_or(Place::Later, Place::Taken);
        }
        match self.may_wait_begun(known, name, write.kind) && source.send(Foresee(order)).await.unwrap_or(false) {
            true => Place::Soon,
            false => Place::Later,
        }
    }

    /// Whether a write may count as begun while it waits for its turn: whoever finds it so after a crash can tell what became of it. Of an
    /// update that tells a reading, unless the source tidies: an edit that was made meanwhile could be taken for it. Of a delete a reading
    /// always does; of a create a repetition, and nothing that need not leave a doubt.
    fn may_wait_begun(&self, known: &Known, name: &SourceName, kind: OperationKind) -> bool {
        match kind {
            OperationKind::Update => !known.tidies.get(name).copied().unwrap_or(false),
            OperationKind::Delete => true,
            OperationKind::Create => self.is_repeatable(name),
        }
    }

    /// `None` at a source that is not configured now.
    fn order_of(
        &self,
        known: &Known,
        taken: &Readings,
        plan: &Plan,
        (name, write): (&SourceName, &plan::Write),
        intents: &Intents,
    ) -> Option<WriteOrder> {
        Some(WriteOrder {
            record: plan.record.id,
            operation: intents.get(name)?.id,
            kind: write.kind,
            key: write.key.clone(),
            document: write.document.clone(),
            basis: basis(write, taken.get(name)),
            recheck: self.desk.entity.sources.get(name)?.recheck,
            read_back: self.reads_back(known, name, write),
        })
    }

    /// Whether the copy is read again after this write (`read_back`).
    fn reads_back(&self, known: &Known, name: &SourceName, write: &plan::Write) -> bool {
        let Some(source) = self.desk.entity.sources.get(name) else { return false };
        match (source.read_back, write.kind, &write.document) {
            (_, OperationKind::Delete, _) | (_, _, None) => false,
            _ if write.must_read_back => true,
            (ReadBack::Always, _, _) | (ReadBack::Auto, OperationKind::Create, _) => true,
            (ReadBack::Never, _, _) => false,
            (ReadBack::Auto, OperationKind::Update, Some(document)) => {
                let seen = write.basis.as_ref().and_then(|basis| merge::restrict(basis, &source.fields));
                known.tidies.get(name).copied().unwrap_or(false) || merge::adds_unseen_member(document, seen.as_ref())
            }
        }
    }

    /// Whether another look can tell what became of a create in doubt: by a search, or by repeating it.
    fn can_tell(&self, name: &SourceName, write: &plan::Write) -> bool {
        write.kind == OperationKind::Create && (self.is_repeatable(name) || self.can_search(name))
    }

    /// Records what came of the writes.
    pub(super) async fn record(
        &self,
        plan: &Plan,
        intents: &Intents,
        results: BTreeMap<SourceName, Written>,
    ) -> Result<Vec<SourceName>, StoreError> {
        let mut sheet = Sheet { owed: plan.owed.clone(), ..Sheet::default() };
        for (name, Written { result, output }) in results {
            let (Some(write), Some(operation)) = (plan.writes.get(&name), intents.get(&name)) else { continue };
            let (Some(link), Some(traits)) = (plan.links.get(&name), self.desk.terms.sources.get(&name)) else {
                continue;
            };
            let mut conclusion = conclude(link, write, operation, &result, traits, &self.desk.terms.rules);
            if conclusion.ended.is_some() && write.version < plan.record.version {
                // It carried an older agreed document: the newer one is still to be written.
                conclusion.owed = Some(Owed::Moved);
            }
            if conclusion.in_doubt && self.can_tell(&name, write) {
                conclusion.in_doubt = false;
                conclusion.owed = conclusion.link.last_error.clone().map(Owed::Unknown);
            }
            sheet.outputs.extend(output.map(|output| (operation.id, output)));
            sheet.enter(&name, operation.id, conclusion);
        }
        let end = self.end(&sheet.owed, outcome(plan, sheet.done, sheet.in_doubt));
        let (waits, word) = (blocked_by(&end), word(&end));
        self.log_synced(plan, sheet.done);
        self.desk
            .insist(RecordResults {
                entity: self.desk.entity.name.clone(),
                record: plan.record.id,
                links: sheet.links,
                keys: sheet.keys,
                retired: sheet.retired,
                ended: sheet.ended,
                operations: sheet.open,
                outputs: sheet.outputs,
                decided_items: Vec::new(),
                tidies: sheet.tidies,
                finish: Finish { items: self.receipts(), end },
            })
            .await?;
        points::pass(Point::Recorded);
        self.count(word);
        Ok(waits)
    }
}

/// The results of a look's writes, as they are recorded.
#[derive(Default)]
struct Sheet {
    links: Vec<(SourceName, Link)>,
    keys: Vec<(SourceName, ForeignKey)>,
    retired: Vec<(SourceName, ForeignKey, Option<Json>)>,
    ended: Vec<(OperationId, OperationEnd)>,
    open: Vec<(SourceName, OpenOperation, String)>,
    outputs: Vec<(OperationId, Output)>,
    tidies: Vec<SourceName>,
    owed: BTreeMap<SourceName, Owed>,
    in_doubt: bool,
    /// Writes that took effect.
    done: usize,
}

impl Sheet {
    fn enter(&mut self, name: &SourceName, operation: OperationId, conclusion: Conclusion) {
        let Conclusion { link, key, retired, ended, open, tidied, owed, in_doubt } = conclusion;
        self.links.push((name.clone(), link));
        self.keys.extend(key.map(|key| (name.clone(), key)));
        self.retired.extend(retired.map(|(key, held)| (name.clone(), key, held)));
        self.done += usize::from(ended.is_some());
        self.ended.extend(ended.map(|end| (operation, end)));
        self.open.extend(open.map(|(open, why)| (name.clone(), open, why)));
        self.tidies.extend(tidied.then(|| name.clone()));
        self.owed.extend(owed.map(|owed| (name.clone(), owed)));
        self.in_doubt |= in_doubt;
    }
}

/// The reading that a write rests on, as the source actor must find it again.
fn basis(write: &plan::Write, taken: Option<&Taken>) -> Option<Taken> {
    let document = write.basis.as_ref()?;
    let taken = taken?;
    (taken.reading == Reading::Present(document.clone())).then(|| taken.clone())
}
