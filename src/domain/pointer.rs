//! JSON pointers (RFC 6901).

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

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

    /// Says whether this is the pointer to the whole document.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names from the root down.
    pub fn tokens(&self) -> &[Text] {
        &self.0
    }

    /// Returns the pointer to the member `name` below this one.
    pub fn child(&self, name: &Text) -> Self {
        let mut tokens = Vec::with_capacity(self.0.len() + 1);
        tokens.extend_from_slice(&self.0);
        tokens.push(name.clone());
        Self(tokens)
    }

    /// Returns the pointer just above this one, and the name that leads back; the root has none.
    pub fn split_last(&self) -> Option<(Self, &Text)> {
        self.0.split_last().map(|(name, above)| (Self(above.to_vec()), name))
    }

    /// Says whether `prefix` is this pointer or leads to it.
    pub fn starts_with(&self, prefix: &Pointer) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// Says whether one of the two pointers is the other or leads to it.
    pub fn touches(&self, other: &Pointer) -> bool {
        self.starts_with(other) || other.starts_with(self)
    }

    /// Returns what stands at this place through object members alone, never into an array.
    pub fn find<'a>(&self, document: &'a Json) -> Option<&'a Json> {
        self.0.iter().try_fold(document, |value, name| value.as_object()?.get(name))
    }

    /// Returns the pointer as it is written, nothing lost.
    pub fn to_text(&self) -> Text {
        let mut written = Vec::new();
        for token in &self.0 {
            written.push(b'/');
            for byte in token.as_wtf8() {
                match byte {
                    b'~' => written.extend(b"~0"),
                    b'/' => written.extend(b"~1"),
                    other => written.push(*other),
                }
            }
        }
        Text::from_wtf8(written)
    }

    /// Reads what [`Pointer::to_text`] gave.
    ///
    /// # Errors
    /// [`InvalidPointer`] if it neither is empty nor begins with `/`, or holds a `~` without a `0` or `1` after it.
    pub fn from_text(text: &Text) -> Result<Self, InvalidPointer> {
        let mut tokens = text.as_wtf8().split(|byte| *byte == b'/');
        match tokens.next() {
            Some([]) => tokens.map(unescaped).collect::<Result<_, _>>().map(Self),
            Some(_) | None => Err(InvalidPointer),
        }
    }

    /// Returns the pointer as a JSON string, the form in which it is stored and sent: a name may hold `\u0000`
    /// or a lone surrogate, which no UTF-8 text column holds.
    pub fn to_json(&self) -> Json {
        Json::String(self.to_text())
    }

    /// Reads what [`Pointer::to_json`] gave.
    ///
    /// # Errors
    /// [`InvalidPointer`] if it is no string, and as for [`Pointer::from_text`].
    pub fn from_json(value: &Json) -> Result<Self, InvalidPointer> {
        value.as_text().ok_or(InvalidPointer).and_then(Self::from_text)
    }
}

fn unescaped(token: &[u8]) -> Result<Text, InvalidPointer> {
    let mut name = Vec::with_capacity(token.len());
    let mut bytes = token.iter();
    while let Some(byte) = bytes.next() {
        name.push(match byte {
            b'~' => match bytes.next() {
                Some(b'0') => b'~',
                Some(b'1') => b'/',
                Some(_) | None => return Err(InvalidPointer),
            },
            other => *other,
        });
    }
    Ok(Text::from_wtf8(name))
}

impl From<Vec<Text>> for Pointer {
    fn from(tokens: Vec<Text>) -> Self {
        Self(tokens)
    }
}

impl FromStr for Pointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        Self::from_text(&Text::from(text))
    }
}

/// Writes the pointer for people; a lone surrogate in it becomes U+FFFD.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text().to_string_lossy())
    }
}

/// Serializes as a JSON string, with the limits of [`Json`]; as the name of a member use [`Pointer::to_text`].
impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Json::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Pointer;
    use crate::domain::json::Json;
    use crate::domain::text::Text;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    fn names(pointer: &str) -> Vec<Text> {
        pointer.parse::<Pointer>().expect("a pointer").tokens().to_vec()
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        assert_eq!(names(""), []);
        assert_eq!(names("/"), [Text::from("")]);
        assert_eq!(names("/foo/0"), [Text::from("foo"), Text::from("0")]);
        assert_eq!(names("/a~1b~0c"), [Text::from("a/b~c")]);
        assert_eq!(names("/~01"), [Text::from("~1")]);
        assert_eq!(names("/a//"), [Text::from("a"), Text::from(""), Text::from("")]);
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["a", " /a", "/~", "/~2", "/a~", "/~/0", "#/a"] {
            assert!(text.parse::<Pointer>().is_err(), "{text:?} was taken for a pointer");
        }
        assert!(Pointer::from_json(&Json::Null).is_err());
    }

    #[test]
    fn nul_and_lone_surrogates_survive_storage() {
        let stored: Json = r#""/a\u0000/\ud800~1""#.parse().expect("JSON");
        let pointer = Pointer::from_json(&stored).expect("a pointer");
        assert_eq!(pointer.to_json(), stored);
        assert_eq!(pointer.to_string(), "/a\0/\u{FFFD}~1");
        let sent = serde_json::to_string(&pointer).expect("it can be sent");
        assert_eq!(sent, r#""/a\u0000/\ud800~1""#);
        assert_eq!(serde_json::from_str::<Pointer>(&sent).expect("it can be read"), pointer);
    }

    #[test]
    fn a_place_is_found_through_objects_alone() {
        let document: Json = r#"{"a":{"b/c":[1]},"":2}"#.parse().expect("JSON");
        let found = |pointer: &str| pointer.parse::<Pointer>().expect("a pointer").find(&document).map(Json::to_string);
        assert_eq!(found("/a/b~1c").as_deref(), Some("[1]"));
        assert_eq!(found("/").as_deref(), Some("2"));
        assert_eq!(found("/a/b~1c/0"), None);
        assert_eq!(found("/x"), None);
    }

    proptest! {
        #[test]
        fn names_of_any_kind_survive(names in prop::collection::vec(any::<String>(), 0..4)) {
            let pointer = Pointer::from(names.iter().map(|name| Text::from(name.as_str())).collect::<Vec<_>>());
            prop_assert_eq!(&pointer.to_string().parse::<Pointer>().expect("a pointer"), &pointer);
            prop_assert_eq!(&Pointer::from_json(&pointer.to_json()).expect("a pointer"), &pointer);
        }
    }
}
