//! An actor that fails as it is told to, and what is seen of it from outside.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, ArbiterHandle, AsyncContext, Context, Handler, Message, Running};
use actix::{Supervised, WrapFuture};
use slog::{Drain, KV, Key, Logger, OwnedKVList, Record, Serializer};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::actor::lock::whole;
use crate::actor::supervision::{ActorPath, Child, Ended, Event, Ledger, Lifeline, Policy, Spec, start};

/// How long a test waits for what must come, on the clock that it has: on a paused one it passes at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a toy can be told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Make,
    Started,
    Handler,
    Spawned,
    Restarting,
    Stopping,
    Stopped,
    Drop,
}

/// How it fails there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Panic,
    /// By `Lifeline::fail`.
    Error,
    /// By a stop that nobody asked for.
    Stop,
    /// By `Lifeline::give_up`.
    GiveUp,
}

/// A toy, from outside: what it is to do and what it has done.
#[derive(Clone, Default)]
pub struct Toybox(Arc<Inside>);

#[derive(Default)]
struct Inside {
    faults: Mutex<Vec<(Place, How, u32)>>,
    seen: Mutex<Vec<(String, Option<Instant>)>>,
    served: AtomicU32,
    reports: Mutex<Vec<Ended>>,
    ledger: Ledger,
    log: Arc<Lines>,
}

impl Toybox {
    /// Has it fail at a place, the next `times` times that it comes there.
    pub fn fault(&self, place: Place, how: How, times: u32) -> &Self {
        whole(&self.0.faults).push((place, how, times));
        self
    }

    /// Starts a toy on an arbiter.
    pub fn start(&self, arbiter: &ArbiterHandle, path: &ActorPath, policy: Policy) -> Child<Toy> {
        let (reporter, toybox) = (self.clone(), self.clone());
        let report = Box::new(move |_, ended| {
            whole(&reporter.0.reports).push(ended);
            reporter.0.log.changed.notify_waiters();
        });
        let (ledger, log) =
            (self.0.ledger.clone(), Logger::root(Arc::clone(&self.0.log), slog::o!("actor" => path.to_string())));
        start(arbiter, Spec { path: path.clone(), policy, ledger, log, report }, move |ctx, lifeline| {
            let toy = Toy { toybox, lifeline, spare: None };
            toy.come_to(Place::Make, ctx);
            toy
        })
    }

    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Returns the phrases of the events so far.
    pub fn events(&self) -> Vec<&'static str> {
        self.0.ledger.read().events.into_iter().map(|Event { event, .. }| event).collect()
    }

    pub fn log(&self) -> Vec<String> {
        whole(&self.0.log.lines).clone()
    }

    /// Returns the places that it came to, and the words that it was told.
    pub fn seen(&self) -> Vec<String> {
        whole(&self.0.seen).iter().map(|(what, _)| what.clone()).collect()
    }

    /// Returns when it came to a place.
    pub fn times(&self, place: Place) -> Vec<Instant> {
        let seen = whole(&self.0.seen);
        seen.iter().filter(|(what, _)| *what == format!("{place:?}")).filter_map(|(_, at)| *at).collect()
    }

    pub fn served(&self) -> u32 {
        self.0.served.load(Ordering::SeqCst)
    }

    pub fn reports(&self) -> Vec<Ended> {
        whole(&self.0.reports).clone()
    }

    /// Waits until a toy has ended and its parent was told.
    pub async fn reported(&self) -> Ended {
        self.until(|toybox| !toybox.reports().is_empty()).await;
        self.reports().remove(0)
    }

    /// Waits until something is so; it is asked again after each event, and after each report.
    pub async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.0.log.changed.notified());
                changed.as_mut().enable();
                if is_so(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("it never was so; {self:?}"));
    }

    fn see(&self, what: String, at: Option<Instant>) {
        whole(&self.0.seen).push((what, at));
    }

    fn due(&self, place: Place) -> Option<How> {
        let mut faults = whole(&self.0.faults);
        let fault = faults.iter_mut().find(|(at, _, times)| *at == place && *times > 0)?;
        fault.2 -= 1;
        Some(fault.1)
    }
}

impl fmt::Debug for Toybox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seen {:?}, reports {:?}, log {:#?}, {:#?}",
            self.seen(),
            self.reports(),
            self.log(),
            self.ledger().read()
        )
    }
}

pub struct Toy {
    toybox: Toybox,
    lifeline: Lifeline,
    /// A timer that it may call off.
    spare: Option<actix::SpawnHandle>,
}

impl Toy {
    fn come_to(&self, place: Place, ctx: &mut Context<Self>) {
        self.toybox.see(format!("{place:?}"), Some(Instant::now()));
        match self.toybox.due(place) {
            Some(How::Panic) => panic!("in {place:?}"),
            Some(How::Error) => self.lifeline.fail(ctx, format!("error in {place:?}")),
            Some(How::Stop) => ctx.stop(),
            Some(How::GiveUp) => self.lifeline.give_up(ctx, format!("given up in {place:?}")),
            None => {}
        }
    }
}

impl Actor for Toy {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.come_to(Place::Started, ctx);
        self.lifeline.up(ctx);
    }

    fn stopping(&mut self, ctx: &mut Context<Self>) -> Running {
        self.come_to(Place::Stopping, ctx);
        Running::Stop
    }

    fn stopped(&mut self, ctx: &mut Context<Self>) {
        self.come_to(Place::Stopped, ctx);
    }
}

impl Supervised for Toy {
    fn restarting(&mut self, ctx: &mut Context<Self>) {
        self.spare = None;
        self.come_to(Place::Restarting, ctx);
    }
}

impl Drop for Toy {
    fn drop(&mut self) {
        self.toybox.see("Drop".to_owned(), None);
        assert!(self.toybox.due(Place::Drop).is_none(), "in Drop");
    }
}

/// Tells a toy a word; it answers how many it was told.
#[derive(Message)]
#[rtype(result = "u32")]
pub struct Word(pub &'static str);

impl Handler<Word> for Toy {
    type Result = u32;

    fn handle(&mut self, Word(word): Word, ctx: &mut Context<Self>) -> u32 {
        self.toybox.see(word.to_owned(), None);
        self.come_to(Place::Handler, ctx);
        self.toybox.0.served.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// Has a toy do something in a future of its context.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Spawn;

impl Handler<Spawn> for Toy {
    type Result = ();

    fn handle(&mut self, _: Spawn, ctx: &mut Context<Self>) {
        ctx.spawn(tokio::task::yield_now().into_actor(self).map(|(), toy, ctx| toy.come_to(Place::Spawned, ctx)));
    }
}

/// Has a toy spawn work that never ends.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Busy;

impl Handler<Busy> for Toy {
    type Result = ();

    fn handle(&mut self, _: Busy, ctx: &mut Context<Self>) {
        let pending = |hold: Hold| async move {
            let _hold = hold;
            std::future::pending::<()>().await;
        };
        self.spare = Some(ctx.spawn(pending(Hold(self.toybox.clone())).into_actor(self)));
        ctx.spawn(pending(Hold(self.toybox.clone())).into_actor(self));
    }
}

/// Says when it is let go of.
struct Hold(Toybox);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.see("Let go".to_owned(), None);
    }
}

/// Has a toy call off what it spawned, and then fail, in one turn.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CallOffAndFail;

impl Handler<CallOffAndFail> for Toy {
    type Result = ();

    fn handle(&mut self, _: CallOffAndFail, ctx: &mut Context<Self>) {
        if let Some(spare) = self.spare.take() {
            ctx.cancel_future(spare);
        }
        self.lifeline.fail(ctx, "error in CallOffAndFail".to_owned());
    }
}

/// Ends a toy in order.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Finish;

impl Handler<Finish> for Toy {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Context<Self>) {
        self.lifeline.stopping();
        self.lifeline.finish(ctx);
    }
}

/// The lines of a log, each as `LEVEL message key=value ...`.
#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<String>>,
    changed: Notify,
}

impl Drain for Lines {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &Record<'_>, context: &OwnedKVList) -> Result<(), slog::Never> {
        let tag =
            if record.tag().is_empty() { record.level().as_str().to_lowercase() } else { record.tag().to_owned() };
        let mut line = Line(format!("{tag}: {}", record.msg()));
        context.serialize(record, &mut line).expect("values can be shown");
        record.kv().serialize(record, &mut line).expect("values can be shown");
        whole(&self.lines).push(line.0);
        self.changed.notify_waiters();
        Ok(())
    }
}

struct Line(String);

impl Serializer for Line {
    fn emit_arguments(&mut self, key: Key, value: &fmt::Arguments<'_>) -> slog::Result {
        self.0.push_str(&format!(" {key}={value}"));
        Ok(())
    }
}

/// Returns where a toy stands.
pub fn path(name: &str) -> ActorPath {
    ActorPath::Source("toys".parse().expect("it is a name"), name.parse().expect("it is a name"))
}
