//! All that happened to a record, in one order.

use std::cmp::Reverse;
use std::collections::VecDeque;

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::history::Version;
use crate::domain::json::Json;
use crate::store::columns::{JsonText, Word, get, parsed, parsed_if_any, stored, time, unreadable, word};
use crate::store::requests::look::one;
use crate::store::requests::view::{output, page_of_large, version};
use crate::store::run::{Fault, Mode, Parameter, Request, Session};

use super::acts::list_of;
use super::{ConflictMoment, Happened, Moment, ReadTimeline, Targets, Timeline, WriteRow, WriteState};

const VERSIONS: &str = include_str!("../../sql/version/list_latest.sql");
const UNDONE: &str = include_str!("../../sql/version/list_undone.sql");
const SETTLED: &str = include_str!("../../sql/operation/list_settled.sql");
const UNSETTLED: &str = include_str!("../../sql/operation/list_unsettled.sql");
const OPENED: &str = include_str!("../../sql/conflict/list_opened.sql");
const CLOSED: &str = include_str!("../../sql/conflict/list_closed.sql");

/// Of so many conflicts and writes, the latest ones, is asked what people did to them.
const ASKED_ABOUT: i64 = 100;

/// A place between things that happened: of each kind what is below is older.
///
/// Each kind has an order of its own, by which an index finds it; so a place is one in each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Below {
    pub version: i64,
    pub write: i64,
    pub opened: i64,
    /// The time in microseconds since the Unix epoch, and the number.
    pub closed: (i64, i64),
    pub act: i64,
}

impl Below {
    /// Above all there is.
    pub const TOP: Self = {
        // PostgreSQL's calendar ends before all microseconds are used up.
        let end_of_time = 9_000_000_000_000_000;
        Self { version: i64::MAX, write: i64::MAX, opened: i64::MAX, closed: (end_of_time, i64::MAX), act: i64::MAX }
    };

    /// Moves below a thing that was taken.
    fn pass(&mut self, moment: &Moment) {
        match &moment.what {
            Happened::Changed(version) => self.version = version.version,
            Happened::Written(write) => self.write = write.number,
            Happened::Opened(conflict) => self.opened = conflict.id,
            Happened::Closed(conflict) => self.closed = (moment.micros, conflict.id),
            Happened::Done(act) => self.act = act.id.0,
        }
    }
}

/// Things of one kind, the latest first.
struct Stream {
    moments: VecDeque<Moment>,
    /// There are more than were read.
    goes_on: bool,
}

impl Stream {
    fn new(moments: Vec<Moment>, limit: usize) -> Self {
        Self { goes_on: moments.len() > limit, moments: moments.into() }
    }
}

/// Takes the latest things of all kinds. Ends early where a kind is used up of which there is more: it might be the next.
fn merge(mut streams: Vec<Stream>, limit: usize, mut below: Below) -> (Vec<Moment>, Option<Below>) {
    let mut moments = Vec::new();
    let mut is_cut = false;
    while moments.len() < limit {
        is_cut = streams.iter().any(|stream| stream.moments.is_empty() && stream.goes_on);
        let next = streams.iter_mut().filter(|stream| !stream.moments.is_empty());
        // Of what happened at once the first kind comes first.
        let Some(stream) = next.min_by_key(|stream| Reverse(stream.moments[0].micros)) else { break };
        if is_cut {
            break;
        }
        let Some(moment) = stream.moments.pop_front() else { break };
        below.pass(&moment);
        moments.push(moment);
    }
    let goes_on = is_cut || streams.iter().any(|stream| !stream.moments.is_empty() || stream.goes_on);
    (moments, goes_on.then_some(below))
}

impl Request for ReadTimeline {
    type Reply = Timeline;

    const ACTION: &'static str = "list what happened to a record";

    const MODE: Mode = Mode::Snapshot;

    async fn attempt(&self, session: &Session<'_>) -> Result<Timeline, Fault> {
        let below = self.below;
        let versions = self.versions(session).await?;
        let writes = self.writes(session).await?;
        let opened = self.opened(session, below.opened, self.fetched()).await?;
        let closed = self.closed(session).await?;
        let acts = list_of(session, &self.targets(session).await?, below.act, self.fetched()).await?;
        let done = acts.iter().map(|act| Ok(at(timestamp(&act.at)?, Happened::Done(act.clone()))));
        let done = done.collect::<Result<Vec<_>, Fault>>()?;
        let by_number = |moments| Stream::new(moments, self.limit);
        // What was done comes before what it led to, where both have the same time.
        let streams = vec![by_number(closed), versions, by_number(writes), by_number(opened), by_number(done)];
        let (moments, next) = merge(streams, self.limit, below);
        Ok(Timeline { moments, next, undone: self.undone(session).await?, acts })
    }
}

impl ReadTimeline {
    fn fetched(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    async fn versions(&self, session: &Session<'_>) -> Result<Stream, Fault> {
        let parameters = |below: i64, fetched: i64| -> Vec<Parameter> {
            vec![Box::new(self.entity.as_str().to_owned()), Box::new(self.record.0), Box::new(below), Box::new(fetched)]
        };
        let window = (self.below.version, self.fetched());
        let page = page_of_large(session, (VERSIONS, parameters), window, (version, |version| version.version)).await?;
        let moment = |version: Version| Ok(at(timestamp(&version.at)?, Happened::Changed(version)));
        let goes_on = page.next.is_some();
        let moments = page.items.into_iter().map(moment).collect::<Result<VecDeque<_>, Fault>>()?;
        Ok(Stream { goes_on: goes_on || moments.len() > self.limit, moments })
    }

    async fn writes(&self, session: &Session<'_>) -> Result<Vec<Moment>, Fault> {
        let (entity, record) = (self.entity.as_str(), self.record.0);
        let settled = session.list(SETTLED, &[&entity, &record, &self.below.write, &self.fetched()]).await?;
        let unsettled = session.list(UNSETTLED, &[&entity, &record]).await?;
        let mut writes = settled.iter().chain(&unsettled).map(write).collect::<Result<Vec<_>, Fault>>()?;
        writes.retain(|(number, _)| *number < self.below.write);
        writes.sort_by_key(|(number, _)| Reverse(*number));
        writes.truncate(self.limit.saturating_add(1));
        Ok(writes.into_iter().map(|(_, moment)| moment).collect())
    }

    async fn opened(&self, session: &Session<'_>, below: i64, fetched: i64) -> Result<Vec<Moment>, Fault> {
        let rows = session.list(OPENED, &[&self.entity.as_str(), &self.record.0, &below, &fetched]).await?;
        let opened = |row: &Row| Ok(at(get(row, "opened_at")?, Happened::Opened(conflict(row)?)));
        rows.iter().map(opened).collect()
    }

    async fn closed(&self, session: &Session<'_>) -> Result<Vec<Moment>, Fault> {
        let (entity, record) = (self.entity.as_str(), self.record.0);
        let (micros, id) = self.below.closed;
        let rows = session.list(CLOSED, &[&entity, &record, &micros, &id, &self.fetched()]).await?;
        let closed = |row: &Row| Ok(at(get(row, "closed_at")?, Happened::Closed(conflict(row)?)));
        rows.iter().map(closed).collect()
    }

    /// Gives the targets of acts about this record, its latest conflicts and its latest writes.
    async fn targets(&self, session: &Session<'_>) -> Result<Vec<String>, Fault> {
        let Targets { of_record, of_conflict, of_doubt } = &self.targets;
        let mut targets = of_record.clone();
        for row in session.list(OPENED, &[&self.entity.as_str(), &self.record.0, &i64::MAX, &ASKED_ABOUT]).await? {
            let id = get::<i64>(&row, "id")?;
            targets.extend(of_conflict.iter().map(|(before, after)| format!("{before}{id}{after}")));
        }
        let settled = session.list(SETTLED, &[&self.entity.as_str(), &self.record.0, &i64::MAX, &ASKED_ABOUT]).await?;
        for row in settled {
            let number = get::<i64>(&row, "number")?;
            targets.extend(of_doubt.iter().map(|(before, after)| format!("{before}{number}{after}")));
        }
        Ok(targets)
    }

    async fn undone(&self, session: &Session<'_>) -> Result<Vec<(i64, i64)>, Fault> {
        let rows = session.list(UNDONE, &[&self.entity.as_str(), &self.record.0]).await?;
        let undone = |row: &Row| {
            let cause = stored(row, "cause")?;
            let undone = cause.member("version").and_then(whole);
            undone.map(|undone| Ok((undone, get(row, "version")?))).transpose()
        };
        rows.iter().filter_map(|row| undone(row).transpose()).collect()
    }
}

fn whole(value: &Json) -> Option<i64> {
    match value {
        Json::Number(number) => number.whole(),
        Json::Null | Json::Bool(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

fn write(row: &Row) -> Result<(i64, Moment), Fault> {
    let number = get(row, "number")?;
    let write = WriteRow {
        number,
        source: parsed(row, "source")?,
        kind: word(row, "kind")?,
        state: word(row, "state")?,
        key: parsed_if_any(row, "foreign_key")?,
        new_key: get(row, "new_key")?,
        document: get(row, "document")?,
        version: get(row, "version")?,
        attempts: i64::from(get::<i32>(row, "attempts")?),
        last_end: get(row, "last_end")?,
        output: output(row)?,
        ended_at: get::<Option<Timestamp>>(row, "ended_at")?.map(time),
    };
    Ok((number, at(get(row, "created_at")?, Happened::Written(write))))
}

fn conflict(row: &Row) -> Result<ConflictMoment, Fault> {
    let closed_at = get::<Option<Timestamp>>(row, "closed_at")?.map(time);
    let closed_by = match get::<Option<JsonText>>(row, "closed_by")? {
        Some(_) => Some(stored(row, "closed_by")?),
        None => None,
    };
    Ok(ConflictMoment {
        id: get(row, "id")?,
        kind: word(row, "kind")?,
        path: one(row, "path")?,
        opened_at: time(get::<Timestamp>(row, "opened_at")?),
        closed: closed_at.map(|at| (at, closed_by)),
    })
}

fn at(when: Timestamp, what: Happened) -> Moment {
    Moment { micros: when.as_microsecond(), at: time(when), what }
}

fn timestamp(text: &str) -> Result<Timestamp, Fault> {
    text.parse().map_err(|error: jiff::Error| unreadable("at", error))
}

impl Word for WriteState {
    const ALL: &'static [Self] = &[Self::InFlight, Self::Open, Self::InDoubt, Self::Done, Self::Superseded];

    fn word(self) -> &'static str {
        match self {
            Self::InFlight => "in-flight",
            Self::Open => "open",
            Self::InDoubt => "in-doubt",
            Self::Done => "done",
            Self::Superseded => "superseded",
        }
    }
}
