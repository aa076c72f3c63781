//! Conflicts as they are shown.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::key::InternalKey;
use crate::store::columns::{get, parsed, time};
use crate::store::requests::look::conflict;
use crate::store::run::{Fault, Mode, Request, Session};

use super::{ConflictRow, FindConflict, ListConflicts, Page, page};

const LIST: &str = include_str!("../../sql/conflict/list.sql");
const LIST_OF_RECORD: &str = include_str!("../../sql/conflict/list_of_record.sql");
const FIND: &str = include_str!("../../sql/conflict/find.sql");

impl Request for ListConflicts {
    type Reply = Page<ConflictRow>;

    const ACTION: &'static str = "list conflicts";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<ConflictRow>, Fault> {
        let fetched = self.limit.saturating_add(1);
        let rows = match (&self.entity, self.record) {
            (Some(entity), Some(record)) => {
                session.list(LIST_OF_RECORD, &[&self.after, &fetched, &entity.as_str(), &record.0]).await?
            }
            // A record is known by its key only within its entity.
            (entity, _) => {
                let entity = entity.as_ref().map(|entity| entity.as_str());
                session.list(LIST, &[&self.after, &fetched, &entity]).await?
            }
        };
        page(&rows, self.limit, conflict_row, |row| row.id)
    }
}

impl Request for FindConflict {
    type Reply = Option<ConflictRow>;

    const ACTION: &'static str = "find a conflict";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<ConflictRow>, Fault> {
        session.find(FIND, &[&self.id]).await?.as_ref().map(conflict_row).transpose()
    }
}

/// Reads a conflict as it is shown.
pub(in crate::store::requests) fn conflict_row(row: &Row) -> Result<ConflictRow, Fault> {
    Ok(ConflictRow {
        id: get(row, "id")?,
        revision: get(row, "revision")?,
        entity: parsed(row, "entity")?,
        record: InternalKey(get(row, "record")?),
        conflict: conflict(row)?,
        opened_at: time(get::<Timestamp>(row, "opened_at")?),
        closed: get(row, "closed")?,
    })
}
