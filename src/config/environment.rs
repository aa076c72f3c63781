//! The settings that the environment overrides: `RETCON__SERVER__LISTEN` and its like.

use toml::Spanned;
use toml::de::DeValue;

use super::check::{Checker, Ground, Values};
use super::finding::{Finding, Place};
use super::key_path::KeyPath;
use super::places::Places;
use super::schema::{ENVIRONMENT_SECTIONS, Key, Kind, ROOT};
use super::suggestion::did_you_mean;

const PREFIX: &str = "RETCON__";

/// Reads the variables that begin with `RETCON__`; each that cannot be used is an error that names it.
pub(crate) fn read(variables: &[(String, String)], places: &mut Places, errors: &mut Vec<Finding>) -> Values {
    let mut values = Values::new();
    for (name, text) in variables.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        let Some(keys) = setting_of(name) else {
            errors.push(unknown(name));
            continue;
        };
        let path = KeyPath::of(keys.iter().map(|key| key.name));
        let mut checker = Checker { ground: Ground::Variable(name), places: &mut *places, errors: &mut *errors };
        let kind = &keys[keys.len() - 1].kind;
        if let Some(value) = checker.value(&parse(kind, text), kind, &path) {
            checker.places.record(&path, Place::Variable(name.clone()));
            put(&mut values, &keys, value);
        }
    }
    values
}

/// Returns the keys from the section to the setting.
fn setting_of(variable: &str) -> Option<Vec<&'static Key>> {
    settings().find(|keys| name_of(keys) == variable)
}

/// Returns every setting that has a variable.
fn settings() -> impl Iterator<Item = Vec<&'static Key>> {
    fn below(keys: Vec<&'static Key>) -> Vec<Vec<&'static Key>> {
        match keys.last().map(|key| &key.kind) {
            Some(Kind::Table(table)) => {
                table.keys.iter().flat_map(|key| below(keys.iter().copied().chain([key]).collect())).collect()
            }
            Some(_) | None => vec![keys],
        }
    }
    ROOT.keys.iter().filter(|key| ENVIRONMENT_SECTIONS.contains(&key.name)).flat_map(|key| below(vec![key]))
}

fn name_of(keys: &[&Key]) -> String {
    let names: Vec<String> = keys.iter().map(|key| key.name.to_uppercase()).collect();
    format!("{PREFIX}{}", names.join("__"))
}

fn unknown(variable: &str) -> Finding {
    let section = variable.trim_start_matches(PREFIX).split("__").next().unwrap_or_default().to_lowercase();
    let (message, hint) = if ROOT.key(&section).is_some() && !ENVIRONMENT_SECTIONS.contains(&section.as_str()) {
        let sections = ENVIRONMENT_SECTIONS.join(", ");
        let are = if section.ends_with('s') { "are" } else { "is" };
        (
            format!("{section} {are} not set by the environment, but in the file"),
            Some(format!("the environment overrides {sections}")),
        )
    } else {
        let names: Vec<String> = settings().map(|keys| name_of(&keys)).collect();
        let rests = names.iter().map(|name| name.trim_start_matches(PREFIX));
        let guess = did_you_mean(variable.trim_start_matches(PREFIX), rests).replace("mean \"", "mean \"RETCON__");
        (format!("no setting has this name{guess}"), None)
    };
    Finding { place: Place::Variable(variable.to_owned()), key: String::new(), message, hint }
}

/// Turns the text of a variable into what the file would hold: a text for a text, else TOML; a list may also be words between commas.
fn parse<'a>(kind: &Kind, text: &'a str) -> Spanned<DeValue<'a>> {
    let as_text = || Spanned::new(0..0, DeValue::String(text.into()));
    let trimmed = text.trim();
    match kind {
        Kind::Flag | Kind::FlagOrWord(_) | Kind::Whole { .. } | Kind::Number { .. } => {
            DeValue::parse(trimmed).unwrap_or_else(|_| as_text())
        }
        Kind::List(_) | Kind::Command { .. } if trimmed.starts_with('[') => {
            DeValue::parse(trimmed).unwrap_or_else(|_| as_text())
        }
        Kind::List(_) => {
            let words = trimmed.split(',').map(str::trim).filter(|word| !word.is_empty());
            let list = words.map(|word| Spanned::new(0..0, DeValue::String(word.into())));
            Spanned::new(0..0, DeValue::Array(list.collect()))
        }
        Kind::Text(_)
        | Kind::Duration { .. }
        | Kind::Word(_)
        | Kind::Command { .. }
        | Kind::Table(_)
        | Kind::Map { .. } => as_text(),
    }
}

fn put(values: &mut Values, keys: &[&Key], value: ::config::Value) {
    match keys {
        [] => {}
        [last] => {
            values.insert(last.name.to_owned(), value);
        }
        [first, rest @ ..] => {
            let inner = values.entry(first.name.to_owned()).or_insert_with(|| Values::new().into());
            if let ::config::ValueKind::Table(table) = &mut inner.kind {
                put(table, rest, value);
            }
        }
    }
}
