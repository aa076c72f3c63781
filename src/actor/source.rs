//! A source actor: one visit at its source at a time, and whether the source is up.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, Addr, ArbiterHandle, Context, Handler, Message, Supervised};
use slog::{Logger, info, warn};
use tokio::sync::oneshot;

use crate::config::model::Throttle;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::plan::WriteResult;
use crate::domain::record::OperationKind;
use crate::log::key;
use crate::source::visit::{Begun, Reach, Visitor};

use super::crew::{Crew, Parting};
use super::entity::SourceChanged;
use super::errand::{Errand, WriteOrder, Written};
use super::lock::whole;
use super::supervision::{ActorPath, Drill, Ledger, Lifeline, Policy, Spec, panic_text, start};
use super::workshop::{Busy, Workshop};

/// The first pause before a source that is down is tried again; doubled each time up to [`LAST_PROBE`].
const FIRST_PROBE: Duration = Duration::from_secs(1);
const LAST_PROBE: Duration = Duration::from_secs(30);

/// How soon a write must be expected to have its turn that is decided and begun in one, though others come before it.
const SOON: Duration = Duration::from_millis(50);

/// Serializes the visits at one source; the next begins when the process of the last is reaped.
pub struct SourceActor {
    counter: Arc<Counter>,
    lifeline: Lifeline,
}

/// Where visits wait for their turn. It belongs to the actor and to the thread that makes its visits, one after the other as long as
/// any wait: no visit waits for a thread to be told of the end of the last one.
struct Counter {
    name: SourceName,
    visitor: Visitor,
    crew: Crew,
    /// Where the entity's looks are made; whoever works there is told of every change of this source's health. Visits keep it busy: a
    /// look that fails does not end what it has had begun.
    workshop: Arc<Workshop>,
    lifeline: Lifeline,
    log: Logger,
    line: Mutex<Line>,
}

struct Line {
    waiting: VecDeque<Waiting>,
    /// The thread's turn in which visits are made; `None`: there is none.
    visiting: Option<Visiting>,
    turns: u64,
    /// How long the last visit took, its waits included; `None`: there was none yet.
    pace: Option<Duration>,
    health: Health,
}

/// A thread's turn, in which one visit after the other is made.
struct Visiting {
    number: u64,
    /// When the visit under way has begun.
    since: Instant,
}

/// Whether the source answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Up,
    Down { why: String, failures: u32, next_probe: Instant },
}

/// A visit that waits for its turn: makes it, or is told why it is not made.
type Waiting = Box<dyn FnOnce(Turn<'_>) -> Made + Send>;

/// A visit that is over: what it shows of the source, and what answers whoever waits for it.
type Made = (Reach, Parting);

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
    (visitor, crew): (Visitor, Crew),
    log: Logger,
) -> Addr<SourceActor> {
    let workshop = Workshop::open(&Throttle { rate: 0.0, burst: 1, in_flight: 1 });
    start_in(arbiter, (entity, name), (visitor, crew), workshop, log)
}

fn start_in(
    arbiter: &ArbiterHandle,
    (entity, name): (EntityName, SourceName),
    (visitor, crew): (Visitor, Crew),
    workshop: Arc<Workshop>,
    log: Logger,
) -> Addr<SourceActor> {
    let path = ActorPath::Source(entity, name.clone());
    let (policy, ledger) = (Policy::default(), Ledger::default());
    let spec = Spec { path, policy, ledger, log: log.clone(), report: Box::new(|_, _| {}) };
    let make =
        move |_: &mut Context<SourceActor>, lifeline| SourceActor::new(name, (visitor, crew), workshop, lifeline, log);
    start(arbiter, spec, make).addr
}

/// Gives a write its turn, if it need not wait for anything; it is made when it is told to begin.
#[derive(Message)]
#[rtype(result = "Option<Reserved>")]
pub(super) struct Reserve(pub(super) WriteOrder);

/// Asks whether a write will have its turn in moments, with nothing else in its way than the visits before it.
#[derive(Message)]
#[rtype(result = "bool")]
pub(super) struct Foresee(pub(super) WriteOrder);

/// A write that has its source's turn. It is let go of when this is dropped.
pub(super) struct Reserved {
    kind: OperationKind,
    begin: oneshot::Sender<()>,
    written: oneshot::Receiver<Written>,
}

impl Reserved {
    /// Has the write made; that it is about to begin is on record.
    pub(super) async fn make(self) -> Written {
        if self.begin.send(()).is_err() {
            return WriteResult::Held(AWAY.to_owned()).into();
        }
        let lost = || WriteResult::lost(self.kind, "whoever made it is gone".to_owned()).into();
        self.written.await.unwrap_or_else(|_| lost())
    }
}

impl<E: Errand> Message for Visit<E> {
    type Result = E::Answer;
}

/// Ends the actor in order; whoever still waits for a visit is told that it was not made.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Finish;

impl SourceActor {
    /// Takes over the visits at a source, which are made on threads of a crew.
    pub(super) fn new(
        name: SourceName,
        (visitor, crew): (Visitor, Crew),
        workshop: Arc<Workshop>,
        lifeline: Lifeline,
        log: Logger,
    ) -> Self {
        let line = Line { waiting: VecDeque::new(), visiting: None, turns: 0, pace: None, health: Health::Up };
        let of_counter = lifeline.clone();
        let line = Mutex::new(line);
        let counter = Counter { name, visitor, crew, workshop, lifeline: of_counter, log, line };
        Self { counter: Arc::new(counter), lifeline }
    }
}

/// The right of one thread to make visits, until nobody waits. It ends when it is dropped, too, should no thread ever have had it.
struct ThreadTurn {
    counter: Arc<Counter>,
    number: u64,
    _busy: Busy,
}

impl ThreadTurn {
    /// Gives none while another one is taken, or nobody waits for a visit that may be made.
    fn take(counter: &Arc<Counter>) -> Option<Self> {
        if whole(&counter.line).visiting.is_some() {
            return None;
        }
        counter.refuse();
        let mut line = whole(&counter.line);
        if line.waiting.is_empty() {
            return None;
        }
        Some(Self::begin(counter, &mut line))
    }

    /// Gives none unless a visit that came now would be the next, and be made.
    fn take_if_idle(counter: &Arc<Counter>) -> Option<Self> {
        if counter.down().is_some() {
            return None;
        }
        let mut line = whole(&counter.line);
        let is_idle = line.health == Health::Up && line.visiting.is_none() && line.waiting.is_empty();
        is_idle.then(|| Self::begin(counter, &mut line))
    }

    fn begin(counter: &Arc<Counter>, line: &mut Line) -> Self {
        Self { number: line.begin(), counter: Arc::clone(counter), _busy: counter.workshop.busy() }
    }

    /// Makes a write that has its turn, when it is told to, and then the visits that have come meanwhile.
    fn make_write(
        self,
        begun: Begun,
        order: &WriteOrder,
        (told, reply): (oneshot::Receiver<()>, oneshot::Sender<Written>),
    ) -> Parting {
        let visitor = &self.counter.visitor;
        let start = || told.blocking_recv().map_err(|_| "it was not decided".to_owned());
        let made = catch_unwind(AssertUnwindSafe(|| visitor.write_begun(begun, order, start)));
        let (written, reach) =
            made.unwrap_or_else(|panic| (WriteResult::lost(order.kind, panic_text(panic)).into(), Reach::Unknown));
        let next = self.after(reach);
        self.go_on(next, Box::new(move || drop(reply.send(written))))
    }

    /// Makes the visits that wait; gives what answers the last one.
    fn make_visits(self) -> Parting {
        let first = self.next();
        self.go_on(first, Box::new(|| {}))
    }

    /// Whoever is answered finds the turn ended already, if nobody else waits, and a thread that is free for the next.
    fn go_on(self, mut next: Option<Waiting>, mut answer: Parting) -> Parting {
        while let Some(visit) = next {
            answer();
            let (reach, of_visit) = visit(Turn::Come(&self.counter.visitor));
            next = self.after(reach);
            answer = of_visit;
        }
        answer
    }

    /// Takes in what a visit has shown that is over, and gives the next one.
    fn after(&self, reach: Reach) -> Option<Waiting> {
        self.counter.learn(reach);
        whole(&self.counter.line).note_pace();
        self.next()
    }

    /// Gives the next visit that may be made; if there is none, the turn ends.
    fn next(&self) -> Option<Waiting> {
        self.counter.refuse();
        let mut line = whole(&self.counter.line);
        let next = line.waiting.pop_front();
        match (&next, &mut line.visiting) {
            (Some(_), Some(visiting)) => visiting.since = Instant::now(),
            (Some(_), None) => {}
            // Before the lock is let go of: whoever comes then takes the next turn.
            (None, _) => line.end(self.number),
        }
        next
    }
}

impl Drop for ThreadTurn {
    fn drop(&mut self) {
        whole(&self.counter.line).end(self.number);
    }
}

impl Line {
    fn begin(&mut self) -> u64 {
        self.turns += 1;
        self.visiting = Some(Visiting { number: self.turns, since: Instant::now() });
        self.turns
    }

    /// Takes in how long the visit took that is over now.
    fn note_pace(&mut self) {
        self.pace = self.visiting.as_ref().map(|visiting| visiting.since.elapsed());
    }

    /// Tells whether all who have come before are expected to have had their turns in moments: to take as long as the last visit did,
    /// or as the one under way has taken by now.
    fn is_short(&self) -> bool {
        let ahead = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX).saturating_add(1);
        let under_way = self.visiting.as_ref().map_or(Duration::ZERO, |visiting| visiting.since.elapsed());
        self.pace.is_some_and(|pace| pace.max(under_way).saturating_mul(ahead) <= SOON)
    }

    fn end(&mut self, number: u64) {
        self.visiting.take_if(|visiting| visiting.number == number);
    }
}

impl Counter {
    /// Has the visits that wait made on a thread of their own, unless that is being done. They answer by themselves: what happens to the
    /// actor meanwhile does not touch them.
    fn pump(self: &Arc<Self>) {
        if let Some(turn) = ThreadTurn::take(self) {
            self.crew.have(Box::new(move || turn.make_visits()));
        }
    }

    /// Answers all who wait, if nothing may be started now.
    fn refuse(&self) {
        let Some(why) = self.down() else { return };
        let waiting = std::mem::take(&mut whole(&self.line).waiting);
        waiting.into_iter().for_each(|refused| refused(Turn::Refused(why.clone())).1());
    }

    /// Says why nothing may be started now.
    fn down(&self) -> Option<String> {
        if self.workshop.paused.is_source(&self.name) {
            return Some("the source is paused".to_owned());
        }
        match &whole(&self.line).health {
            Health::Down { why, next_probe, .. } if *next_probe > Instant::now() => Some(why.clone()),
            Health::Up | Health::Down { .. } => None,
        }
    }

    /// Takes in what a visit shows of the source, and tells the entity when that changes something.
    fn learn(&self, reach: Reach) {
        let mut line = whole(&self.line);
        let was_up = line.health == Health::Up;
        match (reach, &line.health) {
            (Reach::Unknown, _) | (Reach::Reached, Health::Up) => return,
            (Reach::Reached, Health::Down { .. }) => {
                line.health = Health::Up;
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
                line.health = Health::Down { why, failures: failures + 1, next_probe: Instant::now() + delay };
            }
        }
        let (source, actor) = (self.name.clone(), self.lifeline.id());
        self.workshop.tell(SourceChanged { source, actor, health: line.health.clone() });
    }
}

impl Actor for SourceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.lifeline.up(ctx);
        self.counter.pump();
    }
}

/// A visit under way answers by itself; whoever waits is told that his is not made.
impl Drop for SourceActor {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut whole(&self.counter.line).waiting);
        drop(waiting);
    }
}

/// Whoever waits keeps waiting, what is known of the source is kept, and a visit under way goes on, with those that wait after it.
impl Supervised for SourceActor {
    fn restarting(&mut self, _: &mut Context<Self>) {}
}

/// Who waits for a visit. If that is let go of before its turn came, it was never begun, and that is the answer.
struct Asker<E: Errand> {
    errand: Arc<E>,
    reply: Option<OneshotSender<E::Answer>>,
}

impl<E: Errand> Asker<E> {
    fn answer(mut self, answer: E::Answer) {
        // Whoever asked may be gone, and then nobody misses the answer.
        drop(self.reply.take().map(|reply| reply.send(answer)));
    }
}

impl<E: Errand> Drop for Asker<E> {
    fn drop(&mut self) {
        drop(self.reply.take().map(|reply| reply.send(self.errand.refused(AWAY.to_owned()))));
    }
}

/// A visit that takes its place in the line as soon as it is known who is to be answered: by whoever makes it, and nobody between.
pub struct Queued<E> {
    errand: Arc<E>,
    counter: Arc<Counter>,
}

impl<E: Errand> MessageResponse<SourceActor, Visit<E>> for Queued<E> {
    fn handle(self, _: &mut Context<SourceActor>, reply: Option<OneshotSender<E::Answer>>) {
        let Self { errand, counter } = self;
        let asker = Asker { errand: Arc::clone(&errand), reply };
        whole(&counter.line).waiting.push_back(Box::new(move |turn| {
            let (answer, reach) = match turn {
                Turn::Come(visitor) => run(&*errand, visitor),
                Turn::Refused(why) => (errand.refused(why), Reach::Unknown),
            };
            (reach, Box::new(move || asker.answer(answer)))
        }));
        counter.pump();
    }
}

impl<E: Errand> Handler<Visit<E>> for SourceActor {
    type Result = Queued<E>;

    fn handle(&mut self, Visit(errand): Visit<E>, _: &mut Context<Self>) -> Self::Result {
        Queued { errand, counter: Arc::clone(&self.counter) }
    }
}

impl Handler<Reserve> for SourceActor {
    type Result = Option<Reserved>;

    fn handle(&mut self, Reserve(order): Reserve, _: &mut Context<Self>) -> Self::Result {
        let turn = ThreadTurn::take_if_idle(&self.counter)?;
        let begun = self.counter.visitor.begin_at_once(&order)?;
        let ((begin, told), (reply, written)) = (oneshot::channel(), oneshot::channel());
        let kind = order.kind;
        self.counter.crew.have(Box::new(move || turn.make_write(begun, &order, (told, reply))));
        Some(Reserved { kind, begin, written })
    }
}

impl Handler<Foresee> for SourceActor {
    type Result = bool;

    fn handle(&mut self, Foresee(order): Foresee, _: &mut Context<Self>) -> Self::Result {
        if self.counter.down().is_some() || !self.counter.visitor.is_free_for(&order) {
            return false;
        }
        let line = whole(&self.counter.line);
        line.health == Health::Up && line.is_short()
    }
}

fn run<E: Errand>(errand: &E, visitor: &Visitor) -> (E::Answer, Reach) {
    catch_unwind(AssertUnwindSafe(|| errand.make(visitor)))
        .unwrap_or_else(|panic| (errand.lost(panic_text(panic)), Reach::Unknown))
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

#[cfg(test)]
mod tests;
