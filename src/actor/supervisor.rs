//! The supervisor: starts the store and the entities, and is the door through which work comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, Addr, Arbiter, AsyncContext, Context, Handler, Message};
use actix::{ResponseFuture, WrapFuture};
use futures_util::future::join_all;
use slog::{Logger, error, info, o, warn};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::config::model::Entity;
use crate::domain::name::{EntityName, SourceName};
use crate::log::{chain, key};
use crate::source::process::cancel::Cancel;
use crate::store::{Store, StoreError};

use super::entity::{CarryOut, Drain, EntityActor, EntityState, GetEntityState, Wake};
use super::source::Stop;
use super::store::requests::queue::{Enqueue, EnqueueRecord, Enqueued, Order, PurgeFinished};
use super::store::requests::view::{CountAll, Counts, DropWorkItem, FindConflict, Handled, RetryWorkItem};
use super::store::{Ask, Prepare, StoreActor};
use super::supervision::Ledger;

pub use super::messages::{
    DatabaseStatus, DropItem, EntityStatus, GetStatus, GetSupervision, Notify, Ordered, Reconfigure, Refusal, Resolve,
    RetryItem, SourceStatus, Standing, Status, SyncRecord, Undo,
};

/// The threads that entities and their sources share.
const ARBITERS: usize = 2;
/// How often finished work is cleared away.
const CLEARING: Duration = Duration::from_secs(3600);

/// The root of the actors.
pub struct Supervisor {
    config: Arc<Config>,
    state_dir: PathBuf,
    store: Addr<StoreActor>,
    entities: BTreeMap<EntityName, Addr<EntityActor>>,
    arbiters: Vec<Arbiter>,
    cancel: Cancel,
    log: Logger,
    started: Instant,
    ledger: Ledger,
    prepared: bool,
    /// Told once, if the daemon cannot go on.
    fatal: Option<oneshot::Sender<String>>,
}

/// Stops the entities: no new claims, then the looks under way, then the actors. Answered when all are stopped.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StopAll;

impl Supervisor {
    /// Starts the store actor; the entities follow when the database is ready for them.
    ///
    /// `fatal` is told the reason if the daemon cannot go on; `cancel` ends what runs at the sources.
    pub fn new(
        config: Arc<Config>,
        state_dir: PathBuf,
        store: Store,
        cancel: Cancel,
        log: Logger,
        fatal: oneshot::Sender<String>,
    ) -> Self {
        let arbiters: Vec<Arbiter> = (0..ARBITERS).map(|_| Arbiter::new()).collect();
        let log_of_store = log.new(o!(key::ACTOR => "store"));
        Self {
            config,
            state_dir,
            store: StoreActor::new(store, log_of_store).start(),
            entities: BTreeMap::new(),
            arbiters,
            cancel,
            log,
            started: Instant::now(),
            ledger: Ledger::default(),
            prepared: false,
            fatal: Some(fatal),
        }
    }

    /// Returns the store actor, for those who only read.
    pub fn store(&self) -> Addr<StoreActor> {
        self.store.clone()
    }

    fn start_entities(&mut self) {
        let entities = self.config.entities.values().enumerate().map(|(number, entity)| {
            (entity.name.clone(), self.start_entity(Arc::clone(entity), &self.arbiters[number % ARBITERS]))
        });
        self.entities = entities.collect();
    }

    fn start_entity(&self, entity: Arc<Entity>, arbiter: &Arbiter) -> Addr<EntityActor> {
        let name = entity.name.to_string();
        let log = self.log.new(o!(key::ACTOR => name.clone(), key::ENTITY => name.clone()));
        let (state_dir, store, cancel) = (self.state_dir.clone(), self.store.clone(), self.cancel.clone());
        EntityActor::start_in_arbiter(&arbiter.handle(), move |_| {
            EntityActor::new(entity, state_dir, store, cancel, log)
        })
    }

    /// Names what is wrong with a notification, if it is for something that is not configured.
    fn check(&self, entity: &EntityName, source: &SourceName) -> Result<(), Refusal> {
        let Some(known) = self.config.entities.get(entity) else {
            return Err(Refusal::UnknownEntity(entity.clone()));
        };
        if known.sources.contains_key(source) {
            return Ok(());
        }
        Err(Refusal::UnknownSource(entity.clone(), source.clone()))
    }

    fn entity(&self, entity: &EntityName) -> Result<Addr<EntityActor>, Refusal> {
        if !self.config.entities.contains_key(entity) {
            return Err(Refusal::UnknownEntity(entity.clone()));
        }
        self.entities.get(entity).cloned().ok_or(Refusal::Away)
    }

    /// Wakes the entity of an item that somebody has spoken of.
    fn handled(
        &self,
        handled: impl Future<Output = Result<Handled, Refusal>> + 'static,
    ) -> ResponseFuture<Result<Handled, Refusal>> {
        let entities = self.entities.clone();
        Box::pin(async move {
            let handled = handled.await?;
            if let Handled::Done(entity) = &handled
                && let Some(actor) = entities.get(entity)
            {
                actor.do_send(Wake);
            }
            Ok(handled)
        })
    }

    fn clear_finished(&self, ctx: &mut Context<Self>) {
        let Some(older_than) = self.config.retention.work else { return };
        let (store, log) = (self.store.clone(), self.log.clone());
        let cleared = async move {
            match put(&store, PurgeFinished { older_than }).await {
                Ok(0) => {}
                Ok(items) => info!(log, "finished work cleared away"; "items" => items),
                Err(error) => warn!(log, "finished work cannot be cleared away"; key::ERROR => chain(&error)),
            }
        };
        ctx.spawn(cleared.into_actor(self));
    }
}

/// Puts a request to the store.
async fn put<R: crate::store::Request>(store: &Addr<StoreActor>, request: R) -> Result<R::Reply, StoreError> {
    store.send(Ask(request)).await.unwrap_or_else(|away| Err(StoreError::Unavailable(Box::new(away))))
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        info!(self.log, "actor started");
        let prepared = self.store.send(Prepare);
        ctx.spawn(prepared.into_actor(self).map(|prepared, actor, ctx| match prepared {
            Ok(Ok(migrations)) => {
                info!(actor.log, "database ready"; "migrations" => migrations);
                actor.start_entities();
                actor.prepared = true;
                actor.clear_finished(ctx);
                ctx.run_interval(CLEARING, |actor, ctx| actor.clear_finished(ctx));
            }
            Ok(Err(reason)) => actor.give_up(chain(&reason)),
            Err(away) => actor.give_up(chain(&away)),
        }));
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        info!(self.log, "actor stopped");
    }
}

impl Supervisor {
    fn give_up(&mut self, reason: String) {
        error!(self.log, "actor gave up"; key::ERROR => &reason);
        if let Some(fatal) = self.fatal.take() {
            drop(fatal.send(reason));
        }
    }
}

impl Handler<Notify> for Supervisor {
    type Result = ResponseFuture<Result<Vec<Enqueued>, Refusal>>;

    fn handle(&mut self, Notify(notifications): Notify, _: &mut Context<Self>) -> Self::Result {
        let refused = notifications.iter().find_map(|hint| self.check(&hint.entity, &hint.source).err());
        if let Some(refused) = refused {
            return Box::pin(async { Err(refused) });
        }
        if !self.prepared {
            return Box::pin(async { Err(Refusal::Away) });
        }
        let named: BTreeSet<&EntityName> = notifications.iter().map(|hint| &hint.entity).collect();
        let woken: Vec<_> = named.into_iter().filter_map(|name| self.entities.get(name).cloned()).collect();
        let store = self.store.clone();
        Box::pin(async move {
            let enqueued = put(&store, Enqueue { notifications }).await?;
            woken.iter().for_each(|entity| entity.do_send(Wake));
            Ok(enqueued)
        })
    }
}

impl Handler<SyncRecord> for Supervisor {
    type Result = ResponseFuture<Result<Option<Enqueued>, Refusal>>;

    fn handle(&mut self, SyncRecord { entity, record }: SyncRecord, _: &mut Context<Self>) -> Self::Result {
        let (actor, store) = (self.entity(&entity), self.store.clone());
        Box::pin(async move {
            let actor = actor?;
            let enqueued = put(&store, EnqueueRecord { entity, record, order: None }).await?;
            actor.do_send(Wake);
            Ok(enqueued)
        })
    }
}

impl Handler<Resolve> for Supervisor {
    type Result = ResponseFuture<Result<Ordered, Refusal>>;

    fn handle(&mut self, Resolve { conflict, revision, decision }: Resolve, _: &mut Context<Self>) -> Self::Result {
        let (store, entities) = (self.store.clone(), self.entities.clone());
        Box::pin(async move {
            let Some(row) = put(&store, FindConflict { id: conflict }).await? else { return Ok(Ordered::NotFound) };
            if row.closed {
                return Ok(Ordered::Stale(None));
            }
            let actor = entities.get(&row.entity).ok_or_else(|| Refusal::UnknownEntity(row.entity.clone()))?;
            let order = Order::Resolve { conflict, revision: revision.unwrap_or(row.revision), decision };
            actor.send(CarryOut { record: row.record, order }).await.unwrap_or(Err(Refusal::Away))
        })
    }
}

impl Handler<Undo> for Supervisor {
    type Result = ResponseFuture<Result<Ordered, Refusal>>;

    fn handle(&mut self, Undo { entity, record, version }: Undo, _: &mut Context<Self>) -> Self::Result {
        let actor = self.entity(&entity);
        Box::pin(async move {
            let order = Order::Undo { version };
            actor?.send(CarryOut { record, order }).await.unwrap_or(Err(Refusal::Away))
        })
    }
}

impl Handler<RetryItem> for Supervisor {
    type Result = ResponseFuture<Result<Handled, Refusal>>;

    fn handle(&mut self, RetryItem(id): RetryItem, _: &mut Context<Self>) -> Self::Result {
        let store = self.store.clone();
        self.handled(async move { Ok(put(&store, RetryWorkItem { id }).await?) })
    }
}

impl Handler<DropItem> for Supervisor {
    type Result = ResponseFuture<Result<Handled, Refusal>>;

    fn handle(&mut self, DropItem(id): DropItem, _: &mut Context<Self>) -> Self::Result {
        let store = self.store.clone();
        self.handled(async move { Ok(put(&store, DropWorkItem { id }).await?) })
    }
}

impl Handler<GetStatus> for Supervisor {
    type Result = ResponseFuture<Result<Status, Refusal>>;

    fn handle(&mut self, _: GetStatus, _: &mut Context<Self>) -> Self::Result {
        if !self.prepared {
            return Box::pin(async { Err(Refusal::Away) });
        }
        let (store, entities) = (self.store.clone(), self.entities.clone());
        let (config, uptime_s) = (Arc::clone(&self.config), self.started.elapsed().as_secs());
        Box::pin(async move {
            let mut counts = put(&store, CountAll).await?;
            let states =
                entities.iter().map(|(name, actor)| async move { (name, actor.send(GetEntityState).await.ok()) });
            let mut states: BTreeMap<_, _> = join_all(states).await.into_iter().collect();
            let status = |entity: &Arc<Entity>| {
                let state = states.remove(&entity.name).flatten();
                let counts = counts.remove(&entity.name).unwrap_or_default();
                entity_status(entity, state, counts)
            };
            let entities: Vec<EntityStatus> = config.entities.values().map(status).collect();
            let ready = entities.iter().all(|entity| entity.state == "up");
            let database = DatabaseStatus { up: true, error: None };
            Ok(Status { uptime_s, database, entities, ready })
        })
    }
}

fn entity_status(entity: &Entity, state: Option<EntityState>, counts: Counts) -> EntityStatus {
    let word = match &state {
        Some(state) if state.working => "up",
        Some(_) | None => "starting",
    };
    let (in_flight, throttle, sources) =
        state.map(|state| (state.in_flight, state.throttle, state.sources)).unwrap_or_default();
    EntityStatus { name: entity.name.clone(), state: word, counts, in_flight, throttle, sources }
}

impl Handler<Reconfigure> for Supervisor {
    type Result = ();

    fn handle(&mut self, Reconfigure { config, .. }: Reconfigure, _: &mut Context<Self>) {
        self.config = config;
    }
}

impl Handler<GetSupervision> for Supervisor {
    type Result = actix::MessageResult<GetSupervision>;

    fn handle(&mut self, _: GetSupervision, _: &mut Context<Self>) -> Self::Result {
        actix::MessageResult(self.ledger.read())
    }
}

impl Handler<StopAll> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: StopAll, _: &mut Context<Self>) -> Self::Result {
        let entities = std::mem::take(&mut self.entities);
        let arbiters = std::mem::take(&mut self.arbiters);
        Box::pin(async move {
            // An actor that is gone has nothing under way.
            let _ = join_all(entities.values().map(|entity| entity.send(Drain))).await;
            let _ = join_all(entities.values().map(|entity| entity.send(Stop))).await;
            for arbiter in arbiters {
                arbiter.stop();
                let _ = arbiter.join();
            }
        })
    }
}
