//! How events get their numbers.

use crate::store::columns::get;
use crate::store::run::{Fault, Request, Session, Step};

use super::{PublishEvents, Published};

const LOCK: &str = include_str!("../../sql/event_counter/lock.sql");
const NUMBER: &str = include_str!("../../sql/event/number.sql");
const GET_LAST: &str = include_str!("../../sql/event_counter/get.sql");

/// How many events are numbered at a time.
const BATCH: i64 = 1000;

impl Request for PublishEvents {
    type Reply = Published;

    const ACTION: &'static str = "number events";

    async fn attempt(&self, session: &Session<'_>) -> Result<Published, Fault> {
        // The later statements see what the lock has waited for.
        session.list(LOCK, &[]).await?;
        let numbered = session.execute(NUMBER, &[&BATCH]).await?;
        let [rows] = session.pipeline_of([Step::new(GET_LAST, [])]).await?;
        let last = rows.first().map_or(Ok(0), |row| get(row, "last"))?;
        Ok(Published { last, has_more: numbered == BATCH.unsigned_abs() })
    }
}
