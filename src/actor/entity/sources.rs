//! The sources of an entity, as its actor sees them: their actors, whether they are up, and what waits for them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{ActorFutureExt, Arbiter, AsyncContext, Context, Handler, WrapFuture};
use slog::o;

use crate::config::model::{Entity, Source};
use crate::domain::name::SourceName;
use crate::log::{chain, key};
use crate::source::contract::Program;
use crate::source::visit::Visitor;

use super::super::desk::Desk;
use super::super::messages::SourceStatus;
use super::super::source::{Health, SourceActor};
use super::super::store::requests::queue::Release;
use super::super::supervision::{ActorPath, Alarm, Ended, Spec, start};
use super::{EntityActor, Phase, Rearrange, SourceChanged, SourceEnded};

/// The time after which a probe of which nothing was heard is made with another item.
const PROBE_AGAIN: Duration = Duration::from_secs(30);

/// What becomes due of the work that waits for a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    All,
    /// One item, as a probe.
    One,
}

/// How a source is, as far as work that needs it is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Up,
    /// It does not answer.
    Down {
        why: String,
        next_probe: Instant,
    },
    /// Its actor was given up.
    GivenUp {
        why: String,
        next_start: Instant,
    },
}

impl From<Health> for Condition {
    fn from(health: Health) -> Self {
        match health {
            Health::Up => Self::Up,
            Health::Down { why, next_probe, .. } => Self::Down { why, next_probe },
        }
    }
}

impl EntityActor {
    /// Starts the sources, and lays out the desk.
    pub(super) fn arrange(&mut self, ctx: &mut Context<Self>) {
        for source in self.entity.sources.clone().into_values() {
            self.start_source(&source, ctx);
        }
        self.lay_desk();
    }

    /// Starts the actor of a source. The one that stood there ends as soon as no look needs it any more.
    fn start_source(&mut self, source: &Arc<Source>, ctx: &mut Context<Self>) {
        let Some(tenure) = self.mandate.as_ref().map(|mandate| Arc::clone(&mandate.tenure)) else { return };
        let (entity, name) = (self.entity.name.clone(), source.name.clone());
        let path = self.path_of(&name);
        let log = self.log.new(o!(key::SOURCE => name.to_string(), key::ACTOR => path.to_string()));
        let program = Program::new(entity, Arc::clone(source), &self.kit.state_dir);
        let program = Arc::new(program.guarded_by(self.kit.guardian.clone()));
        let gate = Arc::clone(&self.workshop.gate);
        let visitor = Visitor::new(program, gate, tenure, log.clone())
            .counted_by(self.kit.tally.clone())
            .kept_in(self.workshop.past_runs(&name));
        let reporter = ctx.address();
        let of_source = name.clone();
        let spec = Spec {
            path,
            policy: self.kit.policy.clone(),
            ledger: self.kit.ledger.clone(),
            log: log.clone(),
            report: Box::new(move |actor, ended| {
                reporter.do_send(SourceEnded { source: of_source.clone(), actor, ended });
            }),
        };
        let (actor_name, workshop, crew) = (name.clone(), Arc::clone(&self.workshop), self.kit.crew.clone());
        let child = start(&Arbiter::current(), spec, move |_, lifeline| {
            SourceActor::new(actor_name, (visitor, crew), workshop, lifeline, log)
        });
        self.sources.insert(name.clone(), child);
        self.conditions.insert(name, Condition::Up);
    }

    fn lay_desk(&self) {
        let Some(fence) = self.mandate.as_ref().map(|mandate| mandate.fence.clone()) else { return };
        let sources = self.sources.iter().map(|(name, child)| (name.clone(), child.addr.clone())).collect();
        let (entity, workshop) = (Arc::clone(&self.entity), Arc::clone(&self.workshop));
        let (store, tally) = (self.kit.store.clone(), self.kit.tally.clone());
        let desk = Desk::new(entity, fence, (store, tally), sources, workshop, self.log.clone());
        *self.desk.borrow_mut() = Some(Rc::new(desk));
    }

    /// Works by another configuration: starts what is new before it lets go of what is old.
    fn rearrange(&mut self, entity: Arc<Entity>, ctx: &mut Context<Self>) {
        let former = std::mem::replace(&mut self.entity, entity);
        self.workshop.gate.set(&self.entity.throttle);
        if self.phase == Phase::Standby {
            return;
        }
        let is_to_start = |source: &&Arc<Source>| {
            former.sources.get(&source.name) != Some(*source)
                || matches!(self.conditions.get(&source.name), None | Some(Condition::GivenUp { .. }))
        };
        let started: Vec<_> = self.entity.sources.values().filter(is_to_start).cloned().collect();
        started.iter().for_each(|source| self.start_source(source, ctx));
        let configured = Arc::clone(&self.entity);
        for name in former.sources.keys().filter(|name| !configured.sources.contains_key(*name)) {
            self.kit.ledger.strike_out(&self.path_of(name));
        }
        self.sources.retain(|name, _| configured.sources.contains_key(name));
        self.conditions.retain(|name, _| configured.sources.contains_key(name));
        self.lay_desk();
        for source in started {
            self.timers.remove(&source.name);
            self.release(source.name.clone(), Due::All, ctx);
        }
        self.pump();
    }

    /// Sees to it that work that waits for a source does not wait for ever: the source's return, or its next probe, may have
    /// come before the wait was on record.
    pub(super) fn look_waits_for(&mut self, source: SourceName, ctx: &mut Context<Self>) {
        if self.workshop.paused.is_source(&source) {
            // Until a person says otherwise.
            return;
        }
        match self.conditions.get(&source) {
            // It is not configured, or not to be had: the work waits for the daemon, or the actor, that can reach it.
            None | Some(Condition::GivenUp { .. }) => {}
            Some(Condition::Up) => self.release(source, Due::All, ctx),
            Some(Condition::Down { .. }) => self.probe(source, ctx),
        }
    }

    /// Makes work due that waits for a source.
    fn release(&self, source: SourceName, due: Due, ctx: &mut Context<Self>) {
        let Some(desk) = self.desk() else { return };
        let release = Release { entity: self.entity.name.clone(), source, probe: due == Due::One };
        let released = async move { desk.insist(release).await };
        ctx.spawn(released.into_actor(self).map(|released, actor, _| {
            if let Err(error) = released {
                slog::error!(actor.log, "waiting work cannot be released"; key::ERROR => chain(&error));
            }
            actor.pump();
        }));
    }

    /// Makes one item due that waits for a source that is down, if the time has come; and again later, for as long as no
    /// run at the source has told how it is: that item's look may end without one.
    fn probe(&mut self, source: SourceName, ctx: &mut Context<Self>) {
        if self.workshop.paused.is_source(&source) {
            return;
        }
        let Some(Condition::Down { next_probe, .. }) = self.conditions.get(&source) else { return };
        if *next_probe > Instant::now() {
            // The timer leads here then.
            return;
        }
        self.release(source.clone(), Due::One, ctx);
        self.set_source_timer(source, PROBE_AGAIN, ctx);
    }

    /// Sets the timers of all sources that are waited for.
    pub(super) fn set_timers(&mut self, ctx: &mut Context<Self>) {
        for source in self.conditions.keys().cloned().collect::<Vec<_>>() {
            self.follow(source, ctx);
        }
    }

    /// Does what a source's condition calls for.
    pub(super) fn follow(&mut self, source: SourceName, ctx: &mut Context<Self>) {
        if self.workshop.paused.is_source(&source) {
            return;
        }
        match self.conditions.get(&source) {
            Some(Condition::Up) if self.phase == Phase::Working => self.release(source, Due::All, ctx),
            // What waits is released when the queue is taken over.
            Some(Condition::Up) | None => {}
            Some(Condition::Down { next_probe: at, .. } | Condition::GivenUp { next_start: at, .. }) => {
                let delay = at.saturating_duration_since(Instant::now());
                self.set_source_timer(source, delay, ctx);
            }
        }
    }

    /// Sets the source's timer, of which it has one.
    fn set_source_timer(&mut self, source: SourceName, delay: Duration, ctx: &mut Context<Self>) {
        let name = source.clone();
        let delay = delay + Duration::from_millis(1);
        let timer = Alarm::set(ctx, delay, move |actor: &mut Self, ctx| match actor.conditions.get(&name) {
            Some(Condition::GivenUp { .. }) => actor.start_again(&name, ctx),
            Some(Condition::Up | Condition::Down { .. }) | None => actor.probe(name, ctx),
        });
        // The one before is called off.
        self.timers.insert(source, timer);
    }

    /// Starts the actor of a source anew that was given up.
    fn start_again(&mut self, name: &SourceName, ctx: &mut Context<Self>) {
        let Some(source) = self.entity.sources.get(name).cloned() else { return };
        self.start_source(&source, ctx);
        self.lay_desk();
        self.release(name.clone(), Due::All, ctx);
    }

    pub(super) fn source_statuses(&self) -> BTreeMap<SourceName, SourceStatus> {
        let status = |(name, condition): (&SourceName, &Condition)| {
            let restarts = self.kit.ledger.find(&self.path_of(name)).map_or(0, |actor| actor.restarts);
            let status = source_status(condition, restarts);
            let paused = self.workshop.paused.is_source(name) && status.state != "given-up";
            (name.clone(), if paused { SourceStatus { state: "paused", ..status } } else { status })
        };
        self.conditions.iter().map(status).collect()
    }

    pub(super) fn path_of(&self, source: &SourceName) -> ActorPath {
        ActorPath::Source(self.entity.name.clone(), source.clone())
    }

    /// Whether the source's actor is the one of this number, and not one that stood there before.
    fn is_current(&self, source: &SourceName, actor: u64) -> bool {
        self.sources.get(source).is_some_and(|child| child.id == actor)
    }
}

fn source_status(condition: &Condition, restarts: u64) -> SourceStatus {
    let left = |at: &Instant| u64::try_from(at.saturating_duration_since(Instant::now()).as_millis()).ok();
    let (state, last_error, next_probe_ms) = match condition {
        Condition::Up => ("up", None, None),
        Condition::Down { why, next_probe } => ("down", Some(why.clone()), left(next_probe)),
        Condition::GivenUp { why, next_start } => ("given-up", Some(why.clone()), left(next_start)),
    };
    SourceStatus { state, restarts, last_error, next_probe_ms }
}

impl Handler<Rearrange> for EntityActor {
    type Result = ();

    fn handle(&mut self, Rearrange(entity): Rearrange, ctx: &mut Context<Self>) {
        self.rearrange(entity, ctx);
    }
}

impl Handler<SourceChanged> for EntityActor {
    type Result = ();

    fn handle(&mut self, SourceChanged { source, actor, health }: SourceChanged, ctx: &mut Context<Self>) {
        if !self.is_current(&source, actor) {
            return;
        }
        self.conditions.insert(source.clone(), health.into());
        self.follow(source, ctx);
    }
}

impl Handler<SourceEnded> for EntityActor {
    type Result = ();

    fn handle(&mut self, SourceEnded { source, actor, ended }: SourceEnded, ctx: &mut Context<Self>) {
        if !self.is_current(&source, actor) {
            if !self.entity.sources.contains_key(&source) {
                self.kit.ledger.strike_out(&self.path_of(&source));
            }
            return;
        }
        match ended {
            Ended::InOrder => {}
            Ended::GivenUp(why) => {
                let next_start = Instant::now() + self.kit.policy.long_pause;
                self.conditions.insert(source.clone(), Condition::GivenUp { why, next_start });
                self.follow(source, ctx);
            }
        }
    }
}
