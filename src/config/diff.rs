//! What differs between two configurations, by name. Start-up is the diff from nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::model::{Config, Entity, Source};
use crate::domain::name::{EntityName, SourceName};

/// What has to be done to get from one configuration to another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConfigDiff {
    /// Settings such as `server.listen` that take effect at the next start only.
    pub needs_restart: Vec<&'static str>,
    /// Settings such as `log.level` outside of entities that take effect at once.
    pub settings: Vec<&'static str>,
    pub entities: BTreeMap<EntityName, EntityChange>,
}

/// What became of an entity.
#[derive(Debug, Clone, PartialEq)]
pub enum EntityChange {
    Added(Arc<Entity>),
    Removed,
    Changed(EntityDiff),
}

/// What differs within an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityDiff {
    pub new: Arc<Entity>,
    /// Settings of the entity itself such as `merge_policy` or `throttle`; they need no restart of an actor.
    pub settings: Vec<&'static str>,
    pub sources: BTreeMap<SourceName, SourceChange>,
}

/// What became of a source.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceChange {
    Added(Arc<Source>),
    /// Added, and `from` was removed in favour of it.
    Renamed {
        from: SourceName,
        new: Arc<Source>,
    },
    Removed,
    /// The settings that changed, such as `command`; the source's actor alone is restarted.
    Changed {
        settings: Vec<&'static str>,
        new: Arc<Source>,
    },
}

impl ConfigDiff {
    /// Compares `new` with what runs now; with `None` everything in `new` is an addition.
    pub fn between(old: Option<&Config>, new: &Config) -> Self {
        let _ = (old, new);
        todo!()
    }

    /// Says whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.needs_restart.is_empty() && self.settings.is_empty() && self.entities.is_empty()
    }
}

/// Writes one line a change, such as `entities.customer.sources.crm: command changed`.
impl fmt::Display for ConfigDiff {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
