//! What retcon has recorded, read with plain SQL from the tables of `migrations/`.

use std::collections::BTreeMap;

use postgres::{Client, NoTls, Row};

use super::CheckError;
use super::json::Json;
use crate::books::RunDir;
use crate::clock::Micros;

/// The tables, as far as they say something of an invariant.
#[derive(Debug, Clone, Default)]
pub(super) struct Database {
    pub(super) records: BTreeMap<RecordName, RecordRow>,
    pub(super) links: Vec<LinkRow>,
    /// Which record a copy's key names, by entity, source and key.
    pub(super) keys: BTreeMap<(String, String, String), i64>,
    /// In the order of their numbers.
    pub(super) versions: BTreeMap<RecordName, Vec<VersionRow>>,
    pub(super) conflicts: Vec<ConflictRow>,
    pub(super) operations: BTreeMap<String, OperationRow>,
    pub(super) items: BTreeMap<i64, ItemRow>,
    /// The length of the longest reason of a failure that is kept.
    pub(super) longest_reason: i64,
}

/// An entity, and a record's number in it.
pub(super) type RecordName = (String, i64);

#[derive(Debug, Clone)]
pub(super) struct RecordRow {
    pub(super) is_live: bool,
    pub(super) agreed: Option<Json>,
}

#[derive(Debug, Clone)]
pub(super) struct LinkRow {
    pub(super) record: RecordName,
    pub(super) source: String,
    pub(super) state: String,
    pub(super) key: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct VersionRow {
    pub(super) version: i64,
    pub(super) at: Micros,
    pub(super) cause: Json,
    pub(super) changes: Json,
    pub(super) overruled: Json,
    pub(super) is_live: bool,
}

#[derive(Debug, Clone)]
pub(super) struct ConflictRow {
    pub(super) id: i64,
    pub(super) record: RecordName,
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) revision: i64,
    pub(super) contenders: Json,
    pub(super) contended: Json,
    /// Absent while it is open.
    pub(super) closed_by: Option<Json>,
}

#[derive(Debug, Clone)]
pub(super) struct OperationRow {
    pub(super) record: RecordName,
    pub(super) source: String,
    pub(super) kind: String,
    pub(super) state: String,
}

#[derive(Debug, Clone)]
pub(super) struct ItemRow {
    pub(super) entity: String,
    pub(super) source: Option<String>,
    pub(super) key: Option<String>,
    pub(super) record: Option<i64>,
    pub(super) state: String,
    pub(super) outcome: Option<String>,
}

impl OperationRow {
    /// Whether it is not known yet what came of it.
    pub(super) fn is_unsettled(&self) -> bool {
        matches!(self.state.as_str(), "in-flight" | "open" | "in-doubt")
    }
}

impl VersionRow {
    /// What made it: `sync`, `resolution`, `undo`, ...
    pub(super) fn kind(&self) -> &str {
        self.cause.member("kind").and_then(Json::text).unwrap_or_default()
    }
}

/// Reads everything in one state of the database.
///
/// # Errors
/// [`CheckError::Database`], and [`CheckError::Json`] if a document that retcon recorded is none.
pub(super) fn read(url: &str) -> Result<Database, CheckError> {
    let mut client = Client::connect(url, NoTls).map_err(CheckError::Database)?;
    let mut reading = client
        .build_transaction()
        .isolation_level(postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .map_err(CheckError::Database)?;
    let mut rows = |sql: &str| reading.query(sql, &[]).map_err(CheckError::Database);
    let mut database = Database::default();
    for row in rows("select entity, id, state = 'live', agreed::text from record")? {
        database.records.insert(name(&row), RecordRow { is_live: row.get(2), agreed: document(&row, 3)? });
    }
    for row in rows("select entity, record, source, state, foreign_key from link")? {
        let link = LinkRow { record: name(&row), source: row.get(2), state: row.get(3), key: row.get(4) };
        database.links.push(link);
    }
    for row in rows("select entity, source, key, record from foreign_key")? {
        database.keys.insert((row.get(0), row.get(1), row.get(2)), row.get(3));
    }
    for row in rows(VERSIONS)? {
        let version = VersionRow {
            version: row.get(2),
            at: row.get(3),
            cause: value(&row, 4)?,
            changes: value(&row, 5)?,
            overruled: value(&row, 6)?,
            is_live: row.get(7),
        };
        database.versions.entry(name(&row)).or_default().push(version);
    }
    for row in rows(CONFLICTS)? {
        database.conflicts.push(ConflictRow {
            record: name(&row),
            id: row.get(2),
            path: value(&row, 3)?.text().unwrap_or_default().to_owned(),
            kind: row.get(4),
            revision: row.get(5),
            contenders: value(&row, 6)?,
            contended: value(&row, 7)?,
            closed_by: document(&row, 8)?,
        });
    }
    for row in rows("select entity, record, id::text, source, kind, state from operation")? {
        let operation = OperationRow { record: name(&row), source: row.get(3), kind: row.get(4), state: row.get(5) };
        database.operations.insert(row.get(2), operation);
    }
    for row in rows("select id, entity, source, foreign_key, record, state, outcome from work_item")? {
        let item = ItemRow {
            entity: row.get(1),
            source: row.get(2),
            key: row.get(3),
            record: row.get(4),
            state: row.get(5),
            outcome: row.get(6),
        };
        database.items.insert(row.get(0), item);
    }
    database.longest_reason = rows(LONGEST_REASON)?.first().map_or(0, |row| row.get(0));
    Ok(database)
}

/// The tables that say what became of records.
const TABLES: [&str; 7] = ["record", "link", "foreign_key", "version", "conflict", "operation", "work_item"];

/// Writes what retcon has recorded into files, one for each table, a row a line: the database itself ends with the run.
///
/// # Errors
/// [`CheckError::Database`], and [`CheckError::Books`] if a file cannot be written.
pub(super) fn keep(url: &str, run: &RunDir) -> Result<(), CheckError> {
    let mut client = Client::connect(url, NoTls).map_err(CheckError::Database)?;
    for table in TABLES {
        let sql = format!("select row_to_json(kept)::text from {table} as kept");
        let rows = client.query(&sql, &[]).map_err(CheckError::Database)?;
        let text = rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect::<String>();
        run.keep_table(table, &text).map_err(CheckError::Books)?;
    }
    Ok(())
}

const VERSIONS: &str = "select entity, record, version, (extract(epoch from at) * 1000000)::bigint, cause::text, \
     changes::text, overruled::text, state = 'live' from version order by entity, record, version";
const CONFLICTS: &str = "select entity, record, id, path::text, kind, revision, contenders::text, contended::text, \
     case when closed_at is not null then coalesce(closed_by, 'null')::text end from conflict order by id";
const LONGEST_REASON: &str = "select coalesce(max(length(reason)), 0)::bigint from ( \
     select last_error from work_item union all select last_error from link union all select last_end from operation \
     ) as kept (reason)";

fn name(row: &Row) -> RecordName {
    (row.get(0), row.get(1))
}

fn document(row: &Row, column: usize) -> Result<Option<Json>, CheckError> {
    let text: Option<String> = row.get(column);
    text.map(|text| Json::parse(&text).map_err(|source| CheckError::Json { text, source: Box::new(source) }))
        .transpose()
}

fn value(row: &Row, column: usize) -> Result<Json, CheckError> {
    Ok(document(row, column)?.unwrap_or(Json::Null))
}
