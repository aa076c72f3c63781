//! A source actor: one visit at its source at a time, and whether the source is up.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised};
use slog::{Logger, info, warn};
use tokio::sync::oneshot;

use crate::domain::name::{EntityName, SourceName};
use crate::log::key;
use crate::source::visit::{Reach, Visitor};

use super::entity::{EntityActor, SourceChanged};
use super::errand::Errand;
use super::supervision::{ActorPath, Drill, Ledger, Lifeline, Policy, Spec, panic_text, start};
use super::workshop::Paused;

/// The first pause before a source that is down is tried again; doubled each time up to [`LAST_PROBE`].
const FIRST_PROBE: Duration = Duration::from_secs(1);
const LAST_PROBE: Duration = Duration::from_secs(30);

/// Serializes the visits at one source; the next begins when the process of the last is reaped.
pub struct SourceActor {
    name: SourceName,
    visitor: Visitor,
    /// Told of every change of its health; `None`: nobody is.
    entity: Option<Addr<EntityActor>>,
    /// What a person has stopped; nothing is started here while it is this source.
    paused: Paused,
    lifeline: Lifeline,
    log: Logger,
    waiting: VecDeque<Waiting>,
    /// The number of the visit under way.
    visiting: Option<u64>,
    visits: u64,
    health: Health,
}

/// Whether the source answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Up,
    Down { why: String, failures: u32, next_probe: Instant },
}

/// A visit that waits for its turn: makes it and answers, or answers why it is not made.
type Waiting = Box<dyn FnOnce(Turn<'_>) -> Reach + Send>;

enum Turn<'a> {
    Come(&'a Visitor),
    Refused(String),
}

/// Makes a visit in its turn. At a source that is down, and not due for a probe, none is made.
pub struct Visit<E>(pub Arc<E>);

/// Why a visit was not made whose actor failed before.
const AWAY: &str = "its actor is being restarted";

/// Has an errand done at a source, and answers whatever becomes of the actor.
pub(super) async fn visit<E: Errand>(source: &Addr<SourceActor>, errand: E) -> E::Answer {
    let errand = Arc::new(errand);
    let answer = source.send(Visit(Arc::clone(&errand))).await;
    // A visit that is begun answers by itself; this one did not get as far as its turn.
    answer.unwrap_or_else(|_| errand.refused(AWAY.to_owned()))
}

/// Starts the actor of a source that no entity has, on the thread of `arbiter`: what a visit costs can be measured with it.
pub fn start_alone(
    arbiter: &ArbiterHandle,
    (entity, name): (EntityName, SourceName),
    visitor: Visitor,
    log: Logger,
) -> Addr<SourceActor> {
    let path = ActorPath::Source(entity, name.clone());
    let (policy, ledger) = (Policy::default(), Ledger::default());
    let spec = Spec { path, policy, ledger, log: log.clone(), report: Box::new(|_, _| {}) };
    let make = move |_: &mut Context<SourceActor>, lifeline| {
        SourceActor::new(name, visitor, None, Paused::default(), lifeline, log)
    };
    start(arbiter, spec, make).addr
}

impl<E: Errand> Message for Visit<E> {
    type Result = E::Answer;
}

/// A visit has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct Visited {
    number: u64,
    reach: Reach,
}

/// Ends the actor in order; whoever still waits for a visit is told that it was not made.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Finish;

impl SourceActor {
    /// Takes over the visits at a source.
    pub(super) fn new(
        name: SourceName,
        visitor: Visitor,
        entity: Option<Addr<EntityActor>>,
        paused: Paused,
        lifeline: Lifeline,
        log: Logger,
    ) -> Self {
        let waiting = VecDeque::new();
        Self { name, visitor, entity, paused, lifeline, log, waiting, visiting: None, visits: 0, health: Health::Up }
    }

    /// Begins the next visit, if none is under way.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        while self.visiting.is_none() {
            let Some(next) = self.waiting.pop_front() else { return };
            match self.down() {
                Some(why) => drop(next(Turn::Refused(why))),
                None => self.begin(next, ctx),
            }
        }
    }

    /// Says why nothing may be started now.
    fn down(&self) -> Option<String> {
        if self.paused.is_source(&self.name) {
            return Some("the source is paused".to_owned());
        }
        match &self.health {
            Health::Down { why, next_probe, .. } if *next_probe > Instant::now() => Some(why.clone()),
            Health::Up | Health::Down { .. } => None,
        }
    }

    /// Makes a visit on a thread of its own, which answers by itself: what happens to this actor meanwhile does not touch it.
    fn begin(&mut self, visit: Waiting, ctx: &mut Context<Self>) {
        self.visits += 1;
        self.visiting = Some(self.visits);
        let (number, visitor, actor) = (self.visits, self.visitor.clone(), ctx.address());
        tokio::task::spawn_blocking(move || {
            let reach = visit(Turn::Come(&visitor));
            actor.do_send(Visited { number, reach });
        });
    }

    /// Takes in what a visit shows of the source, and tells the entity when that changes something.
    fn learn(&mut self, reach: Reach) {
        let was_up = self.health == Health::Up;
        match (reach, &self.health) {
            (Reach::Unknown, _) | (Reach::Reached, Health::Up) => return,
            (Reach::Reached, Health::Down { .. }) => {
                self.health = Health::Up;
                self.lifeline.reaches();
                info!(self.log, "source up again");
            }
            (Reach::Unreachable(why), health) => {
                let failures = match health {
                    Health::Up => 0,
                    Health::Down { failures, .. } => *failures,
                };
                let delay = FIRST_PROBE.saturating_mul(1 << failures.min(5)).min(LAST_PROBE);
                if was_up {
                    warn!(self.log, "source down"; key::ERROR => &why, key::DELAY_MS => delay.as_millis() as u64);
                }
                self.lifeline.cannot_reach(&why, Some(delay));
                self.health = Health::Down { why, failures: failures + 1, next_probe: Instant::now() + delay };
            }
        }
        let (source, actor) = (self.name.clone(), self.lifeline.id());
        if let Some(entity) = &self.entity {
            entity.do_send(SourceChanged { source, actor, health: self.health.clone() });
        }
    }
}

impl Actor for SourceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.lifeline.up(ctx);
        self.pump(ctx);
    }
}

/// Whoever waits keeps waiting, and what is known of the source is kept.
impl Supervised for SourceActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        // If one is under way, the next waits for the source's lock instead.
        self.visiting = None;
    }
}

impl<E: Errand> Handler<Visit<E>> for SourceActor {
    type Result = ResponseFuture<E::Answer>;

    fn handle(&mut self, Visit(errand): Visit<E>, ctx: &mut Context<Self>) -> Self::Result {
        let (reply, answer) = oneshot::channel();
        let queued = Arc::clone(&errand);
        self.waiting.push_back(Box::new(move |turn| {
            let (answer, reach) = match turn {
                Turn::Come(visitor) => run(&*queued, visitor),
                Turn::Refused(why) => (queued.refused(why), Reach::Unknown),
            };
            // Whoever asked may be gone, and then nobody misses the answer.
            drop(reply.send(answer));
            reach
        }));
        self.pump(ctx);
        // A visit that was let go of before its turn came was never begun.
        Box::pin(async move { answer.await.unwrap_or_else(|_| errand.refused(AWAY.to_owned())) })
    }
}

fn run<E: Errand>(errand: &E, visitor: &Visitor) -> (E::Answer, Reach) {
    catch_unwind(AssertUnwindSafe(|| errand.make(visitor)))
        .unwrap_or_else(|panic| (errand.lost(panic_text(panic)), Reach::Unknown))
}

impl Handler<Visited> for SourceActor {
    type Result = ();

    fn handle(&mut self, Visited { number, reach }: Visited, ctx: &mut Context<Self>) {
        self.visiting = self.visiting.filter(|current| *current != number);
        self.learn(reach);
        self.pump(ctx);
    }
}

impl Handler<Finish> for SourceActor {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Context<Self>) {
        self.lifeline.finish(ctx);
    }
}

impl Handler<Drill> for SourceActor {
    type Result = ();

    fn handle(&mut self, drill: Drill, ctx: &mut Context<Self>) {
        self.lifeline.drill(drill, ctx);
    }
}
