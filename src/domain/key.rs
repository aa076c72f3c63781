//! Keys: the names of a record inside retcon and in its sources.

use std::fmt;
use std::str::FromStr;

/// The name of a record inside retcon: 1, 2, 3, ... in each entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InternalKey(pub i64);

impl fmt::Display for InternalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A source's own name for its copy of a record; opaque text.
///
/// Non-empty, at most 1,024 characters of `A-Z a-z 0-9 . - , _` and space (data-source.md, "Formats").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForeignKey(String);

/// What is wrong with a foreign key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidForeignKey {
    /// There is no character in it.
    #[error("a foreign key must not be empty")]
    Empty,
    /// It has more than [`ForeignKey::MAX_LEN`] characters.
    #[error("a foreign key has at most 1024 characters and this one has {0}")]
    TooLong(usize),
    /// It holds a character that a key may not hold.
    #[error("a foreign key is made of A-Z a-z 0-9 . - , _ and space, not of {0:?}")]
    Character(char),
}

impl ForeignKey {
    /// The greatest length of a foreign key, in characters.
    pub const MAX_LEN: usize = 1024;

    /// Returns the key as the source printed it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ForeignKey {
    type Err = InvalidForeignKey;

    fn from_str(text: &str) -> Result<Self, InvalidForeignKey> {
        let good = |c: char| c.is_ascii_alphanumeric() || ".-,_ ".contains(c);
        if let Some(bad) = text.chars().find(|c| !good(*c)) {
            return Err(InvalidForeignKey::Character(bad));
        }
        match text.len() {
            0 => Err(InvalidForeignKey::Empty),
            1..=Self::MAX_LEN => Ok(Self(text.to_owned())),
            longer => Err(InvalidForeignKey::TooLong(longer)),
        }
    }
}

impl fmt::Display for ForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
