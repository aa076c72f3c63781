//! How everything is.

use std::path::Path;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::reload::Finding;
use crate::actor::reloader::FileState;
use crate::actor::store::requests::pause::PausedRow;
use crate::actor::store::requests::view::Counts;
use crate::actor::supervisor::{self, SourceStatus as SourceNow};
use crate::config::model;
use crate::domain::name::SourceName;

/// How everything is; the counts are exact and include all that was acknowledged before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    pub version: String,
    pub uptime_s: u64,
    pub config: ConfigStatus,
    pub database: DatabaseStatus,
    pub entities: Vec<EntityStatus>,
}

/// The configuration in force, and how it stands to its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigStatus {
    pub path: String,
    pub state: ConfigState,
    /// When the configuration in force was read.
    pub loaded_at: String,
    /// When the file was read last.
    pub read_at: String,
    /// Why it was rejected then.
    pub errors: Vec<Finding>,
    /// The settings of the file that wait for a restart.
    pub needs_restart: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigState {
    /// What the file says is in force, but for what needs a restart.
    Applied,
    /// The file is wrong; what it said before is in force.
    Rejected,
}

impl ConfigStatus {
    pub(crate) fn new(path: &Path, now: &FileState) -> Self {
        Self {
            path: path.display().to_string(),
            state: if now.errors.is_empty() { ConfigState::Applied } else { ConfigState::Rejected },
            loaded_at: now.loaded_at.to_string(),
            read_at: now.read_at.to_string(),
            errors: now.errors.iter().map(Finding::from).collect(),
            needs_restart: now.needs_restart.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatabaseStatus {
    /// `up` or `down`.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EntityStatus {
    pub name: String,
    /// `up`, `starting`, `standby`, `paused` or `given-up`.
    pub state: String,
    /// Where a person has stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub paused: Option<PausedSince>,
    /// While it stands by: the daemon that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub served_by: Option<String>,
    pub queue: Queue,
    /// Live records.
    pub records: i64,
    /// Open conflicts.
    pub conflicts: i64,
    /// Operations whose result never became known.
    pub in_doubt: i64,
    /// Deletions that `max_deletes` holds for a person.
    #[serde(default)]
    pub deletes_held: i64,
    /// Records being synced at this moment.
    pub syncing: u32,
    /// Absent for an entity that is not in the configuration any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub throttle: Option<Throttle>,
    pub sources: Vec<SourceStatus>,
}

/// Since when something is paused, and who wanted it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PausedSince {
    /// RFC 3339 in UTC.
    pub since: String,
    /// The name of the token, or of the user at the unix socket; `null` where nobody knows.
    #[schema(required)]
    pub who: Option<String>,
}

/// The numbers of work items that are not done, by state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    pub ready: i64,
    pub running: i64,
    pub waiting: i64,
    pub parked: i64,
    /// The age of the oldest of them, in seconds.
    pub oldest_s: i64,
}

impl From<&Counts> for Queue {
    fn from(counts: &Counts) -> Self {
        let Counts { ready, running, waiting, parked, oldest_s, .. } = *counts;
        Self { ready, running, waiting, parked, oldest_s }
    }
}

/// The limits as configured, and who waits for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Throttle {
    /// Invocations a second; 0 is no limit.
    pub rate: f64,
    pub burst: u32,
    /// Records being synced at the same time, at most.
    pub in_flight: u32,
    /// Invocations that wait for the rate.
    pub waiting: usize,
    /// How long one that came now would wait for it.
    pub wait_ms: u64,
}

impl Throttle {
    fn new(limits: &model::Throttle, entity: &supervisor::EntityStatus) -> Self {
        let model::Throttle { rate, burst, in_flight } = *limits;
        let now = entity.throttle;
        let wait_ms = u64::try_from(now.wait.as_millis()).unwrap_or(u64::MAX);
        Self { rate, burst, in_flight, waiting: now.waiting, wait_ms }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceStatus {
    pub name: String,
    /// `up`, `down`, `paused` or `given-up`; `standby` where another daemon serves the entity.
    pub state: String,
    /// Where a person has stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub paused: Option<PausedSince>,
    pub restarts: u64,
    #[schema(required)]
    pub last_error: Option<String>,
    /// While it is down: how long until it is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_probe_ms: Option<u64>,
}

impl SourceStatus {
    fn new(name: &SourceName, now: SourceNow, paused: Option<PausedSince>) -> Self {
        Self {
            name: name.to_string(),
            state: now.state.to_owned(),
            paused,
            restarts: now.restarts,
            last_error: now.last_error,
            next_probe_ms: now.next_probe_ms,
        }
    }
}

impl EntityStatus {
    pub(crate) fn new(now: supervisor::EntityStatus, throttle: Option<&model::Throttle>, paused: &[PausedRow]) -> Self {
        let since = |source: Option<&SourceName>| {
            let row = paused.iter().find(|row| row.source.as_ref() == source)?;
            Some(PausedSince { since: row.since.clone(), who: row.who.clone() })
        };
        let source = |(name, now): (SourceName, SourceNow)| SourceStatus::new(&name, now, since(Some(&name)));
        Self {
            name: now.name.to_string(),
            state: now.state.to_owned(),
            paused: since(None),
            served_by: now.served_by.clone(),
            queue: Queue::from(&now.counts),
            records: now.counts.records,
            conflicts: now.counts.conflicts,
            in_doubt: now.counts.in_doubt,
            deletes_held: now.counts.deletes_held,
            syncing: now.in_flight,
            throttle: throttle.map(|limits| Throttle::new(limits, &now)),
            sources: now.sources.into_iter().map(source).collect(),
        }
    }
}

impl From<supervisor::DatabaseStatus> for DatabaseStatus {
    fn from(now: supervisor::DatabaseStatus) -> Self {
        let state = if now.up { "up" } else { "down" };
        Self { state: state.to_owned(), error: now.error }
    }
}
