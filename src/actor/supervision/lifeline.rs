//! What an actor and the task that drives it tell each other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, ActorContext, ActorState, AsyncContext, Context, Message};
use slog::{Logger, error, info, warn};

use crate::log::key;

use super::super::lock::whole;
use super::ledger::{Happening, Ledger, event};
use super::path::ActorPath;

/// An actor's line to the task that drives it; clones are the same.
#[derive(Clone)]
pub struct Lifeline {
    pub(super) path: ActorPath,
    pub(super) id: u64,
    pub(super) ledger: Ledger,
    pub(super) log: Logger,
    pub(super) wish: Arc<Mutex<Option<Wish>>>,
    pub(super) drill: Arc<Mutex<Option<Drill>>>,
}

/// How an actor wants to end.
pub(super) enum Wish {
    InOrder,
    Failed(String),
    /// To be started again would not help.
    GivenUp(String),
}

impl Lifeline {
    /// Returns the number under which the ledger knows the actor.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Says that the actor is up; one that has failed meanwhile is not.
    pub fn up<A: Actor<Context = Context<A>>>(&self, ctx: &mut Context<A>) {
        let is_ending = self.rehearse(Moment::Start, ctx) || ctx.state() != ActorState::Running;
        if !is_ending {
            self.note(&Happening::Started);
        }
    }

    /// Says that the actor only ends what it has begun.
    pub fn stopping(&self) {
        self.note(&Happening::Stopping);
    }

    /// Says that what the actor stands for cannot be reached, and after which time it is tried again, if that is known.
    pub fn cannot_reach(&self, error: &str, next_probe: Option<Duration>) {
        self.ledger.note_outage(&self.path, self.id, error, next_probe);
    }

    /// Says that what the actor stands for can be reached.
    pub fn reaches(&self) {
        self.ledger.note_reach(&self.path, self.id);
    }

    /// Ends the actor for good. To stop it in any other way is a failure.
    pub fn finish<A: Actor<Context = Context<A>>>(&self, ctx: &mut Context<A>) {
        // Whatever happens from here on: it has done its work, and nobody would tell it again to finish.
        *whole(&self.wish) = Some(Wish::InOrder);
        if !self.rehearse(Moment::Stopping, ctx) {
            ctx.stop();
        }
    }

    /// Fails without a panic: the actor is started again, unless it has finished already.
    pub fn fail<A: Actor<Context = Context<A>>>(&self, ctx: &mut Context<A>, error: String) {
        self.end(ctx, error, Wish::Failed);
    }

    /// Gives up: it is of no use to start the actor again.
    pub fn give_up<A: Actor<Context = Context<A>>>(&self, ctx: &mut Context<A>, error: String) {
        self.end(ctx, error, Wish::GivenUp);
    }

    fn end<A: Actor<Context = Context<A>>>(&self, ctx: &mut Context<A>, error: String, wish: fn(String) -> Wish) {
        let mut wished = whole(&self.wish);
        match &*wished {
            Some(Wish::InOrder) => self.note(&Happening::Failed { error: &error }),
            Some(Wish::Failed(_) | Wish::GivenUp(_)) | None => *wished = Some(wish(error)),
        }
        // Never `terminate`: where work was called off in the same turn, actix would go round for ever.
        ctx.stop();
    }

    pub(super) fn take_wish(&self) -> Option<Wish> {
        whole(&self.wish).take()
    }

    /// Enters what happened in the ledger, and logs it.
    pub(super) fn note(&self, happening: &Happening<'_>) {
        let restarts = self.ledger.note(&self.path, self.id, happening);
        let Some(event) = event(happening) else { return };
        match happening {
            Happening::Failed { error } => error!(self.log, "{event}"; key::RESTARTS => restarts, key::ERROR => error),
            Happening::Restarting { delay } => {
                warn!(self.log, "{event}"; key::RESTARTS => restarts, key::DELAY_MS => delay.as_millis() as u64);
            }
            Happening::GaveUp { error, delay } => {
                crate::alert!(self.log, "{event}"; key::RESTARTS => restarts, key::DELAY_MS => delay.as_millis() as u64,
                    key::ERROR => error);
            }
            Happening::Started | Happening::Stopped => info!(self.log, "{event}"; key::RESTARTS => restarts),
            Happening::Starting | Happening::Stopping => {}
        }
    }
}

/// Makes an actor fail on purpose. Nothing outside of this process can send it: it is for rehearsals.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct Drill {
    pub path: ActorPath,
    pub moment: Moment,
    pub fault: Fault,
}

/// When it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// At its next start; that it may come to one, it fails in a handler, too.
    Start,
    Handler,
    Spawned,
    /// When it next comes to its end.
    Stopping,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Panic,
    Error,
    Stop,
}

impl Lifeline {
    /// Takes a drill on; the actor's handler of it.
    pub fn drill<A: Actor<Context = Context<A>>>(&self, drill: Drill, ctx: &mut Context<A>) {
        let fault = drill.fault;
        match drill.moment {
            Moment::Handler => self.strike(fault, ctx),
            Moment::Spawned => {
                let lifeline = self.clone();
                let struck = actix::fut::wrap_future::<_, A>(std::future::ready(()));
                ctx.spawn(actix::ActorFutureExt::map(struck, move |(), _, ctx| lifeline.strike(fault, ctx)));
            }
            Moment::Start => {
                *whole(&self.drill) = Some(drill);
                self.strike(fault, ctx);
            }
            Moment::Stopping => *whole(&self.drill) = Some(drill),
        }
    }

    /// Fails if a drill is due at this moment.
    fn rehearse<A: Actor<Context = Context<A>>>(&self, moment: Moment, ctx: &mut Context<A>) -> bool {
        let due = whole(&self.drill).take_if(|drill| drill.moment == moment);
        due.map(|drill| self.strike(drill.fault, ctx)).is_some()
    }

    fn strike<A: Actor<Context = Context<A>>>(&self, fault: Fault, ctx: &mut Context<A>) {
        match fault {
            Fault::Panic => panic!("a drill"),
            Fault::Error => self.fail(ctx, "a drill".to_owned()),
            Fault::Stop => ctx.stop(),
        }
    }
}
