//! A source actor: one visit at its source at a time, and whether the source is up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture,
};
use slog::{Logger, info, warn};
use tokio::sync::oneshot;

use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::SourceName;
use crate::domain::plan::WriteResult;
use crate::domain::record::{OperationId, Reading};
use crate::log::key;
use crate::source::visit::{Reach, Visitor};

use super::entity::{EntityActor, SourceChanged};

pub use crate::source::visit::{Searched, Taken, WriteOrder};

/// The first pause before a source that is down is tried again; doubled each time up to [`LAST_PROBE`].
const FIRST_PROBE: Duration = Duration::from_secs(1);
const LAST_PROBE: Duration = Duration::from_secs(30);

/// Serializes the visits at one source; the next begins when the process of the last is reaped.
pub struct SourceActor {
    name: SourceName,
    visitor: Visitor,
    entity: Addr<EntityActor>,
    log: Logger,
    waiting: VecDeque<Visit>,
    visiting: bool,
    health: Health,
}

/// Whether the source answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Up,
    Down { why: String, failures: u32, next_probe: Instant },
}

enum Visit {
    Read { key: ForeignKey, record: Option<InternalKey>, reply: oneshot::Sender<Taken> },
    Write { order: Box<WriteOrder>, reply: oneshot::Sender<WriteResult> },
    Search { search: Search, reply: oneshot::Sender<Searched> },
}

/// Reads a copy. A source that is down, and not due for a probe, is unreachable without being asked.
#[derive(Message)]
#[rtype(result = "Taken")]
pub struct Read {
    pub key: ForeignKey,
    pub record: Option<InternalKey>,
}

/// Makes a write, with what belongs to it in the same turn.
#[derive(Message)]
#[rtype(result = "WriteResult")]
pub struct Write(pub Box<WriteOrder>);

/// Searches for an item that a create may have made.
#[derive(Message)]
#[rtype(result = "Searched")]
pub struct Search {
    pub record: InternalKey,
    pub operation: OperationId,
    pub document: Json,
}

/// Asks how the source is.
#[derive(Message)]
#[rtype(result = "Health")]
pub struct GetHealth;

/// Stops the actor; what runs at the source is cancelled by whoever holds its `Cancel`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stop;

/// What a visit gave, and who waits for it.
enum Made {
    Read(Taken, oneshot::Sender<Taken>),
    Write(WriteResult, oneshot::Sender<WriteResult>),
    Search(Searched, oneshot::Sender<Searched>),
}

impl Made {
    /// Hands it over; whoever asked may be gone, and then nobody misses it.
    fn deliver(self) {
        match self {
            Self::Read(taken, reply) => drop(reply.send(taken)),
            Self::Write(result, reply) => drop(reply.send(result)),
            Self::Search(searched, reply) => drop(reply.send(searched)),
        }
    }
}

impl SourceActor {
    /// Takes over the visits at a source.
    pub fn new(name: SourceName, visitor: Visitor, entity: Addr<EntityActor>, log: Logger) -> Self {
        Self { name, visitor, entity, log, waiting: VecDeque::new(), visiting: false, health: Health::Up }
    }

    fn enqueue(&mut self, visit: Visit, ctx: &mut Context<Self>) {
        self.waiting.push_back(visit);
        self.pump(ctx);
    }

    /// Begins the next visit, if none is under way.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        while !self.visiting {
            let Some(visit) = self.waiting.pop_front() else { return };
            match self.down() {
                Some(why) => visit.refuse(why),
                None => self.begin(visit, ctx),
            }
        }
    }

    /// Says why nothing may be started now.
    fn down(&self) -> Option<String> {
        match &self.health {
            Health::Down { why, next_probe, .. } if *next_probe > Instant::now() => Some(why.clone()),
            Health::Up | Health::Down { .. } => None,
        }
    }

    fn begin(&mut self, visit: Visit, ctx: &mut Context<Self>) {
        self.visiting = true;
        let visitor = self.visitor.clone();
        let run = tokio::task::spawn_blocking(move || visit.make(&visitor));
        let ended = run.into_actor(self).map(|ended, actor, ctx| {
            actor.visiting = false;
            match ended {
                Ok((reach, made)) => {
                    actor.learn(reach);
                    made.deliver();
                }
                Err(error) => warn!(actor.log, "visit failed"; key::ERROR => %error),
            }
            actor.pump(ctx);
        });
        ctx.spawn(ended);
    }

    /// Takes in what a visit shows of the source, and tells the entity when that changes something.
    fn learn(&mut self, reach: Reach) {
        let was_up = self.health == Health::Up;
        match (reach, &self.health) {
            (Reach::Unknown, _) => return,
            (Reach::Reached, Health::Up) => return,
            (Reach::Reached, Health::Down { .. }) => {
                self.health = Health::Up;
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
                self.health = Health::Down { why, failures: failures + 1, next_probe: Instant::now() + delay };
            }
        }
        self.entity.do_send(SourceChanged { source: self.name.clone(), health: self.health.clone() });
    }
}

impl Visit {
    /// Makes the visit; blocks until its processes are reaped.
    fn make(self, visitor: &Visitor) -> (Reach, Made) {
        match self {
            Self::Read { key, record, reply } => {
                let (taken, reach) = visitor.read(&key, record);
                (reach, Made::Read(taken, reply))
            }
            Self::Write { order, reply } => {
                let (result, reach) = visitor.write(&order);
                (reach, Made::Write(result, reply))
            }
            Self::Search { search, reply } => {
                let (searched, reach) = visitor.search(search.record, search.operation, &search.document);
                (reach, Made::Search(searched, reply))
            }
        }
    }

    /// Answers without starting anything.
    fn refuse(self, why: String) {
        let made = match self {
            Self::Read { reply, .. } => Made::Read(Taken::none(Reading::Unreachable(why)), reply),
            Self::Write { reply, .. } => Made::Write(WriteResult::Held(why), reply),
            Self::Search { reply, .. } => Made::Search(Searched::Failed(Reading::Unreachable(why)), reply),
        };
        made.deliver();
    }
}

impl Actor for SourceActor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        info!(self.log, "actor started");
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        info!(self.log, "actor stopped");
    }
}

impl Handler<Read> for SourceActor {
    type Result = ResponseFuture<Taken>;

    fn handle(&mut self, Read { key, record }: Read, ctx: &mut Context<Self>) -> Self::Result {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Visit::Read { key, record, reply }, ctx);
        Box::pin(async move {
            answer.await.unwrap_or_else(|_| Taken::none(Reading::Unreachable("its actor failed".to_owned())))
        })
    }
}

impl Handler<Write> for SourceActor {
    type Result = ResponseFuture<WriteResult>;

    fn handle(&mut self, Write(order): Write, ctx: &mut Context<Self>) -> Self::Result {
        let (reply, answer) = oneshot::channel();
        let lost = WriteResult::lost(order.kind);
        self.enqueue(Visit::Write { order, reply }, ctx);
        Box::pin(async move { answer.await.unwrap_or(lost) })
    }
}

impl Handler<Search> for SourceActor {
    type Result = ResponseFuture<Searched>;

    fn handle(&mut self, search: Search, ctx: &mut Context<Self>) -> Self::Result {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Visit::Search { search, reply }, ctx);
        Box::pin(async move { answer.await.unwrap_or_else(|_| Searched::lost()) })
    }
}

impl Handler<GetHealth> for SourceActor {
    type Result = actix::MessageResult<GetHealth>;

    fn handle(&mut self, _: GetHealth, _: &mut Context<Self>) -> Self::Result {
        actix::MessageResult(self.health.clone())
    }
}

impl Handler<Stop> for SourceActor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
