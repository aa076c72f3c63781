//! What the file says, typed but not yet checked as a whole. Every value is there: what the file leaves out comes from the
//! schema's defaults.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::command_line::CommandLine;
use super::duration;
use super::model::{AlertKind, LogFormat, Mode, ReadBack, Severity};
use super::words::Word;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::pointer::Pointer;
use crate::domain::rules::{Folding, MergePolicy, OnDelete};

#[derive(Deserialize)]
pub(crate) struct Root {
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) log: Log,
    pub(crate) reload: Reload,
    pub(crate) retention: Retention,
    pub(crate) alerts: Alerts,
    pub(crate) entities: BTreeMap<Parsed<EntityName>, Entity>,
}

#[derive(Deserialize)]
pub(crate) struct Server {
    pub(crate) listen: String,
    pub(crate) hosts: Vec<String>,
    pub(crate) tls: Tls,
    pub(crate) state_dir: String,
    pub(crate) grace: Span,
}

#[derive(Deserialize)]
pub(crate) struct Tls {
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) bin_dir: String,
    pub(crate) pool_size: usize,
}

#[derive(Deserialize)]
pub(crate) struct Log {
    pub(crate) level: Word<Severity>,
    pub(crate) format: Word<LogFormat>,
}

#[derive(Deserialize)]
pub(crate) struct Reload {
    pub(crate) watch: bool,
}

#[derive(Deserialize)]
pub(crate) struct Retention {
    pub(crate) work: Lifetime,
    pub(crate) history: Lifetime,
    pub(crate) events: Lifetime,
}

#[derive(Deserialize)]
pub(crate) struct Alerts {
    pub(crate) command: CommandLine,
    pub(crate) on: Vec<Word<AlertKind>>,
}

#[derive(Deserialize)]
pub(crate) struct Entity {
    pub(crate) description: String,
    pub(crate) schema: String,
    pub(crate) mode: Word<Mode>,
    pub(crate) merge_policy: Parsed<MergePolicy>,
    #[serde(rename = "match")]
    pub(crate) matching: Vec<Parsed<Pointer>>,
    pub(crate) on_delete: Word<OnDelete>,
    pub(crate) delete_after: Span,
    pub(crate) max_deletes: Limit,
    pub(crate) max_changes: Limit,
    pub(crate) throttle: Throttle,
    pub(crate) retry: Retry,
    pub(crate) reconcile: Reconcile,
    pub(crate) fields: BTreeMap<Parsed<Pointer>, Field>,
    pub(crate) arrays: BTreeMap<Parsed<Pointer>, Array>,
    pub(crate) sources: BTreeMap<Parsed<SourceName>, Source>,
}

#[derive(Deserialize)]
pub(crate) struct Limit {
    pub(crate) count: u64,
    pub(crate) per: Span,
}

#[derive(Deserialize)]
pub(crate) struct Throttle {
    pub(crate) rate: f64,
    pub(crate) burst: u32,
    pub(crate) in_flight: u32,
}

#[derive(Deserialize)]
pub(crate) struct Retry {
    pub(crate) first: Span,
    pub(crate) max: Span,
    pub(crate) attempts: u32,
}

#[derive(Deserialize)]
pub(crate) struct Reconcile {
    pub(crate) every: Span,
    pub(crate) mode: Word<Mode>,
}

#[derive(Deserialize)]
pub(crate) struct Field {
    pub(crate) merge_policy: Option<Parsed<MergePolicy>>,
    pub(crate) equal: Option<Vec<Word<Folding>>>,
    pub(crate) atomic: bool,
}

#[derive(Deserialize)]
pub(crate) struct Array {
    pub(crate) key: Option<String>,
    pub(crate) set: bool,
}

#[derive(Deserialize)]
pub(crate) struct Source {
    pub(crate) description: String,
    pub(crate) command: Option<CommandLine>,
    pub(crate) create: Option<CommandLine>,
    pub(crate) read: Option<CommandLine>,
    pub(crate) update: Option<CommandLine>,
    pub(crate) delete: Option<CommandLine>,
    pub(crate) list: Option<CommandLine>,
    pub(crate) find: Option<CommandLine>,
    pub(crate) timeout: Span,
    pub(crate) list_timeout: Span,
    pub(crate) fields: Option<Vec<Parsed<Pointer>>>,
    pub(crate) read_back: Word<ReadBack>,
    pub(crate) recheck: Span,
    pub(crate) create_is_idempotent: bool,
    pub(crate) renamed_from: String,
    pub(crate) env: BTreeMap<String, String>,
}

/// A value read from its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Parsed<T>(pub(crate) T);

impl<'de, T: FromStr> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| D::Error::custom("not of its form"))
    }
}

/// A time from now, or between two events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span(pub(crate) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        duration::parse(&String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

/// How long something is kept; `None`: for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime(pub(crate) Option<Duration>);

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            duration::FOREVER => Ok(Self(None)),
            text => duration::parse(text).map(|kept| Self(Some(kept))).map_err(D::Error::custom),
        }
    }
}
