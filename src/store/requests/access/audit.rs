//! The trail of what people did: an entry stands before anything is done, and is completed with what came of it.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::store::columns::{get, storable, time, unreadable};
use crate::store::requests::view::{Page, page_of_large};
use crate::store::run::{Fault, Mode, Parameter, Request, Session};

use super::{Act, ActEnd, ActId, ActRow, BeginAct, EndAct, ListActs, Via};

const BEGIN: &str = include_str!("../../sql/audit/begin.sql");
const FINISH: &str = include_str!("../../sql/audit/finish.sql");
const LIST: &str = include_str!("../../sql/audit/list.sql");

impl Request for BeginAct {
    type Reply = ActId;

    const ACTION: &'static str = "enter an act into the audit trail";

    async fn attempt(&self, session: &Session<'_>) -> Result<ActId, Fault> {
        let Act { who, via, act, target, request } = &self.0;
        let (via, uid, pid, peer) = match via {
            Via::Token { peer } => ("token", None, None, Some(peer)),
            Via::Unix { uid, pid } => ("unix", uid.map(i64::from), pid.map(i64::from), None),
        };
        let request = request.as_deref().map(storable);
        let target = storable(target);
        let row = session.find(BEGIN, &[who, &via, &uid, &pid, &peer, act, &target, &request]).await?;
        Ok(ActId(get(&row.ok_or(Fault::Moved)?, "id")?))
    }
}

impl Request for EndAct {
    type Reply = ();

    const ACTION: &'static str = "record the outcome of an act";

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let ActEnd { status, code } = &self.end;
        let status = i16::try_from(*status).map_err(|error| unreadable("status", error))?;
        session.execute(FINISH, &[&self.id.0, &status, code]).await.map(drop)
    }
}

impl Request for ListActs {
    type Reply = Page<ActRow>;

    const ACTION: &'static str = "list the audit trail";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<ActRow>, Fault> {
        let below = if self.after == 0 { i64::MAX } else { self.after };
        let parameters = |below: i64, fetched: i64| -> Vec<Parameter> { vec![Box::new(below), Box::new(fetched)] };
        page_of_large(session, (LIST, parameters), (below, self.limit), (act_row, |row: &ActRow| row.id.0)).await
    }
}

pub(in crate::store::requests) fn act_row(row: &Row) -> Result<ActRow, Fault> {
    let via = match get::<&str>(row, "via")? {
        "token" => Via::Token { peer: get::<Option<String>>(row, "peer")?.unwrap_or_default() },
        "unix" => Via::Unix { uid: number(row, "uid")?, pid: number(row, "pid")? },
        other => return Err(unreadable("via", format!("{other:?} is no way to come"))),
    };
    let act = Act {
        who: get(row, "who")?,
        via,
        act: get(row, "act")?,
        target: get(row, "target")?,
        request: get(row, "request")?,
    };
    Ok(ActRow { id: ActId(get(row, "id")?), at: time(get::<Timestamp>(row, "at")?), act, end: end(row)? })
}

fn end(row: &Row) -> Result<Option<(ActEnd, String)>, Fault> {
    let Some(status) = get::<Option<i16>>(row, "status")? else { return Ok(None) };
    let status = u16::try_from(status).map_err(|error| unreadable("status", error))?;
    let ended_at = get::<Option<Timestamp>>(row, "ended_at")?.map(time).unwrap_or_default();
    Ok(Some((ActEnd { status, code: get(row, "code")? }, ended_at)))
}

fn number<T: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>>(
    row: &Row,
    column: &'static str,
) -> Result<Option<T>, Fault> {
    let found = get::<Option<i64>>(row, column)?;
    found.map(|number| T::try_from(number).map_err(|error| unreadable(column, error))).transpose()
}
