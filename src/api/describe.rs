//! What a route tells of itself: the description from which `/openapi.json` is made.

#![allow(dead_code, reason = "what is told is asked for by the next steps")]

/// What a method of a path does.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    /// Its name for generated clients, never changed: `listWorkItems`.
    pub(super) id: &'static str,
    /// What it does, in a few words.
    pub(super) summary: &'static str,
}

/// Begins the description of a method of a path.
pub(super) fn operation(id: &'static str, summary: &'static str) -> Operation {
    Operation { id, summary }
}
