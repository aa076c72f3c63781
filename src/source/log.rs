//! What is logged of an invocation.

use super::contract::Run;

/// Logs an invocation as one event, at the severity that the contract gives its end.
pub fn log_run(log: &slog::Logger, run: &Run) {
    todo!()
}
