//! Strings as JSON has them: sequences of code points that may hold lone surrogates.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

/// A JSON string. Held as WTF-8, so that a lone `\ud800` survives; shared by its clones.
///
/// Always well-formed: a high surrogate with a low one after it is one code point, so equal strings have equal bytes.
/// The order is that of the code points.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// Returns the text if it holds no lone surrogate.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Returns the text with U+FFFD for each lone surrogate.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        if let Some(text) = self.as_str() {
            return Cow::Borrowed(text);
        }
        let mut lossy = String::with_capacity(self.0.len());
        for (run, lone) in self.pieces() {
            lossy.push_str(run);
            lossy.extend(lone.map(|_| char::REPLACEMENT_CHARACTER));
        }
        Cow::Owned(lossy)
    }

    /// Returns the text without white space (as Unicode has it) at its ends.
    pub(super) fn trim(&self) -> Self {
        if let Some(text) = self.as_str() {
            return Self::from(text.trim());
        }
        let start = self.pieces().next().map_or(0, |(run, _)| run.len() - run.trim_start().len());
        let end = match self.pieces().last() {
            Some((run, None)) => run.len() - run.trim_end().len(),
            Some((_, Some(_))) | None => 0,
        };
        Self(self.0[start..self.0.len() - end].into())
    }

    /// Returns the text as WTF-8.
    pub(super) fn as_wtf8(&self) -> &[u8] {
        &self.0
    }

    /// Takes bytes that were cut out of texts and joined at ASCII characters, so that they are well-formed still.
    pub(super) fn from_wtf8(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// Splits the text into runs of proper characters, each with the lone surrogate that ends it.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (&str, Option<u16>)> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let run = rest.utf8_chunks().next()?.valid();
            rest = &rest[run.len()..];
            let lone = surrogate(rest);
            if lone.is_some() {
                rest = &rest[3..];
            }
            Some((run, lone))
        })
    }
}

/// Reads the surrogate with which WTF-8 begins, if it does: `ED A0..BF 80..BF`.
fn surrogate(bytes: &[u8]) -> Option<u16> {
    match bytes {
        [0xED, second @ 0xA0..=0xBF, third, ..] => {
            Some(0xD000 | u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F))
        }
        _ => None,
    }
}

/// Builds a text from runs of characters and from `\u` escapes.
#[derive(Default)]
pub(super) struct TextBuilder(Vec<u8>);

impl TextBuilder {
    /// Appends proper characters.
    pub(super) fn push_str(&mut self, run: &str) {
        self.0.extend_from_slice(run.as_bytes());
    }

    /// Appends one UTF-16 code unit, as an escape names it; a low surrogate completes a high one just before it.
    pub(super) fn push_unit(&mut self, unit: u16) {
        let code_point = match (self.high_surrogate(), unit) {
            (Some(high), 0xDC00..=0xDFFF) => {
                self.0.truncate(self.0.len() - 3);
                0x10000 + (u32::from(high - 0xD800) << 10) + u32::from(unit - 0xDC00)
            }
            (Some(_) | None, _) => u32::from(unit),
        };
        match char::from_u32(code_point) {
            Some(proper) => self.push_str(proper.encode_utf8(&mut [0; 4])),
            None => self.0.extend([0xED, 0x80 | (unit >> 6 & 0x3F) as u8, 0x80 | (unit & 0x3F) as u8]),
        }
    }

    fn high_surrogate(&self) -> Option<u16> {
        let last = self.0.len().checked_sub(3)?;
        surrogate(&self.0[last..]).filter(|unit| *unit < 0xDC00)
    }

    pub(super) fn finish(self) -> Text {
        Text(self.0.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

/// Writes the text as a JSON string with its quotes; what need not be escaped is not.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for (run, lone) in self.pieces() {
            write_escaped(run, f)?;
            if let Some(unit) = lone {
                write!(f, "\\u{unit:04x}")?;
            }
        }
        f.write_char('"')
    }
}

fn write_escaped(run: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut written = 0;
    for (at, byte) in run.bytes().enumerate().filter(|(_, byte)| matches!(byte, 0..0x20 | b'"' | b'\\')) {
        f.write_str(&run[written..at])?;
        written = at + 1;
        match byte {
            b'"' => f.write_str("\\\"")?,
            b'\\' => f.write_str("\\\\")?,
            0x08 => f.write_str("\\b")?,
            0x09 => f.write_str("\\t")?,
            0x0A => f.write_str("\\n")?,
            0x0C => f.write_str("\\f")?,
            0x0D => f.write_str("\\r")?,
            control => write!(f, "\\u{control:04x}")?,
        }
    }
    f.write_str(&run[written..])
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Text, TextBuilder};
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    fn built(units: &[u16]) -> Text {
        let mut builder = TextBuilder::default();
        units.iter().for_each(|unit| builder.push_unit(*unit));
        builder.finish()
    }

    #[test]
    fn a_pair_of_escapes_is_one_code_point() {
        assert_eq!(built(&[0xD83D, 0xDE00]), Text::from("\u{1F600}"));
    }

    #[test]
    fn lone_surrogates_are_kept_and_shown() {
        let text = built(&[0x61, 0xDC00, 0xD800, 0xD800, 0x62]);
        assert_eq!(text.to_string(), r#""a\udc00\ud800\ud800b""#);
        assert_eq!(text.as_str(), None);
        assert_eq!(text.to_string_lossy(), "a\u{FFFD}\u{FFFD}\u{FFFD}b");
    }

    #[test]
    fn only_what_must_be_is_escaped() {
        let text = Text::from("\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\u{2028}é");
        assert_eq!(text.to_string(), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}\u{2028}é\"");
    }

    proptest! {
        #[test]
        fn code_units_survive(units in prop::collection::vec(prop::sample::select(vec![0, 0x61, 0xE9, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000]), 0..8)) {
            let mut back = Vec::new();
            for (run, lone) in built(&units).pieces() {
                back.extend(run.encode_utf16());
                back.extend(lone);
            }
            prop_assert_eq!(back, units);
        }

        #[test]
        fn strings_survive(string in any::<String>()) {
            let text = Text::from(string.as_str());
            prop_assert_eq!(text.as_str(), Some(string.as_str()));
            prop_assert_eq!(built(&string.encode_utf16().collect::<Vec<_>>()), text);
        }
    }
}
