//! What a person has stopped for the time being: kept over restarts and reloads, and seen by every daemon.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::name::{EntityName, SourceName};
use crate::store::columns::{get, parsed, time};
use crate::store::run::{Fault, Mode, Request, Session};

const PUT: &str = include_str!("../sql/pause/put.sql");
const REMOVE: &str = include_str!("../sql/pause/remove.sql");
const LIST: &str = include_str!("../sql/pause/list.sql");
const LIST_SINCE: &str = include_str!("../sql/pause/list_since.sql");

/// What of an entity is paused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pauses {
    /// The entity itself: none of its work is begun.
    pub entity: bool,
    /// Sources: none of their programs is started.
    pub sources: BTreeSet<SourceName>,
}

/// Puts a pause of an entity, or of one of its sources, on record, or ends it; that it was so already is no mistake.
#[derive(Debug, Clone)]
pub struct SetPause {
    pub entity: EntityName,
    /// `None`: the entity itself.
    pub source: Option<SourceName>,
    pub paused: bool,
    /// Who wants it so, if that is known.
    pub who: Option<String>,
}

/// Lists what is paused, by entity.
#[derive(Debug, Clone)]
pub struct ListPauses;

/// Lists what is paused, by entity, with what people want to know of it.
#[derive(Debug, Clone)]
pub struct ListPaused;

/// A pause, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedRow {
    /// `None`: the entity itself.
    pub source: Option<SourceName>,
    /// RFC 3339 in UTC.
    pub since: String,
    /// Who wanted it so, if that is known.
    pub who: Option<String>,
}

impl Request for SetPause {
    type Reply = ();

    const ACTION: &'static str = "store a pause";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let (entity, source) = (self.entity.as_str(), self.source.as_ref().map_or("", SourceName::as_str));
        match self.paused {
            true => session.execute(PUT, &[&entity, &source, &self.who]).await.map(drop),
            false => session.execute(REMOVE, &[&entity, &source]).await.map(drop),
        }
    }
}

impl Request for ListPauses {
    type Reply = BTreeMap<EntityName, Pauses>;

    const ACTION: &'static str = "list pauses";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Self::Reply, Fault> {
        let mut all = BTreeMap::<EntityName, Pauses>::new();
        for row in session.list(LIST, &[]).await? {
            let of_entity = all.entry(parsed(&row, "entity")?).or_default();
            if get::<String>(&row, "source")?.is_empty() {
                of_entity.entity = true;
            } else {
                of_entity.sources.insert(parsed(&row, "source")?);
            }
        }
        Ok(all)
    }
}

impl Request for ListPaused {
    type Reply = BTreeMap<EntityName, Vec<PausedRow>>;

    const ACTION: &'static str = "tell since when something is paused";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Self::Reply, Fault> {
        let mut all = BTreeMap::<EntityName, Vec<PausedRow>>::new();
        for row in session.list(LIST_SINCE, &[]).await? {
            let is_entity = get::<&str>(&row, "source")?.is_empty();
            let source = if is_entity { None } else { Some(parsed(&row, "source")?) };
            let (since, who) = (time(get::<Timestamp>(&row, "at")?), get(&row, "who")?);
            all.entry(parsed(&row, "entity")?).or_default().push(PausedRow { source, since, who });
        }
        Ok(all)
    }
}
