//! Work items as they are shown, and a person's word about one.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::key::InternalKey;
use crate::store::columns::{JsonText, Word, get, parse, parsed, parsed_if_any, time, unreadable, word};
use crate::store::encoding::decode;
use crate::store::requests::queue::WorkItemId;
use crate::store::requests::repeatable::{Effect, Effective};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{DropWorkItem, FindWorkItem, Handled, ListWorkItems, Page, RetryWorkItem, WorkItemRow, WorkState, page};

const LIST: &str = include_str!("../../sql/work_item/list.sql");
const LIST_UNFINISHED: &str = include_str!("../../sql/work_item/list_unfinished.sql");
const FIND: &str = include_str!("../../sql/work_item/find.sql");
const RETRY: &str = include_str!("../../sql/work_item/retry.sql");
const DROP: &str = include_str!("../../sql/work_item/drop.sql");

impl Request for ListWorkItems {
    type Reply = Page<WorkItemRow>;

    const ACTION: &'static str = "list work";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<WorkItemRow>, Fault> {
        let (entity, fetched) = (self.entity.as_ref().map(|entity| entity.as_str()), self.limit.saturating_add(1));
        let sql = match self.state {
            None | Some(WorkState::Done) => LIST,
            Some(WorkState::Ready | WorkState::Running | WorkState::Waiting | WorkState::Parked) => LIST_UNFINISHED,
        };
        let rows = session.list(sql, &[&self.after, &fetched, &self.state.map(Word::word), &entity]).await?;
        page(&rows, self.limit, work_item_row, |row| row.id.0)
    }
}

impl Request for FindWorkItem {
    type Reply = Option<WorkItemRow>;

    const ACTION: &'static str = "find work";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<WorkItemRow>, Fault> {
        session.find(FIND, &[&self.id.0]).await?.as_ref().map(work_item_row).transpose()
    }
}

pub(in crate::store::requests) fn work_item_row(row: &Row) -> Result<WorkItemRow, Fault> {
    let blocked_by = get::<Vec<&str>>(row, "blocked_by")?.into_iter().map(|source| parse(source, "blocked_by"));
    let command = get::<Option<JsonText>>(row, "command")?;
    Ok(WorkItemRow {
        id: WorkItemId(get(row, "id")?),
        entity: parsed(row, "entity")?,
        copy: parsed_if_any(row, "source")?.zip(parsed_if_any(row, "foreign_key")?),
        record: get::<Option<i64>>(row, "record")?.map(InternalKey),
        state: word(row, "state")?,
        attempts: i64::from(get::<i32>(row, "attempts")?),
        due_at: get::<Option<Timestamp>>(row, "due_at")?.map(time),
        blocked_by: blocked_by.collect::<Result<_, _>>()?,
        last_error: get(row, "last_error")?,
        outcome: get(row, "outcome")?,
        coalesced_into: get::<Option<i64>>(row, "coalesced_into")?.map(WorkItemId),
        order: command.as_ref().map(decode).transpose().map_err(|error| unreadable("command", error))?,
    })
}

impl Request for RetryWorkItem {
    type Reply = Handled;

    const ACTION: &'static str = "retry work";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<Handled, Fault> {
        handled(session.find(RETRY, &[&vec![self.id.0]]).await?.as_ref())
    }
}

impl Request for DropWorkItem {
    type Reply = Handled;

    const ACTION: &'static str = "drop work";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<Handled, Fault> {
        handled(session.find(DROP, &[&vec![self.id.0]]).await?.as_ref())
    }
}

impl Effective for RetryWorkItem {
    fn effect(handled: &Handled) -> Option<Effect> {
        done(handled)
    }
}

impl Effective for DropWorkItem {
    fn effect(handled: &Handled) -> Option<Effect> {
        done(handled)
    }
}

fn done(handled: &Handled) -> Option<Effect> {
    match handled {
        Handled::Done(_) => Some(Effect::Done),
        Handled::NotFound | Handled::NotNow(_) => None,
    }
}

fn handled(found: Option<&Row>) -> Result<Handled, Fault> {
    let Some(row) = found else { return Ok(Handled::NotFound) };
    if get(row, "handled")? {
        Ok(Handled::Done(parsed(row, "entity")?))
    } else {
        Ok(Handled::NotNow(word(row, "state")?))
    }
}
