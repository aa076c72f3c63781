//! The parser: one pass over the text, which is checked to be UTF-8 first.

use std::sync::Arc;

use super::{Json, JsonError, Object};
use crate::domain::number::Number;
use crate::domain::text::{Text, TextBuilder};

/// The longest piece of the text, in characters, that an error quotes.
const QUOTED: usize = 40;

/// Parses exactly one value, nested no deeper than `deepest`.
pub(super) fn parse(bytes: &[u8], deepest: usize) -> Result<Json, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (valid, _) = bytes.split_at(error.valid_up_to());
        error_at(&String::from_utf8_lossy(valid), "the text is not UTF-8".to_owned())
    })?;
    if text.starts_with('\u{FEFF}') {
        return Err(error_at("", "the text begins with a byte order mark".to_owned()));
    }
    let mut parser = Parser { text, at: 0, deepest, members: Vec::new(), elements: Vec::new() };
    let value = parser.value(0)?;
    match parser.next_token() {
        None => Ok(value),
        Some(_) => Err(parser.expected("the end of the text")),
    }
}

/// Makes an error whose place is the end of `before`.
fn error_at(before: &str, problem: String) -> JsonError {
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    JsonError {
        problem,
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// Shortens what an error quotes.
fn quoted(piece: &str) -> String {
    let short: String = piece.chars().take(QUOTED).collect();
    let dots = if short.len() < piece.len() { "..." } else { "" };
    format!("{}{dots}", Text::from(short))
}

struct Parser<'a> {
    text: &'a str,
    /// What has been read, in bytes; always at the boundary of a character.
    at: usize,
    deepest: usize,
    /// Those of the objects that are not read to their ends: each takes its own once it ends.
    members: Vec<Member>,
    /// Likewise of arrays.
    elements: Vec<Json>,
}

/// A member as it stands in the text.
struct Member {
    name: Text,
    value: Json,
    /// Where the name begins.
    start: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space, and returns the byte after it without reading it.
    fn next_token(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    /// Reads bytes as long as they are `wanted`, which must not end within a character.
    fn run(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        self.at += rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
        &self.text[start..self.at]
    }

    fn error(&self, at: usize, problem: String) -> JsonError {
        error_at(&self.text[..at], problem)
    }

    fn expected(&self, what: &str) -> JsonError {
        let found = match self.text[self.at..].chars().next() {
            Some(found) => format!("found {}", Text::from(found.to_string())),
            None => "the text ends".to_owned(),
        };
        self.error(self.at, format!("expected {what}, {found}"))
    }

    /// Reads a value inside `depth` arrays and objects.
    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        match self.next_token() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'{' | b'[') if depth == self.deepest => {
                Err(self.error(self.at, format!("nesting deeper than {}", self.deepest)))
            }
            Some(b'{') => self.object(depth + 1).map(Json::Object),
            Some(b'[') => self.array(depth + 1).map(Json::Array),
            Some(byte) if byte.is_ascii_alphanumeric() || b"-+.".contains(&byte) => self.word(),
            Some(_) | None => Err(self.expected("a value")),
        }
    }

    /// Reads what is neither nested nor quoted.
    fn word(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        let word = self.run(|byte| byte.is_ascii_alphanumeric() || b"-+._".contains(&byte));
        match word {
            "null" => Ok(Json::Null),
            "true" => Ok(Json::Bool(true)),
            "false" => Ok(Json::Bool(false)),
            _ => Number::parse(word)
                .map(Json::Number)
                .ok_or_else(|| self.error(start, format!("{} is not a JSON value", quoted(word)))),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Arc<[Json]>, JsonError> {
        self.at += 1;
        let first = self.elements.len();
        if self.next_token() == Some(b']') {
            self.at += 1;
            return Ok(Arc::default());
        }
        loop {
            let element = self.value(depth)?;
            self.elements.push(element);
            if self.ends(b']', "\",\" or \"]\"")? {
                return Ok(self.elements.drain(first..).collect());
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Object, JsonError> {
        self.at += 1;
        let first = self.members.len();
        if self.next_token() == Some(b'}') {
            self.at += 1;
            return Ok(Object::new());
        }
        loop {
            let member = self.member(depth)?;
            self.members.push(member);
            if self.ends(b'}', "\",\" or \"}\"")? {
                return self.take_members(first);
            }
        }
    }

    /// Makes an object of the members from the position `first` on.
    fn take_members(&mut self, first: usize) -> Result<Object, JsonError> {
        let members = &mut self.members[first..];
        if !members.is_sorted_by(|one, next| one.name < next.name) {
            members.sort_unstable_by(|one, other| (&one.name, one.start).cmp(&(&other.name, other.start)));
            let again = members.windows(2).filter(|pair| pair[0].name == pair[1].name).map(|pair| &pair[1]);
            if let Some(Member { name, start, .. }) = again.min_by_key(|member| member.start) {
                let problem = format!("the member {} stands twice", quoted(&name.to_string_lossy()));
                return Err(error_at(&self.text[..*start], problem));
            }
        }
        Ok(Object::of_sorted(self.members.drain(first..).map(|member| (member.name, member.value))))
    }

    fn member(&mut self, depth: usize) -> Result<Member, JsonError> {
        if self.next_token() != Some(b'"') {
            return Err(self.expected("a member name in quotes"));
        }
        let start = self.at;
        let name = self.string()?;
        if self.next_token() != Some(b':') {
            return Err(self.expected("\":\""));
        }
        self.at += 1;
        Ok(Member { name, value: self.value(depth)?, start })
    }

    /// Reads the comma or the `end` after a member or an element, and says whether it was the end.
    fn ends(&mut self, end: u8, expected: &str) -> Result<bool, JsonError> {
        match self.next_token() {
            Some(byte) if byte == end || byte == b',' => {
                self.at += 1;
                Ok(byte == end)
            }
            Some(_) | None => Err(self.expected(expected)),
        }
    }

    fn string(&mut self) -> Result<Text, JsonError> {
        self.at += 1;
        let plain = |byte| byte >= 0x20 && byte != b'"' && byte != b'\\';
        let first = self.run(plain);
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Text::from(first));
        }
        let mut builder = TextBuilder::default();
        builder.push_str(first);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(builder.finish());
                }
                Some(b'\\') => builder.push_unit(self.escape()?),
                Some(0..0x20) => {
                    return Err(self.error(self.at, "a control character stands in a string unescaped".to_owned()));
                }
                Some(_) => builder.push_str(self.run(plain)),
                None => return Err(self.expected("the end of the string")),
            }
        }
    }

    fn escape(&mut self) -> Result<u16, JsonError> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let unit = match bytes.get(start + 1) {
            Some(byte @ (b'"' | b'\\' | b'/')) => Some(u16::from(*byte)),
            Some(b'b') => Some(0x08),
            Some(b't') => Some(0x09),
            Some(b'n') => Some(0x0A),
            Some(b'f') => Some(0x0C),
            Some(b'r') => Some(0x0D),
            Some(b'u') => bytes.get(start + 2..start + 6).and_then(hex),
            Some(_) | None => None,
        };
        let unit = unit.ok_or_else(|| self.error(start, "a backslash begins no escape of JSON".to_owned()))?;
        self.at += if bytes[start + 1] == b'u' { 6 } else { 2 };
        Ok(unit)
    }
}

fn hex(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
}
