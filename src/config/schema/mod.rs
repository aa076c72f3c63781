//! Every setting, declared once: its name, what it may hold, its default, what it is for, and whether a reload applies it.
//!
//! The file is checked against it, defaults are taken from it, and docs/configuration.md is held to it by a test.

pub(crate) mod form;
mod kind;
mod settings;

use std::time::Duration;

pub(crate) use self::form::Form;
pub(crate) use self::settings::{ENVIRONMENT_SECTIONS, ROOT};

/// A table with fixed keys.
#[derive(Debug)]
pub(crate) struct Table {
    #[cfg_attr(not(test), expect(dead_code, reason = "for the documentation, which a test writes"))]
    pub(crate) reload: Reload,
    pub(crate) keys: &'static [Key],
}

/// A setting.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As TOML writes it; `None`: what it means to leave the setting out stands in `doc`.
    pub(crate) default: Option<&'static str>,
    /// Purpose and unit, in Markdown.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the documentation, which a test writes"))]
    pub(crate) doc: &'static str,
}

/// What a changed setting needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reload {
    Restart,
    AtOnce,
    RestartsTheSource,
}

/// What a setting may hold.
#[derive(Debug)]
pub(crate) enum Kind {
    Text(Form),
    Flag,
    Whole {
        min: u64,
        max: u64,
    },
    /// From 0 up.
    Number {
        max: f64,
    },
    Duration {
        min: Duration,
        max: Duration,
        zero: bool,
        forever: bool,
    },
    /// One of a few words.
    Word(fn() -> Vec<&'static str>),
    /// `true`, `false`, or one of a few words.
    FlagOrWord(fn() -> Vec<&'static str>),
    /// A program and its arguments: a list, or a text that is split as a shell would.
    Command {
        may_be_empty: bool,
    },
    List(&'static Kind),
    Table(&'static Table),
    /// A table whose keys are names that the operator chooses.
    Map {
        keys: Form,
        values: &'static Kind,
    },
}

impl Kind {
    /// Whether what stands there may be a secret, also where it is something else than expected.
    pub(crate) fn is_secret(&self) -> bool {
        match self {
            Self::Text(form) => form.is_secret(),
            Self::List(of) | Self::Map { values: of, .. } => of.is_secret(),
            Self::Flag
            | Self::Whole { .. }
            | Self::Number { .. }
            | Self::Duration { .. }
            | Self::Word(_)
            | Self::FlagOrWord(_)
            | Self::Command { .. }
            | Self::Table(_) => false,
        }
    }
}

impl Table {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

/// Returns where a key of this name stands, as the path of the table that has it, if it is anywhere.
pub(crate) fn home_of(name: &str) -> Option<String> {
    fn search(table: &'static Table, path: &str, name: &str) -> Option<String> {
        if !path.is_empty() && table.key(name).is_some() {
            return Some(path.to_owned());
        }
        table.keys.iter().find_map(|key| {
            let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
            match key.kind {
                Kind::Table(inner) => search(inner, &path, name),
                Kind::Map { values: Kind::Table(inner), .. } => search(inner, &format!("{path}.NAME"), name),
                _ => None,
            }
        })
    }
    search(&ROOT, "", name)
}

#[cfg(test)]
mod tests;
