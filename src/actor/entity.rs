//! An entity actor: claims its entity's due work and makes the looks, as many at a time as its throttle allows.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult};
use actix::{ResponseActFuture, SpawnHandle, WrapFuture};
use futures_util::FutureExt;
use slog::{Logger, info, o, warn};
use tokio::sync::oneshot;

use crate::config::model::Entity;
use crate::domain::key::InternalKey;
use crate::domain::name::SourceName;
use crate::log::{chain, key};
use crate::source::contract::Program;
use crate::source::gate::{Gate, GateState};
use crate::source::process::cancel::Cancel;
use crate::source::visit::Visitor;

use super::desk::{Desk, SharedDesk};
use super::look;
use super::source::{Health, SourceActor, Stop};
use super::store::StoreActor;
use super::store::requests::queue::{Claim, Claimed, ClaimedLook, EnqueueRecord, Order, Recover, Release, WorkItemId};
use super::supervisor::{Ordered, Refusal, SourceStatus};

/// The longest time between two looks into the queue; wake-ups make it shorter.
const IDLE: Duration = Duration::from_secs(30);
/// The pause after the queue could not be read.
const PAUSE: Duration = Duration::from_secs(1);
/// The time after which a probe of which nothing was heard is made with another item.
const PROBE_AGAIN: Duration = Duration::from_secs(30);
/// How long a person is kept waiting for an order.
const PATIENCE: Duration = Duration::from_secs(5);
/// Results of orders that nobody has asked for yet.
const UNCLAIMED: usize = 256;

/// Makes the looks of one entity.
pub struct EntityActor {
    entity: Arc<Entity>,
    state_dir: PathBuf,
    store: Addr<StoreActor>,
    gate: Arc<Gate>,
    /// Cancels what runs at the sources.
    cancel: Cancel,
    log: Logger,
    desk: Option<SharedDesk>,
    health: BTreeMap<SourceName, Health>,
    /// When sources that are down are probed next.
    probes: BTreeMap<SourceName, SpawnHandle>,
    phase: Phase,
    running: u32,
    claiming: Claiming,
    timer: Option<SpawnHandle>,
    orders: Orders,
    drained: Vec<oneshot::Sender<()>>,
}

/// What the actor is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Puts back what a dead daemon had claimed.
    Recovering,
    Working,
    /// Claims nothing more.
    Draining,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claiming {
    No,
    Yes,
    /// And there may be more by now.
    YesAndAgain,
}

/// Says that there may be due work.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// A source went down, failed another probe, or came back.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SourceChanged {
    pub source: SourceName,
    pub health: Health,
}

/// Carries out a person's order: stores it, and answers with what came of it.
#[derive(Message)]
#[rtype(result = "Result<Ordered, Refusal>")]
pub struct CarryOut {
    pub record: InternalKey,
    pub order: Order,
}

/// What came of an order is on record.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OrderEnded {
    pub item: WorkItemId,
    pub ordered: Ordered,
}

/// Claims nothing more; answered when the looks under way have ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Asks how the entity is.
#[derive(Message)]
#[rtype(result = "EntityState")]
pub struct GetEntityState;

/// How an entity is.
pub struct EntityState {
    /// Whether it claims work.
    pub working: bool,
    pub in_flight: u32,
    pub throttle: GateState,
    pub sources: BTreeMap<SourceName, SourceStatus>,
}

impl EntityActor {
    /// Takes an entity over; its sources are started with it.
    pub fn new(entity: Arc<Entity>, state_dir: PathBuf, store: Addr<StoreActor>, cancel: Cancel, log: Logger) -> Self {
        let health = entity.sources.keys().map(|name| (name.clone(), Health::Up)).collect();
        let gate = Arc::new(Gate::new(&entity.throttle));
        Self {
            entity,
            state_dir,
            store,
            gate,
            cancel,
            log,
            desk: None,
            health,
            probes: BTreeMap::new(),
            phase: Phase::Recovering,
            running: 0,
            claiming: Claiming::No,
            timer: None,
            orders: Orders::default(),
            drained: Vec::new(),
        }
    }

    /// Starts the sources and lays out the desk.
    fn open_desk(&self, ctx: &Context<Self>) -> SharedDesk {
        let start = |name: &SourceName, source: &Arc<crate::config::model::Source>| {
            let log =
                self.log.new(o!(key::SOURCE => name.to_string(), key::ACTOR => format!("{}/{name}", self.entity.name)));
            let program = Program::new(self.entity.name.clone(), Arc::clone(source), &self.state_dir);
            let visitor = Visitor::new(Arc::new(program), Arc::clone(&self.gate), self.cancel.clone(), log.clone());
            SourceActor::new(name.clone(), visitor, ctx.address(), log).start()
        };
        let sources = self.entity.sources.iter().map(|(name, source)| (name.clone(), start(name, source))).collect();
        Rc::new(Desk::new(Arc::clone(&self.entity), self.store.clone(), ctx.address(), sources, self.log.clone()))
    }

    /// Puts back what a dead daemon had claimed; then work begins.
    fn recover(&self, desk: SharedDesk, ctx: &mut Context<Self>) {
        let recovery = async move { desk.insist(Recover { entity: desk.entity.name.clone() }).await };
        ctx.spawn(recovery.into_actor(self).map(|recovered, actor, ctx| match recovered {
            Ok(put_back) => {
                info!(actor.log, "queue taken over"; "items" => put_back);
                if actor.phase == Phase::Recovering {
                    actor.phase = Phase::Working;
                }
                actor.pump(ctx);
            }
            Err(error) => {
                slog::error!(actor.log, "queue cannot be taken over"; key::ERROR => chain(&error));
                ctx.run_later(IDLE, |actor, ctx| {
                    if let Some(desk) = actor.desk.clone() {
                        actor.recover(desk, ctx);
                    }
                });
            }
        }));
    }

    /// Claims as many looks as there is room for.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        let room = self.entity.throttle.in_flight.saturating_sub(self.running);
        let Some(desk) = self.desk.clone() else { return };
        if self.phase != Phase::Working || room == 0 {
            return;
        }
        if self.claiming != Claiming::No {
            self.claiming = Claiming::YesAndAgain;
            return;
        }
        self.claiming = Claiming::Yes;
        let claim = Claim { entity: self.entity.name.clone(), limit: i64::from(room) };
        let claimed = async move { desk.ask(claim).await };
        ctx.spawn(claimed.into_actor(self).map(|claimed, actor, ctx| actor.claimed(claimed, ctx)));
    }

    fn claimed(&mut self, claimed: Result<Claimed, crate::store::StoreError>, ctx: &mut Context<Self>) {
        let again = std::mem::replace(&mut self.claiming, Claiming::No) == Claiming::YesAndAgain;
        match claimed {
            Ok(Claimed { looks, next_due }) => {
                for look in looks {
                    self.begin(look, ctx);
                }
                self.set_timer(next_due.unwrap_or(IDLE), ctx);
                if again {
                    self.pump(ctx);
                }
            }
            Err(error) => {
                warn!(self.log, "queue cannot be read"; key::ERROR => chain(&error), key::DELAY_MS => PAUSE.as_millis() as u64);
                self.set_timer(PAUSE, ctx);
            }
        }
    }

    fn set_timer(&mut self, delay: Duration, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        // A moment later than due, so that it is due when asked for.
        let delay = delay.min(IDLE) + Duration::from_millis(1);
        self.timer = Some(ctx.run_later(delay, |actor, ctx| {
            actor.timer = None;
            actor.pump(ctx);
        }));
    }

    /// Makes a look; one that panics costs its work items an attempt, and nothing else.
    fn begin(&mut self, claimed: ClaimedLook, ctx: &mut Context<Self>) {
        let Some(desk) = self.desk.clone() else { return };
        self.running += 1;
        let items = claimed.items.clone();
        let ended = async move {
            match AssertUnwindSafe(look::look(Rc::clone(&desk), claimed)).catch_unwind().await {
                Ok(blocked_by) => blocked_by,
                Err(panic) => look::panicked(desk, items, panic_text(panic.as_ref())).await,
            }
        };
        ctx.spawn(ended.into_actor(self).map(|blocked_by, actor, ctx| actor.looked(blocked_by, ctx)));
    }

    fn looked(&mut self, blocked_by: Vec<SourceName>, ctx: &mut Context<Self>) {
        self.running -= 1;
        // What waits for a source whose return, or next probe, came before the wait was on record would wait for ever.
        for source in blocked_by {
            match self.health.get(&source) {
                // It is not configured: the work waits for the daemon that knows it again.
                None => {}
                Some(Health::Up) => self.release(source, false, ctx),
                Some(Health::Down { .. }) => self.probe(source, ctx),
            }
        }
        if self.running == 0 && self.phase == Phase::Draining {
            for waiting in self.drained.drain(..) {
                // Whoever waited may be gone.
                let _ = waiting.send(());
            }
        }
        self.pump(ctx);
    }

    /// Makes work due that waits for a source: all of it, or one item as a probe.
    fn release(&self, source: SourceName, probe: bool, ctx: &mut Context<Self>) {
        let Some(desk) = self.desk.clone() else { return };
        let release = Release { entity: self.entity.name.clone(), source, probe };
        let released = async move { desk.insist(release).await };
        ctx.spawn(released.into_actor(self).map(|released, actor, ctx| {
            if let Err(error) = released {
                slog::error!(actor.log, "waiting work cannot be released"; key::ERROR => chain(&error));
            }
            actor.pump(ctx);
        }));
    }

    /// Makes one item due that waits for a source that is down, if the time has come; and again later, for as long as no
    /// run at the source has told how it is: that item's look may end without one.
    fn probe(&mut self, source: SourceName, ctx: &mut Context<Self>) {
        let Some(Health::Down { next_probe, .. }) = self.health.get(&source) else { return };
        if *next_probe > Instant::now() {
            // The timer leads here then.
            return;
        }
        self.release(source.clone(), true, ctx);
        self.probe_later(source, PROBE_AGAIN, ctx);
    }

    /// Sets the source's timer, of which it has one.
    fn probe_later(&mut self, source: SourceName, delay: Duration, ctx: &mut Context<Self>) {
        let probed = source.clone();
        let timer = ctx.run_later(delay, move |actor, ctx| actor.probe(probed, ctx));
        if let Some(former) = self.probes.insert(source, timer) {
            ctx.cancel_future(former);
        }
    }

    fn source_statuses(&self) -> BTreeMap<SourceName, SourceStatus> {
        self.health.iter().map(|(name, health)| (name.clone(), source_status(health))).collect()
    }
}

fn source_status(health: &Health) -> SourceStatus {
    match health {
        Health::Up => SourceStatus { state: "up", restarts: 0, last_error: None, next_probe_ms: None },
        Health::Down { why, next_probe, .. } => SourceStatus {
            state: "down",
            restarts: 0,
            last_error: Some(why.clone()),
            next_probe_ms: u64::try_from(next_probe.saturating_duration_since(Instant::now()).as_millis()).ok(),
        },
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("with a value that is no text"))
}

/// Who waits for which order, and what came of orders before anybody asked.
#[derive(Default)]
struct Orders {
    waiting: HashMap<WorkItemId, oneshot::Sender<Ordered>>,
    early: BTreeMap<WorkItemId, Ordered>,
}

impl Orders {
    fn wait(&mut self, item: WorkItemId) -> oneshot::Receiver<Ordered> {
        let (tell, told) = oneshot::channel();
        match self.early.remove(&item) {
            Some(ordered) => drop(tell.send(ordered)),
            None => drop(self.waiting.insert(item, tell)),
        }
        told
    }

    fn ended(&mut self, item: WorkItemId, ordered: Ordered) {
        match self.waiting.remove(&item) {
            Some(waiting) => drop(waiting.send(ordered)),
            None => {
                self.early.insert(item, ordered);
                while self.early.len() > UNCLAIMED {
                    self.early.pop_first();
                }
            }
        }
        self.waiting.retain(|_, waiting| !waiting.is_closed());
    }
}

impl Actor for EntityActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let desk = self.open_desk(ctx);
        self.desk = Some(Rc::clone(&desk));
        info!(self.log, "actor started");
        self.recover(desk, ctx);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        info!(self.log, "actor stopped");
    }
}

impl Handler<Wake> for EntityActor {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Context<Self>) {
        self.pump(ctx);
    }
}

impl Handler<SourceChanged> for EntityActor {
    type Result = ();

    fn handle(&mut self, SourceChanged { source, health }: SourceChanged, ctx: &mut Context<Self>) {
        match &health {
            Health::Up => self.release(source.clone(), false, ctx),
            Health::Down { next_probe, .. } => {
                let delay = next_probe.saturating_duration_since(Instant::now());
                self.probe_later(source.clone(), delay + Duration::from_millis(1), ctx);
            }
        }
        self.health.insert(source, health);
    }
}

impl Handler<CarryOut> for EntityActor {
    type Result = ResponseActFuture<Self, Result<Ordered, Refusal>>;

    fn handle(&mut self, CarryOut { record, order }: CarryOut, _: &mut Context<Self>) -> Self::Result {
        let Some(desk) = self.desk.clone() else {
            return Box::pin(async { Err(Refusal::Away) }.into_actor(self));
        };
        let stored = async move {
            let entity = desk.entity.name.clone();
            desk.ask(EnqueueRecord { entity, record, order: Some(order) }).await
        };
        let awaited = stored.into_actor(self).map(|stored, actor, ctx| {
            let told = match stored {
                Ok(Some(enqueued)) => Ok(Some((enqueued.id, actor.orders.wait(enqueued.id)))),
                Ok(None) => Ok(None),
                Err(error) => Err(Refusal::Store(error)),
            };
            actor.pump(ctx);
            told
        });
        Box::pin(awaited.then(|told, actor, _| {
            async move {
                let Some((item, told)) = told? else { return Ok(Ordered::NotFound) };
                match tokio::time::timeout(PATIENCE, told).await {
                    Ok(Ok(ordered)) => Ok(ordered),
                    Ok(Err(_)) | Err(_) => Ok(Ordered::Pending(item)),
                }
            }
            .into_actor(actor)
        }))
    }
}

impl Handler<OrderEnded> for EntityActor {
    type Result = ();

    fn handle(&mut self, OrderEnded { item, ordered }: OrderEnded, _: &mut Context<Self>) {
        self.orders.ended(item, ordered);
    }
}

impl Handler<Drain> for EntityActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Drain, _: &mut Context<Self>) -> Self::Result {
        self.phase = Phase::Draining;
        let (tell, told) = oneshot::channel();
        if self.running == 0 {
            let _ = tell.send(());
        } else {
            self.drained.push(tell);
        }
        Box::pin(async move { told.await.unwrap_or_default() }.into_actor(self))
    }
}

impl Handler<GetEntityState> for EntityActor {
    type Result = MessageResult<GetEntityState>;

    fn handle(&mut self, _: GetEntityState, _: &mut Context<Self>) -> Self::Result {
        MessageResult(EntityState {
            working: self.phase == Phase::Working,
            in_flight: self.running,
            throttle: self.gate.state(),
            sources: self.source_statuses(),
        })
    }
}

impl Handler<Stop> for EntityActor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        if let Some(desk) = &self.desk {
            desk.sources.values().for_each(|source| source.do_send(Stop));
        }
        ctx.stop();
    }
}
