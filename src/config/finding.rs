//! What is wrong with a configuration, or doubtful about it: where, at which key, and what would be right.
//!
//! No finding ever holds a value of a source's `env` or the text of `database.url`.

use std::fmt;
use std::path::{Path, PathBuf};

use super::inputs::Inputs;

/// One mistake in a configuration, or one warning about it.
///
/// Displayed as `retcon.toml:12:3: entities.customer.sources.crm.tmeout: unknown key, did you mean "timeout"?`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub place: Place,
    /// The key as a TOML file writes it, list elements as `[0]`; empty where no key is concerned.
    pub key: String,
    /// What was expected and what was found, on one line.
    pub message: String,
    /// What to do about it, where that does not follow from the message.
    pub hint: Option<String>,
}

/// Where a finding is; findings of a file sort by position, and before those of the environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole: it cannot be read.
    File(PathBuf),
    /// From 1, in characters.
    Position { file: PathBuf, line: usize, column: usize },
    /// The environment variable of this name.
    Variable(String),
}

impl Finding {
    /// Returns the file concerned; `None` for an environment variable.
    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::File(file) | Place::Position { file, .. } => Some(file),
            Place::Variable(_) => None,
        }
    }

    /// Returns line and column, both from 1.
    pub fn position(&self) -> Option<(usize, usize)> {
        match self.place {
            Place::Position { line, column, .. } => Some((line, column)),
            Place::File(_) | Place::Variable(_) => None,
        }
    }

    /// Returns the environment variable that brought the value in.
    pub fn variable(&self) -> Option<&str> {
        match &self.place {
            Place::Variable(name) => Some(name),
            Place::File(_) | Place::Position { .. } => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Position { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// Writes one line, without the hint.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// A configuration that cannot be used: every mistake in it, sorted by place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    pub file: PathBuf,
    /// At least one.
    pub errors: Vec<Finding>,
    /// What was seen besides; a mistake may hide further ones.
    pub warnings: Vec<Finding>,
    /// The files that were read, or could not be.
    pub inputs: Inputs,
}

impl ConfigErrors {
    pub(super) fn new(file: &Path, errors: Vec<Finding>) -> Self {
        Self { file: file.to_owned(), errors, warnings: Vec::new(), inputs: Inputs::default() }
    }

    pub(super) fn besides(self, warnings: Vec<Finding>) -> Self {
        Self { warnings, ..self }
    }
}

/// Writes a headline and then a line for each mistake, with its hint.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.errors.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "cannot use the configuration {}: {count} error{plural}", self.file.display())?;
        self.errors.iter().try_for_each(|finding| match &finding.hint {
            Some(hint) => write!(f, "\n{finding} ({hint})"),
            None => write!(f, "\n{finding}"),
        })
    }
}

impl std::error::Error for ConfigErrors {}
