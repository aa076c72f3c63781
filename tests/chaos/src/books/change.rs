//! A system's own log of changes: the table `change` of its SQLite file, written in the transaction that changes the item.

use std::path::Path;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OpenFlags, Row};

use super::BookError;
use crate::clock::Micros;

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Create,
    Update,
    Delete,
}

impl ChangeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// Somebody who works with that system.
    User,
    /// A run of the system's program, started by a daemon.
    Retcon,
    /// The system itself, tidying later.
    Source,
}

impl Author {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Retcon => "retcon",
            Self::Source => "source",
        }
    }
}

/// One change of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// From 1, in the order in which the changes took effect.
    pub seq: i64,
    pub at: Micros,
    /// The item's key after the change; of a deletion, before it.
    pub key: String,
    /// The item's key before an update that gave it another one.
    pub former_key: Option<String>,
    pub kind: ChangeKind,
    /// The document's text.
    pub before: Option<String>,
    pub after: Option<String>,
    pub author: Author,
    /// `RETCON_OPERATION_ID` of the run.
    pub operation: Option<String>,
    /// `RunLine::run` of the run.
    pub run: Option<String>,
    /// Of a user's change: a JSON object, from each pointer that was written to the value that it had, `null` for none.
    pub seen: Option<String>,
    /// The fault that the program made after the change took effect: `apply-exit-1`, ...
    pub fault: Option<String>,
    /// The contract gives no way to learn of this effect: a create that took effect and said exit 1, at a source that can neither
    /// `find` nor `list` nor repeat a create.
    pub excused: bool,
}

/// Reads the log of a system's file.
///
/// # Errors
/// [`BookError::Sqlite`].
pub fn read_changes(path: &Path) -> Result<Vec<Change>, BookError> {
    let failed = |source| BookError::Sqlite { path: path.into(), source };
    let read = || -> rusqlite::Result<Vec<Change>> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let mut statement = connection.prepare(
            "select seq, at, key, former_key, kind, before, after, author, operation, run, seen, fault, excused \
             from change order by seq",
        )?;
        statement.query_map([], change)?.collect()
    };
    read().map_err(failed)
}

fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    Ok(Change {
        seq: row.get(0)?,
        at: row.get(1)?,
        key: row.get(2)?,
        former_key: row.get(3)?,
        kind: row.get(4)?,
        before: row.get(5)?,
        after: row.get(6)?,
        author: row.get(7)?,
        operation: row.get(8)?,
        run: row.get(9)?,
        seen: row.get(10)?,
        fault: row.get(11)?,
        excused: row.get(12)?,
    })
}

impl FromSql for ChangeKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "create" => Ok(Self::Create),
            "update" => Ok(Self::Update),
            "delete" => Ok(Self::Delete),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

impl FromSql for Author {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "user" => Ok(Self::User),
            "retcon" => Ok(Self::Retcon),
            "source" => Ok(Self::Source),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}
