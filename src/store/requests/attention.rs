//! What waits for a person, whatever it is about: the latest of each kind.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::merge::ConflictKind;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::pointer::Pointer;
use crate::domain::record::OperationKind;
use crate::store::columns::{get, parsed, parsed_if_any, stored, time, unreadable, word};
use crate::store::run::{Fault, Mode, Request, Session};

const CONFLICTS: &str = include_str!("../sql/conflict/list_latest.sql");
const DOUBTS: &str = include_str!("../sql/operation/list_latest_doubts.sql");
const PARKED: &str = include_str!("../sql/work_item/list_latest_parked.sql");
const DELETES: &str = include_str!("../sql/held_delete/list_latest.sql");

/// Lists what waits for a person: of each kind the latest, at most `limit`, in one state of the database.
#[derive(Debug, Clone)]
pub struct ListAttention {
    pub limit: i64,
}

/// Reads a row of one of the lists.
type Read = fn(&Row) -> Result<Waiting, Fault>;

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub entity: EntityName,
    /// Since when; RFC 3339 in UTC.
    pub since: String,
    pub matter: Matter,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    Conflict {
        id: i64,
        record: InternalKey,
        path: Pointer,
        kind: ConflictKind,
        /// The text of what is agreed of the record, or its beginning.
        beginning: Option<String>,
    },
    Doubt {
        number: i64,
        record: InternalKey,
        source: SourceName,
        kind: OperationKind,
    },
    Parked {
        item: i64,
        copy: Option<(SourceName, ForeignKey)>,
        record: Option<InternalKey>,
        error: Option<String>,
    },
    /// A deletion that is held.
    Delete {
        source: SourceName,
    },
}

impl Request for ListAttention {
    type Reply = Vec<Waiting>;

    const ACTION: &'static str = "list what waits for a person";

    const MODE: Mode = Mode::Snapshot;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<Waiting>, Fault> {
        let mut waiting = Vec::new();
        let lists: [(&'static str, Read); 4] =
            [(CONFLICTS, conflict), (DOUBTS, doubt), (PARKED, parked), (DELETES, delete)];
        for (sql, read) in lists {
            for row in session.list(sql, &[&i64::MAX, &self.limit]).await? {
                waiting.push(read(&row)?);
            }
        }
        Ok(waiting)
    }
}

fn waiting(row: &Row, since: &'static str, matter: Matter) -> Result<Waiting, Fault> {
    Ok(Waiting { entity: parsed(row, "entity")?, since: time(get::<Timestamp>(row, since)?), matter })
}

fn conflict(row: &Row) -> Result<Waiting, Fault> {
    let path = Pointer::from_json(&stored(row, "path")?).map_err(|error| unreadable("path", error))?;
    let (id, record) = (get(row, "id")?, InternalKey(get(row, "record")?));
    let (kind, beginning) = (word(row, "kind")?, get(row, "beginning")?);
    waiting(row, "opened_at", Matter::Conflict { id, record, path, kind, beginning })
}

fn doubt(row: &Row) -> Result<Waiting, Fault> {
    let (number, record) = (get(row, "number")?, InternalKey(get(row, "record")?));
    let matter = Matter::Doubt { number, record, source: parsed(row, "source")?, kind: word(row, "kind")? };
    waiting(row, "created_at", matter)
}

fn parked(row: &Row) -> Result<Waiting, Fault> {
    let copy = parsed_if_any(row, "source")?.zip(parsed_if_any(row, "foreign_key")?);
    let record = get::<Option<i64>>(row, "record")?.map(InternalKey);
    let matter = Matter::Parked { item: get(row, "id")?, copy, record, error: get(row, "last_error")? };
    waiting(row, "arrived_at", matter)
}

fn delete(row: &Row) -> Result<Waiting, Fault> {
    waiting(row, "held_at", Matter::Delete { source: parsed(row, "source")? })
}
