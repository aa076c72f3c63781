//! JSON values that survive a round trip: every digit of every number, every string, lone surrogate escapes included.
//!
//! Written by hand because no parser at hand keeps all of it; the limits are those of docs/data-sources.md.

mod object;
mod parse;
mod wire;

use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

use super::number::Number;
use super::text::Text;

pub use object::{Iter, Object};
pub use wire::present;

/// A JSON value. Equality is by value: member order does not count, `1.0 == 1`.
///
/// What it consists of is never changed, and shared by all its clones: a clone costs no more than a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Json {
    Null,
    Bool(bool),
    Number(Number),
    String(Text),
    Array(Arc<[Json]>),
    Object(Object),
}

/// What is wrong with a text that should be one JSON value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at line {line}, column {column}")]
pub struct JsonError {
    pub problem: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Json {
    /// The deepest nesting of arrays and objects that is accepted.
    pub const MAX_DEPTH: usize = 128;

    /// Parses exactly one JSON value (RFC 8259), with white space around it at most.
    ///
    /// # Errors
    /// A member that stands twice, nesting deeper than [`Json::MAX_DEPTH`], a byte order mark, bytes that are not UTF-8,
    /// and everything that is not JSON are refused by name.
    pub fn parse(text: &[u8]) -> Result<Json, JsonError> {
        parse::parse(text, Self::MAX_DEPTH)
    }

    /// Parses a value that this program wrote: there a document may stand inside of something else.
    ///
    /// # Errors
    /// As for [`Json::parse`], with twice the depth.
    pub(crate) fn parse_own(text: &[u8]) -> Result<Json, JsonError> {
        parse::parse(text, 2 * Self::MAX_DEPTH)
    }

    /// Makes an object; of members with one name the last stands.
    pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Self::Object(members.into_iter().map(|(name, value)| (Text::from(name), value)).collect())
    }

    /// Tells how deeply arrays and objects are nested in it: 0 for what is neither.
    pub fn depth(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => 0,
            Self::Array(elements) => 1 + elements.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }

    /// Returns the member `name` of an object.
    pub fn member(&self, name: &str) -> Option<&Json> {
        self.as_object()?.get_wtf8(name.as_bytes())
    }

    /// Returns the members of an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(members) => Some(members),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Array(_) => None,
        }
    }

    /// Returns the elements of an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(elements) => Some(elements),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Object(_) => None,
        }
    }

    /// Returns the text of a string.
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::String(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }
}

impl FromStr for Json {
    type Err = JsonError;

    fn from_str(text: &str) -> Result<Self, JsonError> {
        Self::parse(text.as_bytes())
    }
}

/// Writes the value as one line of compact JSON, members sorted by name.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(true) => f.write_str("true"),
            Self::Bool(false) => f.write_str("false"),
            Self::Number(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
            Self::Array(elements) => {
                f.write_char('[')?;
                for (i, element) in elements.iter().enumerate() {
                    f.write_str(if i > 0 { "," } else { "" })?;
                    element.fmt(f)?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (i, (name, value)) in members.iter().enumerate() {
                    f.write_str(if i > 0 { "," } else { "" })?;
                    name.fmt(f)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Vec<Json>> for Json {
    fn from(elements: Vec<Json>) -> Self {
        Self::Array(elements.into())
    }
}

impl FromIterator<Json> for Json {
    fn from_iter<I: IntoIterator<Item = Json>>(elements: I) -> Self {
        Self::Array(elements.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
