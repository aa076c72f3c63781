//! What a program prints of its environment is hidden: it may be a password, and what is printed is logged and shown.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::config::HIDDEN;

/// What is shorter is no secret, in bytes: to hide every `1` and every `items` would leave nothing to be understood.
const SHORTEST: usize = 8;

/// Hides the values of a source's `env` in what its programs have printed.
pub(super) fn hide<'a>(env: &BTreeMap<String, String>, printed: &'a [u8]) -> Cow<'a, [u8]> {
    let mut values: Vec<&[u8]> = env.values().map(|value| value.trim().as_bytes()).collect();
    values.retain(|value| value.len() >= SHORTEST);
    if values.is_empty() {
        return Cow::Borrowed(printed);
    }
    // Of two of which one begins with the other the longer one is hidden.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    let mut shown = Vec::new();
    let (mut begin, mut at) = (0, 0);
    while at < printed.len() {
        let Some(value) = values.iter().find(|value| printed[at..].starts_with(value)) else {
            at += 1;
            continue;
        };
        shown.extend_from_slice(&printed[begin..at]);
        shown.extend_from_slice(HIDDEN.as_bytes());
        at += value.len();
        begin = at;
    }
    if begin == 0 {
        return Cow::Borrowed(printed);
    }
    shown.extend_from_slice(&printed[begin..]);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[&str], printed: &str, expected: &str) {
        let env = values.iter().enumerate().map(|(n, value)| (format!("V{n}"), (*value).to_owned())).collect();
        assert_eq!(String::from_utf8_lossy(&hide(&env, printed.as_bytes())), expected, "{values:?}");
    }

    #[test]
    fn values_are_hidden_wherever_they_stand() {
        check(&["hunter22"], "cannot log in with hunter22", "cannot log in with (hidden)");
        check(&["hunter22"], "hunter22hunter22: Xhunter22X", "(hidden)(hidden): X(hidden)X");
        check(&["two\nlines"], "it said two\nlines.", "it said (hidden).");
        check(&["with a newline\n"], "it said with a newline", "it said (hidden)");
        check(&["hunter22", "hunter22-and-more"], "hunter22-and-more", "(hidden)");
    }

    #[test]
    fn short_values_are_no_secrets() {
        check(&["1", "", "items"], "items/1 is not there", "items/1 is not there");
    }

    #[test]
    fn what_holds_none_is_as_it_was() {
        check(&["hunter22"], "hunter2", "hunter2");
        check(&[], "anything", "anything");
    }
}
