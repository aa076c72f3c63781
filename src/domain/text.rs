//! Strings as JSON has them: sequences of code points that may hold lone surrogates.

use std::fmt;

/// A JSON string. Held as WTF-8, so that a lone `\ud800` survives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Box<[u8]>);

impl Text {
    /// Returns the text if it holds no lone surrogate.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Returns the text with U+FFFD for each lone surrogate.
    pub fn to_string_lossy(&self) -> std::borrow::Cow<'_, str> {
        todo!()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

/// Writes the text as a JSON string with its quotes; `\u0000` and lone surrogates are escaped.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!("{}", f.alternate())
    }
}
