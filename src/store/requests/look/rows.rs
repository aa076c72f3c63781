//! How links, operations and conflicts are read from their rows.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::merge::{Conflict, Contender};
use crate::domain::pointer::Pointer;
use crate::domain::record::{Base, Link, OpenConflict, OpenOperation, OperationId};
use crate::store::columns::{JsonText, document, get, parsed_if_any, unreadable, word};
use crate::store::encoding::{Encoded, decode, decode_list};
use crate::store::run::Fault;

/// Reads a link; its open operation stands elsewhere.
pub(in crate::store) fn link(row: &Row) -> Result<Link, Fault> {
    Ok(Link {
        state: word(row, "state")?,
        key: parsed_if_any(row, "foreign_key")?,
        base: Base {
            shadow: document(row, "shadow")?,
            unknown: list(row, "unknown")?,
            ack: document(row, "ack")?,
            owed: list::<Pointer>(row, "owed")?,
        },
        last: document(row, "last_reading")?,
        missing_since: get::<Option<Timestamp>>(row, "missing_since")?.map(Timestamp::as_microsecond),
        open: None,
        in_step: get(row, "in_step")?,
        last_error: get(row, "last_error")?,
    })
}

/// Reads an operation whose end is not settled.
pub(in crate::store) fn operation(row: &Row) -> Result<OpenOperation, Fault> {
    Ok(OpenOperation {
        id: OperationId(get(row, "id")?),
        kind: word(row, "kind")?,
        state: word(row, "state")?,
        key: parsed_if_any(row, "foreign_key")?,
        document: document(row, "document")?,
        carries: one(row, "carries")?,
        version: get(row, "version")?,
        attempts: get(row, "attempts")?,
        may_have_taken_effect: get(row, "may_have_taken_effect")?,
    })
}

/// Reads an open conflict.
pub(in crate::store) fn open_conflict(row: &Row) -> Result<OpenConflict, Fault> {
    Ok(OpenConflict { id: get(row, "conflict")?, revision: get(row, "revision")?, conflict: conflict(row)? })
}

/// Reads what a conflict is about.
pub(in crate::store) fn conflict(row: &Row) -> Result<Conflict, Fault> {
    Ok(Conflict {
        path: one(row, "path")?,
        kind: word(row, "kind")?,
        agreed: document(row, "agreed")?,
        contenders: list::<Contender>(row, "contenders")?,
    })
}

/// Reads a column that holds one compound value.
pub(in crate::store) fn one<T: Encoded>(row: &Row, column: &'static str) -> Result<T, Fault> {
    decode(&get::<JsonText>(row, column)?).map_err(|error| unreadable(column, error))
}

/// Reads a column that holds a list of compound values.
pub(in crate::store) fn list<T: Encoded>(row: &Row, column: &'static str) -> Result<Vec<T>, Fault> {
    decode_list(&get::<JsonText>(row, column)?).map_err(|error| unreadable(column, error))
}
