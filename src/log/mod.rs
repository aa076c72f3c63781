//! The log: one event a line on stderr, with the severities of syslog.
//!
//! slog has fewer levels than syslog: a record's tag names the others ([`EMERG`], [`ALERT`], [`NOTICE`]), which the macros
//! [`emerg!`](crate::emerg), [`alert!`](crate::alert) and [`notice!`](crate::notice) set. A stderr that blocks never holds a
//! caller up: what finds no room is counted, and the count is logged. (`slog-async` bounds events, not bytes, and waits for
//! a blocked stderr at its end; hence a queue of our own.)

mod event;
mod format;
mod queue;

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use slog::{BorrowedKV, Drain, KV, Level, Logger, OwnedKVList, Record};

mod chain;

use crate::config::model::{self, LogFormat, Severity};
use event::Event;
use format::Format;
use queue::Queue;

pub use chain::chain;

/// The tag of an event at `EMERG`.
pub const EMERG: &str = "emerg";
/// The tag of an event at `ALERT`.
pub const ALERT: &str = "alert";
/// The tag of an event at `NOTICE`.
pub const NOTICE: &str = "notice";

/// How long the end of the program waits for a stderr that takes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

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

    /// The order in which an event shows them; what a program wrote and what went wrong come last.
    pub(super) const ORDER: [&str; 16] = [
        ACTOR,
        ENTITY,
        SOURCE,
        INTERNAL_KEY,
        FOREIGN_KEY,
        WORK_ITEM,
        OPERATION,
        EXIT_STATUS,
        ATTEMPT,
        ELAPSED_MS,
        CONFLICTS,
        WRITES,
        RESTARTS,
        DELAY_MS,
        ERROR,
        STDERR,
    ];
}

/// Keeps the log going; dropping it writes out what is still to be written, for two seconds at most.
#[must_use = "the log ends with its guard"]
pub struct Guard {
    lines: Lines,
}

/// Starts the log on stderr: events at `level` or graver.
///
/// # Panics
/// If this program was built without its `DEBUG` events: the contract with data sources needs them.
pub fn to_stderr(level: Severity, format: LogFormat) -> (Logger, Guard) {
    assert!(debug_is_built_in(), "slog must be built with its feature release_max_level_debug");
    let format = Format::of(format);
    start(level, format, Stderr)
}

/// Returns a logger that keeps nothing.
pub fn discard() -> Logger {
    Logger::root(slog::Discard, slog::o!())
}

/// Has every panic logged from now on, instead of written to a stderr that may block whoever panics.
pub fn take_panics(log: &Logger) {
    let log = log.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied().or_else(|| Some(payload.downcast_ref::<String>()?.as_str()));
        let text = text.unwrap_or("a value that is no text");
        let place = panic.location().map(|location| format!(", at {location}")).unwrap_or_default();
        slog::error!(log, "panicked"; key::ERROR => format!("{text}{place}"));
    }));
}

/// Logs an event whose severity is known only when it happens.
pub fn event(log: &Logger, severity: Severity, message: &str, values: impl KV) {
    let (level, tag) = in_slog(severity);
    let location =
        slog::RecordLocation { file: file!(), line: line!(), column: 0, function: "", module: module_path!() };
    let record = slog::RecordStatic { location: &location, level, tag };
    log.log(&Record::new(&record, &format_args!("{message}"), BorrowedKV(&values)));
}

impl Guard {
    /// Returns what changes the log while it goes on.
    pub fn control(&self) -> Control {
        Control(Arc::clone(&self.lines.settings))
    }
}

/// Changes a log while it goes on; a clone is as good as the original.
#[derive(Clone)]
pub struct Control(Arc<Settings>);

impl Control {
    /// Logs from now on as `log` says.
    pub fn apply(&self, log: &model::Log) {
        self.0.set(log.level, Format::of(log.format));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.lines.queue.close(PATIENCE);
    }
}

/// Turns events into lines, on the thread that logs them.
#[derive(Clone)]
struct Lines {
    queue: Arc<Queue>,
    settings: Arc<Settings>,
}

/// What of a log can change while it goes on.
struct Settings {
    /// The number of the severity, in syslog's counting: 0 is the gravest.
    level: AtomicU8,
    /// Held for as long as it takes to copy it, and never while a line is written.
    format: RwLock<Format>,
}

impl Settings {
    fn new(level: Severity, format: Format) -> Self {
        Self { level: AtomicU8::new(level as u8), format: RwLock::new(format) }
    }

    fn set(&self, level: Severity, format: Format) {
        self.level.store(level as u8, Ordering::Relaxed);
        *self.format.write().unwrap_or_else(PoisonError::into_inner) = format;
    }

    fn includes(&self, severity: Severity) -> bool {
        severity as u8 <= self.level.load(Ordering::Relaxed)
    }

    fn format(&self) -> Format {
        *self.format.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drain for Lines {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &Record<'_>, context: &OwnedKVList) -> Result<(), slog::Never> {
        let severity = severity_of(record);
        if self.settings.includes(severity) {
            let event = Event::new(severity, record, context);
            self.queue.push(&self.settings.format().line(&event), severity);
        }
        Ok(())
    }
}

/// Our stderr without the lock that everybody else takes who writes there: it may be held for as long as stderr blocks.
struct Stderr;

impl std::io::Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stderr(), bytes)?)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn start(level: Severity, format: Format, stream: impl std::io::Write + Send + 'static) -> (Logger, Guard) {
    let settings = Arc::new(Settings::new(level, format));
    let said = Arc::clone(&settings);
    let queue = Queue::start(stream, move |count| said.format().line(&Event::dropped(count)));
    let lines = Lines { queue, settings };
    (Logger::root(lines.clone(), slog::o!()), Guard { lines })
}

/// Returns slog's level for a severity, and the tag that tells it from others of that level.
fn in_slog(severity: Severity) -> (Level, &'static str) {
    match severity {
        Severity::Emerg => (Level::Critical, EMERG),
        Severity::Alert => (Level::Critical, ALERT),
        Severity::Crit => (Level::Critical, ""),
        Severity::Error => (Level::Error, ""),
        Severity::Warning => (Level::Warning, ""),
        Severity::Notice => (Level::Info, NOTICE),
        Severity::Info => (Level::Info, ""),
        Severity::Debug => (Level::Debug, ""),
    }
}

fn severity_of(record: &Record<'_>) -> Severity {
    match (record.level(), record.tag()) {
        (Level::Critical, EMERG) => Severity::Emerg,
        (Level::Critical, ALERT) => Severity::Alert,
        (Level::Critical, _) => Severity::Crit,
        (Level::Error, _) => Severity::Error,
        (Level::Warning, _) => Severity::Warning,
        (Level::Info, NOTICE) => Severity::Notice,
        (Level::Info, _) => Severity::Info,
        (Level::Debug | Level::Trace, _) => Severity::Debug,
    }
}

impl Format {
    /// Settles what `auto` is: the journal's form where stderr leads there, else text.
    fn of(format: LogFormat) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        let text = Self::Text { coloured: std::io::stderr().is_terminal() && !plain };
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Journal => Self::Journal,
            LogFormat::Auto if leads_to_the_journal() => Self::Journal,
            LogFormat::Auto | LogFormat::Text => text,
        }
    }
}

/// Tells whether stderr is the stream of which systemd says that it leads to its journal.
fn leads_to_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stat = rustix::fs::fstat(std::io::stderr().as_fd());
    stat.is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Tells whether a terminal would act on the character, or end the line there, instead of showing it.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Tells whether `slog::debug!` does anything in this build.
fn debug_is_built_in() -> bool {
    struct Probe(Arc<AtomicBool>);
    impl Drain for Probe {
        type Ok = ();
        type Err = slog::Never;
        fn log(&self, _record: &Record<'_>, _context: &OwnedKVList) -> Result<(), slog::Never> {
            self.0.store(true, Ordering::Relaxed);
            Ok(())
        }
    }
    let seen = Arc::new(AtomicBool::new(false));
    slog::debug!(Logger::root(Probe(Arc::clone(&seen)), slog::o!()), "log started");
    seen.load(Ordering::Relaxed)
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

#[cfg(test)]
mod tests;
