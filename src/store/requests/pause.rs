//! What a person has stopped for the time being: kept over restarts and reloads, and seen by every daemon.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::name::{EntityName, SourceName};
use crate::store::columns::{get, parsed};
use crate::store::run::{Fault, Mode, Request, Session};

const PUT: &str = include_str!("../sql/pause/put.sql");
const REMOVE: &str = include_str!("../sql/pause/remove.sql");
const LIST: &str = include_str!("../sql/pause/list.sql");

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
}

/// Lists what is paused, by entity.
#[derive(Debug, Clone)]
pub struct ListPauses;

impl Request for SetPause {
    type Reply = ();

    const ACTION: &'static str = "store a pause";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let source = self.source.as_ref().map_or("", SourceName::as_str);
        let statement = if self.paused { PUT } else { REMOVE };
        session.execute(statement, &[&self.entity.as_str(), &source]).await.map(drop)
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
