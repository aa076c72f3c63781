//! What counts against the limits of an entity, and the deletions that they hold.

use std::collections::BTreeSet;

use crate::domain::name::{EntityName, SourceName};
use crate::store::columns::{get, micros, parsed};
use crate::store::requests::queue::{WorkItemId, ids};
use crate::store::run::{Authority, Fault, Mode, Parameter, Request, Session, Step};

use super::copies::{Copies, column};
use super::{AskHeld, Counted, Limits, ListHeld};

const LOCK: &str = include_str!("../../sql/entity/lock_limits.sql");
const JUDGE_REMOVAL: &str = include_str!("../../sql/counted_removal/judge.sql");
const COUNT_REMOVAL: &str = include_str!("../../sql/counted_removal/count.sql");
const JUDGE_CHANGES: &str = include_str!("../../sql/counted_change/judge.sql");
const COUNT_CHANGES: &str = include_str!("../../sql/counted_change/count.sql");
const HOLD: &str = include_str!("../../sql/held_delete/hold.sql");
const CLOSE: &str = include_str!("../../sql/held_delete/close.sql");
const LIST_HELD: &str = include_str!("../../sql/held_delete/list_of_record.sql");
const ASK: &str = include_str!("../../sql/held_delete/ask.sql");
const ASK_RECORDS: &str = include_str!("../../sql/work_item/ask.sql");
const USE_CONSENT: &str = include_str!("../../sql/work_item/use_consent.sql");

/// What the limits say.
#[derive(Default)]
pub(super) struct Verdict {
    /// The sources whose part does not pass.
    pub(super) over: Vec<SourceName>,
    /// A person has approved the removal.
    is_approved: bool,
}

impl Limits {
    /// Tells whether there is nothing to ask leave for.
    pub(super) fn ask_nothing(&self) -> bool {
        self.removal.is_none() && self.changes.is_none()
    }

    /// Asks for leave, where there is anything to ask leave for; what is let through stays so until the transaction ends.
    pub(super) async fn judge(&self, session: &Session<'_>, copies: &Copies<'_>) -> Result<Verdict, Fault> {
        let mut verdict = Verdict::default();
        if self.ask_nothing() {
            return Ok(verdict);
        }
        let lock = Step::new(LOCK, [Box::new(copies.entity.as_str().to_owned())]);
        session.pipeline(vec![lock]).await?;
        if let Some(removal) = &self.removal {
            let steps = [copies.step(JUDGE_REMOVAL, [removal.names(), removal.per(), removal.count()])];
            let [rows] = session.pipeline_of(steps).await?;
            let Some(row) = rows.first() else { return Ok(verdict) };
            verdict.is_approved = get(row, "is_approved")?;
            let is_full = get::<i64>(row, "counted")? >= removal.limit();
            if !verdict.is_approved && (get(row, "is_held")? || is_full) {
                verdict.over.clone_from(&removal.sources);
            }
        }
        if let Some(changes) = &self.changes {
            let entity = Box::new(copies.entity.as_str().to_owned());
            let step = Step::new(JUDGE_CHANGES, [entity, changes.names(), changes.per(), changes.count()]);
            let [rows] = session.pipeline_of([step]).await?;
            let over = rows.iter().map(|row| parsed(row, "source")).collect::<Result<Vec<_>, _>>()?;
            verdict.over.extend(over);
        }
        Ok(verdict)
    }

    /// Gives what is to be recorded.
    pub(super) fn steps(&self, copies: &Copies<'_>, verdict: &Verdict) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(removal) = self.removal.as_ref().filter(|_| !verdict.is_approved) {
            steps.push(copies.step(COUNT_REMOVAL, [removal.per()]));
        }
        if let Some(changes) = &self.changes {
            steps.push(copies.step(COUNT_CHANGES, [changes.names(), changes.per()]));
        }
        if !self.over.is_empty() {
            steps.push(copies.step(CLOSE, [column(&self.over, |source| source.as_str().to_owned())]));
        }
        if !self.held.is_empty() {
            let sources = column(&self.held, |(source, _)| source.as_str().to_owned());
            steps.push(copies.step(HOLD, [sources, column(&self.held, |(_, key)| key.as_str().to_owned())]));
        }
        if !self.consented.is_empty() {
            steps.push(Step::new(USE_CONSENT, [Box::new(ids(&self.consented))]));
        }
        steps
    }
}

impl Request for ListHeld {
    type Reply = Vec<SourceName>;

    const ACTION: &'static str = "list held deletions";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<SourceName>, Fault> {
        let sources: Vec<&str> = self.sources.iter().map(SourceName::as_str).collect();
        let rows = session.list(LIST_HELD, &[&self.entity.as_str(), &self.record.0, &sources]).await?;
        rows.iter().map(|row| parsed(row, "source")).collect()
    }
}

impl Request for AskHeld {
    type Reply = u64;

    const ACTION: &'static str = "look at held deletions again";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<u64, Fault> {
        let sources: Vec<&str> = self.sources.iter().map(SourceName::as_str).collect();
        let rows = session.list(ASK, &[&self.entity.as_str(), &sources, &self.except.0]).await?;
        let records = rows.iter().map(|row| get(row, "record")).collect::<Result<_, _>>()?;
        Ok(ask_all(session, &self.entity, records).await?.len() as u64)
    }
}

/// Asks for looks at records, and gives the items that stand for them.
pub(in crate::store) async fn ask_all(
    session: &Session<'_>,
    entity: &EntityName,
    records: BTreeSet<i64>,
) -> Result<Vec<WorkItemId>, Fault> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let records: Vec<i64> = records.into_iter().collect();
    let rows = session.list(ASK_RECORDS, &[&entity.as_str(), &records]).await?;
    rows.iter().map(|row| get(row, "id").map(WorkItemId)).collect()
}

impl Counted {
    fn names(&self) -> Parameter {
        column(&self.sources, |source| source.as_str().to_owned())
    }

    fn per(&self) -> Parameter {
        Box::new(micros(self.limit.per))
    }

    fn count(&self) -> Parameter {
        Box::new(self.limit())
    }

    fn limit(&self) -> i64 {
        i64::try_from(self.limit.count).unwrap_or(i64::MAX)
    }
}
