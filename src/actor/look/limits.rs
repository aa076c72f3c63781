//! What a look has to do with the limits of its entity: `max_deletes` and `max_changes`.

use slog::{info, warn};

use crate::config::display_duration;
use crate::config::model::Limit;
use crate::domain::name::SourceName;
use crate::domain::plan::{Held, Plan};
use crate::domain::record::{Known, Reading};
use crate::log::key;
use crate::store::StoreError;

use super::super::store::requests::look::{AskHeld, Counted, Limits, ListHeld};
use super::{Look, Readings};

impl Look {
    /// Says what the limits bear on in a plan. Most plans neither remove nor change anything, and some entities have no limit:
    /// then there is nothing to ask.
    pub(super) fn limits(&self, plan: &Plan) -> Limits {
        let entity = &self.desk.entity;
        let asked = |sources: Vec<SourceName>, limit: &Limit| {
            (limit.count > 0 && !sources.is_empty()).then(|| Counted { sources, limit: limit.clone() })
        };
        let changes = asked(plan.limited.changed_by.iter().cloned().collect(), &entity.max_changes);
        let consents = self.items.iter().any(|item| item.consents);
        Limits {
            removal: asked(plan.limited.removed_by.clone(), &entity.max_deletes),
            consented: if consents && changes.is_some() { self.item_ids() } else { Vec::new() },
            changes: changes.filter(|_| !consents),
            held: plan.limited.held.clone(),
            over: plan.limited.over.clone(),
        }
    }

    /// Has the other held deletions of a source looked at again, one of whose copies was missing and shows now.
    pub(super) async fn spread_relief(&self, plan: &Plan, taken: &Readings) -> Result<(), StoreError> {
        let shows =
            |source: &&SourceName| taken.get(*source).is_some_and(|taken| matches!(taken.reading, Reading::Present(_)));
        let sources: Vec<SourceName> = plan.limited.over.iter().filter(shows).cloned().collect();
        if !sources.is_empty() {
            let (entity, except) = (self.desk.entity.name.clone(), plan.record.id);
            self.desk.insist(AskHeld { entity, sources, except }).await?;
        }
        Ok(())
    }

    /// Finds out which of the copies that were found missing before, and are missing still, wait for a person. There is nothing to
    /// ask of most records.
    pub(super) async fn recall_held(&self, known: &Known, taken: &Readings, held: &mut Held) -> Result<(), StoreError> {
        let is_missing = |name: &SourceName| taken.get(name).is_some_and(|taken| taken.reading == Reading::Missing);
        let still = known.links.iter().filter(|(name, link)| link.missing_since.is_some() && is_missing(name));
        let sources: Vec<SourceName> = still.map(|(name, _)| name.clone()).collect();
        if sources.is_empty() || self.desk.entity.max_deletes.count == 0 {
            return Ok(());
        }
        let (entity, record) = (self.desk.entity.name.clone(), known.record.id);
        let waiting = self.desk.insist(ListHeld { entity, record, sources }).await?;
        self.leave_out(known, taken, &waiting, held);
        Ok(())
    }

    /// Says why the parts of these sources are left out: by which limit, and what lets them pass.
    pub(super) fn leave_out(&self, known: &Known, taken: &Readings, over: &[SourceName], held: &mut Held) {
        let entity = &self.desk.entity;
        let numbers = |limit: &Limit| format!("{} in {}", limit.count, display_duration(limit.per));
        for source in over {
            let is_missing = taken.get(source).is_some_and(|taken| taken.reading == Reading::Missing);
            let why = if is_missing {
                let numbers = numbers(&entity.max_deletes);
                warn!(self.log, "deletion held"; key::INTERNAL_KEY => known.record.id.0, key::SOURCE => %source);
                format!("found missing; max_deletes ({numbers}) holds the deletion for a person")
            } else {
                let numbers = numbers(&entity.max_changes);
                info!(self.log, "change held"; key::INTERNAL_KEY => known.record.id.0, key::SOURCE => %source);
                format!(
                    "max_changes ({numbers}) holds what changed at {source} for a person; to retry this is to consent"
                )
            };
            held.insert(source.clone(), why);
        }
    }
}
