//! Who is signed in to the pages.

use std::time::Duration;

use crate::store::columns::{get, micros};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{CloseSession, FindSession, OpenSession, SessionRow, TouchSession};

const OPEN: &str = include_str!("../../sql/session/open.sql");
const FIND: &str = include_str!("../../sql/session/find.sql");
const TOUCH: &str = include_str!("../../sql/session/touch.sql");
const CLOSE: &str = include_str!("../../sql/session/close.sql");
const PURGE: &str = include_str!("../../sql/session/purge.sql");

impl Request for OpenSession {
    type Reply = bool;

    const ACTION: &'static str = "sign in";

    async fn attempt(&self, session: &Session<'_>) -> Result<bool, Fault> {
        session.execute(PURGE, &[&micros(self.idle)]).await?;
        let hash = self.hash.0.as_slice();
        Ok(session.execute(OPEN, &[&hash, &self.token, &micros(self.life)]).await? > 0)
    }
}

impl Request for FindSession {
    type Reply = Option<SessionRow>;

    const ACTION: &'static str = "find a session";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<SessionRow>, Fault> {
        let row = session.find(FIND, &[&self.0.0.as_slice()]).await?;
        row.map(|row| {
            let time = |column| Ok::<_, Fault>(Duration::from_micros(get::<i64>(&row, column)?.max(0).unsigned_abs()));
            Ok(SessionRow { token: get(&row, "token")?, left: time("left_us")?, idle: time("idle_us")? })
        })
        .transpose()
    }
}

impl Request for TouchSession {
    type Reply = ();

    const ACTION: &'static str = "prolong a session";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        session.execute(TOUCH, &[&self.0.0.as_slice()]).await.map(drop)
    }
}

impl Request for CloseSession {
    type Reply = ();

    const ACTION: &'static str = "sign out";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        session.execute(CLOSE, &[&self.0.0.as_slice()]).await.map(drop)
    }
}
