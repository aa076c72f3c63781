//! What a system that tidies makes of a document: blanks at both ends of its strings are gone.

use serde_json::Value;

/// Gives a document as a system stores it that tidies: a text that has nothing to tidy stays as it is.
pub fn tidied(document: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(document) else { return document.to_owned() };
    if tidy(&mut value) { value.to_string() } else { document.to_owned() }
}

/// Trims all strings in it, and says whether there was anything to trim.
fn tidy(value: &mut Value) -> bool {
    match value {
        Value::String(text) => {
            let trimmed = text.trim_matches(' ');
            let is_untidy = trimmed.len() != text.len();
            *text = trimmed.to_owned();
            is_untidy
        }
        Value::Array(elements) => elements.iter_mut().fold(false, |untidy, element| tidy(element) | untidy),
        Value::Object(members) => members.values_mut().fold(false, |untidy, member| tidy(member) | untidy),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::tidied;

    #[test]
    fn strings_are_trimmed_wherever_they_stand_and_numbers_keep_their_digits() {
        let untidy = r#"{"a":" x ","n":{"b":["y "]},"big":12345678901234567890.10}"#;
        assert_eq!(tidied(untidy), r#"{"a":"x","big":12345678901234567890.10,"n":{"b":["y"]}}"#);
    }

    #[test]
    fn what_is_tidy_keeps_every_byte() {
        let tidy = r#"{ "b": 1e400, "a": "x" }"#;
        assert_eq!(tidied(tidy), tidy);
    }
}
