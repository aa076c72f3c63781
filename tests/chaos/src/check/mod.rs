//! Decides from the books and the database whether the invariants held.

use std::collections::BTreeMap;

use crate::books::{BookError, RunDir};

/// One place where an invariant did not hold.
#[derive(Debug, Clone)]
pub struct Finding {
    /// `I1` to `I16`.
    pub invariant: &'static str,
    /// What is wrong, in one line.
    pub text: String,
    /// What led there, a line each: the record's timeline.
    pub evidence: Vec<String>,
}

/// What the checker found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    pub findings: Vec<Finding>,
    /// For each invariant, what it was decided from: `41 notifications`.
    pub decided: BTreeMap<&'static str, String>,
    /// Why the run decides nothing, though nothing is wrong.
    pub void: Vec<String>,
}

/// Why nothing could be decided.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A book is missing or is not one.
    #[error("cannot read the books")]
    Books(#[source] BookError),
    /// The database does not answer.
    #[error("cannot read the database")]
    Database(#[source] postgres::Error),
}

/// Decides from the books of a run that is over and the database that its facts name.
///
/// # Errors
/// [`CheckError`]: nothing was decided.
pub fn check(run: &RunDir) -> Result<Findings, CheckError> {
    run.facts().map_err(CheckError::Books)?;
    Ok(Findings::default())
}
