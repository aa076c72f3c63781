//! Single values: whether one is of its kind, and how it is handed on.

use ::config::ValueKind;
use toml::de::{DeArray, DeValue};

use crate::config::command_line::{CommandLine, InvalidCommand};
use crate::config::duration;
use crate::config::schema::form::quote;
use crate::config::schema::{Form, Kind};
use crate::config::suggestion::did_you_mean;

/// What is wrong with a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Problem {
    fn new(message: String) -> Self {
        Self { message, hint: None }
    }

    /// Says that `value` is not what `kind` expects.
    pub(super) fn unexpected(kind: &Kind, value: &DeValue<'_>) -> Self {
        let found = if kind.is_secret() { type_of(value).to_owned() } else { found(value) };
        Self { message: format!("expected {}, found {found}", kind.expected()), hint: hint(kind, value) }
    }
}

/// Returns the value as the layers carry it; lists (but for commands) and tables are not for this function.
pub(super) fn read(kind: &Kind, value: &DeValue<'_>) -> Result<ValueKind, Problem> {
    let good = match (kind, value) {
        (Kind::Text(form), DeValue::String(text)) => return read_text(form, text),
        (Kind::Word(words) | Kind::FlagOrWord(words), DeValue::String(text)) => return read_word(kind, &words(), text),
        (Kind::Command { may_be_empty }, DeValue::String(text)) => {
            return read_command(CommandLine::split(text), *may_be_empty);
        }
        (Kind::Command { may_be_empty }, DeValue::Array(list)) => {
            return read_command(CommandLine::of_words(words_of(list)?), *may_be_empty);
        }
        (Kind::Flag, DeValue::Boolean(flag)) => Some((*flag).into()),
        (Kind::FlagOrWord(_), DeValue::Boolean(flag)) => Some(flag.to_string().into()),
        (Kind::Whole { min, max }, _) => integer(value).filter(|n| (*min..=*max).contains(n)).map(ValueKind::from),
        (Kind::Number { max }, _) => number(value).filter(|n| (0.0..=*max).contains(n)).map(ValueKind::from),
        (Kind::Duration { .. }, DeValue::String(text)) => is_duration(kind, text).then(|| text.as_ref().into()),
        (_, _) => None,
    };
    good.ok_or_else(|| Problem::unexpected(kind, value))
}

fn read_text(form: &Form, text: &str) -> Result<ValueKind, Problem> {
    form.problem(text).map_or_else(|| Ok(text.into()), |problem| Err(Problem::new(problem)))
}

fn read_word(kind: &Kind, words: &[&str], text: &str) -> Result<ValueKind, Problem> {
    if words.contains(&text) {
        return Ok(text.into());
    }
    let mut problem = Problem::unexpected(kind, &DeValue::String(text.into()));
    problem.message += &did_you_mean(text, words.iter().copied());
    Err(problem)
}

/// The words of a command are not shown: an argument may be a password.
fn read_command(command: Result<CommandLine, InvalidCommand>, may_be_empty: bool) -> Result<ValueKind, Problem> {
    let refused = |error: InvalidCommand| Problem::new(format!("expected a program and its arguments, but {error}"));
    let command = command.map_err(refused)?;
    if command.is_empty() && !may_be_empty {
        return Err(refused(InvalidCommand::Empty));
    }
    Ok(command.into_words().into())
}

fn words_of(list: &DeArray<'_>) -> Result<Vec<String>, Problem> {
    let word = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        other => Err(Problem::new(format!("expected texts in the list, found {}", found(other)))),
    };
    list.iter().map(|element| word(element.get_ref())).collect()
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    match value {
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => number.as_str().parse().ok(),
        DeValue::Integer(_) => integer(value).map(|number| number as f64),
        _ => None,
    }
}

fn is_duration(kind: &Kind, text: &str) -> bool {
    let Kind::Duration { min, max, zero, forever } = kind else { return false };
    match duration::parse(text) {
        Ok(duration) => (*min..=*max).contains(&duration) || *zero && duration.is_zero(),
        Err(_) => *forever && text == duration::FOREVER,
    }
}

/// Says how the value is likely to have been meant.
fn hint(kind: &Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (Kind::Duration { .. }, DeValue::Integer(number)) => Some(format!("write \"{number}s\" for seconds")),
        (Kind::Flag | Kind::FlagOrWord(_), DeValue::String(text)) if text == "true" || text == "false" => {
            Some(format!("write {text} without quotes"))
        }
        (Kind::List(_), DeValue::String(_)) => Some("put it in brackets".to_owned()),
        (_, _) => None,
    }
}

fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quote(text),
        DeValue::Integer(number) => cut(format!("the whole number {number}")),
        DeValue::Float(number) => cut(format!("the number {number}")),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => type_of(value).to_owned(),
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn cut(text: String) -> String {
    if text.len() > 60 { format!("{}…", text.chars().take(60).collect::<String>()) } else { text }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    const SPAN: Kind =
        Kind::Duration { min: Duration::from_secs(1), max: Duration::from_secs(60), zero: false, forever: true };
    const RATE: Kind = Kind::Number { max: 1e6 };
    const COUNT: Kind = Kind::Whole { min: 1, max: 1_000 };
    const AUTO: Kind = Kind::FlagOrWord(|| vec!["auto"]);
    const COMMAND: Kind = Kind::Command { may_be_empty: false };

    fn check(kind: &Kind, toml: &str) -> Result<ValueKind, Problem> {
        read(kind, DeValue::parse(toml).expect("the case is TOML").get_ref())
    }

    #[rstest]
    #[case(&RATE, "2", ValueKind::Float(2.0))]
    #[case(&RATE, "0.5", ValueKind::Float(0.5))]
    #[case(&COUNT, "0x10", ValueKind::U64(16))]
    #[case(&COUNT, "1_000", ValueKind::U64(1_000))]
    #[case(&AUTO, "true", ValueKind::String("true".into()))]
    #[case(&AUTO, "'auto'", ValueKind::String("auto".into()))]
    #[case(&SPAN, "'1m'", ValueKind::String("1m".into()))]
    #[case(&SPAN, "'forever'", ValueKind::String("forever".into()))]
    #[case(&COMMAND, "'a b'", vec!["a".to_owned(), "b".to_owned()].into())]
    fn a_good_value_is_handed_on(#[case] kind: &Kind, #[case] toml: &str, #[case] expected: ValueKind) {
        assert_eq!(check(kind, toml), Ok(expected));
    }

    #[rstest]
    #[case(&Kind::Flag, "'yes'", "expected true or false, found \"yes\"")]
    #[case(&Kind::Flag, "1", "expected true or false, found the whole number 1")]
    #[case(&COUNT, "8.0", "expected a whole number from 1 to 1000, found the number 8.0")]
    #[case(&COUNT, "0", "expected a whole number from 1 to 1000, found the whole number 0")]
    #[case(&COUNT, "-1", "expected a whole number from 1 to 1000, found the whole number -1")]
    #[case(&COUNT, "99999999999999999999", "expected a whole number from 1 to 1000, found the whole number 99999999999999999999")]
    #[case(&COUNT, "'8'", "expected a whole number from 1 to 1000, found \"8\"")]
    #[case(&RATE, "-0.5", "expected a number from 0 to 1000000, found the number -0.5")]
    #[case(&RATE, "nan", "expected a number from 0 to 1000000, found the number nan")]
    #[case(&RATE, "inf", "expected a number from 0 to 1000000, found the number inf")]
    #[case(&RATE, "1e999", "expected a number from 0 to 1000000, found the number 1e999")]
    #[case(&AUTO, "'true'", "expected true, false or \"auto\", found \"true\"")]
    #[case(&AUTO, "'atuo'", "expected true, false or \"auto\", found \"atuo\", did you mean \"auto\"?")]
    #[case(&SPAN, "'2m'", "expected a duration such as \"30s\" or \"1h 30m\", from 1s to 1m, or \"forever\", found \"2m\"")]
    #[case(&SPAN, "30", "expected a duration such as \"30s\" or \"1h 30m\", from 1s to 1m, or \"forever\", found the whole number 30")]
    #[case(&COMMAND, "[]", "expected a program and its arguments, but the program is missing")]
    #[case(&COMMAND, "''", "expected a program and its arguments, but the program is missing")]
    #[case(&COMMAND, "['a', 1]", "expected texts in the list, found the whole number 1")]
    #[case(&COMMAND, "1979-05-27", "expected a list of texts, or a text, that is a program and its arguments, found a date or time")]
    fn a_bad_value_is_refused(#[case] kind: &Kind, #[case] toml: &str, #[case] expected: &str) {
        assert_eq!(check(kind, toml).map_err(|problem| problem.message), Err(expected.to_owned()));
    }

    #[test]
    fn a_hint_says_what_was_probably_meant() {
        let hint = |kind: &Kind, toml: &str| check(kind, toml).expect_err("the case is wrong").hint;
        assert_eq!(hint(&SPAN, "30").as_deref(), Some("write \"30s\" for seconds"));
        assert_eq!(hint(&AUTO, "'true'").as_deref(), Some("write true without quotes"));
        assert_eq!(hint(&Kind::Flag, "'yes'"), None);
    }

    #[test]
    fn a_secret_is_never_shown() {
        use crate::config::schema::form::{DATABASE_URL, VARIABLE_NAME, VARIABLE_VALUE};
        for (form, toml) in
            [(DATABASE_URL, "'mysql://ann:hunter2@h/d'"), (DATABASE_URL, "[12345]"), (VARIABLE_VALUE, "12345")]
        {
            let message = check(&Kind::Text(form), toml).expect_err("the case is wrong").message;
            assert!(!message.contains("hunter2") && !message.contains("12345"), "{message}");
        }
        let env = Kind::Map { keys: VARIABLE_NAME, values: &Kind::Text(VARIABLE_VALUE) };
        for kind in [env, Kind::List(&Kind::Text(VARIABLE_VALUE))] {
            let message = check(&kind, "'TOKEN=12345'").expect_err("it is a text").message;
            assert!(message.starts_with("expected a ") && message.ends_with(", found a text"), "{message}");
        }
    }
}
