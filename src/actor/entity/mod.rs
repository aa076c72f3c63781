//! An entity actor: claims its entity's due work and begins the looks, as many at a time as its throttle allows.
//!
//! What is under way, claims and looks, runs beside the actor and not in it: a failure of the actor does not touch it.

mod claim;
mod room;
mod intake;
mod mandate;
mod sources;
mod orders;
mod previews;
mod pauses;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult};
use actix::{Supervised, WrapFuture};
use futures_util::future::join_all;
use slog::{Logger, debug, warn};

use crate::config::model::Entity;
use crate::domain::name::SourceName;
use crate::log::{chain, key};
use crate::metrics::Tally;
use crate::points::{self, Point};
use crate::source::gate::GateState;
use crate::source::guardian::Guardian;

use super::crew::Crew;
use super::desk::SharedDesk;
use super::look::LookEnd;
use super::messages::SourceStatus;
use super::office::{Mandate, Office};
use super::source::{self, Health, SourceActor};
use super::store::requests::lease::Fence;
use super::store::requests::queue::Recovered;
use super::store::{PAUSES, StoreActor, StoreError};
use super::supervision::{ActorPath, Alarm, Child, Drill, Ended, Ledger, Lifeline, Policy};
use super::workshop::Workshop;
use sources::Condition;

pub(super) use intake::Intake;
pub use orders::CarryOut;
pub(super) use pauses::SetPauses;
pub use previews::Foresee;
pub(super) use previews::Previews;

/// The pause after which items are put back whose look could not be ended.
const STUCK: Duration = Duration::from_secs(1);

/// Makes the looks of one entity.
pub struct EntityActor {
    entity: Arc<Entity>,
    kit: Kit,
    workshop: Arc<Workshop>,
    lifeline: Lifeline,
    log: Logger,
    /// The right to serve the entity; `None` while another daemon does.
    mandate: Option<Mandate>,
    /// Of the configuration by which looks are begun; `None` without a mandate.
    desk: claim::Current,
    sources: BTreeMap<SourceName, Child<SourceActor>>,
    conditions: BTreeMap<SourceName, Condition>,
    /// When sources that are down are probed next, and those given up started.
    timers: BTreeMap<SourceName, Alarm>,
    phase: Phase,
    /// The next one after the queue could not be read.
    pause: Duration,
    /// Whether there may be more work than the claim under way has seen.
    again: bool,
    /// Whether the last claim has left work that is due, for want of room.
    backlog: bool,
    /// How long the last look took; `None` if nothing can be told of the next.
    pace: Option<Duration>,
    /// When it is looked after those that wait for room, while any do.
    patience: Option<Alarm>,
    /// Whether there may be items of looks that could not be ended, since what is nobody's was last put back.
    stuck: bool,
    timer: Option<Alarm>,
}

/// What every entity is given by the supervisor.
#[derive(Clone)]
pub struct Kit {
    pub state_dir: PathBuf,
    pub store: Addr<StoreActor>,
    /// Kills what runs at the sources when this process cannot.
    pub guardian: Option<Guardian>,
    /// Makes the visits at sources.
    pub crew: Crew,
    /// What this daemon serves.
    pub(super) office: Office,
    pub ledger: Ledger,
    /// Where everybody counts.
    pub tally: Tally,
    pub policy: Policy,
}

/// What the actor is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Another daemon serves the entity.
    Standby,
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
    /// Whether another daemon serves it.
    pub standby: bool,
    /// Whether a person has stopped its work.
    pub paused: bool,
    pub in_flight: u32,
    pub throttle: GateState,
    pub sources: BTreeMap<SourceName, SourceStatus>,
}

/// What was claimed and is not looked at was put back.
#[derive(Message)]
#[rtype(result = "()")]
struct RecoveryEnded {
    /// The mandate under which it was made.
    fence: Fence,
    recovered: Result<Recovered, StoreError>,
}

/// A claim has ended, and its looks have begun: the time until the next item is due, if one is.
#[derive(Message)]
#[rtype(result = "()")]
struct ClaimEnded(Result<Option<Duration>, StoreError>);

/// A look has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct LookEnded {
    end: LookEnd,
    /// Since it began; `None` if it was no look at a record.
    took: Option<Duration>,
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
            mandate: None,
            desk: Rc::default(),
            sources: BTreeMap::new(),
            conditions: BTreeMap::new(),
            timers: BTreeMap::new(),
            phase: Phase::Standby,
            pause: PAUSES.0,
            again: false,
            backlog: false,
            pace: None,
            patience: None,
            stuck: false,
            timer: None,
        }
    }

    fn desk(&self) -> Option<SharedDesk> {
        self.desk.borrow().clone()
    }

    /// Puts back what was claimed and is not looked at: by a dead daemon, or by a claim whose answer was lost.
    ///
    /// This, too, is done beside the actor: if it were begun again while the database is still at it, what is claimed in
    /// between would be put back.
    fn recover(&mut self, ctx: &mut Context<Self>) {
        let Some(desk) = self.desk() else { return };
        self.phase = Phase::Recovering;
        let Some(claiming) = self.workshop.claim() else {
            // A claim or another recovery, of which this actor is told, unless it panicked.
            return self.recover_later(ctx);
        };
        self.workshop.let_go();
        self.stuck = false;
        actix::spawn(async move {
            let recovered = mandate::take_over(&desk).await;
            points::pass(Point::Recovered);
            drop(claiming);
            let fence = desk.fence.clone();
            desk.workshop.tell(RecoveryEnded { fence, recovered });
        });
    }

    /// Claims nothing, and puts back what is nobody's a little later; what could not be read may be readable then.
    fn recover_later(&mut self, ctx: &mut Context<Self>) {
        self.phase = Phase::Recovering;
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSES.1);
        ctx.run_later(pause, |actor, ctx| match actor.phase {
            Phase::Recovering => actor.recover(ctx),
            Phase::Standby | Phase::Working | Phase::Draining | Phase::Closing => {}
        });
    }

    /// Says that the queue cannot be read, and so nothing of the entity is done. That the database is away the store says, for all.
    fn stand_still(&self, error: &StoreError) {
        match error {
            StoreError::Unavailable(_) => {}
            StoreError::Refused { .. }
            | StoreError::Deposed { .. }
            | StoreError::Failed { .. }
            | StoreError::Unreadable { .. } => self.lifeline.cannot_reach(&chain(error), Some(self.pause)),
        }
    }

    /// Puts back the items of a look that could not be ended; if a recovery is under way, which may know of that look, after it.
    fn put_back_later(ctx: &mut Context<Self>) {
        ctx.run_later(STUCK, |actor, ctx| match actor.phase {
            Phase::Working if actor.stuck => actor.recover(ctx),
            Phase::Standby | Phase::Recovering | Phase::Working | Phase::Draining | Phase::Closing => {}
        });
    }

    /// Wakes it up when the next item is due; of one that becomes due otherwise it is told.
    fn set_timer(&mut self, delay: Option<Duration>, ctx: &mut Context<Self>) {
        self.timer = delay.map(|delay| {
            // A moment later than due, so that it is due when asked for.
            Alarm::set(ctx, delay + Duration::from_millis(1), |actor: &mut Self, _| {
                actor.timer = None;
                actor.pump();
            })
        });
    }

    /// Stops the sources once nothing is under way any more; then ends.
    fn close_when_idle(&self, ctx: &mut Context<Self>) {
        ctx.spawn(self.workshop.idle().into_actor(self).map(|(), actor, ctx| match actor.workshop.is_idle() {
            true => actor.close(ctx),
            false => actor.close_when_idle(ctx),
        }));
    }

    fn close(&mut self, ctx: &mut Context<Self>) {
        self.phase = Phase::Closing;
        let ended: Vec<_> = self.sources.values().map(Child::ended).collect();
        self.sources.values().for_each(|source| source.addr.do_send(source::Finish));
        ctx.spawn(join_all(ended).into_actor(self).map(|_, actor, ctx| {
            actor.sources.keys().for_each(|source| actor.kit.ledger.strike_out(&actor.path_of(source)));
            actor.lifeline.finish(ctx);
        }));
    }
}

impl Actor for EntityActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.set_timers(ctx);
        self.lifeline.up(ctx);
        if self.follow_lease(ctx) {
            return;
        }
        match self.phase {
            Phase::Standby => {}
            // Of a look that could not be ended nobody else will tell again.
            Phase::Recovering | Phase::Working => self.recover(ctx),
            Phase::Draining | Phase::Closing => {
                self.phase = Phase::Draining;
                self.close_when_idle(ctx);
            }
        }
    }
}

/// Its sources and what is under way are not touched by its failure; its timers are gone, and set again when it starts.
impl Supervised for EntityActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.timers.clear();
        (self.timer, self.patience) = (None, None);
        // Whoever told of work, or of a look that could not be ended, may have told the life that failed.
        (self.again, self.stuck, self.backlog) = (true, true, false);
    }
}

impl Handler<Wake> for EntityActor {
    type Result = ();

    fn handle(&mut self, _: Wake, _: &mut Context<Self>) {
        self.pump();
    }
}

impl Handler<RecoveryEnded> for EntityActor {
    type Result = ();

    fn handle(&mut self, RecoveryEnded { fence, recovered }: RecoveryEnded, ctx: &mut Context<Self>) {
        let is_of_today = self.mandate.as_ref().is_some_and(|mandate| mandate.fence == fence);
        match (self.phase, recovered) {
            // What is to be put back under this mandate is put back later.
            (Phase::Recovering, _) if !is_of_today => {}
            (Phase::Recovering, Ok(Recovered { put_back, has_work })) => {
                debug!(self.log, "queue taken over"; "items" => put_back);
                self.phase = Phase::Working;
                if self.stuck {
                    Self::put_back_later(ctx);
                }
                match std::mem::take(&mut self.again) || has_work {
                    true => self.pump(),
                    false => self.lifeline.reaches(),
                }
            }
            (Phase::Recovering, Err(StoreError::Deposed { .. })) => self.be_deposed(ctx),
            (Phase::Recovering, Err(error)) => {
                let delay_ms = self.pause.as_millis() as u64;
                warn!(self.log, "queue cannot be taken over"; key::ERROR => chain(&error), key::DELAY_MS => delay_ms);
                self.stand_still(&error);
                self.recover_later(ctx);
            }
            (Phase::Standby | Phase::Working | Phase::Draining | Phase::Closing, _) => {}
        }
    }
}

impl Handler<ClaimEnded> for EntityActor {
    type Result = ();

    fn handle(&mut self, ClaimEnded(claimed): ClaimEnded, ctx: &mut Context<Self>) {
        let again = std::mem::take(&mut self.again);
        match (self.phase, claimed) {
            (Phase::Draining | Phase::Closing, _) => self.give_back(),
            (Phase::Standby, _) => {}
            (Phase::Recovering | Phase::Working, Ok(next_due)) => {
                if self.pause > PAUSES.0 {
                    self.pause = PAUSES.0;
                    self.lifeline.reaches();
                }
                self.take_in_ready(ctx);
                // Where there is no room for what is due, the end of a look makes some.
                self.backlog = next_due == Some(Duration::ZERO) && self.room() == 0;
                self.set_timer(next_due.filter(|_| !self.backlog), ctx);
                if again || self.ahead() > 0 {
                    self.go_on();
                }
            }
            (Phase::Recovering | Phase::Working, Err(StoreError::Deposed { .. })) => self.be_deposed(ctx),
            (Phase::Recovering | Phase::Working, Err(error)) => {
                let delay_ms = self.pause.as_millis() as u64;
                warn!(self.log, "queue cannot be read"; key::ERROR => chain(&error), key::DELAY_MS => delay_ms);
                self.stand_still(&error);
                // What was claimed, if anything was, is nobody's.
                self.recover_later(ctx);
            }
        }
    }
}

impl Handler<LookEnded> for EntityActor {
    type Result = ();

    fn handle(&mut self, LookEnded { end, took }: LookEnded, ctx: &mut Context<Self>) {
        self.pace = took.or(self.pace);
        match end {
            LookEnd::Settled { blocked_by } => {
                for source in blocked_by {
                    self.look_waits_for(source, ctx);
                }
            }
            LookEnd::Stuck => {
                self.stuck = true;
                Self::put_back_later(ctx);
            }
            // The end of its claim says what is to be done.
            LookEnd::Void => {}
        }
        self.go_on();
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
        self.give_back();
        self.close_when_idle(ctx);
    }
}

impl Handler<GetEntityState> for EntityActor {
    type Result = MessageResult<GetEntityState>;

    fn handle(&mut self, _: GetEntityState, _: &mut Context<Self>) -> Self::Result {
        MessageResult(EntityState {
            working: self.phase == Phase::Working,
            standby: self.phase == Phase::Standby,
            paused: self.workshop.paused.is_entity(),
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
