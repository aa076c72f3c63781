//! Deletions that are held, as they are shown, and a person's word about them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::key::InternalKey;
use crate::store::columns::{get, parsed, time};
use crate::store::requests::look::ask_all;
use crate::store::requests::repeatable::{Effect, Effective};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{ApproveDeletes, Approved, CountDeletes, CountedDeletes, DeleteRow, ListDeletes, Page, page};

const LIST: &str = include_str!("../../sql/held_delete/list.sql");
const COUNT: &str = include_str!("../../sql/held_delete/count.sql");
const APPROVE: &str = include_str!("../../sql/held_delete/approve.sql");

impl Request for ListDeletes {
    type Reply = Page<DeleteRow>;

    const ACTION: &'static str = "list held deletions";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<DeleteRow>, Fault> {
        let entity = self.entity.as_ref().map(|entity| entity.as_str());
        let rows = session.list(LIST, &[&self.after, &self.limit.saturating_add(1), &entity]).await?;
        page(&rows, self.limit, delete_row, |row| row.id)
    }
}

fn delete_row(row: &Row) -> Result<DeleteRow, Fault> {
    Ok(DeleteRow {
        id: get(row, "id")?,
        entity: parsed(row, "entity")?,
        record: InternalKey(get(row, "record")?),
        source: parsed(row, "source")?,
        key: parsed(row, "foreign_key")?,
        held_at: time(get::<Timestamp>(row, "held_at")?),
    })
}

impl Request for CountDeletes {
    type Reply = CountedDeletes;

    const ACTION: &'static str = "count held deletions";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<CountedDeletes, Fault> {
        let row = session.find(COUNT, &[&self.entity.as_str()]).await?.ok_or(Fault::Moved)?;
        Ok(CountedDeletes { deletes: get(&row, "deletes")?, last: get(&row, "last")? })
    }
}

impl Request for ApproveDeletes {
    type Reply = Approved;

    const ACTION: &'static str = "approve deletions";

    async fn attempt(&self, session: &Session<'_>) -> Result<Approved, Fault> {
        let CountedDeletes { deletes, last } =
            self.counted.unwrap_or(CountedDeletes { deletes: i64::MAX, last: i64::MAX });
        let rows = session.list(APPROVE, &[&self.entity.as_str(), &last, &deletes]).await?;
        let records = rows.iter().map(|row| get(row, "record")).collect::<Result<BTreeSet<i64>, _>>()?;
        Ok(Approved { deletes: rows.len() as u64, items: ask_all(session, &self.entity, records).await? })
    }
}

impl Effective for ApproveDeletes {
    // Also if there are none: those that are held later are not meant.
    fn effect(approved: &Approved) -> Option<Effect> {
        Some(Effect::Approved(approved.clone()))
    }
}
