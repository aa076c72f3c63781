//! What a person has stopped: of the entity, or of its sources.

use actix::{Context, Handler, Message};
use slog::info;

use crate::domain::name::SourceName;
use crate::log::key;

use super::super::store::requests::pause::Pauses;
use super::EntityActor;

/// Works by these pauses from now on; what is under way ends.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetPauses(pub Pauses);

impl Handler<SetPauses> for EntityActor {
    type Result = ();

    fn handle(&mut self, SetPauses(now): SetPauses, ctx: &mut Context<Self>) {
        let before = self.workshop.paused.set(now.clone());
        if before == now {
            return;
        }
        match (before.entity, now.entity) {
            (false, true) => info!(self.log, "entity paused"),
            (true, false) => info!(self.log, "entity resumed"),
            (false, false) | (true, true) => {}
        }
        for source in now.sources.difference(&before.sources) {
            info!(self.log, "source paused"; key::SOURCE => %source);
        }
        for source in before.sources.difference(&now.sources).cloned().collect::<Vec<SourceName>>() {
            info!(self.log, "source resumed"; key::SOURCE => %source);
            self.follow(source, ctx);
        }
        if now.entity {
            self.give_back();
        }
        self.pump();
    }
}
