//! The supervisor: starts the store and the entities, starts anew whom it was told of, and puts configurations in force.

mod doors;
mod ingest;
mod entities;
mod pauses;
mod status;
mod survey;
mod threads;
mod end;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, Addr, Arbiter, AsyncContext, Context, Handler, Message};
use actix::{MessageResult, Supervised, WrapFuture};
use slog::{Logger, info, o, warn};
use tokio::sync::watch;

use crate::config::model::Alerts;
use crate::config::{Config, ConfigDiff};
use crate::domain::name::EntityName;
use crate::log::{chain, key};
use crate::metrics::Tally;
use crate::source::guardian::Guardian;
use crate::source::process::cancel::Cancel;
use crate::store::Store;

use super::alerts::Teller;
use super::entity::{EntityActor, Kit, Wake};
use super::herald::Herald;
use super::leases::{LeaseActor, Sweep};
use super::office::Office;
use super::store::requests::event::PurgeEvents;
use super::store::requests::lease::DaemonId;
use super::store::requests::queue::{ListDue, PurgeFinished};
use super::store::{Ask, Prepare, StoreActor, put};
use super::supervision::{ActorPath, Child, Drill, Ended, Ledger, Lifeline, Policy, Spec, start};
use super::workshop::Workshops;
use ingest::Ingest;
use threads::Threads;

pub use super::leases::Identity;
pub use super::messages::{
    Apply, ApproveDeletes, DatabaseStatus, DecideAlike, DropItem, EntityStatus, GetPreview, GetStatus, GetSupervision,
    GetSurvey, HandleItems, ListRuns, Notify, Ordered, PastRun, Pause, PreviewReady, Previewed, Reconfigure, Refusal,
    Resolve, RetryItem, Settle, SourceStatus, Standing, Status, Survey, SyncRecord, Undo, Unsettleable,
};
pub use threads::runtime;

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
    leases: Child<LeaseActor>,
    workshops: Workshops,
    herald: Herald,
    /// The alerts of the configuration in force.
    alerts: watch::Sender<Alerts>,
    /// Ends what runs.
    cancel: Cancel,
    /// The daemon whose place this one has taken.
    former: Option<DaemonId>,
    entities: BTreeMap<EntityName, Child<EntityActor>>,
    /// Removed from the configuration, and not yet done with what they had begun.
    leaving: BTreeMap<EntityName, Child<EntityActor>>,
    threads: Threads,
    ingest: Ingest,
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
    /// Ends it when this process cannot.
    pub guardian: Option<Guardian>,
    /// Who this daemon is among those that share the database.
    pub identity: Identity,
    pub policy: Policy,
    pub ledger: Ledger,
    /// Where everybody counts.
    pub tally: Tally,
    /// Makes events public.
    pub herald: Herald,
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

/// The store actor has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct StoreEnded(Ended);

impl Supervisor {
    /// Starts the supervisor on this thread, and with it the store; the entities follow when the database is ready for them.
    pub fn start(with: Start) -> Child<Self> {
        let Start { config, state_dir, store, cancel, guardian, identity, policy, ledger, tally, herald, log, ended } =
            with;
        let workshops = Workshops::default();
        let office = Office::new(identity.daemon, cancel.clone());
        let report = end::report(ended, workshops.clone(), cancel.clone());
        let alerts = watch::Sender::new(config.alerts.clone());
        let former = identity.former;
        let spec = Spec {
            path: ActorPath::Supervisor,
            policy: policy.clone(),
            ledger: ledger.clone(),
            log: log.new(o!(key::ACTOR => ActorPath::Supervisor.to_string())),
            report,
        };
        start(&Arbiter::current(), spec, move |ctx, lifeline| {
            let store = start_store(store, herald.clone(), ctx.address(), (&policy, &ledger), &log);
            let threads = Threads::start();
            let (store_addr, crew) = (store.addr.clone(), threads.crew());
            let kit = Kit { state_dir, store: store_addr, guardian, crew, office, ledger, tally, policy };
            let leases = start_leases(identity, &kit, ctx.address(), workshops.clone(), &log);
            Self {
                config,
                kit,
                store,
                leases,
                workshops,
                herald,
                alerts,
                cancel,
                former,
                entities: BTreeMap::new(),
                leaving: BTreeMap::new(),
                threads,
                ingest: Ingest::default(),
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
        self.clear(ctx);
        ctx.run_interval(CLEARING, |actor, ctx| actor.clear(ctx));
        ctx.run_interval(SWEEP, |actor, ctx| actor.sweep(ctx));
        let (store, ledger) = (self.store.addr.clone(), self.kit.ledger.clone());
        let rounds = self.herald.clone().work(store, ledger, self.log.clone());
        ctx.spawn(rounds.into_actor(self));
        ctx.spawn(self.teller().work(self.alerts.subscribe()).into_actor(self));
    }

    /// Returns who has people told.
    fn teller(&self) -> Teller {
        Teller {
            herald: self.herald.clone(),
            store: self.store.addr.clone(),
            daemon: self.kit.office.daemon(),
            former: self.former,
            guardian: self.kit.guardian.clone(),
            cancel: self.cancel.clone(),
            log: self.log.clone(),
        }
    }

    fn clear(&self, ctx: &mut Context<Self>) {
        self.clear_finished(ctx);
        self.clear_events(ctx);
        self.forget_requests(ctx);
    }

    fn clear_finished(&self, ctx: &mut Context<Self>) {
        let Some(older_than) = self.config.retention.work else { return };
        let (store, log) = (self.store.addr.clone(), self.log.clone());
        let cleared = async move {
            match put(&store, Ask(PurgeFinished { older_than })).await {
                Ok(0) => {}
                Ok(items) => info!(log, "finished work cleared away"; "items" => items),
                Err(error) => warn!(log, "finished work cannot be cleared away"; key::ERROR => chain(&error)),
            }
        };
        ctx.spawn(cleared.into_actor(self));
    }

    fn clear_events(&self, ctx: &mut Context<Self>) {
        let Some(older_than) = self.config.retention.events else { return };
        let (store, log) = (self.store.addr.clone(), self.log.clone());
        let cleared = async move {
            match put(&store, Ask(PurgeEvents { older_than })).await {
                Ok(0) => {}
                Ok(events) => info!(log, "old events cleared away"; "events" => events),
                Err(error) => warn!(log, "old events cannot be cleared away"; key::ERROR => chain(&error)),
            }
        };
        ctx.spawn(cleared.into_actor(self));
    }

    /// Wakes entities that have due work, and tells them what is paused, in case that nobody has told them.
    fn sweep(&self, ctx: &mut Context<Self>) {
        self.read_pauses(ctx);
        let store = self.store.addr.clone();
        let due = async move { put(&store, Ask(ListDue)).await };
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
    herald: Herald,
    supervisor: Addr<Supervisor>,
    (policy, ledger): (&Policy, &Ledger),
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
    start(&Arbiter::current(), spec, move |_, lifeline| StoreActor::new(store, lifeline, herald, log))
}

fn start_leases(
    identity: Identity,
    kit: &Kit,
    supervisor: Addr<Supervisor>,
    workshops: Workshops,
    log: &Logger,
) -> Child<LeaseActor> {
    let log = log.new(o!(key::ACTOR => ActorPath::Leases.to_string()));
    let spec = Spec {
        path: ActorPath::Leases,
        // It is started again for as long as it takes: without it nothing would be served.
        policy: Policy { intensity: usize::MAX, ..kit.policy.clone() },
        ledger: kit.ledger.clone(),
        log: log.clone(),
        report: Box::new(|_, _| ()),
    };
    let (office, store, guardian) = (kit.office.clone(), kit.store.clone(), kit.guardian.clone());
    start(&Arbiter::current(), spec, move |_, lifeline| {
        LeaseActor::new(identity, office, (store, supervisor), (workshops, guardian), lifeline, log)
    })
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

impl Handler<StoreEnded> for Supervisor {
    type Result = ();

    fn handle(&mut self, StoreEnded(ended): StoreEnded, ctx: &mut Context<Self>) {
        match ended {
            Ended::InOrder => {}
            Ended::GivenUp(reason) => self.cannot_go_on(format!("the store was given up: {reason}"), ctx),
        }
    }
}

impl Handler<Sweep> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Sweep, ctx: &mut Context<Self>) {
        self.sweep(ctx);
    }
}

impl Handler<GetSupervision> for Supervisor {
    type Result = MessageResult<GetSupervision>;

    fn handle(&mut self, _: GetSupervision, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.kit.ledger.read())
    }
}

impl Handler<ListRuns> for Supervisor {
    type Result = MessageResult<ListRuns>;

    fn handle(&mut self, ListRuns { entity, source }: ListRuns, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.workshops.past_runs(&entity, &source))
    }
}

impl Handler<GetStore> for Supervisor {
    type Result = MessageResult<GetStore>;

    fn handle(&mut self, _: GetStore, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.store.addr.clone())
    }
}

impl Handler<Drill> for Supervisor {
    type Result = ();

    fn handle(&mut self, drill: Drill, ctx: &mut Context<Self>) {
        match &drill.path {
            ActorPath::Store => self.store.addr.do_send(drill),
            ActorPath::Leases => self.leases.addr.do_send(drill),
            ActorPath::Entity(name) | ActorPath::Source(name, _) => {
                if let Some(child) = self.entities.get(name).or_else(|| self.leaving.get(name)) {
                    child.addr.do_send(drill);
                }
            }
            ActorPath::Supervisor => self.lifeline.drill(drill, ctx),
            // It stands beside this one.
            ActorPath::Reloader => {}
        }
    }
}
