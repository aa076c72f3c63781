//! A configuration that has been checked: every value in its final type, every path absolute, every program resolved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::name::{EntityName, SourceName};
use crate::domain::rules::{Fields, Rules};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub log: Log,
    pub reload: Reload,
    pub retention: Retention,
    pub alerts: Alerts,
    pub entities: BTreeMap<EntityName, Arc<Entity>>,
}

/// `[server]`; a change needs a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// `None`: no TCP at all.
    pub listen: Option<std::net::SocketAddr>,
    pub hosts: Vec<String>,
    pub tls: Option<Tls>,
    /// Absolute.
    pub state_dir: PathBuf,
    pub grace: Duration,
}

impl Server {
    /// Returns the path of the unix socket on which the daemon serves its API.
    pub fn socket(&self) -> PathBuf {
        self.state_dir.join(SOCKET)
    }
}

/// The name of the daemon's socket within `server.state_dir`.
pub(crate) const SOCKET: &str = "retcon.sock";

#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// `[database]`; a change needs a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    pub url: DatabaseUrl,
    /// `None`: on `PATH`, or where Debian has it.
    pub bin_dir: Option<PathBuf>,
    pub pool_size: usize,
}

/// Where the database is.
#[derive(Clone, PartialEq)]
pub enum DatabaseUrl {
    /// A private PostgreSQL in `state_dir`.
    Embedded,
    /// `postgres://...`, checked to be one; holds a password perhaps, so `Debug` hides it.
    External(String),
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Embedded => "Embedded",
            Self::External(_) => "External(..)",
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    pub level: Severity,
    pub format: LogFormat,
}

/// The severities of syslog (RFC 5424, section 6.2.1), the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Emerg,
    Alert,
    Crit,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Auto,
    Text,
    Json,
    Journal,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reload {
    pub watch: bool,
}

/// `None`: for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct Retention {
    pub work: Option<Duration>,
    pub history: Option<Duration>,
    pub events: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Alerts {
    /// Empty: none.
    pub command: Vec<String>,
    pub on: Vec<AlertKind>,
    /// The directory of the configuration file, in which it runs.
    pub directory: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertKind {
    Conflict,
    Parked,
    InDoubt,
    SourceDown,
    DeletesHeld,
    ActorGaveUp,
}

/// Whether sources are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Sync,
    /// Look and merge, change nothing.
    Observe,
}

/// `[entities.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    pub name: EntityName,
    pub description: String,
    /// The path and the parsed text of the JSON Schema for the agreed document.
    pub schema: Option<Schema>,
    pub mode: Mode,
    /// Merge policy, `on_delete`, `match`, `fields` and `arrays`.
    pub rules: Rules,
    pub delete_after: Duration,
    pub max_deletes: Limit,
    pub max_changes: Limit,
    pub throttle: Throttle,
    pub retry: Retry,
    pub reconcile: Reconcile,
    pub sources: BTreeMap<SourceName, Arc<Source>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub path: PathBuf,
    pub value: serde_json::Value,
}

/// At most `count` in `per`; a count of 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub count: u64,
    pub per: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Throttle {
    /// Invocations a second; 0 is no limit.
    pub rate: f64,
    pub burst: u32,
    /// Records in sync at the same time.
    pub in_flight: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    pub first: Duration,
    pub max: Duration,
    pub attempts: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reconcile {
    /// `None`: only by hand.
    pub every: Option<Duration>,
    pub mode: Mode,
}

/// `[entities.NAME.sources.NAME]`.
#[derive(Clone, PartialEq)]
pub struct Source {
    pub name: SourceName,
    pub description: String,
    pub commands: Commands,
    pub timeout: Duration,
    pub list_timeout: Duration,
    pub fields: Fields,
    pub read_back: ReadBack,
    pub recheck: Duration,
    pub create_is_idempotent: bool,
    pub renamed_from: Option<SourceName>,
    /// Values may be secret: never logged or shown.
    pub env: BTreeMap<String, String>,
    /// The directory in which its programs run: that of the configuration file.
    pub directory: PathBuf,
}

/// The commands of a source; `None`: left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Commands {
    pub create: Option<Command>,
    pub read: Command,
    pub update: Option<Command>,
    pub delete: Option<Command>,
    pub list: Option<Command>,
    pub find: Option<Command>,
}

impl Commands {
    /// Returns those that there are, each with the name of its operation.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, &Command)> {
        let all = [
            ("create", self.create.as_ref()),
            ("read", Some(&self.read)),
            ("update", self.update.as_ref()),
            ("delete", self.delete.as_ref()),
            ("list", self.list.as_ref()),
            ("find", self.find.as_ref()),
        ];
        all.into_iter().filter_map(|(name, command)| Some((name, command?)))
    }
}

/// A program and its arguments, not yet with a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Absolute where it could be found when the configuration was read, else as written.
    pub program: PathBuf,
    /// May hold `%fk`, also inside a word; for an operation on a key where none does, the key is the last argument.
    pub args: Vec<String>,
}

impl Command {
    /// Returns the program and its arguments, as they are shown.
    pub(crate) fn words(&self) -> Vec<String> {
        std::iter::once(self.program.display().to_string()).chain(self.args.iter().cloned()).collect()
    }
}

/// Whether a copy is read again after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadBack {
    Auto,
    Always,
    Never,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hidden: BTreeMap<_, _> = self.env.keys().map(|name| (name, "(hidden)")).collect();
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("commands", &self.commands)
            .field("env", &hidden)
            .finish_non_exhaustive()
    }
}
