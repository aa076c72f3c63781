//! What the database knows of a source.

use jiff::Timestamp;

use crate::store::columns::{get, time};
use crate::store::run::{Fault, Mode, Request, Session};

use super::super::pause::PausedRow;
use super::{ReadSource, SourceRow};

const COUNT: &str = include_str!("../../sql/work_item/count_blocked.sql");
const FIND_PAUSE: &str = include_str!("../../sql/pause/find.sql");

/// How many items that wait are looked through.
const LOOKED_THROUGH: i64 = 10_000;

impl Request for ReadSource {
    type Reply = SourceRow;

    const ACTION: &'static str = "tell what waits for a source";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<SourceRow, Fault> {
        let (entity, source) = (self.entity.as_str(), self.source.as_str());
        let counted = session.find(COUNT, &[&entity, &source, &LOOKED_THROUGH]).await?.ok_or(Fault::Moved)?;
        let paused = session.find(FIND_PAUSE, &[&entity, &source]).await?;
        let paused = paused.map(|row| {
            let since = time(get::<Timestamp>(&row, "at")?);
            Ok::<_, Fault>(PausedRow { source: Some(self.source.clone()), since, who: get(&row, "who")? })
        });
        let or_more = get::<i64>(&counted, "looked_at")? >= LOOKED_THROUGH;
        Ok(SourceRow { waiting: get(&counted, "items")?, or_more, paused: paused.transpose()? })
    }
}
