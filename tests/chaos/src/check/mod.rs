//! Decides from the books and the database whether the invariants held. Shares no code with retcon.
//!
//! An invariant is decided from facts: what a run has of them is counted, and without any it is not decided.

mod json;
mod database;
mod material;
mod work;
mod edits;
mod members;
mod copies;
mod removals;
mod convergence;
mod runs;
mod bounds;
mod authority;
mod people;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::books::{BookError, RunDir};
use material::Material;

/// How much of what led to a finding is told.
const EVIDENCE: usize = 80;

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
    /// A system or retcon has stored what is no document.
    #[error("cannot read {text:?}")]
    Json { text: String, source: Box<dyn std::error::Error + Send + Sync> },
}

/// Decides from the books of a run that is over and the database that its facts name.
///
/// # Errors
/// [`CheckError`]: nothing was decided.
pub fn check(run: &RunDir) -> Result<Findings, CheckError> {
    Ok(decide(&Material::read(run, database::read)?))
}

/// Keeps what the database of a run holds beside its books.
///
/// # Errors
/// [`CheckError`].
pub fn keep(run: &RunDir) -> Result<(), CheckError> {
    database::keep(&run.facts().map_err(CheckError::Books)?.database.url, run)
}

/// Decides all invariants.
fn decide(material: &Material) -> Findings {
    let mut findings = Findings::default();
    work::decide(material, &mut findings);
    edits::decide(material, &mut findings);
    members::decide(material, &mut findings);
    copies::decide(material, &mut findings);
    removals::decide(material, &mut findings);
    convergence::decide(material, &mut findings);
    runs::decide(material, &mut findings);
    bounds::decide(material, &mut findings);
    authority::decide(material, &mut findings);
    people::decide(material, &mut findings);
    findings
}

impl Findings {
    fn found(&mut self, invariant: &'static str, text: String, mut evidence: Vec<String>) {
        if evidence.len() > EVIDENCE {
            let cut = evidence.len() - EVIDENCE;
            evidence.drain(..cut);
            evidence.insert(0, format!("({cut} lines before)"));
        }
        self.findings.push(Finding { invariant, text, evidence });
    }

    /// Says from how many facts an invariant was decided; from none, it was not.
    fn decided(&mut self, invariant: &'static str, facts: usize, what: &str) {
        if facts == 0 {
            self.void.push(format!("{invariant} is not decided: no {what}"));
        } else {
            self.decided.insert(invariant, format!("{facts} {what}"));
        }
    }
}
