//! What is in doubt, as it is shown.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::record::{DoubtId, OperationId, Output};
use crate::store::columns::{document, get, parse, parsed, parsed_if_any, time, word};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{DoubtRow, FindDoubt, FindHolder, ListDoubts, Page, page};

const LIST: &str = include_str!("../../sql/operation/list.sql");
const FIND: &str = include_str!("../../sql/operation/find.sql");
const FIND_HOLDER: &str = include_str!("../../sql/link/find_holder.sql");

impl Request for ListDoubts {
    type Reply = Page<DoubtRow>;

    const ACTION: &'static str = "list doubts";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<DoubtRow>, Fault> {
        let (entity, fetched) = (self.entity.as_ref().map(|entity| entity.as_str()), self.limit.saturating_add(1));
        let rows = session.list(LIST, &[&self.after, &fetched, &entity]).await?;
        page(&rows, self.limit, doubt_row, |row| row.id.0)
    }
}

impl Request for FindDoubt {
    type Reply = Option<DoubtRow>;

    const ACTION: &'static str = "find a doubt";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<DoubtRow>, Fault> {
        session.find(FIND, &[&self.id.0]).await?.as_ref().map(doubt_row).transpose()
    }
}

fn doubt_row(row: &Row) -> Result<DoubtRow, Fault> {
    let waiting = get::<Vec<&str>>(row, "waiting")?.into_iter().map(|key| parse(key, "waiting"));
    Ok(DoubtRow {
        id: DoubtId(get(row, "number")?),
        operation: OperationId(get(row, "id")?),
        entity: parsed(row, "entity")?,
        record: InternalKey(get(row, "record")?),
        source: parsed(row, "source")?,
        kind: word(row, "kind")?,
        key: parsed_if_any(row, "foreign_key")?,
        document: document(row, "document")?,
        since: time(get::<Timestamp>(row, "created_at")?),
        attempts: i64::from(get::<i32>(row, "attempts")?),
        last_end: get(row, "last_end")?,
        output: output(row)?,
        waiting: waiting.collect::<Result<Vec<ForeignKey>, _>>()?,
        settled: get::<&str>(row, "state")? != "in-doubt",
    })
}

pub(in crate::store::requests) fn output(row: &Row) -> Result<Option<Output>, Fault> {
    let Some(exit) = get(row, "exit")? else { return Ok(None) };
    let text = |column| Ok::<_, Fault>(get::<Option<String>>(row, column)?.unwrap_or_default());
    Ok(Some(Output { exit, stdout: text("stdout")?, stderr: text("stderr")? }))
}

impl Request for FindHolder {
    type Reply = Option<InternalKey>;

    const ACTION: &'static str = "find a copy";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<InternalKey>, Fault> {
        let (entity, source, key) = (self.entity.as_str(), self.source.as_str(), self.key.as_str());
        let row = session.find(FIND_HOLDER, &[&entity, &source, &key]).await?;
        row.as_ref().map(|row| get(row, "record").map(InternalKey)).transpose()
    }
}
