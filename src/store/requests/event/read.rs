//! How events are read.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::event::EventKind;
use crate::domain::key::InternalKey;
use crate::store::columns::{get, parsed_if_any, stored, time, unreadable};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{EventBounds, EventRow, FindEventBounds, ListEvents};

const LIST: &str = include_str!("../../sql/event/list.sql");
const FIND_OLDEST: &str = include_str!("../../sql/event/find_oldest.sql");
const GET_LAST: &str = include_str!("../../sql/event_counter/get.sql");

impl Request for ListEvents {
    type Reply = Vec<EventRow>;

    const ACTION: &'static str = "list events";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<EventRow>, Fault> {
        let entity = self.filter.entity.as_ref().map(|entity| entity.as_str());
        let kinds: Vec<&str> = self.filter.kinds.iter().map(|kind| kind.as_str()).collect();
        let kinds = (!kinds.is_empty()).then_some(kinds);
        let rows = session.list(LIST, &[&self.after, &self.up_to, &entity, &kinds, &self.limit]).await?;
        rows.iter().map(event_row).collect()
    }
}

fn event_row(row: &Row) -> Result<EventRow, Fault> {
    let kind = get::<&str>(row, "kind")?;
    Ok(EventRow {
        number: get(row, "number")?,
        at: time(get::<Timestamp>(row, "at")?),
        kind: EventKind::of_word(kind).ok_or_else(|| unreadable("kind", format!("no kind of event is {kind:?}")))?,
        entity: parsed_if_any(row, "entity")?,
        source: parsed_if_any(row, "source")?,
        record: get::<Option<i64>>(row, "record")?.map(InternalKey),
        details: stored(row, "details")?,
    })
}

impl Request for FindEventBounds {
    type Reply = EventBounds;

    const ACTION: &'static str = "find the bounds of events";

    const MODE: Mode = Mode::Snapshot;

    async fn attempt(&self, session: &Session<'_>) -> Result<EventBounds, Fault> {
        let oldest = session.find(FIND_OLDEST, &[]).await?;
        let last = session.find(GET_LAST, &[]).await?;
        Ok(EventBounds {
            oldest: oldest.map(|row| get(&row, "number")).transpose()?,
            last: last.map_or(Ok(0), |row| get(&row, "last"))?,
        })
    }
}
