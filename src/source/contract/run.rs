//! What is logged of one invocation.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::model::Severity;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::{EntityName, SourceName};
use crate::domain::record::Output;

use super::super::process::Exit;
use super::Operation;

/// How much of either stream is kept for a person, in bytes.
pub(super) const KEPT: usize = 2 << 10;

/// What is logged of one invocation.
#[derive(Debug, Clone)]
pub struct Run {
    pub entity: EntityName,
    pub source: SourceName,
    pub operation: Operation,
    /// `None` where the configuration has no command for it.
    pub program: Option<PathBuf>,
    pub foreign_key: Option<ForeignKey>,
    pub internal_key: Option<InternalKey>,
    pub exit: Exit,
    pub elapsed: Duration,
    /// The first of what a change printed, as `stderr`; of what only tells something nothing is kept.
    pub stdout: String,
    /// Control characters made visible, newlines kept.
    pub stderr: String,
    pub severity: Severity,
    /// The fixed phrase of the log event.
    pub message: &'static str,
    /// The reason, where the end is not good.
    pub error: Option<String>,
}

impl Run {
    /// Says in a word how it ended, for whoever counts.
    pub fn outcome(&self) -> &'static str {
        match &self.exit {
            Exit::Status(0) if self.error.is_none() => "done",
            Exit::Status(0) => "refused",
            Exit::Status(1) => "unreachable",
            Exit::Status(2) if self.operation.has_key() => "missing",
            Exit::Status(3) if self.operation.changes_something() => "rejected",
            Exit::Status(_) | Exit::Signal(_) | Exit::Lost => "failed",
            Exit::TimedOut => "timed-out",
            Exit::Cancelled => "cancelled",
            Exit::Flooded => "flooded",
            Exit::NotStarted(_) | Exit::NoRoom(_) => "not-started",
        }
    }

    /// Gives what is kept of it for a person: the first of its stdout and the last of its stderr.
    pub fn output(&self) -> Output {
        let over = self.stderr.len().saturating_sub(KEPT);
        let from = (over..).find(|at| self.stderr.is_char_boundary(*at)).unwrap_or(over);
        let stderr = if over == 0 { self.stderr.clone() } else { format!("[...] {}", &self.stderr[from..]) };
        Output { exit: self.exit.to_string(), stdout: self.stdout.clone(), stderr }
    }
}

/// Returns the severity and the phrase for an end; `complaint` tells whether something is wrong with it.
pub(super) fn event(operation: Operation, exit: &Exit, complaint: Option<&str>) -> (Severity, &'static str) {
    match exit {
        Exit::Status(0) if complaint.is_none() => (Severity::Debug, "source run finished"),
        Exit::Status(0) => (Severity::Error, "source output refused"),
        Exit::Status(1) => (Severity::Emerg, "source unreachable"),
        Exit::Status(2) if operation.has_key() => (Severity::Error, "source copy missing"),
        Exit::Status(3) if operation.changes_something() => (Severity::Error, "source operation rejected"),
        Exit::Status(_) | Exit::Signal(_) | Exit::Lost => (Severity::Error, "source run failed"),
        Exit::TimedOut => (Severity::Error, "source run timed out"),
        Exit::Cancelled if complaint.is_none() => (Severity::Debug, "source run stopped"),
        Exit::Cancelled => (Severity::Error, "source run cancelled"),
        Exit::Flooded => (Severity::Error, "source run flooded"),
        Exit::NotStarted(_) | Exit::NoRoom(_) => (Severity::Error, "source program not started"),
    }
}
