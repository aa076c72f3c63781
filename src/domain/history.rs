//! What a record's agreed document was, version by version, and why.

use super::json::Json;
use super::merge::{Change, Conflict, Overruled};
use super::patch;
use super::record::RecordState;
use super::rules::Rules;

/// One version of a record's agreed document.
///
/// The birth of a record is one change at `""` whose `before` is absent. Its removal is one change at `""` whose `after` is
/// absent; the record's state is deleted from then on, and its agreed document is kept. Its return is one change at `""`
/// whose `before` is absent, again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// From 1.
    pub version: i64,
    /// When it was recorded; RFC 3339 in UTC.
    pub at: String,
    /// What led to it: `{"kind": "sync"}`, `{"kind": "resolution", "conflict": 7, ...}` (with `"conflicts": [7, 8]` where several
    /// were decided at once) or `{"kind": "undo", "version": 3}`.
    pub cause: Json,
    pub changes: Vec<Change>,
    /// The conflicts that were open when it was made.
    pub conflicts: Vec<Conflict>,
    pub overruled: Vec<Overruled>,
    /// The record's state after it.
    pub state: RecordState,
}

impl Version {
    /// Says whether a change is the removal of the record, which keeps its document.
    pub(super) fn is_removal(change: &Change) -> bool {
        change.path.is_root() && change.after.is_none()
    }

    /// Returns the document that stands, or is kept, after this version, given the one before it.
    pub(super) fn advance(&self, before: Option<Json>, rules: &Rules) -> Option<Json> {
        let changes = self.changes.iter().filter(|change| !Self::is_removal(change));
        changes.fold(before, |document, change| patch::put(document, &change.path, change.after.clone(), rules))
    }
}

#[cfg(test)]
pub(super) mod sample;
