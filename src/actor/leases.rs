//! The leases actor: keeps this daemon on the list of those that share the database, and takes what nobody serves.
//!
//! Its time is prolonged on the database's clock. Counted on our own from before it was asked for, programs run for less
//! than that, so that they are gone when another daemon may begin. Our own goes on while the machine sleeps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised, WrapFuture,
};
use slog::{Logger, error, info, warn};

use crate::domain::name::EntityName;
use crate::log::{chain, key};
use crate::points::{Mistake, planted};
use crate::source::boot_time::BootTime;
use crate::source::guardian::Guardian;

use super::office::Office;
use super::pace::{Jump, Pace, Reading};
use super::store::requests::lease::{DaemonId, Enlist, GiveUp, Resign, Serve, Served};
use super::store::{Ask, StoreActor, StoreError, put};
use super::supervision::{Alarm, Drill, Lifeline};
use super::supervisor::Supervisor;
use super::workshop::Workshops;

/// For how long a daemon may be silent before others may take its place.
const TERM: Duration = Duration::from_secs(10);
/// For how long others wait after that: whatever it has left running has been killed by then.
const GRACE: Duration = Duration::from_secs(1);
/// For how long programs may run that were started under a time that could not be prolonged: they are told to end then, and
/// killed two seconds later.
const RUNS: Duration = Duration::from_secs(7);
/// For how long they may run if this process does not even see to that: the guardian kills them then.
const KILL: Duration = Duration::from_millis(9_500);
/// How often the time is prolonged: while there is nobody to take anything from, and otherwise.
const PROLONG: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(1));
/// How often the time that is left is looked at: alarms stand still while the machine sleeps.
const GLANCE: Duration = Duration::from_millis(500);
/// How many entities are taken at a time.
const BATCH: usize = 500;

/// Who this daemon is among those that share the database.
#[derive(Debug, Clone)]
pub struct Identity {
    pub daemon: DaemonId,
    /// For people: its host and process.
    pub name: String,
    /// Another one that is known to be dead.
    pub former: Option<DaemonId>,
}

/// Keeps this daemon's leases.
pub(super) struct LeaseActor {
    identity: Identity,
    office: Office,
    store: Addr<StoreActor>,
    supervisor: Addr<Supervisor>,
    workshops: Workshops,
    guardian: Option<Guardian>,
    lifeline: Lifeline,
    log: Logger,
    wanted: BTreeSet<EntityName>,
    standing: Standing,
    /// Of the database's clock.
    pace: Pace,
    is_busy: bool,
    next: Option<Alarm>,
    /// Rings when the time has run out.
    end: Option<Alarm>,
}

/// How this daemon stands to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unlisted,
    Listed,
    Resigned,
}

/// What the leases of this daemon are may be another now: to the actors of the entities.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub(super) struct LeasesChanged;

/// Says which entities are to be served.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Want(pub(super) BTreeSet<EntityName>);

/// Leaves an entity to other daemons: nothing of it is under way here any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Leave(pub(super) EntityName);

/// Leaves everything to other daemons, and ends. Answered when that is done, or cannot be.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Finish;

/// Finish has been done.
#[derive(Message)]
#[rtype(result = "()")]
struct Finished;

/// Others may have stored work for entities that are served here.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Sweep;

/// What came of a question to the database.
enum Heard {
    Enlisted(Result<(), StoreError>),
    /// With when it was asked: its answer counts from then.
    Served(BootTime, Result<Served, StoreError>),
}

impl LeaseActor {
    pub(super) fn new(
        identity: Identity,
        office: Office,
        (store, supervisor): (Addr<StoreActor>, Addr<Supervisor>),
        (workshops, guardian): (Workshops, Option<Guardian>),
        lifeline: Lifeline,
        log: Logger,
    ) -> Self {
        Self {
            identity,
            office,
            store,
            supervisor,
            workshops,
            guardian,
            lifeline,
            log,
            wanted: BTreeSet::new(),
            standing: Standing::Unlisted,
            pace: Pace::new(TERM + GRACE),
            is_busy: false,
            next: None,
            end: None,
        }
    }

    /// Gets on the list, or prolongs the time there and takes what is wanted and free.
    fn tick(&mut self, ctx: &mut Context<Self>) {
        if self.is_busy || self.wanted.is_empty() && self.standing == Standing::Unlisted {
            return;
        }
        let store = self.store.clone();
        let daemon = self.identity.daemon;
        let asked = BootTime::now();
        let heard: ResponseFuture<Heard> = match self.standing {
            Standing::Resigned => return,
            Standing::Unlisted => {
                let Identity { name, former, .. } = self.identity.clone();
                let enlist = Enlist { daemon, name, term: TERM, former };
                Box::pin(async move { Heard::Enlisted(put(&store, Ask(enlist)).await) })
            }
            Standing::Listed => {
                let mut wanted = self.office.unserved(&self.wanted);
                wanted.truncate(BATCH);
                let as_of = self.pace.as_of(asked);
                let serve = Serve { daemon, term: TERM, grace: GRACE, as_of, wanted };
                Box::pin(async move { Heard::Served(asked, put(&store, Ask(serve)).await) })
            }
        };
        self.is_busy = true;
        self.next = None;
        ctx.spawn(heard.into_actor(self).map(|heard, actor, ctx| {
            actor.is_busy = false;
            let pause = actor.hear(heard, ctx);
            actor.next = Some(Alarm::set(ctx, pause, |actor: &mut Self, ctx| actor.tick(ctx)));
        }));
    }

    /// Takes in what was answered; gives the time until the next question.
    fn hear(&mut self, heard: Heard, ctx: &mut Context<Self>) -> Duration {
        match heard {
            _ if self.standing == Standing::Resigned => PROLONG.1,
            Heard::Enlisted(Ok(())) => {
                self.identity.former = None;
                self.standing = Standing::Listed;
                Duration::ZERO
            }
            Heard::Served(asked, Ok(Served::Listed { taken, dead, others, now: told })) => {
                self.compare_clocks(Reading { asked, heard: BootTime::now(), told });
                dead.iter().for_each(|name| warn!(self.log, "daemon found dead"; "daemon" => name));
                self.go_on(asked, taken, others, ctx)
            }
            Heard::Served(asked, Ok(Served::StruckOut)) if planted(Mistake::NoFencing) => {
                self.go_on(asked, BTreeMap::new(), true, ctx)
            }
            Heard::Served(_, Ok(Served::StruckOut)) => {
                warn!(self.log, "leases lost"; key::ERROR => "this daemon was silent for too long");
                self.standing = Standing::Unlisted;
                self.office.depose();
                self.workshops.tell(|| LeasesChanged);
                Duration::ZERO
            }
            Heard::Enlisted(Err(error)) | Heard::Served(_, Err(error)) => {
                match &error {
                    StoreError::Unavailable(_) => {}
                    other => error!(self.log, "leases cannot be kept"; key::ERROR => chain(other)),
                }
                PROLONG.1
            }
        }
    }

    /// Takes in what time the database told.
    fn compare_clocks(&mut self, reading: Reading) {
        if let Some(Jump { seconds }) = self.pace.take_in(reading) {
            warn!(self.log, "database clock jumped"; "seconds" => seconds);
        }
    }

    /// Serves on, with what was taken; gives the time until the next question.
    fn go_on(
        &mut self,
        asked: BootTime,
        taken: BTreeMap<EntityName, i64>,
        others: bool,
        ctx: &mut Context<Self>,
    ) -> Duration {
        self.prolong(asked + RUNS, ctx);
        if let Some(guardian) = self.guardian.as_ref().filter(|_| !planted(Mistake::NoFencing)) {
            guardian.alive_until(asked + KILL);
        }
        let has_more = taken.len() == BATCH;
        if !taken.is_empty() {
            info!(self.log, "leases taken"; "entities" => taken.len());
            let unwanted = taken.keys().filter(|entity| !self.wanted.contains(*entity)).cloned().collect();
            self.office.take(taken);
            self.give_up(unwanted, ctx);
            self.workshops.tell(|| LeasesChanged);
        }
        if others {
            self.supervisor.do_send(Sweep);
        }
        match (has_more, self.office.unserved(&self.wanted).is_empty() && !others) {
            (true, _) => Duration::ZERO,
            (false, true) => PROLONG.0,
            (false, false) => PROLONG.1,
        }
    }

    /// Leaves entities to other daemons that are not served here.
    fn give_up(&self, entities: Vec<EntityName>, ctx: &mut Context<Self>) {
        if entities.is_empty() {
            return;
        }
        self.office.give_up(&entities);
        let (store, daemon) = (self.store.clone(), self.identity.daemon);
        // If it cannot be told, they are free when this daemon ends.
        ctx.spawn(async move { drop(put(&store, Ask(GiveUp { daemon, entities })).await) }.into_actor(self));
    }

    /// Lets programs run until then, and no longer.
    fn prolong(&mut self, until: BootTime, ctx: &mut Context<Self>) {
        match self.office.tenure().prolong(until) {
            Ok(()) => self.await_end(until, ctx),
            Err(error) => error!(self.log, "leases cannot be kept"; key::ERROR => %error),
        }
    }

    /// Cuts off what runs when that time has come, unless it is prolonged before.
    fn await_end(&mut self, until: BootTime, ctx: &mut Context<Self>) {
        let left = (until - BootTime::now()).min(GLANCE);
        self.end = Some(Alarm::set(ctx, left, |actor: &mut Self, ctx| match actor.office.tenure().check() {
            Some(until) => actor.await_end(until, ctx),
            None if actor.standing == Standing::Listed => {
                warn!(actor.log, "runs suspended"; key::ERROR => "the lease could not be prolonged in time");
            }
            None => {}
        }));
    }
}

impl Actor for LeaseActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.lifeline.up(ctx);
        // What was answered to a life that failed is not known; that the time runs out is seen to anew, too.
        if let Some(until) = self.office.tenure().check() {
            self.await_end(until, ctx);
        }
        self.tick(ctx);
    }
}

/// What is held is in the office; what an answer that was lost has told is told again.
impl Supervised for LeaseActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        (self.is_busy, self.next, self.end) = (false, None, None);
    }
}

impl Handler<Want> for LeaseActor {
    type Result = ();

    fn handle(&mut self, Want(wanted): Want, ctx: &mut Context<Self>) {
        self.wanted = wanted;
        self.tick(ctx);
    }
}

impl Handler<Leave> for LeaseActor {
    type Result = ();

    fn handle(&mut self, Leave(entity): Leave, ctx: &mut Context<Self>) {
        if self.wanted.contains(&entity) {
            return;
        }
        self.give_up(vec![entity], ctx);
    }
}

impl Handler<Finish> for LeaseActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Finish, ctx: &mut Context<Self>) -> Self::Result {
        let was_listed = self.standing == Standing::Listed;
        self.standing = Standing::Resigned;
        self.lifeline.stopping();
        self.office.tenure().end();
        let (store, daemon, actor) = (self.store.clone(), self.identity.daemon, ctx.address());
        let log = self.log.clone();
        Box::pin(async move {
            if was_listed && let Err(error) = put(&store, Ask(Resign { daemon })).await {
                warn!(log, "leases cannot be given up"; key::ERROR => chain(&error));
            }
            actor.do_send(Finished);
        })
    }
}

impl Handler<Finished> for LeaseActor {
    type Result = ();

    fn handle(&mut self, _: Finished, ctx: &mut Context<Self>) {
        self.lifeline.finish(ctx);
    }
}

impl Handler<Drill> for LeaseActor {
    type Result = ();

    fn handle(&mut self, drill: Drill, ctx: &mut Context<Self>) {
        self.lifeline.drill(drill, ctx);
    }
}
