//! How values stand in columns: JSON as its own text, words for states, names and keys as text that is checked again.

use std::error::Error;
use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use bytes::BytesMut;
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::domain::json::Json;
use crate::domain::merge::ConflictKind;
use crate::domain::record::{LinkState, OperationKind, OperationState, RecordState};

use super::requests::view::WorkState;
use super::run::Fault;

/// A `json` value, to be stored as the text that it was given: `serde_json` and `jsonb` would not keep all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonText(pub(super) String);

impl From<&Json> for JsonText {
    fn from(value: &Json) -> Self {
        Self(value.to_string())
    }
}

impl ToSql for JsonText {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.write_str(&self.0)?;
        Ok(IsNull::No)
    }

    accepts!(JSON);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for JsonText {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    accepts!(JSON);
}

/// A document as it is read from a `json` column.
pub(super) struct Document(pub(super) Json);

impl<'a> FromSql<'a> for Document {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Json::parse(raw)?))
    }

    accepts!(JSON);
}

/// Reads a column.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &'static str) -> Result<T, Fault> {
    row.try_get(column).map_err(|error| unreadable(column, error))
}

/// Reads a column that holds a document or nothing.
pub(super) fn document(row: &Row, column: &'static str) -> Result<Option<Json>, Fault> {
    Ok(get::<Option<Document>>(row, column)?.map(|Document(json)| json))
}

/// Reads a column that holds a value which this program made: it may be nested deeper than a document.
pub(super) fn stored(row: &Row, column: &'static str) -> Result<Json, Fault> {
    Json::parse_own(get::<JsonText>(row, column)?.0.as_bytes()).map_err(|error| unreadable(column, error))
}

/// Writes a time as people see it: RFC 3339 in UTC.
pub(super) fn time(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// Reads a column that holds a name or a key.
pub(super) fn parsed<T>(row: &Row, column: &'static str) -> Result<T, Fault>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    parse(get(row, column)?, column)
}

/// Reads a column that holds a name or a key, or nothing.
pub(super) fn parsed_if_any<T>(row: &Row, column: &'static str) -> Result<Option<T>, Fault>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    get::<Option<&str>>(row, column)?.map(|text| parse(text, column)).transpose()
}

/// Parses what stood in a column.
pub(super) fn parse<T>(text: &str, column: &'static str) -> Result<T, Fault>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    text.parse().map_err(|error| unreadable(column, error))
}

/// Reads a column that holds a number which is never negative.
pub(super) fn count(row: &Row, column: &'static str) -> Result<u64, Fault> {
    u64::try_from(get::<i64>(row, column)?).map_err(|error| unreadable(column, error))
}

/// Gives a text as a `text` column takes it: all characters but NUL.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// Gives a time to wait as statements take it, in microseconds; at most a century, since PostgreSQL's calendar ends some time.
pub(super) fn micros(duration: Duration) -> i64 {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    i64::try_from(duration.min(CENTURY).as_micros()).expect("a century fits")
}

/// Says that a column holds what this version cannot read.
pub(super) fn unreadable(what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Fault {
    Fault::Unreadable { what, source: source.into() }
}

/// A value that stands as one word in a column.
pub(super) trait Word: Copy + 'static {
    /// All values.
    const ALL: &'static [Self];

    /// Returns the word for it.
    fn word(self) -> &'static str;

    /// Returns the value for a word.
    fn of_word(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.iter().copied().find(|value| value.word() == word).ok_or_else(|| UnknownWord(word.to_owned()))
    }
}

/// A word that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is none of the words that may stand there")]
pub(super) struct UnknownWord(String);

/// Reads a column that holds a word.
pub(super) fn word<T: Word>(row: &Row, column: &'static str) -> Result<T, Fault> {
    T::of_word(get(row, column)?).map_err(|error| unreadable(column, error))
}

impl Word for RecordState {
    const ALL: &'static [Self] = &[Self::Live, Self::Deleted];

    fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Deleted => "deleted",
        }
    }
}

impl Word for LinkState {
    const ALL: &'static [Self] = &[Self::Linked, Self::Unlinked, Self::Detached];

    fn word(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Unlinked => "unlinked",
            Self::Detached => "detached",
        }
    }
}

impl Word for OperationKind {
    const ALL: &'static [Self] = &[Self::Create, Self::Update, Self::Delete];

    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl Word for OperationState {
    const ALL: &'static [Self] = &[Self::InFlight, Self::Open, Self::InDoubt];

    fn word(self) -> &'static str {
        match self {
            Self::InFlight => "in-flight",
            Self::Open => "open",
            Self::InDoubt => "in-doubt",
        }
    }
}

impl Word for ConflictKind {
    const ALL: &'static [Self] =
        &[Self::EditEdit, Self::EditDelete, Self::Held, Self::Match, Self::Schema, Self::Oscillation];

    fn word(self) -> &'static str {
        match self {
            Self::EditEdit => "edit-edit",
            Self::EditDelete => "edit-delete",
            Self::Held => "held",
            Self::Match => "match",
            Self::Schema => "schema",
            Self::Oscillation => "oscillation",
        }
    }
}

impl Word for WorkState {
    const ALL: &'static [Self] = &[Self::Ready, Self::Running, Self::Waiting, Self::Parked, Self::Done];

    fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Done => "done",
        }
    }
}
