//! Where in the file, or in the environment, each value stands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::finding::Place;
use super::key_path::KeyPath;

/// The text of the file, to turn offsets into lines.
#[derive(Debug)]
pub(crate) struct SourceText<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
    /// The offset at which each line begins.
    lines: Vec<usize>,
}

impl<'a> SourceText<'a> {
    pub(crate) fn new(path: &'a Path, text: &'a str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1)).collect();
        Self { path, text, lines }
    }

    /// Returns the line of `offset`, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    pub(crate) fn place(&self, offset: usize) -> Place {
        let line = self.line(offset);
        let start = self.lines[line - 1];
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        Place::Position { file: self.path.to_owned(), line, column }
    }
}

/// The places of all values that were read, and which values were there but could not be read.
#[derive(Debug)]
pub(crate) struct Places {
    file: PathBuf,
    found: BTreeMap<KeyPath, Place>,
    /// Values that stand in the file in a form that cannot be used; that they are missing is not to be reported.
    lost: Vec<KeyPath>,
}

impl Places {
    pub(crate) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), found: BTreeMap::new(), lost: Vec::new() }
    }

    pub(crate) fn record(&mut self, path: &KeyPath, place: Place) {
        self.found.insert(path.clone(), place);
    }

    pub(crate) fn lose(&mut self, path: KeyPath) {
        self.lost.push(path);
    }

    /// Returns where the value is, or else where what should hold it is.
    pub(crate) fn of(&self, path: &KeyPath) -> Place {
        match (self.found.get(path), path.parent()) {
            (Some(place), _) => place.clone(),
            (None, Some(parent)) => self.of(&parent),
            (None, None) => Place::Position { file: self.file.clone(), line: 1, column: 1 },
        }
    }

    /// Says whether the file attempts to set the value at `path`, however badly.
    pub(crate) fn mentions(&self, path: &KeyPath) -> bool {
        self.found.contains_key(path) || self.lost.iter().any(|lost| lost.starts_with(path) || path.starts_with(lost))
    }

    /// Says whether the file attempts to set a value below `path`, however badly.
    pub(crate) fn mentions_below(&self, path: &KeyPath) -> bool {
        self.found.keys().any(|found| found != path && found.starts_with(path))
            || self.lost.iter().any(|lost| lost.starts_with(path) || path.starts_with(lost))
    }

    /// Says whether the value at `path` is known to be among those that could not be read.
    pub(crate) fn has_lost(&self, path: &KeyPath) -> bool {
        self.lost.iter().any(|lost| *lost != KeyPath::default() && path.starts_with(lost))
    }
}
