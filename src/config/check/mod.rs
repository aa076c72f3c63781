//! Holds a spanned TOML tree against the schema: unknown keys, values of the wrong kind, each with its place.
//!
//! What is good is handed on as a layer for the `config` crate, which would coerce silently and stop at the first error.

mod scalar;

use std::collections::HashMap;

use ::config::Value;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use self::scalar::Problem;
use super::finding::{Finding, Place};
use super::key_path::KeyPath;
use super::places::{Places, SourceText};
use super::schema::form::quote;
use super::schema::{Form, Kind, Table, home_of};
use super::suggestion::nearest;

/// A table as the layers carry it.
pub(crate) type Values = HashMap<String, Value>;

/// Where the values of a tree come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ground<'a> {
    File(&'a SourceText<'a>),
    Variable(&'a str),
}

impl Ground<'_> {
    fn place(self, offset: usize) -> Place {
        match self {
            Self::File(source) => source.place(offset),
            Self::Variable(name) => Place::Variable(name.to_owned()),
        }
    }
}

/// Checks values, and remembers their places and what is wrong with them.
pub(crate) struct Checker<'a> {
    pub(crate) ground: Ground<'a>,
    pub(crate) places: &'a mut Places,
    pub(crate) errors: &'a mut Vec<Finding>,
}

impl Checker<'_> {
    /// Returns what is good of a table with fixed keys.
    pub(crate) fn table(&mut self, table: &DeTable<'_>, schema: &Table, path: &KeyPath) -> Values {
        let mut values = Values::new();
        for (name, value) in table {
            match schema.key(name.get_ref()) {
                Some(key) => {
                    let path = path.key(key.name);
                    self.places.record(&path, self.ground.place(start_of(name, value)));
                    values.extend(self.value(value, &key.kind, &path).map(|value| (key.name.to_owned(), value)));
                }
                None => self.unknown(name, schema, path),
            }
        }
        values
    }

    /// Returns the value if it is good, or what is good of a list or table.
    pub(crate) fn value(&mut self, value: &Spanned<DeValue<'_>>, kind: &Kind, path: &KeyPath) -> Option<Value> {
        match (kind, value.get_ref()) {
            (Kind::Table(schema), DeValue::Table(table)) => Some(self.table(table, schema, path).into()),
            (Kind::Map { keys, values }, DeValue::Table(table)) => Some(self.map(table, keys, values, path).into()),
            (Kind::List(of), DeValue::Array(list)) => Some(self.list(list, of, path).into()),
            (kind, scalar) => match scalar::read(kind, scalar) {
                Ok(good) => Some(Value::new(None, good)),
                Err(problem) => {
                    self.refuse(value.span().start, path, problem);
                    None
                }
            },
        }
    }

    fn map(&mut self, table: &DeTable<'_>, keys: &Form, kind: &Kind, path: &KeyPath) -> Values {
        let mut values = Values::new();
        for (name, value) in table {
            let path = path.key(name.get_ref());
            self.places.record(&path, self.ground.place(start_of(name, value)));
            match keys.problem(name.get_ref()) {
                Some(message) => self.error(name.span().start, &path, message, None),
                None => values.extend(self.value(value, kind, &path).map(|value| (name.get_ref().to_string(), value))),
            }
        }
        values
    }

    fn list(&mut self, list: &DeArray<'_>, kind: &Kind, path: &KeyPath) -> Vec<Value> {
        let mut values = Vec::new();
        for (index, element) in list.iter().enumerate() {
            let path = path.element(index);
            self.places.record(&path, self.ground.place(element.span().start));
            values.extend(self.value(element, kind, &path));
        }
        values
    }

    fn unknown(&mut self, name: &Spanned<toml::de::DeString<'_>>, schema: &Table, path: &KeyPath) {
        let written = name.get_ref();
        let meant = nearest(written, schema.names());
        let (guess, hint) = match (meant, home_of(written)) {
            (Some(meant), _) => (format!(", did you mean {meant:?}?"), None),
            (None, Some(home)) => (String::new(), Some(format!("{} belongs in [{home}]", quote(written)))),
            (None, None) => {
                (String::new(), Some(format!("known here: {}", schema.names().collect::<Vec<_>>().join(", "))))
            }
        };
        self.places.lose(path.key(meant.unwrap_or(written)));
        self.error(name.span().start, &path.key(written), format!("unknown key{guess}"), hint);
    }

    fn refuse(&mut self, offset: usize, path: &KeyPath, problem: Problem) {
        self.places.lose(path.clone());
        self.error(offset, path, problem.message, problem.hint);
    }

    fn error(&mut self, offset: usize, path: &KeyPath, message: String, hint: Option<String>) {
        self.errors.push(Finding { place: self.ground.place(offset), key: path.to_string(), message, hint });
    }
}

/// Returns where a setting is pointed at: at its value, but for a table at its name, which may stand in several headers.
fn start_of(name: &Spanned<toml::de::DeString<'_>>, value: &Spanned<DeValue<'_>>) -> usize {
    match value.get_ref() {
        DeValue::Table(_) => name.span().start,
        _ => value.span().start,
    }
}
