//! The latest runs at a source, as they are kept for people. Kept in memory alone: the log has all of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::key::{ForeignKey, InternalKey};

use super::contract::Run;

/// So many are kept of each source.
const KEPT: usize = 20;

/// One run of a program, as a person sees it. In what it printed the values of `env` are hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRun {
    /// When it ended.
    pub at: Timestamp,
    /// As programs know it: `read`.
    pub operation: &'static str,
    pub key: Option<ForeignKey>,
    pub record: Option<InternalKey>,
    /// As `exit status 3` or `signal 9`.
    pub exit: String,
    /// What that means, in a word: `done`, `missing`.
    pub outcome: &'static str,
    pub elapsed: Duration,
    /// The last of it.
    pub stderr: String,
    /// What is wrong with the end, if it is not good.
    pub error: Option<String>,
}

/// The latest runs at one source; clones are the same.
///
/// They belong to nobody who may fail: neither a restart of the source's actor nor a reload forgets them.
#[derive(Debug, Clone, Default)]
pub struct PastRuns(Arc<Mutex<VecDeque<PastRun>>>);

impl PastRuns {
    /// Keeps a run that has just ended.
    pub(super) fn keep(&self, run: &Run) {
        let past = PastRun {
            at: Timestamp::now(),
            operation: run.operation.as_str(),
            key: run.foreign_key.clone(),
            record: run.internal_key,
            exit: run.exit.to_string(),
            outcome: run.outcome(),
            elapsed: run.elapsed,
            stderr: run.output().stderr,
            error: run.error.clone(),
        };
        let mut runs = self.runs();
        runs.truncate(KEPT - 1);
        runs.push_front(past);
    }

    /// Gives them, the latest first.
    pub fn list(&self) -> Vec<PastRun> {
        self.runs().iter().cloned().collect()
    }

    fn runs(&self) -> MutexGuard<'_, VecDeque<PastRun>> {
        // What a thread leaves behind that failed while it kept a run is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
