//! JSON pointers (RFC 6901).

use std::fmt;
use std::str::FromStr;

use super::json::Json;
use super::text::Text;

/// A place in a document: the member names that lead to it. Elements of a keyed array are named by their key.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(Vec<Text>);

/// What is wrong with a pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a pointer is empty or begins with \"/\", and escapes ~ as ~0 and / as ~1")]
pub struct InvalidPointer;

impl Pointer {
    /// Returns the pointer to the whole document, `""`.
    pub fn root() -> Self {
        Self::default()
    }

    /// Returns the names from the root down.
    pub fn tokens(&self) -> &[Text] {
        &self.0
    }

    /// Returns the pointer to the member `name` below this one.
    pub fn child(&self, name: &Text) -> Self {
        let mut tokens = self.0.clone();
        tokens.push(name.clone());
        Self(tokens)
    }

    /// Says whether `prefix` is this pointer or leads to it.
    pub fn starts_with(&self, prefix: &Pointer) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// Returns what stands at this place through object members alone, never into an array.
    pub fn find<'a>(&self, document: &'a Json) -> Option<&'a Json> {
        self.0.iter().try_fold(document, |value, name| match value {
            Json::Object(members) => members.get(name),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => None,
        })
    }

    /// Returns the pointer as a JSON string, the form in which it is stored and sent: a name may hold `\u0000`
    /// or a lone surrogate, which no UTF-8 text column holds.
    pub fn to_json(&self) -> Json {
        todo!()
    }

    /// Reads what [`Pointer::to_json`] gave.
    pub fn from_json(_value: &Json) -> Result<Self, InvalidPointer> {
        todo!()
    }
}

impl FromStr for Pointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        todo!("{text}")
    }
}

/// Writes the pointer for people; a lone surrogate in it becomes U+FFFD.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!("{}", f.alternate())
    }
}
