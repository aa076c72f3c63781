//! The first transaction of a look, and what follows from it.

use std::collections::BTreeMap;

use slog::{debug, info};

use crate::domain::json::{Json, Object};
use crate::domain::matching;
use crate::domain::name::SourceName;
use crate::domain::plan::{Fate, Plan};
use crate::domain::record::{Known, OpenOperation, OperationId, OperationKind, OperationState, Reading, RecordState};
use crate::log::key;
use crate::points::{self, Mistake, Point, planted};
use crate::source::boot_time::BootTime;
use crate::store::StoreError;

use super::super::store::requests::look::{Decide, DecideWithin, Decided, Recall};
use super::super::store::requests::queue::{Confirm, FindRunning, Finish};
use super::write::Place;
use super::{CarriedOut, Look, Readings, blocked_by, word};

/// The intents of a look's writes, by source.
pub(super) type Intents = BTreeMap<SourceName, OpenOperation>;

impl Look {
    /// Records what was decided, makes the writes, and records what came of them.
    pub(super) async fn carry_out(
        &self,
        known: &Known,
        taken: &Readings,
        plan: Plan,
    ) -> Result<CarriedOut, StoreError> {
        let intents = intents(&plan);
        let finish = plan
            .writes
            .is_empty()
            .then(|| Finish { items: self.receipts(), end: self.end(&plan.owed, outcome(&plan, 0, false)) });
        let waits = finish.as_ref().map(|finish| (blocked_by(&finish.end), word(&finish.end)));
        // Before this look ends, so that it is never thought that nothing is left to do.
        self.spread_relief(&plan, taken).await?;
        let mut place = self.reserve(known, taken, &plan, &intents).await;
        let decided = BootTime::now();
        points::pass(Point::Deciding);
        match self.decide(known, taken, &plan, (&intents, &mut place), finish).await? {
            Decided::Recorded => {}
            Decided::Moved => return Ok(CarriedOut::Moved),
            Decided::Over(sources) => return Ok(CarriedOut::Over(sources)),
        }
        points::pass(Point::Decided);
        let blocked_by = match waits {
            Some((blocked_by, word)) => {
                self.log_synced(&plan, 0);
                self.count(word);
                blocked_by
            }
            None => {
                let results = self.write(known, taken, &plan, &intents, (place, decided)).await;
                self.record(&plan, &intents, results).await?
            }
        };
        self.tell_fate(&plan).await?;
        Ok(CarriedOut::Done { blocked_by })
    }

    /// Records the decision; with it, that the first write is about to be started, if its turn is there or near. Nobody is kept waiting for
    /// that turn while it is found out what became of the decision.
    async fn decide(
        &self,
        known: &Known,
        taken: &Readings,
        plan: &Plan,
        (intents, place): (&Intents, &mut Place),
        finish: Option<Finish>,
    ) -> Result<Decided, StoreError> {
        let begins = plan.writes.keys().next().filter(|_| place.begins());
        let doubts = plan.in_doubt.iter().map(|(name, open)| (name.clone(), open.clone()));
        let recorded = intents
            .iter()
            .filter(|(_, open)| open.kind != OperationKind::Create || !planted(Mistake::NoIntent))
            .map(|(name, open)| {
                let may_have_taken_effect = open.may_have_taken_effect || begins == Some(name);
                (name.clone(), OpenOperation { may_have_taken_effect, ..open.clone() })
            });
        let decision = Decide {
            entity: self.desk.entity.name.clone(),
            expected_version: known.record.version,
            record: plan.record.clone(),
            cause: self.cause(plan),
            changes: plan.changes.clone(),
            overruled: if planted(Mistake::ForgetOverruled) { Vec::new() } else { plan.overruled.clone() },
            conflicts: plan.conflicts.clone(),
            closed_by: closed_by(plan, self.cause(plan)),
            links: plan.links.iter().map(|(name, link)| (name.clone(), link.clone())).collect(),
            retired: plan.retired.clone(),
            match_value: self.match_value(plan, taken),
            ended: plan.ended.clone(),
            operations: recorded.chain(doubts).collect(),
            decided_items: self.ordered_items(),
            finish,
        };
        let request = DecideWithin { decision, limits: self.limits(plan) };
        match self.desk.ask(request).await {
            Err(StoreError::Unavailable(_)) => {
                *place = Place::Later;
                let is_decided = self.is_decided(plan, intents).await?;
                // If not, it is known now that nothing was committed, so it may be tried again.
                Ok(if is_decided { Decided::Recorded } else { Decided::Moved })
            }
            other => other,
        }
    }

    /// Finds out, once the database answers again, whether the first transaction was committed.
    async fn is_decided(&self, plan: &Plan, intents: &Intents) -> Result<bool, StoreError> {
        // No program is run again for what could not be recorded.
        self.desk.insist(Confirm).await?;
        let is_decided = if intents.is_empty() {
            // It ends the look: whatever else there is to do is the next one's.
            !self.desk.insist(FindRunning { items: self.receipts() }).await?
        } else {
            self.is_begun(plan, intents).await?
        };
        if is_decided {
            // What was found may be on the server alone that is about to be replaced.
            self.desk.insist(Confirm).await?;
        }
        Ok(is_decided)
    }

    /// Tells whether the record has come to be as planned, and the writes to its copies are in flight.
    async fn is_begun(&self, plan: &Plan, intents: &Intents) -> Result<bool, StoreError> {
        let recall = Recall { entity: self.desk.entity.name.clone(), record: plan.record.id };
        let Some(now) = self.desk.insist(recall).await? else { return Ok(false) };
        let in_flight = |name: &SourceName, id: OperationId| {
            let open = now.links.get(name).and_then(|link| link.open.as_ref());
            open.is_some_and(|open| open.id == id && open.state == OperationState::InFlight)
        };
        Ok(now.record.version == plan.record.version && intents.iter().all(|(name, open)| in_flight(name, open.id)))
    }

    /// The value by which another new item would be found to be this record.
    fn match_value(&self, plan: &Plan, taken: &Readings) -> Option<String> {
        let rules = &self.desk.terms.rules;
        if plan.record.state == RecordState::Deleted {
            return None;
        }
        let document = plan.record.agreed.as_ref().or_else(|| {
            // A new item that waits for a person is known by what its copy holds.
            taken.values().find_map(|taken| match &taken.reading {
                Reading::Present(document) => Some(document),
                Reading::Missing | Reading::Unreachable(_) | Reading::Broken(_) => None,
            })
        });
        document.and_then(|document| matching::match_value(document, rules))
    }

    pub(super) fn log_synced(&self, plan: &Plan, writes: usize) {
        let values = slog::o!(key::INTERNAL_KEY => plan.record.id.0, key::WRITES => writes,
            key::CONFLICTS => plan.conflicts.len(), key::ELAPSED_MS => self.elapsed_ms());
        let log = self.log.new(values);
        if writes == 0 && plan.changes.is_empty() && plan.conflicts.is_empty() {
            debug!(log, "record in step");
        } else {
            info!(log, "record synced");
        }
    }
}

/// One operation for each write: the one it is another attempt at, or a new one.
fn intents(plan: &Plan) -> Intents {
    let intent = |write: &crate::domain::plan::Write| OpenOperation {
        id: write.again.as_ref().map_or_else(|| OperationId(uuid::Uuid::now_v7()), |again| again.id),
        kind: write.kind,
        state: OperationState::InFlight,
        key: write.key.clone(),
        document: write.document.clone(),
        carries: write.carries.clone(),
        version: write.version,
        attempts: write.again.as_ref().map_or(1, |again| again.attempts + 1),
        may_have_taken_effect: write.again.as_ref().is_some_and(|again| again.may_have_taken_effect),
    };
    plan.writes.iter().map(|(name, write)| (name.clone(), intent(write))).collect()
}

/// What a look came to, in a word.
pub(super) fn outcome(plan: &Plan, writes: usize, in_doubt: bool) -> &'static str {
    if in_doubt || !plan.in_doubt.is_empty() {
        return "in-doubt";
    }
    match (&plan.fate, plan.conflicts.is_empty(), plan.record.state) {
        (Fate::Stale | Fate::Moved(_), _, _) => "stale",
        (Fate::Vain(_), _, _) => "refused",
        (Fate::Done, false, _) => "conflict",
        (Fate::Done, true, _) if !plan.limited.held.is_empty() => "held",
        (Fate::Done, true, RecordState::Deleted) => "deleted",
        (Fate::Done, true, RecordState::Live) if writes > 0 || !plan.changes.is_empty() => "synced",
        (Fate::Done, true, RecordState::Live) => "in-step",
    }
}

fn closed_by(plan: &Plan, by: Json) -> Json {
    let kind = if plan.changes.is_empty() && plan.overruled.is_empty() { "agreement" } else { "sync" };
    match &by {
        Json::Object(cause) if cause.get(&"kind".into()) != Some(&Json::String("sync".into())) => by,
        _ => Json::Object(Object::from([("kind".into(), Json::String(kind.into()))])),
    }
}
