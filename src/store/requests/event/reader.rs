//! Who reads events for all daemons, and how far.

use crate::store::columns::{get, micros};
use crate::store::run::{Fault, Mode, Request, Session};

use super::super::lease::DaemonId;
use super::{AdvanceReader, LeaveReader, TakeReader};

const TAKE: &str = include_str!("../../sql/event_reader/take.sql");
const ADVANCE: &str = include_str!("../../sql/event_reader/advance.sql");
const LEAVE: &str = include_str!("../../sql/event_reader/leave.sql");

impl Request for TakeReader {
    type Reply = Option<i64>;

    const ACTION: &'static str = "take over the reading of events";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<i64>, Fault> {
        let former = self.former.map(|DaemonId(id)| id);
        let row = session.find(TAKE, &[&self.name, &self.daemon.0, &micros(self.term), &former]).await?;
        row.map(|row| get(&row, "position")).transpose()
    }
}

impl Request for AdvanceReader {
    type Reply = ();

    const ACTION: &'static str = "record how far events were read";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        session.execute(ADVANCE, &[&self.name, &self.daemon.0, &self.position]).await.map(drop)
    }
}

impl Request for LeaveReader {
    type Reply = ();

    const ACTION: &'static str = "leave the reading of events";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        session.execute(LEAVE, &[&self.name, &self.daemon.0]).await.map(drop)
    }
}
