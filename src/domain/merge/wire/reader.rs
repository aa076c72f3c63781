//! Reading JSON of a fixed form: each mistake is named with its place, and with the word that was meant.

use crate::domain::json::{Json, Object};
use crate::domain::pointer::Pointer;
use crate::domain::text::Text;

use super::WireError;

/// A value in the input, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    pub(super) value: &'a Json,
    place: Pointer,
}

impl<'a> Reader<'a> {
    pub(super) fn root(value: &'a Json) -> Self {
        Self { value, place: Pointer::root() }
    }

    /// Reads an object that may have any members.
    pub(super) fn members(&self) -> Result<impl Iterator<Item = (&'a Text, Reader<'a>)>, WireError> {
        let members = self.object("an object")?;
        let place = self.place.clone();
        Ok(members.iter().map(move |(name, value)| (name, Reader { value, place: place.child(name) })))
    }

    /// Reads an object that may have just these members.
    pub(super) fn known_members(&self, known: &[&str]) -> Result<(), WireError> {
        for name in self.object(&format!("an object with {}", words(known, "and")))?.keys() {
            if !known.iter().any(|word| name.as_str() == Some(word)) {
                let found = format!("the member {name}");
                return Err(self.refuse_word(&words(known, "or"), found, &name.to_string_lossy(), known));
            }
        }
        Ok(())
    }

    /// Returns a member, if it is there.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.member(name)?;
        Some(Self { value, place: self.place.child(&Text::from(name)) })
    }

    pub(super) fn array(&self, expected: &str) -> Result<impl Iterator<Item = Self>, WireError> {
        let elements = self.value.as_array().ok_or_else(|| self.refuse(expected))?;
        let at = |index: usize| self.place.child(&Text::from(index.to_string()));
        Ok(elements.iter().enumerate().map(move |(index, value)| Self { value, place: at(index) }))
    }

    pub(super) fn text(&self, expected: &str) -> Result<&'a str, WireError> {
        self.value.as_text().and_then(Text::as_str).ok_or_else(|| self.refuse(expected))
    }

    /// Reads one of a few words.
    pub(super) fn word<T: Copy>(&self, known: &[(&str, T)]) -> Result<T, WireError> {
        let names: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let expected = words(&names, "or");
        let text = self.text(&expected)?;
        let found = known.iter().find(|(word, _)| *word == text);
        let refused = || self.refuse_word(&expected, self.value.to_string(), text, &names);
        found.map(|(_, meaning)| *meaning).ok_or_else(refused)
    }

    /// Reads `true`, which is all that may stand there.
    pub(super) fn sure(&self) -> Result<(), WireError> {
        if *self.value == Json::Bool(true) { Ok(()) } else { Err(self.refuse("true")) }
    }

    pub(super) fn boolean(&self) -> Result<bool, WireError> {
        match self.value {
            Json::Bool(value) => Ok(*value),
            Json::Null | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
                Err(self.refuse("true or false"))
            }
        }
    }

    /// Reads what stands in a string by the rules of its type.
    pub(super) fn parse<T: std::str::FromStr>(&self, expected: &str) -> Result<T, WireError> {
        self.text(expected)?.parse().map_err(|_| self.refuse(expected))
    }

    pub(super) fn pointers(&self) -> Result<Vec<Pointer>, WireError> {
        let expected = "a JSON pointer";
        let pointers = self.array("an array of JSON pointers")?;
        pointers.map(|pointer| Pointer::from_json(pointer.value).map_err(|_| pointer.refuse(expected))).collect()
    }

    /// Says that something else was expected here.
    pub(super) fn refuse(&self, expected: &str) -> WireError {
        self.refuse_found(expected, brief(self.value))
    }

    /// Says that something else was expected here than `found`.
    pub(super) fn refuse_found(&self, expected: &str, found: String) -> WireError {
        WireError::Form { place: self.place.clone(), expected: expected.to_owned(), found, nearest: None }
    }

    fn refuse_word(&self, expected: &str, found: String, text: &str, known: &[&str]) -> WireError {
        let likeness = |word: &&&str| (strsim::jaro_winkler(word, text) * 1000.0) as u32;
        let nearest = known.iter().max_by_key(likeness).filter(|word| likeness(word) >= 800);
        WireError::Form {
            place: self.place.clone(),
            expected: expected.to_owned(),
            found,
            nearest: nearest.map(|word| (*word).to_owned()),
        }
    }

    /// Returns the pointer that a member's name is.
    pub(super) fn pointer(&self, name: &Text) -> Result<Pointer, WireError> {
        let refused = || self.refuse_found("members named by JSON pointers", format!("the member {name}"));
        Pointer::from_text(name).map_err(|_| refused())
    }

    fn object(&self, expected: &str) -> Result<&'a Object, WireError> {
        self.value.as_object().ok_or_else(|| self.refuse(expected))
    }
}

/// Lists words for people.
fn words(words: &[&str], last: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((end, start)) if !start.is_empty() => format!("{} {last} {end}", start.join(", ")),
        Some((only, _)) => only.clone(),
        None => "nothing".to_owned(),
    }
}

/// Shows a value in a few words.
fn brief(value: &Json) -> String {
    match value {
        Json::Object(_) => "an object".to_owned(),
        Json::Array(_) => "an array".to_owned(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            let shown = value.to_string();
            if shown.chars().count() <= 80 { shown } else { shown.chars().take(80).chain("...".chars()).collect() }
        }
    }
}
