//! The log: one event a line on stderr, with the severities of syslog.
//!
//! slog has fewer levels than syslog: a record's tag names the others ([`EMERG`], [`ALERT`], [`NOTICE`]), which the macros
//! [`emerg!`](crate::emerg), [`alert!`](crate::alert) and [`notice!`](crate::notice) set. A stderr that blocks never holds a
//! caller up: what finds no room is counted, and the count is logged.

mod chain;

use crate::config::model::{LogFormat, Severity};

pub use chain::chain;

/// The tag of an event at `EMERG`.
pub const EMERG: &str = "emerg";
/// The tag of an event at `ALERT`.
pub const ALERT: &str = "alert";
/// The tag of an event at `NOTICE`.
pub const NOTICE: &str = "notice";

/// The keys of events; they never change.
pub mod key {
    pub const ACTOR: &str = "actor";
    pub const ENTITY: &str = "entity";
    pub const SOURCE: &str = "source";
    pub const INTERNAL_KEY: &str = "internal_key";
    pub const FOREIGN_KEY: &str = "foreign_key";
    pub const WORK_ITEM: &str = "work_item";
    pub const OPERATION: &str = "operation";
    pub const EXIT_STATUS: &str = "exit_status";
    pub const ATTEMPT: &str = "attempt";
    pub const ELAPSED_MS: &str = "elapsed_ms";
    pub const CONFLICTS: &str = "conflicts";
    pub const WRITES: &str = "writes";
    pub const RESTARTS: &str = "restarts";
    pub const DELAY_MS: &str = "delay_ms";
    pub const STDERR: &str = "stderr";
    pub const ERROR: &str = "error";
}

/// Keeps the log going; dropping it writes out what is still to be written, for two seconds at most.
#[must_use = "the log ends with its guard"]
pub struct Guard {}

/// Starts the log on stderr: events at `level` or graver.
pub fn to_stderr(level: Severity, format: LogFormat) -> (slog::Logger, Guard) {
    todo!()
}

/// Returns a logger that keeps nothing.
pub fn discard() -> slog::Logger {
    slog::Logger::root(slog::Discard, slog::o!())
}

/// Logs at `EMERG`.
#[macro_export]
macro_rules! emerg {
    ($log:expr, $($rest:tt)+) => { ::slog::crit!($log, #$crate::log::EMERG, $($rest)+) };
}

/// Logs at `ALERT`.
#[macro_export]
macro_rules! alert {
    ($log:expr, $($rest:tt)+) => { ::slog::crit!($log, #$crate::log::ALERT, $($rest)+) };
}

/// Logs at `NOTICE`.
#[macro_export]
macro_rules! notice {
    ($log:expr, $($rest:tt)+) => { ::slog::info!($log, #$crate::log::NOTICE, $($rest)+) };
}
