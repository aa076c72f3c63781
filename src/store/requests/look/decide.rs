//! The first transaction of a look.

use tokio_postgres::Row;

use crate::domain::record::{LinkState, OperationId, OperationKind, OperationState, RecordState};
use crate::store::columns::{JsonText, Word, get};
use crate::store::encoding::encode_list;
use crate::store::requests::queue::ids;
use crate::store::run::{Authority, Fault, Request, Session, Step};

use super::conflicts::{Standing, changes};
use super::copies::{self, Copies};
use super::limits::Verdict;
use super::{Decide, DecideWithin, Decided, Limits};

pub(super) const FIND_RUNNING: &str = include_str!("../../sql/work_item/find_running.sql");
const LIST_LINKED: &str = include_str!("../../sql/link/list_linked.sql");
const LIST_CONFLICTS: &str = include_str!("../../sql/conflict/list_open.sql");
const REVISE_RECORD: &str = include_str!("../../sql/record/revise.sql");
const PUT_MATCH: &str = include_str!("../../sql/match_value/put.sql");
pub(super) const DECIDE_ITEMS: &str = include_str!("../../sql/work_item/decide.sql");

impl Request for Decide {
    type Reply = bool;

    const ACTION: &'static str = "record a decision";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<bool, Fault> {
        Ok(self.within(&Limits::default(), session).await? == Decided::Recorded)
    }
}

impl Request for DecideWithin {
    type Reply = Decided;

    const ACTION: &'static str = Decide::ACTION;

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<Decided, Fault> {
        self.decision.within(&self.limits, session).await
    }
}

/// Reads whether any item of a look is still claimed.
pub(super) fn is_running(rows: &[Row]) -> Result<bool, Fault> {
    rows.first().map_or(Ok(false), |row| get(row, "running"))
}

impl Decide {
    /// Records the decision, if these limits let it pass.
    async fn within(&self, limits: &Limits, session: &Session<'_>) -> Result<Decided, Fault> {
        let copies = Copies { entity: &self.entity, record: self.record.id };
        let linked = self.links.iter().filter(|(_, link)| link.state == LinkState::Linked);
        let keys = linked.filter_map(|(source, link)| Some((source, link.key.as_ref()?)));
        let ended = self.finish.as_ref().map_or_else(Vec::new, |finish| ids(&finish.items));
        if session.may_be_short() && self.conflicts.is_empty() && limits.ask_nothing() {
            let plain = copies.plain(Some(self.expected_version), self.created(), keys, ended);
            let steps = self.steps(&copies, &[]).into_iter().chain(limits.steps(&copies, &Verdict::default()));
            session.conclude(plain.into_iter().chain(steps).collect()).await?;
            return Ok(Decided::Recorded);
        }
        let steps = [
            copies.lock(),
            copies.step(LIST_CONFLICTS, []),
            copies.list_holders(keys),
            Step::new(FIND_RUNNING, [Box::new(ended.clone())]),
            copies.step(LIST_LINKED, [Box::new(self.created())]),
        ];
        let [locked, standing, holders, running, linked] = session.pipeline_of(steps).await?;
        if !ended.is_empty() && !is_running(&running)? {
            // This was recorded before: only the word of it was lost.
            return Ok(Decided::Recorded);
        }
        let version = locked.first().map(|row| get::<Option<i64>>(row, "version")).transpose()?.flatten();
        if version != Some(self.expected_version) || !holders.is_empty() || self.has_joined(&linked)? {
            return Ok(Decided::Moved);
        }
        let verdict = limits.judge(session, &copies).await?;
        if !verdict.over.is_empty() {
            return Ok(Decided::Over(verdict.over));
        }
        let standing = standing.iter().map(Standing::of_row).collect::<Result<Vec<_>, _>>()?;
        let steps = self.steps(&copies, &standing).into_iter().chain(limits.steps(&copies, &verdict));
        session.conclude(steps.collect()).await?;
        Ok(Decided::Recorded)
    }

    /// Gives the sources at which copies are to be created.
    fn created(&self) -> Vec<String> {
        let creates = self.operations.iter().filter(|(_, open)| open.kind == OperationKind::Create);
        creates.map(|(source, _)| source.as_str().to_owned()).collect()
    }

    /// Tells whether a copy that is to be created was introduced since the recall.
    fn has_joined(&self, linked: &[Row]) -> Result<bool, Fault> {
        for row in linked {
            let (source, key) = (get::<&str>(row, "source")?, get::<&str>(row, "foreign_key")?);
            if !self.retired.iter().any(|(of, gone, _)| of.as_str() == source && gone.as_str() == key) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives the writes that are settled now, or of which nobody knows the end.
    fn moved(&self) -> impl Iterator<Item = OperationId> {
        let doubts = self.operations.iter().filter(|(_, open)| open.state != OperationState::InFlight);
        self.ended.iter().map(|(id, _)| *id).chain(doubts.map(|(_, open)| open.id))
    }

    /// Gives what is to be recorded, in its order: what ends makes room for what begins.
    fn steps(&self, copies: &Copies<'_>, standing: &[Standing]) -> Vec<Step> {
        let mut steps = Vec::new();
        let match_value = match self.record.state {
            RecordState::Live => self.match_value.clone(),
            RecordState::Deleted => None,
        };
        steps.push(match self.record.version > self.expected_version {
            true => self.revise_record(copies, match_value),
            false => copies.step(PUT_MATCH, [Box::new(match_value)]),
        });
        steps.extend(changes(copies, standing, &self.conflicts, &self.closed_by));
        if !self.ended.is_empty() {
            steps.push(copies.end_operations(&self.ended, Vec::new()));
        }
        if !self.operations.is_empty() {
            let open: Vec<_> = self.operations.iter().map(|(source, operation)| (source, operation, None)).collect();
            steps.push(copies.put_operations(&open));
        }
        steps.extend(copies::release_held(self.moved()));
        if !self.retired.is_empty() {
            steps.push(copies.retire_keys(&self.retired));
        }
        if !self.links.is_empty() {
            steps.push(copies.put_links(&self.links));
        }
        if !self.decided_items.is_empty() {
            steps.push(Step::new(DECIDE_ITEMS, [Box::new(ids(&self.decided_items))]));
        }
        steps.extend(self.finish.as_ref().map(|finish| finish.step(&self.entity)));
        steps
    }

    fn revise_record(&self, copies: &Copies<'_>, match_value: Option<String>) -> Step {
        copies.step(
            REVISE_RECORD,
            [
                Box::new(self.record.state.word()),
                Box::new(self.record.version),
                Box::new(self.record.agreed.as_ref().map(JsonText::from)),
                Box::new(match_value),
                Box::new(JsonText::from(&self.cause)),
                Box::new(encode_list(&self.changes)),
                Box::new(encode_list(&self.conflicts)),
                Box::new(encode_list(&self.overruled)),
            ],
        )
    }
}
