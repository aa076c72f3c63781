//! What a person has ordered: a resolution or an undo, as far as it can be judged before the sources are read.

use crate::domain::history::Version;
use crate::domain::json::Json;
use crate::domain::merge::{Conflict, Decision};
use crate::domain::name::SourceName;
use crate::domain::plan::{Fate, Moved, Owed, Plan, Preview, Resolution, Will};
use crate::domain::pointer::Pointer;
use crate::domain::record::{Known, OpenConflict};
use crate::domain::undo::{self, Undone};
use crate::points::{Mistake, planted};
use crate::store::StoreError;

use super::super::messages::{Ordered, Standing};
use super::super::store::requests::queue::{Choice, Deed, Order, WorkEnd, WorkItemId};
use super::super::store::requests::view::{FindConflict, ListHistory};
use super::{Look, Readings, readings};

/// How much history is read at a time.
const PAGE: i64 = 1000;

impl Look {
    /// Says what the person's order means for this record, or what there is to say against it.
    pub(super) async fn will(&self, known: &Known) -> Result<Result<Will, Ordered>, StoreError> {
        match self.order() {
            // What was to be settled is, by now.
            None | Some((_, Order::Settle { .. })) => Ok(Ok(Will::Nothing)),
            Some((_, Order::Resolve { conflict, revision, decision, together: _ })) => {
                let (conflict, revision, decision) = (*conflict, *revision, decision.clone());
                Ok(resolution(known, &[Choice { conflict, revision, decision }]))
            }
            Some((_, Order::Undo { version })) => self.undoing(known, *version).await,
            Some((_, Order::AsShown { deed, .. })) => self.acting(known, deed).await,
        }
    }

    /// Says what a person's deed means for this record, or what there is to say against it.
    pub(super) async fn acting(&self, known: &Known, deed: &Deed) -> Result<Result<Will, Ordered>, StoreError> {
        match deed {
            Deed::Resolve(choices) => Ok(resolution(known, choices)),
            Deed::Undo { version } => self.undoing(known, *version).await,
        }
    }

    async fn undoing(&self, known: &Known, version: i64) -> Result<Result<Will, Ordered>, StoreError> {
        let history = self.history(known).await?;
        Ok(match undo::undo(&known.record, &history, version, &self.desk.terms.rules) {
            Undone::NoSuchVersion => Err(Ordered::NotFound),
            Undone::Blocked(places) => Err(Ordered::Blocked(places)),
            Undone::Ready { state, agreed, changes } => Ok(Will::Undo { version, state, agreed, changes }),
        })
    }

    /// Says what is another than the person was shown who has ordered this plan.
    pub(super) fn moved(&self, known: &Known, taken: &Readings, plan: &Plan) -> Option<Moved> {
        let Some((_, Order::AsShown { shown, .. })) = self.order() else { return None };
        let now = Preview::of(known, &readings(taken), &self.desk.terms, &self.sought(known), plan).shown;
        let moved = shown.moved(&now);
        match plan.fate {
            // The contenders themselves moved: another plan, whatever else is still so.
            Fate::Stale => Some(moved.unwrap_or_default()),
            Fate::Done | Fate::Moved(_) | Fate::Vain(_) => moved,
        }
    }

    pub(super) fn order(&self) -> Option<(WorkItemId, &Order)> {
        self.items.iter().find_map(|item| item.order.as_ref().map(|order| (item.receipt.item, order)))
    }

    /// Says what leads to a version. Of a decision about many conflicts at once also who made it: no act in the trail names the record.
    pub(super) fn cause(&self, plan: &Plan) -> Json {
        match (self.order(), &plan.fate, &plan.cause) {
            (Some((_, Order::Resolve { together: Some(together), .. })), Fate::Done, Json::Object(cause)) => {
                let mut cause = cause.clone();
                cause.insert("batch".into(), Json::from(together.batch));
                cause.insert("who".into(), Json::from(together.who.as_str()));
                Json::Object(cause)
            }
            _ => plan.cause.clone(),
        }
    }

    async fn history(&self, known: &Known) -> Result<Vec<Version>, StoreError> {
        let mut history: Vec<Version> = Vec::new();
        let mut after = Some(0);
        while let Some(from) = after {
            let (entity, record) = (self.desk.entity.name.clone(), known.record.id);
            let page = self.desk.insist(ListHistory { entity, record, after: from, limit: PAGE }).await?;
            history.extend(page.items);
            after = page.next;
        }
        Ok(history)
    }

    /// Ends an order that cannot be carried out; nothing was changed.
    pub(super) async fn refuse(&self, why: Ordered) -> Result<Vec<SourceName>, StoreError> {
        let waits = self.finish(WorkEnd::Done { outcome: "refused" }).await?;
        self.tell(why);
        Ok(waits)
    }

    /// Leaves an order for later whose source cannot be asked now, and says so.
    pub(super) async fn put_off(&self, source: SourceName, owed: Owed) -> Result<Vec<SourceName>, StoreError> {
        if let Some(why) = owed.reason() {
            self.tell_failure(&format!("{source}: {why}"));
        }
        self.owe(source, owed).await
    }

    /// Tells the person what came of the order, once the look has ended.
    pub(super) async fn tell_fate(&self, plan: &Plan) -> Result<(), StoreError> {
        let Some((_, order)) = self.order() else { return Ok(()) };
        let ordered = match (&plan.fate, order) {
            (Fate::Stale, Order::Resolve { conflict, .. }) => {
                let row = self.desk.insist(FindConflict { id: *conflict }).await?;
                Ordered::Stale(row.filter(|row| !row.closed).map(|row| Standing {
                    conflict: row.id,
                    revision: row.revision,
                    kind: row.conflict.kind,
                    contenders: row.conflict.contenders,
                }))
            }
            (Fate::Moved(moved), _) => Ordered::Moved(moved.clone()),
            (Fate::Vain(place), _) => lacks_its_key(place),
            (Fate::Done | Fate::Stale, _) => Ordered::Applied { record: plan.record.id, version: plan.record.version },
        };
        self.tell(ordered);
        Ok(())
    }

    /// Tells the person that the look could not be made; the order stays.
    pub(super) fn tell_failure(&self, why: &str) {
        if let Some((item, _)) = self.order() {
            self.tell(Ordered::Failed { item, error: why.to_owned() });
        }
    }

    fn tell(&self, ordered: Ordered) {
        if let Some((item, _)) = self.order() {
            self.desk.workshop.orders.ended(item, ordered);
        }
    }
}

/// Says that a value cannot stand where a person wants it.
pub(super) fn lacks_its_key(place: &Pointer) -> Ordered {
    Ordered::Senseless(format!("{place} is an element of a keyed array, and the value does not bear its key"))
}

/// Says what a person's word on conflicts comes to: all of it, or what there is to say against one of them.
fn resolution(known: &Known, choices: &[Choice]) -> Result<Will, Ordered> {
    choices.iter().map(|choice| resolved(known, choice)).collect::<Result<_, _>>().map(Will::Resolve)
}

fn resolved(known: &Known, Choice { conflict, revision, decision }: &Choice) -> Result<Resolution, Ordered> {
    let Some(open) = known.conflicts.iter().find(|open| open.id == *conflict) else {
        return Err(Ordered::Stale(None));
    };
    if open.revision != *revision && !planted(Mistake::StaleResolution) {
        return Err(Ordered::Stale(Some(standing(open))));
    }
    if let Some(why) = senseless(known, &open.conflict, decision) {
        return Err(Ordered::Senseless(why));
    }
    Ok(Resolution {
        conflict: *conflict,
        path: open.conflict.path.clone(),
        contenders: open.conflict.contenders.clone(),
        decision: decision.clone(),
    })
}

fn senseless(known: &Known, Conflict { path, contenders, .. }: &Conflict, decision: &Decision) -> Option<String> {
    match decision {
        Decision::Take(source) if !contenders.iter().any(|contender| contender.sources.contains(source)) => {
            let names: Vec<_> =
                contenders.iter().flat_map(|contender| &contender.sources).map(SourceName::as_str).collect();
            Some(format!("{source} does not contend here; {} do", names.join(", ")))
        }
        Decision::Keep if known.record.version == 0 => {
            Some("nothing is agreed yet that could be kept: take a source, give a value, or say absent".to_owned())
        }
        // A document that could not be read again must never be agreed.
        Decision::Value(value) if path.tokens().len() + value.depth() > Json::MAX_DEPTH => {
            Some(format!("with this value the document would be nested deeper than {}", Json::MAX_DEPTH))
        }
        Decision::Take(_) | Decision::Value(_) | Decision::Absent | Decision::Keep => None,
    }
}

fn standing(open: &OpenConflict) -> Standing {
    Standing {
        conflict: open.id,
        revision: open.revision,
        kind: open.conflict.kind,
        contenders: open.conflict.contenders.clone(),
    }
}
