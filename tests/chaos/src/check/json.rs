//! JSON as it is written: a member twice is an error, a number is an exact decimal, and nothing passes through a float.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// How deep values may be nested.
const DEPTH: usize = 200;
/// Stands before a lone surrogate, which no text of Rust can hold: U+D800 becomes U+10D800, which nobody writes here.
const LONE: u32 = 0x10_0000;

/// A value. Two are equal if they are the same value, however they are spelt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

/// An exact decimal: the digits without zeros at either end, and the power of ten of the last one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    is_negative: bool,
    digits: String,
    exponent: i128,
}

/// Why a text is no JSON, and behind how many characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no JSON at character {at}: {why}")]
pub(super) struct NotJson {
    at: usize,
    why: &'static str,
}

impl Json {
    /// Reads a text that is one value.
    pub(super) fn parse(text: &str) -> Result<Self, NotJson> {
        let mut reader = Reader { rest: text.chars().peekable(), at: 0 };
        let value = reader.value(0)?;
        reader.blanks();
        if reader.rest.peek().is_some() { Err(reader.fail("more than one value")) } else { Ok(value) }
    }

    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name),
            _ => None,
        }
    }

    pub(super) fn elements(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Gives a whole number that is not negative.
    pub(super) fn whole(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.to_string().parse().ok(),
            _ => None,
        }
    }

    /// Lists what stands at its ends, with the pointers: objects are gone down into, unless they are empty; arrays are not.
    pub(super) fn leaves(&self) -> BTreeMap<String, &Self> {
        let mut leaves = BTreeMap::new();
        self.collect("", &mut leaves);
        leaves
    }

    fn collect<'a>(&'a self, pointer: &str, leaves: &mut BTreeMap<String, &'a Self>) {
        match self {
            Self::Object(members) if !members.is_empty() => {
                for (name, value) in members {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    value.collect(&format!("{pointer}/{name}"), leaves);
                }
            }
            _ => drop(leaves.insert(pointer.to_owned(), self)),
        }
    }

    /// Says whether a value stands anywhere in it, itself included.
    pub(super) fn contains(&self, wanted: &Self) -> bool {
        let is_inside = match self {
            Self::Array(elements) => elements.iter().any(|element| element.contains(wanted)),
            Self::Object(members) => members.values().any(|member| member.contains(wanted)),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => false,
        };
        is_inside || self == wanted
    }

    /// Gives it with the blanks at both ends of its texts gone.
    pub(super) fn tidied(&self) -> Self {
        match self {
            Self::String(text) => Self::String(text.trim_matches(' ').to_owned()),
            Self::Array(elements) => Self::Array(elements.iter().map(Self::tidied).collect()),
            Self::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (name.clone(), value.tidied())).collect())
            }
            Self::Null | Self::Bool(_) | Self::Number(_) => self.clone(),
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::String(text) => write!(f, "{text:?}"),
            Self::Array(elements) => {
                let elements: Vec<String> = elements.iter().map(Self::to_string).collect();
                write!(f, "[{}]", elements.join(","))
            }
            Self::Object(members) => {
                let members: Vec<String> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
                write!(f, "{{{}}}", members.join(","))
            }
        }
    }
}

impl Number {
    fn of(is_negative: bool, whole: &str, fraction: &str, exponent: i128) -> Self {
        let digits = format!("{whole}{fraction}");
        let kept = digits.trim_end_matches('0');
        let exponent = exponent - fraction.len() as i128 + (digits.len() - kept.len()) as i128;
        let kept = kept.trim_start_matches('0');
        if kept.is_empty() {
            return Self { is_negative: false, digits: String::new(), exponent: 0 };
        }
        Self { is_negative, digits: kept.to_owned(), exponent }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        match (self.digits.as_str(), self.exponent) {
            ("", _) => f.write_str("0"),
            (digits, 0) => write!(f, "{sign}{digits}"),
            (digits, zeros @ 1..=18) => write!(f, "{sign}{digits}{}", "0".repeat(usize::try_from(zeros).unwrap_or(0))),
            (digits, exponent) => write!(f, "{sign}{digits}e{exponent}"),
        }
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    at: usize,
}

impl Reader<'_> {
    fn fail(&self, why: &'static str) -> NotJson {
        NotJson { at: self.at, why }
    }

    fn next(&mut self) -> Option<char> {
        self.at += 1;
        self.rest.next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.rest.peek() == Some(&wanted);
        if is_there {
            self.next();
        }
        is_there
    }

    fn expect(&mut self, wanted: char, why: &'static str) -> Result<(), NotJson> {
        if self.take(wanted) { Ok(()) } else { Err(self.fail(why)) }
    }

    fn blanks(&mut self) {
        while matches!(self.rest.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.next();
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, NotJson> {
        if depth > DEPTH {
            return Err(self.fail("nested too deep"));
        }
        self.blanks();
        match self.rest.peek() {
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some('"') => self.text().map(Json::String),
            Some('-' | '0'..='9') => self.number().map(Json::Number),
            Some('t') => self.word("true", Json::Bool(true)),
            Some('f') => self.word("false", Json::Bool(false)),
            Some('n') => self.word("null", Json::Null),
            _ => Err(self.fail("no value")),
        }
    }

    fn word(&mut self, word: &'static str, value: Json) -> Result<Json, NotJson> {
        for letter in word.chars() {
            self.expect(letter, "no such word")?;
        }
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Json, NotJson> {
        let mut members = BTreeMap::new();
        self.next();
        self.blanks();
        if self.take('}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            let name = self.text()?;
            self.blanks();
            self.expect(':', "no colon behind a name")?;
            let value = self.value(depth + 1)?;
            if members.insert(name, value).is_some() {
                return Err(self.fail("a member twice"));
            }
            self.blanks();
            if self.take('}') {
                return Ok(Json::Object(members));
            }
            self.expect(',', "no comma between members")?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, NotJson> {
        let mut elements = Vec::new();
        self.next();
        self.blanks();
        if self.take(']') {
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.blanks();
            if self.take(']') {
                return Ok(Json::Array(elements));
            }
            self.expect(',', "no comma between elements")?;
        }
    }

    fn digits(&mut self) -> Result<String, NotJson> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            self.at += 1;
            digits.push(digit);
        }
        if digits.is_empty() { Err(self.fail("no digit")) } else { Ok(digits) }
    }

    fn number(&mut self) -> Result<Number, NotJson> {
        let is_negative = self.take('-');
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(self.fail("a zero in front"));
        }
        let fraction = if self.take('.') { self.digits()? } else { String::new() };
        let mut exponent = 0;
        if self.take('e') || self.take('E') {
            let is_small = self.take('-');
            if !is_small {
                self.take('+');
            }
            let size = self.digits()?.parse::<i128>().map_err(|_| self.fail("an exponent beyond measure"))?;
            exponent = if is_small { -size } else { size };
        }
        Ok(Number::of(is_negative, &whole, &fraction, exponent))
    }

    fn text(&mut self) -> Result<String, NotJson> {
        self.expect('"', "no text")?;
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => {
                    let unit = self.escape()?;
                    text.push(unit);
                }
                Some(letter) if letter >= ' ' => text.push(letter),
                Some(_) => return Err(self.fail("a control character in a text")),
                None => return Err(self.fail("a text without an end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, NotJson> {
        Ok(match self.next() {
            Some(letter @ ('"' | '\\' | '/')) => letter,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let high = self.unit()?;
                self.joined(high)?
            }
            _ => return Err(self.fail("no such escape")),
        })
    }

    fn unit(&mut self) -> Result<u32, NotJson> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|digit| digit.to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| self.fail("no four hexadecimal digits"))?;
        }
        Ok(unit)
    }

    /// Joins a unit of UTF-16 with the one that follows, if they are a pair.
    fn joined(&mut self, high: u32) -> Result<char, NotJson> {
        let lone = |unit: u32| char::from_u32(LONE + unit).unwrap_or(char::REPLACEMENT_CHARACTER);
        if !(0xD800..0xDC00).contains(&high) {
            return Ok(char::from_u32(high).unwrap_or_else(|| lone(high)));
        }
        let mut ahead = self.rest.clone();
        if (ahead.next(), ahead.next()) != (Some('\\'), Some('u')) {
            return Ok(lone(high));
        }
        let mut second = Reader { rest: ahead, at: self.at + 2 };
        let low = second.unit()?;
        if !(0xDC00..0xE000).contains(&low) {
            return Ok(lone(high));
        }
        (self.rest, self.at) = (second.rest, second.at);
        let joined = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[track_caller]
    fn json(text: &str) -> Json {
        Json::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn numbers_are_equal_by_value_and_only_so() {
        for (one, other) in [("1.10", "11e-1"), ("-0", "0.0e7"), ("1e400", "10e399"), ("100", "1E+2")] {
            assert_eq!(json(one), json(other));
        }
        let digits = "0.1000000000000000055511151231257827";
        for (one, other) in [("0.1", digits), ("12345678901234567890", "12345678901234567891"), ("1", "-1")] {
            assert_ne!(json(one), json(other));
        }
        assert_eq!((json("12").whole(), json("1e3").whole(), json("1.5").whole()), (Some(12), Some(1000), None));
    }

    #[test]
    fn texts_are_equal_however_they_are_escaped() {
        assert_eq!(json(r#""\ud83d\ude00\u0000\/""#), json("\"\u{1f600}\\u0000/\""));
        assert_ne!(json(r#""\ud83d""#), json(r#""\ud83e""#));
        assert_ne!(json(r#""\ude00\ud83d""#), json(r#""\ud83d\ude00""#));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{\"a\":1,\"a\":2}",
            "01",
            "1.",
            "nul",
            "[1,]",
            "{} {}",
            "\"\t\"",
            "\"\\x\"",
            "NaN",
            "{\"a\"}",
            "+1",
            "1e",
        ] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
        assert!(Json::parse(&"[".repeat(1000)).is_err());
    }

    #[test]
    fn leaves_are_named_by_their_pointers() {
        let value = json(r#"{"a":{"b/c":[1],"~":{}},"d":null}"#);
        let leaves: Vec<String> = value.leaves().iter().map(|(pointer, leaf)| format!("{pointer}={leaf}")).collect();
        assert_eq!(leaves, ["/a/b~1c=[1]", "/a/~0={}", "/d=null"]);
        assert!(value.contains(&json("1")) && !value.contains(&json("2")));
    }

    #[test]
    fn tidying_trims_texts_and_nothing_else() {
        assert_eq!(json(r#"{"a":" x ","b":["y\t "],"c":1.0}"#).tidied(), json(r#"{"a":"x","b":["y\t"],"c":1}"#));
    }
}
