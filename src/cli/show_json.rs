//! JSON for people.

use crate::domain::json::Json;
use crate::domain::text::Text;

/// How much of a value stands on one line of a list, in characters.
const SHORT: usize = 60;

/// Writes a value on lines of its own, indented.
pub(super) fn pretty(value: &Json) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

fn write(text: &mut String, value: &Json, depth: usize) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            let members = members.iter().map(|(name, value)| (Some(name), value));
            block(text, ['{', '}'], members, depth);
        }
        Json::Array(elements) if !elements.is_empty() => {
            block(text, ['[', ']'], elements.iter().map(|value| (None, value)), depth);
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
            text.push_str(&value.to_string());
        }
    }
}

fn block<'a>(
    text: &mut String,
    [open, close]: [char; 2],
    inside: impl Iterator<Item = (Option<&'a Text>, &'a Json)>,
    depth: usize,
) {
    text.push(open);
    for (n, (name, value)) in inside.enumerate() {
        text.push_str(if n == 0 { "\n" } else { ",\n" });
        text.push_str(&"  ".repeat(depth + 1));
        if let Some(name) = name {
            text.push_str(&format!("{name}: "));
        }
        write(text, value, depth + 1);
    }
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
    text.push(close);
}

/// Writes a value on one line, shortened if it is long.
pub(super) fn short(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Writes a value on one line, or that there is none.
pub(super) fn short_or_absent(value: Option<&Json>) -> String {
    value.map_or_else(|| "(absent)".to_owned(), short)
}

/// Says what led to a version, with all that is known of it.
pub(super) fn cause(cause: &Json) -> String {
    let Json::Object(members) = cause else { return cause.to_string() };
    let word = |value: &Json| match value {
        Json::String(text) => text.to_string_lossy().into_owned(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => short(value),
    };
    let kind = cause.member("kind").map(word).unwrap_or_default();
    let rest = members.iter().filter(|(name, _)| name.as_str() != Some("kind"));
    let rest = rest.map(|(name, value)| format!("{} {}", name.to_string_lossy(), word(value))).collect::<Vec<_>>();
    if rest.is_empty() { kind } else { format!("{kind} ({})", rest.join(", ")) }
}
