//! What is known when a look begins.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::json::Json;
use crate::domain::key::InternalKey;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::pointer::Pointer;
use crate::domain::record::{DoubtId, Known, Link, OpenConflict, OperationId, Record};
use crate::domain::restless::Recent;
use crate::store::columns::{count, document, get, micros, parsed, stored, unreadable, word};
use crate::store::encoding::encode;
use crate::store::requests::queue::ids;
use crate::store::run::{Fault, Mode, Request, Session, Step};

use super::rows::{link, list, open_conflict, operation};
use super::{FindRival, Moment, Recall, RecallRecent, RecallUnknown, UnknownKey, Unsettled};

const RECALL: &str = include_str!("../../sql/record/recall.sql");
const LIST_RECENT: &str = include_str!("../../sql/version/list_recent.sql");
const LIST_DOUBTS: &str = include_str!("../../sql/operation/list_doubts.sql");
const FIND_KEY: &str = include_str!("../../sql/foreign_key/find.sql");
const FIND_RIVAL: &str = include_str!("../../sql/match_value/find_rival.sql");

impl Request for Recall {
    type Reply = Option<Known>;

    const ACTION: &'static str = "recall a record";

    // While a look is at a record nothing else changes what is read here.
    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<Known>, Fault> {
        known(session, &self.entity, self.record).await
    }
}

/// Reads all that is known of a record, in one statement.
pub(in crate::store) async fn known(
    session: &Session<'_>,
    entity: &EntityName,
    record: InternalKey,
) -> Result<Option<Known>, Fault> {
    let rows = session.list(RECALL, &[&entity.as_str(), &vec![record.0]]).await?;
    all_known(&rows)?.remove(&record).transpose()
}

/// The statement that recalls all records of which the transaction has claimed items; [`all_known`] reads its rows.
pub(in crate::store) fn recall_claimed(entity: &EntityName) -> Step {
    Step::new(RECALL, [Box::new(entity.as_str().to_owned()), Box::new(None::<Vec<i64>>)])
}

/// Reads what is known of records, each by itself: one that cannot be read keeps no other from being looked at.
pub(in crate::store) fn all_known(rows: &[Row]) -> Result<BTreeMap<InternalKey, Result<Known, Fault>>, Fault> {
    let mut parts: BTreeMap<InternalKey, Parts<'_>> = BTreeMap::new();
    let mut tidies = BTreeMap::new();
    for row in rows {
        match get::<Option<i64>>(row, "record")? {
            Some(record) => parts.entry(InternalKey(record)).or_default().add(row)?,
            None => drop(tidies.insert(parsed(row, "source")?, get(row, "tidies")?)),
        }
    }
    // A part whose record is not there cannot be: they are read in one state of the database.
    let known = |(id, parts): (InternalKey, Parts<'_>)| Some((id, parts.known(id, parts.record?, &tidies)));
    Ok(parts.into_iter().filter_map(known).collect())
}

/// The rows of a record, sorted by what they are about.
#[derive(Default)]
struct Parts<'a> {
    record: Option<&'a Row>,
    links: Vec<&'a Row>,
    operations: Vec<&'a Row>,
    conflicts: Vec<&'a Row>,
}

impl<'a> Parts<'a> {
    fn add(&mut self, row: &'a Row) -> Result<(), Fault> {
        match get(row, "part")? {
            "record" => self.record = Some(row),
            "link" => self.links.push(row),
            "operation" => self.operations.push(row),
            "conflict" => self.conflicts.push(row),
            part => return Err(unreadable("part", format!("a record has no {part}"))),
        }
        Ok(())
    }

    fn known(&self, id: InternalKey, row: &Row, tidies: &BTreeMap<SourceName, bool>) -> Result<Known, Fault> {
        let conflicts = self.conflicts.iter().map(|row| open_conflict(row));
        let mut conflicts: Vec<OpenConflict> = conflicts.collect::<Result<_, _>>()?;
        conflicts.sort_by_key(|conflict| conflict.id);
        Ok(Known {
            record: Record {
                id,
                state: word(row, "state")?,
                version: get(row, "version")?,
                agreed: document(row, "agreed")?,
            },
            links: with_operations(&self.links, &self.operations)?,
            conflicts,
            tidies: tidies.clone(),
            now: get::<Timestamp>(row, "now")?.as_microsecond(),
        })
    }
}

/// Puts each open operation to its link; where there is none yet, its copy is unlinked.
fn with_operations(links: &[&Row], operations: &[&Row]) -> Result<BTreeMap<SourceName, Link>, Fault> {
    let mut all = BTreeMap::new();
    for row in links {
        all.insert(parsed(row, "source")?, link(row)?);
    }
    for row in operations {
        all.entry(parsed(row, "source")?).or_insert_with(Link::unlinked).open = Some(operation(row)?);
    }
    Ok(all)
}

impl Request for RecallRecent {
    type Reply = Vec<Recent>;

    const ACTION: &'static str = "recall recent versions";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<Recent>, Fault> {
        let mentions: Vec<String> = self.places.iter().flat_map(mentions).collect();
        let limit = i64::try_from(Recent::ENOUGH).unwrap_or(i64::MAX);
        let (entity, age) = (self.entity.as_str(), micros(Recent::SPAN));
        let rows = session.list(LIST_RECENT, &[&entity, &self.record.0, &age, &mentions, &limit]).await?;
        rows.iter().rev().map(recent).collect()
    }
}

/// Returns the texts of which one stands in a version that is about a place, or about one above or below it.
fn mentions(place: &Pointer) -> Vec<String> {
    let text = |place: &Pointer| format!("\"path\":{}", encode(place).0);
    let names = place.tokens();
    let above = (0..names.len()).map(|depth| text(&Pointer::from(names[..depth].to_vec())));
    let below = text(place).trim_end_matches('"').to_owned();
    above.chain([below]).collect()
}

fn recent(row: &Row) -> Result<Recent, Fault> {
    Ok(Recent {
        age: Duration::from_micros(count(row, "age")?),
        cause: stored(row, "cause")?,
        changes: list(row, "changes")?,
        overruled: list(row, "overruled")?,
    })
}

impl Request for RecallUnknown {
    type Reply = UnknownKey;

    const ACTION: &'static str = "recall an unknown key";

    // If the key's row moves between the two statements, so has the moment by the time that something rests on it.
    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<UnknownKey, Fault> {
        let (entity, source) = (self.entity.as_str().to_owned(), self.source.as_str().to_owned());
        let key = Step::new(
            FIND_KEY,
            [Box::new(entity.clone()), Box::new(source.clone()), Box::new(self.key.as_str().to_owned())],
        );
        let doubts = Step::new(LIST_DOUBTS, [Box::new(entity), Box::new(source), Box::new(ids(&self.items))]);
        let [key, doubts] = session.pipeline_of([key, doubts]).await?;
        let doubts = doubts.iter().map(unsettled).collect::<Result<Vec<_>, _>>()?;
        let retired = key.first().map(retired).transpose()?.flatten();
        let now = Moment {
            doubts: doubts.iter().map(|doubt| doubt.open.id).collect::<Vec<OperationId>>(),
            retired_at: retired.as_ref().map(|(_, _, at)| *at),
        };
        Ok(UnknownKey { doubts, retired: retired.map(|(document, age, _)| (document, age)), now })
    }
}

fn unsettled(row: &Row) -> Result<Unsettled, Fault> {
    Ok(Unsettled { id: DoubtId(get(row, "number")?), record: InternalKey(get(row, "record")?), open: operation(row)? })
}

type Retired = (Option<Json>, Duration, i64);

/// Reads a key's row as that of a copy that was deleted, if it is one: its document, its age, and when.
fn retired(row: &Row) -> Result<Option<Retired>, Fault> {
    if get::<&str>(row, "state")? != "retired" {
        return Ok(None);
    }
    let at = get::<Timestamp>(row, "changed_at")?.as_microsecond();
    Ok(Some((document(row, "document")?, Duration::from_micros(count(row, "age")?), at)))
}

impl Request for FindRival {
    type Reply = bool;

    const ACTION: &'static str = "look for a match";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<bool, Fault> {
        let (entity, source) = (self.entity.as_str(), self.source.as_str());
        let rival = session.find(FIND_RIVAL, &[&entity, &self.record.0, &self.match_value, &source]).await?;
        Ok(rival.is_some())
    }
}
