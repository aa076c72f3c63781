//! What this daemon serves: of daemons that share a database, each entity is served by exactly one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use crate::domain::name::EntityName;
use crate::source::process::cancel::Cancel;
use crate::source::tenure::Tenure;

use super::lock::whole;
use super::store::requests::lease::{DaemonId, Fence};

/// The entities that this daemon serves, and its time in office; clones are the same.
#[derive(Clone)]
pub(super) struct Office(Arc<Inner>);

struct Inner {
    daemon: DaemonId,
    /// Ends everything, whoever serves what.
    all: Cancel,
    held: Mutex<Held>,
}

struct Held {
    tenure: Arc<Tenure>,
    fences: BTreeMap<EntityName, i64>,
}

/// The right to serve an entity.
#[derive(Clone)]
pub(super) struct Mandate {
    pub(super) fence: Fence,
    pub(super) tenure: Arc<Tenure>,
}

impl Office {
    /// Makes one in which nothing is served yet.
    pub(super) fn new(daemon: DaemonId, all: Cancel) -> Self {
        let held = Mutex::new(Held { tenure: Arc::new(Tenure::suspended(all.clone())), fences: BTreeMap::new() });
        Self(Arc::new(Inner { daemon, all, held }))
    }

    pub(super) fn daemon(&self) -> DaemonId {
        self.0.daemon
    }

    /// Gives the right to serve an entity, if this daemon has it.
    pub(super) fn mandate(&self, entity: &EntityName) -> Option<Mandate> {
        let held = whole(&self.0.held);
        let number = *held.fences.get(entity)?;
        let fence = Fence { entity: entity.clone(), number, holder: self.0.daemon };
        Some(Mandate { fence, tenure: Arc::clone(&held.tenure) })
    }

    pub(super) fn tenure(&self) -> Arc<Tenure> {
        Arc::clone(&whole(&self.0.held).tenure)
    }

    /// Returns those of the entities that are not served here.
    pub(super) fn unserved(&self, entities: &BTreeSet<EntityName>) -> Vec<EntityName> {
        let held = whole(&self.0.held);
        entities.iter().filter(|entity| !held.fences.contains_key(*entity)).cloned().collect()
    }

    /// Serves these, too, from now on.
    pub(super) fn take(&self, taken: BTreeMap<EntityName, i64>) {
        whole(&self.0.held).fences.extend(taken);
    }

    /// Serves these no more.
    pub(super) fn give_up(&self, entities: &[EntityName]) {
        whole(&self.0.held).fences.retain(|entity, _| !entities.contains(entity));
    }

    /// Takes in that a request was refused which rested on this: whether the entity is served here is asked anew.
    pub(super) fn lose(&self, fence: &Fence) {
        whole(&self.0.held).fences.retain(|entity, number| (entity, *number) != (&fence.entity, fence.number));
    }

    /// Serves nothing any more; what runs is cut off.
    pub(super) fn depose(&self) {
        let mut held = whole(&self.0.held);
        held.tenure.end();
        *held = Held { tenure: Arc::new(Tenure::suspended(self.0.all.clone())), fences: BTreeMap::new() };
    }
}
