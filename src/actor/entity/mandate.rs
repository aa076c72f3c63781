//! Whether the entity is served here: what begins with a lease, and what ends with it.

use std::sync::Arc;

use actix::{Context, Handler};
use slog::info;

use crate::log::key;
use crate::store::{Request, StoreError};

use super::super::desk::Desk;
use super::super::leases::LeasesChanged;
use super::super::office::Mandate;
use super::super::store::PAUSES;
use super::super::store::requests::pause::ListPauses;
use super::super::store::requests::queue::{Recover, Recovered, Rematch, RematchPart, Rename, Renamed};
use super::{EntityActor, Phase};

impl EntityActor {
    /// Begins or ceases to serve the entity, as the lease has it; tells whether anything has changed.
    pub(super) fn follow_lease(&mut self, ctx: &mut Context<Self>) -> bool {
        let mandate = self.kit.office.mandate(&self.entity.name);
        if matches!(self.phase, Phase::Draining | Phase::Closing) || is_same(&self.mandate, &mandate) {
            return false;
        }
        // Looks that were begun under another mandate end by that: what they record is refused if the lease has moved on.
        self.lay_down();
        self.mandate = mandate;
        match &self.mandate {
            None => info!(self.log, "entity left to another daemon"),
            Some(_) => {
                self.workshop.gate.empty();
                (self.phase, self.pause) = (Phase::Recovering, PAUSES.0);
                self.arrange(ctx);
                self.recover(ctx);
            }
        }
        true
    }

    /// Ceases to serve the entity, of which the database says that somebody else does; until it gives the lease again.
    pub(super) fn be_deposed(&mut self, ctx: &mut Context<Self>) {
        if let Some(mandate) = &self.mandate {
            self.kit.office.lose(&mandate.fence);
        }
        self.follow_lease(ctx);
    }

    /// Lets go of everything by which looks are begun.
    fn lay_down(&mut self) {
        *self.desk.borrow_mut() = None;
        self.sources.keys().for_each(|source| self.kit.ledger.strike_out(&self.path_of(source)));
        self.sources.clear();
        self.conditions.clear();
        self.timers.clear();
        (self.timer, self.patience) = (None, None);
        // Whoever takes the queue over puts it back.
        self.workshop.let_go();
        self.phase = Phase::Standby;
    }
}

/// Puts back what nobody looks at, once sources that were renamed have all that is known of them by their former names, and all records
/// are known by what `match` is now.
pub(super) async fn take_over(desk: &Desk) -> Result<Recovered, StoreError> {
    let entity = &desk.entity;
    let former = entity.sources.values().filter_map(|source| Some((source.renamed_from.clone()?, source.name.clone())));
    let names: Vec<_> = former.collect();
    if !names.is_empty() {
        match desk.ask(Rename { entity: entity.name.clone(), names }).await? {
            Renamed::Done(renamed) => renamed.iter().for_each(|(former, present)| {
                info!(desk.log, "source renamed"; key::SOURCE => %present, "former" => %former);
            }),
            Renamed::Refused { former, present } => {
                let why = format!(
                    "copies are known of both \"{former}\" and \"{present}\", which has renamed_from = \"{former}\": \
                     they are two sources; remove that setting"
                );
                return Err(StoreError::Failed { action: Rename::ACTION, why });
            }
        }
    }
    rematch(desk).await?;
    let mut paused = desk.ask(ListPauses).await?;
    desk.workshop.paused.set(paused.remove(&entity.name).unwrap_or_default());
    desk.ask(Recover { entity: entity.name.clone(), held: desk.workshop.items() }).await
}

/// Has records that are known already compared with new items as the configuration has it now.
async fn rematch(desk: &Desk) -> Result<(), StoreError> {
    let mut next = Some(RematchPart::Begin);
    while let Some(part) = next {
        let (entity, rules) = (desk.entity.name.clone(), desk.terms.rules.clone());
        next = desk.ask(Rematch { entity, rules, part }).await?;
        if next.is_none() && matches!(part, RematchPart::Make { after: 1.., .. }) {
            info!(desk.log, "match values made");
        }
    }
    Ok(())
}

/// Tells whether nothing has changed hands, and nothing was cut off.
fn is_same(one: &Option<Mandate>, other: &Option<Mandate>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.fence == other.fence && Arc::ptr_eq(&one.tenure, &other.tenure),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

impl Handler<LeasesChanged> for EntityActor {
    type Result = ();

    fn handle(&mut self, _: LeasesChanged, ctx: &mut Context<Self>) {
        self.follow_lease(ctx);
    }
}
