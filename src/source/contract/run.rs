//! What is logged of one invocation.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::model::Severity;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::{EntityName, SourceName};

use super::super::process::Exit;
use super::Operation;

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
    /// Control characters made visible, newlines kept.
    pub stderr: String,
    pub severity: Severity,
    /// The fixed phrase of the log event.
    pub message: &'static str,
    /// The reason, where the end is not good.
    pub error: Option<String>,
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
