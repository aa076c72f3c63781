//! The first transaction of a look.

use tokio_postgres::Row;

use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::SourceName;
use crate::domain::record::{LinkState, OperationKind, OperationState, RecordState};
use crate::store::columns::{JsonText, Word, get};
use crate::store::encoding::encode_list;
use crate::store::requests::lease::Fence;
use crate::store::requests::queue::{Receipt, find_running, ids, is_running};
use crate::store::run::{Authority, Fault, Recording, Request, Session, run_together};
use crate::store::{Store, StoreError};

use super::conflicts::{Standing, changes};
use super::copies::{Copies, column};
use super::limits::Verdict;
use super::sheet::{Matched, Revised, Sheet};
use super::{Decide, DecideWithin, Decided, Limits};

const LIST_LINKED: &str = include_str!("../../sql/link/list_linked.sql");
const LIST_CONFLICTS: &str = include_str!("../../sql/conflict/list_open.sql");

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

    async fn run_under(self, fence: Fence, store: &Store) -> Result<Decided, StoreError> {
        run_together(self, fence, 1, store).await
    }

    async fn run_among(self, looks: u32, fence: Fence, store: &Store) -> Result<Decided, StoreError> {
        run_together(self, fence, looks, store).await
    }
}

impl Recording for DecideWithin {
    fn sheet(&self) -> Option<Sheet> {
        self.decision.plain(&self.limits)
    }

    fn reply(&self, _: Option<InternalKey>) -> Decided {
        Decided::Recorded
    }
}

impl Decide {
    /// Records the decision, if these limits let it pass.
    async fn within(&self, limits: &Limits, session: &Session<'_>) -> Result<Decided, Fault> {
        if session.may_be_short()
            && let Some(sheet) = self.plain(limits)
        {
            session.conclude(sheet.transaction(&self.entity)).await?;
            return Ok(Decided::Recorded);
        }
        let copies = Copies { entity: &self.entity, record: self.record.id };
        let ended = self.ended_items();
        let steps = [
            copies.lock(),
            copies.step(LIST_CONFLICTS, []),
            copies.list_holders(self.borne()),
            find_running(ended),
            copies.step(LIST_LINKED, [column(&self.created(), |source| source.as_str().to_owned())]),
        ];
        let [locked, standing, holders, running, linked] = session.pipeline_of(steps).await?;
        if !ended.is_empty() && !is_running(&running)? {
            // This was recorded before: only the word of it was lost.
            return Ok(Decided::Recorded);
        }
        let versions = locked.first().map(|row| get::<Vec<i64>>(row, "versions")).transpose()?.unwrap_or_default();
        if versions != [self.expected_version] || !holders.is_empty() || self.has_joined(&linked)? {
            return Ok(Decided::Moved);
        }
        let verdict = limits.judge(session, &copies).await?;
        if !verdict.over.is_empty() {
            return Ok(Decided::Over(verdict.over));
        }
        let standing = standing.iter().map(Standing::of_row).collect::<Result<Vec<_>, _>>()?;
        let mut sheet = Sheet::default();
        sheet.first.extend(changes(&copies, &standing, &self.conflicts, &self.closed_by));
        self.enter(&mut sheet);
        sheet.last.extend(limits.steps(&copies, &verdict));
        session.conclude(sheet.writes(&self.entity)).await?;
        Ok(Decided::Recorded)
    }

    /// Gives what is recorded if there turns out to be nothing to be considered; `None` if there is.
    fn plain(&self, limits: &Limits) -> Option<Sheet> {
        if !self.conflicts.is_empty() || !limits.ask_nothing() {
            return None;
        }
        let (mut sheet, record) = (Sheet::default(), self.record.id);
        sheet.lock(record, Some(self.expected_version), self.ended_items());
        self.created().into_iter().for_each(|source| sheet.expect_none(record, source));
        self.borne().for_each(|(source, key)| sheet.expect_free(record, source, key));
        self.enter(&mut sheet);
        sheet.last.extend(limits.steps(&Copies { entity: &self.entity, record }, &Verdict::default()));
        Some(sheet)
    }

    /// Gives the keys that the record's copies bear.
    fn borne(&self) -> impl Iterator<Item = (&SourceName, &ForeignKey)> {
        let linked = self.links.iter().filter(|(_, link)| link.state == LinkState::Linked);
        linked.filter_map(|(source, link)| Some((source, link.key.as_ref()?)))
    }

    fn ended_items(&self) -> &[Receipt] {
        self.finish.as_ref().map_or(&[][..], |finish| &finish.items)
    }

    /// Gives the sources at which copies are to be created.
    fn created(&self) -> Vec<&SourceName> {
        let creates = self.operations.iter().filter(|(_, open)| open.kind == OperationKind::Create);
        creates.map(|(source, _)| source).collect()
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

    /// Enters what is to be recorded.
    fn enter(&self, sheet: &mut Sheet) {
        let record = self.record.id;
        let match_value = match self.record.state {
            RecordState::Live => self.match_value.clone(),
            RecordState::Deleted => None,
        };
        match self.record.version > self.expected_version {
            true => sheet.revised.push(self.revised(match_value)),
            false => sheet.matched.push(Matched { record: record.0, value: match_value }),
        }
        self.ended.iter().for_each(|(id, end)| sheet.end(record, *id, end));
        for (source, operation) in &self.operations {
            sheet.put(record, source, operation, None);
            if operation.state != OperationState::InFlight {
                sheet.release(operation.id);
            }
        }
        self.retired.iter().for_each(|gone| sheet.retire(record, gone));
        self.links.iter().for_each(|(source, link)| sheet.link(record, source, link));
        sheet.decide(ids(&self.decided_items));
        if let Some(finish) = &self.finish {
            sheet.finish(&self.entity, finish);
        }
    }

    fn revised(&self, match_value: Option<String>) -> Revised {
        Revised {
            record: self.record.id.0,
            state: self.record.state.word(),
            version: self.record.version,
            agreed: self.record.agreed.as_ref().map(JsonText::from),
            match_value,
            cause: JsonText::from(&self.cause),
            changes: encode_list(&self.changes),
            conflicts: encode_list(&self.conflicts),
            overruled: encode_list(&self.overruled),
        }
    }
}
