//! What a setting may hold, in words.

use std::time::Duration;

use super::Kind;
use crate::config::duration;

impl Kind {
    /// Returns what is expected, as the end of "expected ...".
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Text(form) => form.expected.to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Whole { min, max } => format!("a whole number from {min} to {max}"),
            Self::Number { max } => format!("a number from 0 to {max}"),
            Self::Duration { min, max, zero, forever } => expected_duration(*min, *max, *zero, *forever),
            Self::Word(words) => one_of(&words()),
            Self::FlagOrWord(words) => format!("true, false or {}", one_of(&words())),
            Self::Command { .. } => "a list of texts, or a text, that is a program and its arguments".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) | Self::Map { .. } => "a table".to_owned(),
        }
    }
}

fn expected_duration(min: Duration, max: Duration, zero: bool, forever: bool) -> String {
    let range = format!("from {} to {}", duration::display(min), duration::display(max));
    let zero = if zero { ", or \"0s\"" } else { "" };
    let forever = if forever { ", or \"forever\"" } else { "" };
    format!("a duration such as \"30s\" or \"1h 30m\", {range}{zero}{forever}")
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
