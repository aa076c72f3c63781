//! One child: its actor, driven by a task that survives it.
//!
//! actix starts nothing again after a panic, and its own supervisor restarts at once and without limit. Here the actor's own
//! future is polled under `catch_unwind`; after a failure it is set back in place, so the address stays valid and what waits
//! in the mailbox is kept.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::channel;
use actix::{Actor, Addr, ArbiterHandle, Context, Supervised};
use slog::Logger;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::ledger::{Happening, Ledger};
use super::life::Life;
use super::lifeline::{Lifeline, Wish};
use super::path::ActorPath;
use super::policy::{Failures, Policy, Sequel};

/// How many messages wait in a mailbox before senders wait; commands that are only told are not counted.
const MAILBOX: usize = 16;

/// What a child is, and who is told of its end.
pub struct Spec {
    pub path: ActorPath,
    pub policy: Policy,
    pub ledger: Ledger,
    pub log: Logger,
    /// Told, with the child's number, when it has ended or was given up; never of a restart.
    pub report: Box<dyn Fn(u64, Ended) + Send>,
}

/// The end of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It stopped because it was told to, or because nobody holds its address any more.
    InOrder,
    /// It failed too often, or its thread is gone: the reason. It is entered as given up.
    GivenUp(String),
}

/// A child, as its parent holds it.
pub struct Child<A: Actor> {
    pub addr: Addr<A>,
    pub id: u64,
    running: watch::Receiver<Running>,
}

impl<A: Actor> Clone for Child<A> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), id: self.id, running: self.running.clone() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    Yes,
    No,
}

impl<A: Actor> Child<A> {
    /// Waits until it has ended, in whatever way.
    pub fn ended(&self) -> impl Future<Output = ()> + use<A> {
        let mut running = self.running.clone();
        // The other end is dropped with the task that drives the child: then it has ended, too.
        async move { drop(running.wait_for(|running| *running == Running::No).await) }
    }
}

/// Starts a child on the thread of `arbiter`; `make` builds the actor there.
///
/// The actor calls [`Lifeline::up`] at the end of `started`, which runs again after each restart. `restarting` runs right after
/// a failure, before the pause: it lets go of what a panic may have left half done. What was spawned with the context is gone
/// then; what must outlive a failure is spawned beside it.
pub fn start<A, F>(arbiter: &ArbiterHandle, spec: Spec, make: F) -> Child<A>
where
    A: Supervised + Actor<Context = Context<A>>,
    F: FnOnce(&mut Context<A>, Lifeline) -> A + Send + 'static,
{
    let Spec { path, policy, ledger, log, report } = spec;
    let (sender, receiver) = channel::channel(MAILBOX);
    let (alive, running) = watch::channel(Running::Yes);
    let id = ledger.enter(&path);
    let lifeline = Lifeline { path, id, ledger, log, wish: Arc::default(), drill: Arc::default() };
    let long_pause = policy.long_pause;
    let warden = Warden { lifeline: lifeline.clone(), long_pause, report, alive, has_ended: false };
    // A thread that is gone drops the task, and the warden says so.
    arbiter.spawn_fn(move || {
        actix::spawn(async move {
            let ended = match Life::make(receiver, |ctx| make(ctx, lifeline)) {
                Ok(life) => drive(life, &policy, &warden.lifeline).await,
                Err(panic) => {
                    warden.lifeline.note(&Happening::Failed { error: &panic });
                    Ended::GivenUp(panic)
                }
            };
            warden.end(ended);
        });
    });
    Child { addr: Addr::new(sender), id, running }
}

/// Lives the actor's lives, one after the other, and takes it down at the end.
async fn drive<A>(mut life: Life<A>, policy: &Policy, lifeline: &Lifeline) -> Ended
where
    A: Supervised + Actor<Context = Context<A>>,
{
    let mut failures = Failures::default();
    let ended = loop {
        let death = Death::of(life.live().await, lifeline.take_wish(), life.is_wanted());
        if let Some(error) = death.error() {
            lifeline.note(&Happening::Failed { error });
        }
        let error = match death {
            Death::InOrder(_) => break Ended::InOrder,
            Death::GivenUp(error) => break Ended::GivenUp(error),
            Death::Failed(error) => error,
        };
        // Here and now, not after the pause: what was under way in it ends.
        if let Err(panic) = life.set_back() {
            break Ended::GivenUp(format!("{error}; then, being set back, it {panic}"));
        }
        if !life.is_wanted() {
            break Ended::InOrder;
        }
        match failures.count(Instant::now().into_std(), policy, rand::random()) {
            Sequel::GiveUp => break Ended::GivenUp(error),
            Sequel::Restart(delay) => {
                lifeline.note(&Happening::Restarting { delay });
                sleep(delay).await;
                lifeline.note(&Happening::Starting);
            }
        }
    };
    if let Err(panic) = life.take_down() {
        lifeline.note(&Happening::Failed { error: &panic });
    }
    ended
}

/// How one life of an actor ended.
enum Death {
    /// It is not started again; it may have failed at its end.
    InOrder(Option<String>),
    Failed(String),
    GivenUp(String),
}

impl Death {
    fn of(lived: Result<(), String>, wish: Option<Wish>, is_wanted: bool) -> Self {
        match (wish, lived) {
            (Some(Wish::InOrder), lived) => Self::InOrder(lived.err()),
            (Some(Wish::Failed(error)), lived) => Self::Failed(joined(error, lived)),
            (Some(Wish::GivenUp(error)), lived) => Self::GivenUp(joined(error, lived)),
            (None, Err(panic)) => Self::Failed(panic),
            (None, Ok(())) if is_wanted => Self::Failed("it stopped without having been told to".to_owned()),
            (None, Ok(())) => Self::InOrder(None),
        }
    }

    fn error(&self) -> Option<&str> {
        match self {
            Self::InOrder(error) => error.as_deref(),
            Self::Failed(error) | Self::GivenUp(error) => Some(error),
        }
    }
}

/// Adds the panic that followed an error.
fn joined(error: String, lived: Result<(), String>) -> String {
    match lived {
        Ok(()) => error,
        Err(panic) => format!("{error}; then it {panic}"),
    }
}

const GONE: &str = "its thread is gone";

/// Sees to it that the parent hears of the child's end, even if the thread ends under it.
struct Warden {
    lifeline: Lifeline,
    long_pause: Duration,
    report: Box<dyn Fn(u64, Ended) + Send>,
    alive: watch::Sender<Running>,
    has_ended: bool,
}

impl Warden {
    fn end(mut self, ended: Ended) {
        self.tell(ended);
    }

    fn tell(&mut self, ended: Ended) {
        self.has_ended = true;
        match &ended {
            Ended::InOrder => self.lifeline.note(&Happening::Stopped),
            Ended::GivenUp(error) => self.lifeline.note(&Happening::GaveUp { error, delay: self.long_pause }),
        }
        self.alive.send_replace(Running::No);
        (self.report)(self.lifeline.id, ended);
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        if !self.has_ended {
            self.lifeline.note(&Happening::Failed { error: GONE });
            self.tell(Ended::GivenUp(GONE.to_owned()));
        }
    }
}
