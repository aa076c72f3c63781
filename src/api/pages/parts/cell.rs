//! A value of a document, so that what it is can be told from how it looks: text is quoted, and what is not there is a word.

use askama::Template;
use askama::filters::HtmlSafe;

use super::number::Grouped;
use super::unseen::{Piece, pieces};
use crate::domain::json::Json;

/// What is longer is folded, in characters.
const LONG: usize = 400;

/// Of what is longer the beginning is shown alone, in characters.
const LONGEST: usize = 8_000;

/// A value, or that there is none.
#[derive(Template)]
#[template(path = "parts/cell.html", config = "src/api/pages/askama.toml")]
pub(crate) struct Cell {
    /// For the style sheet: `text`, `number`, `truth`, `null`, `nested`, `none`.
    kind: &'static str,
    text: Vec<Piece>,
    /// The beginning of a text that is long.
    beginning: Option<Vec<Piece>>,
    /// How long the whole of it is, in characters.
    length: usize,
    /// The text is not all of it.
    is_cut: bool,
}

impl HtmlSafe for Cell {}

impl Cell {
    /// Shows a value.
    pub(crate) fn of(value: &Json) -> Self {
        let kind = match value {
            Json::String(_) => "text",
            Json::Number(_) => "number",
            Json::Bool(_) => "truth",
            Json::Null => "null",
            Json::Array(_) | Json::Object(_) => "nested",
        };
        let text = match value {
            Json::Array(_) | Json::Object(_) => indented(value),
            Json::String(_) | Json::Number(_) | Json::Bool(_) | Json::Null => value.to_string(),
        };
        let length = text.chars().count();
        let beginning = (length > LONG).then(|| pieces(first(&text, LONG / 4)));
        let is_cut = length > LONGEST;
        Self { kind, text: pieces(first(&text, LONGEST)), beginning, length, is_cut }
    }

    /// Shows a value of a document that is there, if it has that field.
    pub(crate) fn of_field(value: Option<&Json>) -> Self {
        value.map_or_else(Self::no_field, Self::of)
    }

    /// Says that the document has no such field.
    pub(crate) fn no_field() -> Self {
        Self::word("no such field")
    }

    /// Says that there is no document.
    pub(crate) fn no_document() -> Self {
        Self::word("no document")
    }

    /// Says in a word why there is no value.
    pub(crate) fn word(text: &str) -> Self {
        Self { kind: "none", text: pieces(text), beginning: None, length: 0, is_cut: false }
    }
}

/// The first so many characters.
fn first(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

/// Writes a value over several lines, two spaces for each level.
fn indented(value: &Json) -> String {
    let mut text = String::new();
    indent(value, 0, &mut text);
    text
}

fn indent(value: &Json, depth: usize, text: &mut String) {
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    match value {
        Json::Array(elements) if !elements.is_empty() => {
            text.push('[');
            for (n, element) in elements.iter().enumerate() {
                text.push_str(if n > 0 { "," } else { "" });
                line(text, depth + 1);
                indent(element, depth + 1, text);
            }
            line(text, depth);
            text.push(']');
        }
        Json::Object(members) if !members.is_empty() => {
            text.push('{');
            for (n, (name, value)) in members.iter().enumerate() {
                text.push_str(if n > 0 { "," } else { "" });
                line(text, depth + 1);
                text.push_str(&format!("{name}: "));
                indent(value, depth + 1, text);
            }
            line(text, depth);
            text.push('}');
        }
        Json::Array(_) | Json::Object(_) | Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        Cell::of(&json.parse().expect("JSON")).to_string()
    }

    #[test]
    fn what_is_not_there_is_told_from_what_is_empty() {
        assert!(shown("\"\"").contains("&#34;&#34;"), "{}", shown("\"\""));
        assert!(shown("null").contains("null"));
        let cells = [Cell::no_field().to_string(), Cell::no_document().to_string(), shown("\"no document\"")];
        assert!(cells[0].contains("no such field") && cells[1].contains("no document"), "{cells:?}");
        assert_ne!(cells[1], cells[2]);
    }

    #[test]
    fn a_value_is_text_whatever_it_holds() {
        let text = shown(r#""<img src=x onerror=alert(1)>""#);
        assert!(!text.contains("<img") && text.contains("dir=\"auto\""), "{text}");
        let text = shown(r#"{"</code><script>": ["<b>"]}"#);
        assert!(!text.contains("<script>") && !text.contains("<b>"), "{text}");
    }

    #[test]
    fn values_that_differ_look_different_and_none_is_turned_round() {
        let text = shown("\"a\u{202e}\u{2066}b\"");
        assert!(text.contains("a<span class=\"unseen\">\\u202E\\u2066</span>b"), "{text}");
        assert_ne!(shown("\"a b\""), shown("\"a\u{a0}b\""));
        // Text in which that is written out has a stroke more, and is not marked.
        assert!(shown(r#""a\\u202E""#).contains(r"a\\u202E&#34;"), "{}", shown(r#""a\\u202E""#));
        let long = shown(&format!("\"{}\"", "x\u{200b}".repeat(300)));
        assert!(long.matches("unseen").count() > 300 && !long.contains('\u{200b}'), "{long}");
    }

    #[test]
    fn every_digit_is_shown_and_what_is_long_is_folded() {
        assert!(shown("1.10").contains("1.10"));
        assert!(!shown(&format!("{:?}", "x".repeat(300))).contains("<details"));
        let long = shown(&format!("{:?}", "x".repeat(500)));
        assert!(long.contains("<details") && long.contains("502 characters"), "{long}");
        let longest = shown(&format!("{:?}", "x".repeat(1_000_000)));
        assert!(
            longest.len() < 10_000 && longest.contains("the first 8,000 of 1,000,002 characters"),
            "{}",
            longest.len()
        );
        assert!(shown(r#"{"a": [1, {}]}"#).contains("{\n  &#34;a&#34;: [\n    1,\n    {}\n  ]\n}"));
    }
}
