//! The supervisor: starts the store and the entities, starts anew whom it was told of, and puts configurations in force.

mod doors;
mod status;

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
use super::workshop::Workshop;

pub use super::messages::{
    DatabaseStatus, DropItem, EntityStatus, GetStatus, GetSupervision, Notify, Ordered, Reconfigure, Refusal, Resolve,
    RetryItem, SourceStatus, Standing, Status, SyncRecord, Undo,
};

/// The threads that entities and their sources share.
const ARBITERS: usize = 2;
/// How many invocations may block at the same time on one of these threads: each source has one, and most of them wait for
/// a program or for their throttle.
const BLOCKED: usize = 8192;
/// How often finished work is cleared away.
const CLEARING: Duration = Duration::from_secs(3600);
/// How often it is looked for due work of which nobody has told its entity.
const SWEEP: Duration = Duration::from_secs(30);

/// How long runs that were cancelled may still take before the supervisor gives up: their own grace, and a moment to record them.
const LAST_MOMENTS: Duration = Duration::from_secs(10);

/// The root of the actors.
pub struct Supervisor {
    config: Arc<Config>,
    kit: Kit,
    store: Child<StoreActor>,
    entities: BTreeMap<EntityName, Post>,
    /// Removed from the configuration, and not yet done with what they had begun.
    leaving: BTreeMap<EntityName, Child<EntityActor>>,
    arbiters: Vec<Arbiter>,
    lifeline: Lifeline,
    log: Logger,
    started: Instant,
    phase: Phase,
}

/// Where an entity's actors stand, one after the other.
struct Post {
    workshop: Arc<Workshop>,
    child: Child<EntityActor>,
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
        let spec = Spec {
            path: ActorPath::Supervisor,
            policy: policy.clone(),
            ledger: ledger.clone(),
            log: log.new(o!(key::ACTOR => ActorPath::Supervisor.to_string())),
            report: Box::new(move |_, how| {
                ended(match how {
                    Ended::InOrder => None,
                    Ended::GivenUp(reason) => Some(reason),
                });
            }),
        };
        start(&Arbiter::current(), spec, move |ctx, lifeline| {
            let store = start_store(store, ctx.address(), &policy, &ledger, &log);
            let kit = Kit { state_dir, store: store.addr.clone(), cancel, ledger, policy };
            Self {
                config,
                kit,
                store,
                entities: BTreeMap::new(),
                leaving: BTreeMap::new(),
                arbiters: (0..ARBITERS).map(|_| arbiter()).collect(),
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
            Ok(Ok(migrations)) => {
                info!(actor.log, "database ready"; "migrations" => migrations);
                actor.phase = Phase::Working;
                let all = ConfigDiff::between(None, &actor.config);
                drop(actor.put_in_force(&all, ctx));
                actor.keep_house(ctx);
            }
            Ok(Err(reason)) => actor.cannot_go_on(chain(&reason), ctx),
            // The store is being restarted.
            Err(_) => drop(ctx.run_later(Duration::from_secs(1), |actor, ctx| actor.prepare(ctx))),
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
        let former = self.entities.remove(&name).map(|post| post.workshop);
        let workshop = former.unwrap_or_else(|| Workshop::open(&entity.throttle));
        workshop.gate.set(&entity.throttle);
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
        let child = start(&self.next_arbiter().handle(), spec, move |_, lifeline| {
            EntityActor::new(entity, shared, kit, lifeline, log)
        });
        self.entities.insert(name, Post { workshop, child });
    }

    /// Takes the threads in turn; one that is gone is replaced.
    fn next_arbiter(&mut self) -> &Arbiter {
        let number = self.entities.len() % ARBITERS;
        if !self.arbiters[number].handle().spawn_fn(|| {}) {
            self.arbiters[number] = arbiter();
        }
        &self.arbiters[number]
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
                    let post = self.entities.get(name);
                    told.extend(post.map(|post| post.child.addr.send(Rearrange(Arc::clone(&change.new)))));
                }
                EntityChange::Removed => {}
            }
        }
        let removed = diff.entities.iter().filter(|(_, change)| matches!(change, EntityChange::Removed));
        for (name, _) in removed {
            match self.entities.remove(name) {
                // It has ended already, and does not tell again.
                Some(_) if self.is_given_up(name) => self.kit.ledger.strike_out(&ActorPath::Entity(name.clone())),
                Some(post) => {
                    post.child.addr.do_send(entity::Finish);
                    self.leaving.insert(name.clone(), post.child);
                }
                None => {}
            }
        }
        self.retry_given_up(ctx);
        async move { drop(join_all(told).await) }
    }

    /// Starts the entities anew that were given up.
    fn retry_given_up(&mut self, ctx: &mut Context<Self>) {
        let given_up = self.entities.keys().filter(|name| self.is_given_up(name)).cloned().collect::<Vec<_>>();
        for name in given_up {
            self.start_again(&name, ctx);
        }
    }

    fn is_given_up(&self, name: &EntityName) -> bool {
        let actor = self.kit.ledger.find(&ActorPath::Entity(name.clone()));
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
            if supervisor.entities.get(&entity).is_some_and(|post| post.child.id == actor) {
                supervisor.start_again(&entity, ctx);
            }
        });
    }

    /// Ends what runs at the sources; then gives up.
    fn cannot_go_on(&mut self, reason: String, ctx: &mut Context<Self>) {
        self.phase = Phase::Stopping;
        self.kit.cancel.trigger();
        let ended = tokio::time::timeout(LAST_MOMENTS, join_all(self.finish_entities()));
        ctx.spawn(ended.into_actor(self).map(|_, actor, ctx| actor.lifeline.give_up(ctx, reason)));
    }

    /// Has every entity end what it has begun; what is given resolves when one has ended.
    fn finish_entities(&self) -> Vec<impl Future<Output = ()> + use<>> {
        let entities = self.entities.values().map(|post| &post.child).chain(self.leaving.values());
        let finish = |child: &Child<EntityActor>| {
            child.addr.do_send(entity::Finish);
            child.ended()
        };
        entities.map(finish).collect()
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
        if let Some(post) = self.entities.get(entity) {
            post.child.addr.do_send(Wake);
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

fn arbiter() -> Arbiter {
    Arbiter::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKED)
            .build()
            .expect("a thread's runtime can be built: nothing but descriptors is asked for")
    })
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

    fn handle(&mut self, Reconfigure { config, diff }: Reconfigure, ctx: &mut Context<Self>) -> Self::Result {
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
            // It came back meanwhile.
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
        let ended = join_all(self.finish_entities());
        Box::pin(async move { drop(ended.await) })
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
        for arbiter in self.arbiters.drain(..) {
            arbiter.stop();
            // Its thread has nothing left to do.
            drop(arbiter.join());
        }
        self.lifeline.finish(ctx);
    }
}

impl Handler<Drill> for Supervisor {
    type Result = ();

    fn handle(&mut self, drill: Drill, ctx: &mut Context<Self>) {
        match &drill.path {
            ActorPath::Store => self.store.addr.do_send(drill),
            ActorPath::Entity(name) | ActorPath::Source(name, _) => {
                if let Some(post) = self.entities.get(name) {
                    post.child.addr.do_send(drill);
                }
            }
            ActorPath::Supervisor => self.lifeline.drill(drill, ctx),
        }
    }
}
