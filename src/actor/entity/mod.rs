//! An entity actor: claims its entity's due work and begins the looks, as many at a time as its throttle allows.
//!
//! What is under way, claims and looks, runs beside the actor and not in it: a failure of the actor does not touch it.

mod sources;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult};
use actix::{ResponseFuture, Supervised, WrapFuture};
use futures_util::FutureExt;
use futures_util::future::join_all;
use slog::{Logger, debug, error, warn};

use crate::config::model::Entity;
use crate::domain::key::InternalKey;
use crate::domain::name::SourceName;
use crate::log::{chain, key};
use crate::source::gate::GateState;
use crate::source::process::cancel::Cancel;

use super::desk::SharedDesk;
use super::look;
use super::messages::{Ordered, Refusal, SourceStatus};
use super::source::{self, Health, SourceActor};
use super::store::requests::queue::{Claim, Claimed, ClaimedLook, EnqueueRecord, Order, Recover};
use super::store::{StoreActor, StoreError};
use super::supervision::{ActorPath, Alarm, Child, Drill, Ended, Ledger, Lifeline, Policy, panic_text};
use super::workshop::Workshop;
use sources::Condition;

/// The pause after the queue could not be read.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a person is kept waiting for an order.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the looks of one entity.
pub struct EntityActor {
    entity: Arc<Entity>,
    kit: Kit,
    workshop: Arc<Workshop>,
    lifeline: Lifeline,
    log: Logger,
    /// Of the configuration by which looks are begun; `None` before the first start and at the end.
    desk: Rc<RefCell<Option<SharedDesk>>>,
    sources: BTreeMap<SourceName, Child<SourceActor>>,
    conditions: BTreeMap<SourceName, Condition>,
    /// When sources that are down are probed next, and those given up started.
    timers: BTreeMap<SourceName, Alarm>,
    phase: Phase,
    /// Whether there may be more work than the claim under way has seen.
    again: bool,
    timer: Option<Alarm>,
}

/// What every entity is given by the supervisor.
#[derive(Clone)]
pub struct Kit {
    pub state_dir: PathBuf,
    pub store: Addr<StoreActor>,
    /// Cancels what runs at the sources.
    pub cancel: Cancel,
    pub ledger: Ledger,
    pub policy: Policy,
}

/// What the actor is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Puts back what was claimed and is not looked at.
    Recovering,
    Working,
    /// Claims nothing more.
    Draining,
    /// Nothing is under way any more; its sources stop.
    Closing,
}

/// Says that there may be due work.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// Works by another configuration from now on; looks under way end by theirs.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Rearrange(pub Arc<Entity>);

/// Carries out a person's order: stores it, and answers with what came of it.
#[derive(Message)]
#[rtype(result = "Result<Ordered, Refusal>")]
pub struct CarryOut {
    pub record: InternalKey,
    pub order: Order,
}

/// Claims nothing more, lets the looks under way end, stops the sources, and ends.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Finish;

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

/// A claim has ended, and its looks have begun: the time until the next item is due, if one is.
#[derive(Message)]
#[rtype(result = "()")]
struct ClaimEnded(Result<Option<Duration>, StoreError>);

/// A look has ended, and its work items wait for these sources.
#[derive(Message)]
#[rtype(result = "()")]
struct LookEnded {
    blocked_by: Vec<SourceName>,
}

/// A source went down, failed another probe, or came back.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct SourceChanged {
    pub(super) source: SourceName,
    /// The number of the actor that says so.
    pub(super) actor: u64,
    pub(super) health: Health,
}

/// The actor of a source has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct SourceEnded {
    source: SourceName,
    actor: u64,
    ended: Ended,
}

impl EntityActor {
    /// Takes an entity over; its sources are started with it.
    pub fn new(entity: Arc<Entity>, workshop: Arc<Workshop>, kit: Kit, lifeline: Lifeline, log: Logger) -> Self {
        Self {
            entity,
            kit,
            workshop,
            lifeline,
            log,
            desk: Rc::default(),
            sources: BTreeMap::new(),
            conditions: BTreeMap::new(),
            timers: BTreeMap::new(),
            phase: Phase::Recovering,
            again: false,
            timer: None,
        }
    }

    fn desk(&self) -> Option<SharedDesk> {
        self.desk.borrow().clone()
    }

    /// Puts back what was claimed and is not looked at: by a dead daemon, or by a claim whose answer was lost.
    fn recover(&mut self, ctx: &mut Context<Self>) {
        let Some(desk) = self.desk() else { return };
        self.phase = Phase::Recovering;
        let workshop = Arc::clone(&self.workshop);
        let recovery = async move {
            let Some(claiming) = workshop.claim() else { return Ok(None) };
            let (entity, held) = (desk.entity.name.clone(), workshop.items());
            let put_back = desk.insist(Recover { entity, held }).await;
            drop(claiming);
            put_back.map(Some)
        };
        ctx.spawn(recovery.into_actor(self).map(Self::recovered));
    }

    fn recovered(put_back: Result<Option<u64>, StoreError>, actor: &mut Self, ctx: &mut Context<Self>) {
        if actor.phase != Phase::Recovering {
            return;
        }
        match put_back {
            Ok(Some(items)) => {
                debug!(actor.log, "queue taken over"; "items" => items);
                actor.phase = Phase::Working;
                actor.pump(ctx);
                return;
            }
            // A claim of the actor that stood here before has not ended yet; it tells nobody.
            Ok(None) => {}
            Err(error) => error!(actor.log, "queue cannot be taken over"; key::ERROR => chain(&error)),
        }
        ctx.run_later(PAUSE, |actor, ctx| {
            if actor.phase == Phase::Recovering {
                actor.recover(ctx);
            }
        });
    }

    /// Claims as many looks as there is room for, and begins them.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        let room = self.entity.throttle.in_flight.saturating_sub(self.workshop.looks());
        let Some(desk) = self.desk() else { return };
        if self.phase != Phase::Working || room == 0 {
            return;
        }
        let Some(claiming) = self.workshop.claim() else {
            self.again = true;
            return;
        };
        let (current, actor) = (Rc::clone(&self.desk), ctx.address());
        let claim = Claim { entity: self.entity.name.clone(), limit: i64::from(room) };
        actix::spawn(async move {
            let claimed = desk.ask(claim).await.map(|Claimed { looks, next_due }| {
                // By the configuration of this moment, which may be another by now.
                let desk = current.borrow().clone().unwrap_or(desk);
                looks.into_iter().for_each(|look| begin(&desk, look));
                next_due
            });
            drop(claiming);
            actor.do_send(ClaimEnded(claimed));
        });
    }

    /// Wakes it up when the next item is due; of one that becomes due otherwise it is told.
    fn set_timer(&mut self, delay: Option<Duration>, ctx: &mut Context<Self>) {
        self.timer = delay.map(|delay| {
            // A moment later than due, so that it is due when asked for.
            Alarm::set(ctx, delay + Duration::from_millis(1), |actor: &mut Self, ctx| {
                actor.timer = None;
                actor.pump(ctx);
            })
        });
    }

    /// Stops the sources once nothing is under way any more; then ends.
    fn close_if_idle(&mut self, ctx: &mut Context<Self>) {
        if self.phase != Phase::Draining || !self.workshop.is_idle() {
            return;
        }
        self.phase = Phase::Closing;
        let ended: Vec<_> = self.sources.values().map(Child::ended).collect();
        self.sources.values().for_each(|source| source.addr.do_send(source::Finish));
        ctx.spawn(join_all(ended).into_actor(self).map(|_, actor, ctx| actor.lifeline.finish(ctx)));
    }
}

/// Begins a look; one that panics costs its work items an attempt, and nothing else.
fn begin(desk: &SharedDesk, claimed: ClaimedLook) {
    let desk = Rc::clone(desk);
    let items = claimed.items.clone();
    let held = desk.workshop.hold(items.iter().map(|item| item.id).collect());
    actix::spawn(async move {
        let blocked_by = match AssertUnwindSafe(look::look(Rc::clone(&desk), claimed)).catch_unwind().await {
            Ok(blocked_by) => blocked_by,
            Err(panic) => look::panicked(Rc::clone(&desk), items, panic_text(panic)).await,
        };
        drop(held);
        desk.actor.do_send(LookEnded { blocked_by });
    });
}

impl Actor for EntityActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if self.desk().is_none() {
            self.arrange(ctx);
        }
        self.set_timers(ctx);
        self.lifeline.up(ctx);
        match self.phase {
            Phase::Recovering => self.recover(ctx),
            Phase::Working => self.pump(ctx),
            Phase::Draining | Phase::Closing => {
                self.phase = Phase::Draining;
                self.close_if_idle(ctx);
            }
        }
    }
}

/// Its sources and what is under way are not touched by its failure; its timers are gone, and set again when it starts.
impl Supervised for EntityActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.timers.clear();
        self.timer = None;
        self.again = false;
    }
}

impl Handler<Wake> for EntityActor {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Context<Self>) {
        self.pump(ctx);
    }
}

impl Handler<ClaimEnded> for EntityActor {
    type Result = ();

    fn handle(&mut self, ClaimEnded(claimed): ClaimEnded, ctx: &mut Context<Self>) {
        let again = std::mem::take(&mut self.again);
        match claimed {
            Ok(_) if self.phase == Phase::Draining => self.close_if_idle(ctx),
            Ok(next_due) => {
                self.set_timer(next_due, ctx);
                if again {
                    self.pump(ctx);
                }
            }
            Err(error) => {
                warn!(self.log, "queue cannot be read"; key::ERROR => chain(&error));
                match self.phase {
                    // What was claimed, if anything was, is nobody's.
                    Phase::Recovering | Phase::Working => self.recover(ctx),
                    Phase::Draining | Phase::Closing => self.close_if_idle(ctx),
                }
            }
        }
    }
}

impl Handler<LookEnded> for EntityActor {
    type Result = ();

    fn handle(&mut self, LookEnded { blocked_by }: LookEnded, ctx: &mut Context<Self>) {
        for source in blocked_by {
            self.look_waits_for(source, ctx);
        }
        self.close_if_idle(ctx);
        self.pump(ctx);
    }
}

impl Handler<CarryOut> for EntityActor {
    type Result = ResponseFuture<Result<Ordered, Refusal>>;

    fn handle(&mut self, CarryOut { record, order }: CarryOut, ctx: &mut Context<Self>) -> Self::Result {
        let (desk, workshop, actor) = (self.desk(), Arc::clone(&self.workshop), ctx.address());
        Box::pin(async move {
            let desk = desk.ok_or(Refusal::Away)?;
            let entity = desk.entity.name.clone();
            let Some(stored) = desk.ask(EnqueueRecord { entity, record, order: Some(order) }).await? else {
                return Ok(Ordered::NotFound);
            };
            let told = workshop.orders.wait(stored.id);
            actor.do_send(Wake);
            match tokio::time::timeout(PATIENCE, told).await {
                Ok(Ok(ordered)) => Ok(ordered),
                Ok(Err(_)) | Err(_) => Ok(Ordered::Pending(stored.id)),
            }
        })
    }
}

impl Handler<Finish> for EntityActor {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Context<Self>) {
        if matches!(self.phase, Phase::Draining | Phase::Closing) {
            return;
        }
        self.phase = Phase::Draining;
        self.lifeline.stopping();
        self.close_if_idle(ctx);
    }
}

impl Handler<GetEntityState> for EntityActor {
    type Result = MessageResult<GetEntityState>;

    fn handle(&mut self, _: GetEntityState, _: &mut Context<Self>) -> Self::Result {
        MessageResult(EntityState {
            working: self.phase == Phase::Working,
            in_flight: self.workshop.looks(),
            throttle: self.workshop.gate.state(),
            sources: self.source_statuses(),
        })
    }
}

impl Handler<Drill> for EntityActor {
    type Result = ();

    fn handle(&mut self, drill: Drill, ctx: &mut Context<Self>) {
        match &drill.path {
            ActorPath::Source(_, name) => {
                if let Some(source) = self.sources.get(name) {
                    source.addr.do_send(drill);
                }
            }
            _ => self.lifeline.drill(drill, ctx),
        }
    }
}
