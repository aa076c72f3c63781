//! The supervisor: starts the store and the entities, starts anew whom it was told of, and puts configurations in force.

mod doors;
mod status;
mod threads;
mod end;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, Addr, Arbiter, AsyncContext, Context, Handler, Message};
use actix::{MessageResult, ResponseFuture, Supervised, WrapFuture};
use futures_util::future::join_all;
use slog::{Logger, info, o, warn};

use crate::config::model::Entity;
use crate::config::{Config, ConfigDiff, EntityChange};
use crate::domain::name::EntityName;
use crate::log::{chain, key};
use crate::source::process::cancel::Cancel;
use crate::store::{Store, StoreError};

use super::entity::{self, EntityActor, Kit, Rearrange, Wake};
use super::store::requests::queue::{ListDue, PurgeFinished};
use super::store::{self, Ask, Prepare, Request, StoreActor};
use super::supervision::{ActorPath, ActorState, Child, Drill, Ended, Ledger, Lifeline, Policy, Spec, start};
use super::workshop::Workshops;
use threads::Threads;

pub use super::messages::{
    DatabaseStatus, DropItem, EntityStatus, GetStatus, GetSupervision, Notify, Ordered, Reconfigure, Refusal, Resolve,
    RetryItem, SourceStatus, Standing, Status, SyncRecord, Undo,
};

/// The pause after the store could not be asked for the database.
const PAUSE: Duration = Duration::from_secs(1);
/// How often finished work is cleared away.
const CLEARING: Duration = Duration::from_secs(3600);
/// How often it is looked for due work of which nobody has told its entity.
const SWEEP: Duration = Duration::from_secs(30);

/// The root of the actors.
pub struct Supervisor {
    config: Arc<Config>,
    kit: Kit,
    store: Child<StoreActor>,
    workshops: Workshops,
    entities: BTreeMap<EntityName, Child<EntityActor>>,
    /// Removed from the configuration, and not yet done with what they had begun.
    leaving: BTreeMap<EntityName, Child<EntityActor>>,
    threads: Threads,
    lifeline: Lifeline,
    log: Logger,
    started: Instant,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The database is not ready yet.
    Preparing,
    Working,
    /// No entity is started any more.
    Stopping,
    /// The store is stopped, too.
    Closing,
}

/// What the supervisor is started with.
pub struct Start {
    pub config: Arc<Config>,
    pub state_dir: PathBuf,
    pub store: Store,
    /// Ends what runs at the sources.
    pub cancel: Cancel,
    pub policy: Policy,
    pub ledger: Ledger,
    pub log: Logger,
    /// Told the reason when the daemon cannot go on, and `None` when it was stopped.
    pub ended: Box<dyn Fn(Option<String>) + Send>,
}

/// Asks for the store, for those who only read.
#[derive(Message)]
#[rtype(result = "Addr<StoreActor>")]
pub struct GetStore;

/// Stops the entities: no new claims, then the looks under way, then the actors. Answered when all have ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StopEntities;

/// Stops the store, and then the supervisor itself; its [`Child::ended`] tells when that is done.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Finish;

/// The actor of an entity has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct EntityEnded {
    entity: EntityName,
    actor: u64,
    ended: Ended,
}

/// The store actor has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct StoreEnded(Ended);

/// Everything below has stopped.
#[derive(Message)]
#[rtype(result = "()")]
struct AllStopped;

impl Supervisor {
    /// Starts the supervisor on this thread, and with it the store; the entities follow when the database is ready for them.
    pub fn start(with: Start) -> Child<Self> {
        let Start { config, state_dir, store, cancel, policy, ledger, log, ended } = with;
        let workshops = Workshops::default();
        let report = end::report(ended, workshops.clone(), cancel.clone());
        let spec = Spec {
            path: ActorPath::Supervisor,
            policy: policy.clone(),
            ledger: ledger.clone(),
            log: log.new(o!(key::ACTOR => ActorPath::Supervisor.to_string())),
            report,
        };
        start(&Arbiter::current(), spec, move |ctx, lifeline| {
            let store = start_store(store, ctx.address(), &policy, &ledger, &log);
            let kit = Kit { state_dir, store: store.addr.clone(), cancel, ledger, policy };
            Self {
                config,
                kit,
                store,
                workshops,
                entities: BTreeMap::new(),
                leaving: BTreeMap::new(),
                threads: Threads::default(),
                lifeline,
                log,
                started: Instant::now(),
                phase: Phase::Preparing,
            }
        })
    }

    /// Waits until the database is ready; then the entities start.
    fn prepare(&self, ctx: &mut Context<Self>) {
        let prepared = self.store.addr.send(Prepare);
        ctx.spawn(prepared.into_actor(self).map(|prepared, actor, ctx| match prepared {
            // It was told to stop meanwhile.
            _ if actor.phase != Phase::Preparing => {}
            Ok(Ok(migrations)) => {
                info!(actor.log, "database ready"; "migrations" => migrations);
                actor.phase = Phase::Working;
                let all = ConfigDiff::between(None, &actor.config);
                drop(actor.put_in_force(&all, ctx));
                actor.keep_house(ctx);
            }
            Ok(Err(reason)) => actor.cannot_go_on(chain(&reason), ctx),
            // The store is being restarted.
            Err(_) => drop(ctx.run_later(PAUSE, |actor, ctx| actor.prepare(ctx))),
        }));
    }

    /// Does what is done from time to time.
    fn keep_house(&self, ctx: &mut Context<Self>) {
        self.clear_finished(ctx);
        ctx.run_interval(CLEARING, |actor, ctx| actor.clear_finished(ctx));
        ctx.run_interval(SWEEP, |actor, ctx| actor.sweep(ctx));
    }

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
    fn put_in_force(&mut self, diff: &ConfigDiff, ctx: &mut Context<Self>) -> impl Future<Output = ()> + use<> {
        let mut told = Vec::new();
        for (name, change) in &diff.entities {
            match change {
                // One that is still leaving is started when it has left.
                EntityChange::Added(_) if self.leaving.contains_key(name) => {}
                EntityChange::Added(entity) => self.start_entity(Arc::clone(entity), ctx),
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
                self.leave(name, child);
            }
        }
        self.retry_given_up(ctx);
        told.extend(self.with_sources_given_up(diff).map(|(child, entity)| child.addr.send(Rearrange(entity))));
        async move { drop(join_all(told).await) }
    }

    /// Has the actor of an entity end that was removed.
    fn leave(&mut self, name: &EntityName, child: Child<EntityActor>) {
        let path = ActorPath::Entity(name.clone());
        if self.is_given_up(&path) {
            // It has ended, and nothing more will be heard of it.
            return self.kit.ledger.strike_out(&path);
        }
        child.addr.do_send(entity::Finish);
        self.leaving.insert(name.clone(), child);
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
    fn retry_given_up(&mut self, ctx: &mut Context<Self>) {
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

    /// Gives up; what follows is in [`end::report`].
    fn cannot_go_on(&mut self, reason: String, ctx: &mut Context<Self>) {
        self.phase = Phase::Stopping;
        self.lifeline.give_up(ctx, reason);
    }

    /// Has every entity end what it has begun; what is given resolves when all have, and those that were given up have
    /// left nothing under way.
    fn finish_entities(&self) -> impl Future<Output = ()> + use<> {
        let entities = self.entities.values().chain(self.leaving.values());
        let ended: Vec<_> = entities.map(Child::ended).collect();
        self.workshops.tell(|| entity::Finish);
        let idle = self.workshops.idle();
        async move {
            join_all(ended).await;
            idle.await;
        }
    }

    fn clear_finished(&self, ctx: &mut Context<Self>) {
        let Some(older_than) = self.config.retention.work else { return };
        let (store, log) = (self.store.addr.clone(), self.log.clone());
        let cleared = async move {
            match put(&store, PurgeFinished { older_than }).await {
                Ok(0) => {}
                Ok(items) => info!(log, "finished work cleared away"; "items" => items),
                Err(error) => warn!(log, "finished work cannot be cleared away"; key::ERROR => chain(&error)),
            }
        };
        ctx.spawn(cleared.into_actor(self));
    }

    /// Wakes entities that have due work, in case that nobody has told them.
    fn sweep(&self, ctx: &mut Context<Self>) {
        let store = self.store.addr.clone();
        let due = async move { put(&store, ListDue).await };
        ctx.spawn(due.into_actor(self).map(|due, actor, _| match due {
            Ok(due) => due.iter().for_each(|name| actor.wake(name)),
            Err(error) => warn!(actor.log, "due work cannot be looked for"; key::ERROR => chain(&error)),
        }));
    }

    fn wake(&self, entity: &EntityName) {
        if let Some(child) = self.entities.get(entity) {
            child.addr.do_send(Wake);
        }
    }
}

fn start_store(
    store: Store,
    supervisor: Addr<Supervisor>,
    policy: &Policy,
    ledger: &Ledger,
    log: &Logger,
) -> Child<StoreActor> {
    let log = log.new(o!(key::ACTOR => ActorPath::Store.to_string()));
    let spec = Spec {
        path: ActorPath::Store,
        policy: policy.clone(),
        ledger: ledger.clone(),
        log: log.clone(),
        report: Box::new(move |_, ended| supervisor.do_send(StoreEnded(ended))),
    };
    start(&Arbiter::current(), spec, move |_, lifeline| StoreActor::new(store, lifeline, log))
}

/// Puts a request to the store.
async fn put<R: Request>(store: &Addr<StoreActor>, request: R) -> Result<R::Reply, StoreError> {
    let reply = store.send(Ask(request)).await;
    reply.unwrap_or_else(|away| Err(StoreError::Unavailable(Box::new(away))))
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.lifeline.up(ctx);
        match self.phase {
            Phase::Preparing => self.prepare(ctx),
            Phase::Working => {
                self.keep_house(ctx);
                self.retry_given_up(ctx);
            }
            Phase::Stopping => drop(self.finish_entities()),
            Phase::Closing => ctx.notify(Finish),
        }
    }
}

/// Its children are not touched by its failure.
impl Supervised for Supervisor {}

impl Handler<Reconfigure> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Reconfigure { config }: Reconfigure, ctx: &mut Context<Self>) -> Self::Result {
        let diff = ConfigDiff::between(Some(&self.config), &config);
        self.config = config;
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

impl Handler<StoreEnded> for Supervisor {
    type Result = ();

    fn handle(&mut self, StoreEnded(ended): StoreEnded, ctx: &mut Context<Self>) {
        match ended {
            Ended::InOrder => {}
            Ended::GivenUp(reason) => self.cannot_go_on(format!("the store was given up: {reason}"), ctx),
        }
    }
}

impl Handler<GetSupervision> for Supervisor {
    type Result = MessageResult<GetSupervision>;

    fn handle(&mut self, _: GetSupervision, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.kit.ledger.read())
    }
}

impl Handler<GetStore> for Supervisor {
    type Result = MessageResult<GetStore>;

    fn handle(&mut self, _: GetStore, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.store.addr.clone())
    }
}

impl Handler<StopEntities> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: StopEntities, _: &mut Context<Self>) -> Self::Result {
        self.phase = Phase::Stopping;
        self.lifeline.stopping();
        Box::pin(self.finish_entities())
    }
}

impl Handler<Finish> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Context<Self>) {
        self.phase = Phase::Closing;
        self.store.addr.do_send(store::Finish);
        let (ended, supervisor) = (self.store.ended(), ctx.address());
        actix::spawn(async move {
            ended.await;
            supervisor.do_send(AllStopped);
        });
    }
}

impl Handler<AllStopped> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: AllStopped, ctx: &mut Context<Self>) {
        self.threads.end();
        self.lifeline.finish(ctx);
    }
}

impl Handler<Drill> for Supervisor {
    type Result = ();

    fn handle(&mut self, drill: Drill, ctx: &mut Context<Self>) {
        match &drill.path {
            ActorPath::Store => self.store.addr.do_send(drill),
            ActorPath::Entity(name) | ActorPath::Source(name, _) => {
                if let Some(child) = self.entities.get(name) {
                    child.addr.do_send(drill);
                }
            }
            ActorPath::Supervisor => self.lifeline.drill(drill, ctx),
            // It stands beside this one.
            ActorPath::Reloader => {}
        }
    }
}
