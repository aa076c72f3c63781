//! What a person has stopped: put on record first, then told to the entity; what another daemon was told is found in time.

use std::collections::BTreeMap;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use slog::warn;

use crate::domain::name::EntityName;
use crate::log::{chain, key};

use super::super::entity::SetPauses;
use super::super::messages::{Pause, Refusal};
use super::super::store::requests::pause::{ListPauses, Pauses, SetPause};
use super::super::store::{Ask, put};
use super::Supervisor;

impl Supervisor {
    /// Reads what is paused, and tells the entities.
    pub(super) fn read_pauses(&self, ctx: &mut Context<Self>) {
        let store = self.store.addr.clone();
        let read = async move { put(&store, Ask(ListPauses)).await };
        ctx.spawn(read.into_actor(self).map(|read, actor, _| match read {
            Ok(all) => actor.tell_pauses(&all),
            Err(error) => warn!(actor.log, "pauses cannot be read"; key::ERROR => chain(&error)),
        }));
    }

    fn tell_pauses(&self, all: &BTreeMap<EntityName, Pauses>) {
        for (name, child) in &self.entities {
            child.addr.do_send(SetPauses(all.get(name).cloned().unwrap_or_default()));
        }
    }
}

impl Handler<Pause> for Supervisor {
    type Result = ResponseFuture<Result<(), Refusal>>;

    fn handle(&mut self, Pause { entity, source, paused, who }: Pause, _: &mut Context<Self>) -> Self::Result {
        let checked = match &source {
            Some(source) => self.check(&entity, source),
            None => Ok(()),
        };
        let actor = checked.and_then(|()| self.entity(&entity));
        let store = self.store.addr.clone();
        Box::pin(async move {
            let actor = actor?;
            put(&store, Ask(SetPause { entity: entity.clone(), source, paused, who })).await?;
            let mut all = put(&store, Ask(ListPauses)).await?;
            // An actor that is being restarted reads it when it takes its queue over.
            let _ = actor.send(SetPauses(all.remove(&entity).unwrap_or_default())).await;
            Ok(())
        })
    }
}
