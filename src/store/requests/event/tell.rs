//! How daemons tell of themselves, and how what is old goes.

use jiff::Timestamp;

use crate::store::columns::{JsonText, micros};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{NewEvent, PurgeEvents, TellEvents};

const TELL: &str = include_str!("../../sql/event/tell.sql");
const PURGE: &str = include_str!("../../sql/event/purge.sql");

/// How many events one statement removes.
const BATCH: i64 = 1000;

impl Request for TellEvents {
    type Reply = ();

    const ACTION: &'static str = "tell of events";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let column = |text: fn(&NewEvent) -> Option<&str>| self.events.iter().map(text).collect::<Vec<_>>();
        let times: Vec<Timestamp> = self.events.iter().map(|event| event.at).collect();
        let kinds = column(|event| Some(event.kind.as_str()));
        let entities = column(|event| event.entity.as_ref().map(|entity| entity.as_str()));
        let sources = column(|event| event.source.as_ref().map(|source| source.as_str()));
        let details: Vec<JsonText> = self.events.iter().map(|event| JsonText::from(&event.details)).collect();
        session.execute(TELL, &[&times, &kinds, &entities, &sources, &details]).await.map(drop)
    }
}

impl Request for PurgeEvents {
    type Reply = u64;

    const ACTION: &'static str = "remove old events";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<u64, Fault> {
        let mut removed = 0;
        loop {
            let batch = session.execute(PURGE, &[&micros(self.older_than), &BATCH]).await?;
            removed += batch;
            if batch < BATCH.unsigned_abs() {
                return Ok(removed);
            }
        }
    }
}
