//! The entities: who starts, who leaves, who is started anew; and how a configuration is put in force.

use std::future::Future;
use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message, ResponseFuture};
use futures_util::future::join_all;
use slog::o;

use crate::config::model::Entity;
use crate::config::{ConfigDiff, EntityChange};
use crate::domain::name::EntityName;
use crate::log::key;

use super::super::entity::{self, EntityActor, Rearrange};
use super::super::leases::{Leave, Want};
use super::super::messages::Reconfigure;
use super::super::supervision::{ActorPath, ActorState, Child, Ended, Spec, start};
use super::{Phase, Supervisor};

/// The actor of an entity has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct EntityEnded {
    entity: EntityName,
    actor: u64,
    ended: Ended,
}

/// Nothing of an entity that is not served here any more is under way.
#[derive(Message)]
#[rtype(result = "()")]
struct AtRest(EntityName);

impl Supervisor {
    fn start_entity(&mut self, entity: Arc<Entity>, ctx: &mut Context<Self>) {
        let name = entity.name.clone();
        let workshop = self.workshops.open(&entity);
        let log = self.log.new(o!(key::ENTITY => name.to_string(), key::ACTOR => name.to_string()));
        let (supervisor, told) = (ctx.address(), name.clone());
        let spec = Spec {
            path: ActorPath::Entity(name.clone()),
            policy: self.kit.policy.clone(),
            ledger: self.kit.ledger.clone(),
            log: log.clone(),
            report: Box::new(move |actor, ended| {
                supervisor.do_send(EntityEnded { entity: told.clone(), actor, ended });
            }),
        };
        let (kit, shared) = (self.kit.clone(), Arc::clone(&workshop));
        let child =
            start(&self.threads.next(), spec, move |_, lifeline| EntityActor::new(entity, shared, kit, lifeline, log));
        workshop.serve(child.addr.clone());
        self.entities.insert(name, child);
    }

    /// Does what a change of the configuration calls for: starts what is new before it stops what is old. What is given
    /// resolves when every entity works by it.
    pub(super) fn put_in_force(
        &mut self,
        diff: &ConfigDiff,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = ()> + use<> {
        self.leases.addr.do_send(Want(self.config.entities.keys().cloned().collect()));
        let mut told = Vec::new();
        for (name, change) in &diff.entities {
            match change {
                // One that is still leaving is started when it has left.
                EntityChange::Added(_) if self.leaving.contains_key(name) => {}
                EntityChange::Added(entity) => self.start_entity(Arc::clone(entity), ctx),
                // What is known is first made known by other names, or by other values.
                EntityChange::Changed(change) if change.renames() || change.matches_otherwise => {
                    self.start_anew(name, &change.new, ctx);
                }
                EntityChange::Changed(change) => {
                    let child = self.entities.get(name);
                    told.extend(child.map(|child| child.addr.send(Rearrange(Arc::clone(&change.new)))));
                }
                EntityChange::Removed => {}
            }
        }
        let removed = diff.entities.iter().filter(|(_, change)| matches!(change, EntityChange::Removed));
        for (name, _) in removed {
            if let Some(child) = self.entities.remove(name) {
                self.leave(name, child, ctx);
            }
        }
        self.retry_given_up(ctx);
        told.extend(self.with_sources_given_up(diff).map(|(child, entity)| child.addr.send(Rearrange(entity))));
        async move { drop(join_all(told).await) }
    }

    /// Starts an entity anew when nothing of it is under way any more; one that is leaving is started when it has left.
    fn start_anew(&mut self, name: &EntityName, entity: &Arc<Entity>, ctx: &mut Context<Self>) {
        let Some(child) = self.entities.remove(name) else { return };
        self.leave(name, child, ctx);
        if !self.leaving.contains_key(name) {
            self.start_entity(Arc::clone(entity), ctx);
        }
    }

    /// Has the actor of an entity end that was removed, or is to be started anew.
    fn leave(&mut self, name: &EntityName, child: Child<EntityActor>, ctx: &mut Context<Self>) {
        let path = ActorPath::Entity(name.clone());
        if self.is_given_up(&path) {
            // It has ended, and nothing more will be heard of it.
            self.leave_to_others(name, ctx);
            return self.kit.ledger.strike_out(&path);
        }
        child.addr.do_send(entity::Finish);
        self.leaving.insert(name.clone(), child);
    }

    /// Leaves an entity to other daemons when nothing of it is under way any more: the looks of an actor that was given up go on
    /// without it, and may write as long as this daemon has the lease.
    fn leave_to_others(&self, name: &EntityName, ctx: &mut Context<Self>) {
        let (idle, name, supervisor) = (self.workshops.idle_at(name), name.clone(), ctx.address());
        actix::spawn(async move {
            idle.await;
            supervisor.do_send(AtRest(name));
        });
    }

    /// Lists the entities with sources that were given up, but for those of which `diff` says something.
    fn with_sources_given_up(&self, diff: &ConfigDiff) -> impl Iterator<Item = (&Child<EntityActor>, Arc<Entity>)> {
        let given_up = |entity: &Entity| {
            let mut paths = entity.sources.keys().map(|name| ActorPath::Source(entity.name.clone(), name.clone()));
            paths.any(|path| self.is_given_up(&path))
        };
        let untold = self.config.entities.values().filter(|entity| !diff.entities.contains_key(&entity.name));
        let untold = untold.filter(move |entity| given_up(entity));
        untold.filter_map(|entity| Some((self.entities.get(&entity.name)?, Arc::clone(entity))))
    }

    /// Starts the entities anew that were given up.
    pub(super) fn retry_given_up(&mut self, ctx: &mut Context<Self>) {
        let is_given_up = |name: &&EntityName| self.is_given_up(&ActorPath::Entity((*name).clone()));
        let given_up = self.entities.keys().filter(is_given_up).cloned().collect::<Vec<_>>();
        for name in given_up {
            self.start_again(&name, ctx);
        }
    }

    fn is_given_up(&self, path: &ActorPath) -> bool {
        let actor = self.kit.ledger.find(path);
        actor.is_some_and(|actor| actor.state == ActorState::GivenUp)
    }

    fn start_again(&mut self, name: &EntityName, ctx: &mut Context<Self>) {
        if let Some(entity) = self.config.entities.get(name).cloned()
            && self.phase == Phase::Working
        {
            self.start_entity(entity, ctx);
        }
    }

    /// Starts an entity that was given up when its long pause is over, unless that has been done by then.
    fn start_later(&self, entity: EntityName, actor: u64, ctx: &mut Context<Self>) {
        ctx.run_later(self.kit.policy.long_pause, move |supervisor, ctx| {
            if supervisor.entities.get(&entity).is_some_and(|child| child.id == actor) {
                supervisor.start_again(&entity, ctx);
            }
        });
    }
}

impl Handler<Reconfigure> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Reconfigure { config }: Reconfigure, ctx: &mut Context<Self>) -> Self::Result {
        let diff = ConfigDiff::between(Some(&self.config), &config);
        self.config = config;
        self.alerts.send_replace(self.config.alerts.clone());
        match self.phase {
            Phase::Working => Box::pin(self.put_in_force(&diff, ctx)),
            // The entities start by what is configured then.
            Phase::Preparing | Phase::Stopping | Phase::Closing => Box::pin(async {}),
        }
    }
}

impl Handler<EntityEnded> for Supervisor {
    type Result = ();

    fn handle(&mut self, EntityEnded { entity, actor, ended }: EntityEnded, ctx: &mut Context<Self>) {
        if self.leaving.get(&entity).is_some_and(|child| child.id == actor) {
            self.leaving.remove(&entity);
            self.leave_to_others(&entity, ctx);
            self.kit.ledger.strike_out(&ActorPath::Entity(entity.clone()));
            // It may have come back meanwhile.
            return self.start_again(&entity, ctx);
        }
        match ended {
            Ended::InOrder => {}
            Ended::GivenUp(_) => self.start_later(entity, actor, ctx),
        }
    }
}

impl Handler<AtRest> for Supervisor {
    type Result = ();

    fn handle(&mut self, AtRest(entity): AtRest, ctx: &mut Context<Self>) {
        if self.entities.contains_key(&entity) || self.leaving.contains_key(&entity) {
            // It came back meanwhile: its next end tells anew.
            return;
        }
        match self.workshops.is_idle(&entity) {
            true => self.leases.addr.do_send(Leave(entity)),
            false => self.leave_to_others(&entity, ctx),
        }
    }
}
