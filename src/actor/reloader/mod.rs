//! The reloader: reads the configuration again, has it put in force, and says what came of it.
//!
//! There is one path for whoever asks: a signal, a person, or the watched file. Reloads come one after the other. Requests
//! that come while one is under way share the next, so that each of them is answered by a reload that began after it; however
//! many there are, what the files held last is in force at the end.

mod change;
mod reading;
mod watch;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use actix::{
    Actor, ActorFutureExt, ArbiterHandle, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture,
    Supervised, WrapFuture,
};
use jiff::Timestamp;
use slog::{Logger, error, o, warn};
use tokio::sync::{oneshot, watch as channel};

use crate::config::{Config, ConfigErrors, Finding, Inputs, Loaded};
use crate::domain::event::EventKind;
use crate::domain::json::{Json, Object};
use crate::log::{Control, key};
use crate::points::{self, Point};

use super::herald::Herald;
use super::messages::{Reconfigure, Refusal};
use super::store::requests::event::NewEvent;
use super::supervision::{self, ActorPath, Child, Drill, Ledger, Lifeline, Policy, Spec};

use change::Change;
use reading::{Expected, read};

/// Reads the configuration again; answered by a reload that begins after this.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Reloaded, Refusal>")]
pub struct Reload;

/// Ends the reloader; a reload under way is not waited for.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Finish;

/// What came of a reload. Changes are names of settings, a line each, and never hold a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloaded {
    Unchanged,
    Applied {
        changes: Vec<String>,
    },
    /// Some of the changes wait for a restart, as they say; the others are in force.
    NeedsRestart {
        changes: Vec<String>,
    },
    /// The configuration that was in force is so still.
    Rejected {
        errors: Vec<Finding>,
    },
}

/// How the configuration in force stands to its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// When the configuration in force was read.
    pub loaded_at: Timestamp,
    /// When the file was read last.
    pub read_at: Timestamp,
    /// What was wrong with it then. If nothing: what it says is in force.
    pub errors: Vec<Finding>,
    /// The settings that wait for a restart.
    pub needs_restart: Vec<&'static str>,
}

/// What a reloader works with.
pub struct Means {
    path: PathBuf,
    /// Who puts a configuration in force.
    supervisor: Recipient<Reconfigure>,
    control: Control,
    herald: Herald,
    log: Logger,
    in_force: channel::Sender<Arc<Config>>,
    state: channel::Sender<FileState>,
    /// What the file and the schemas held when they were read last.
    inputs: channel::Sender<Inputs>,
}

/// Reads the configuration again when it is asked to.
pub struct Reloader {
    means: Arc<Means>,
    lifeline: Lifeline,
    is_busy: bool,
    /// Those who wait for the next reload to begin.
    waiting: Vec<oneshot::Sender<Reloaded>>,
}

/// Starts the reloader on the thread of `arbiter`. It is started again for as long as it takes.
pub fn start(arbiter: &ArbiterHandle, means: Means, ledger: Ledger) -> Child<Reloader> {
    let spec = Spec {
        path: ActorPath::Reloader,
        policy: Policy { intensity: usize::MAX, ..Policy::default() },
        ledger,
        log: means.log.new(o!()),
        report: Box::new(|_, _| ()),
    };
    supervision::start(arbiter, spec, move |_, lifeline| Reloader::new(means, lifeline))
}

impl Reloader {
    fn new(means: Means, lifeline: Lifeline) -> Self {
        Self { means: Arc::new(means), lifeline, is_busy: false, waiting: Vec::new() }
    }

    /// Begins a reload for all who wait. If it fails, they are told so by their answer being dropped.
    fn begin(&mut self, ctx: &mut Context<Self>) {
        if self.is_busy || self.waiting.is_empty() {
            return;
        }
        self.is_busy = true;
        let (waiting, means) = (std::mem::take(&mut self.waiting), Arc::clone(&self.means));
        let reloaded = async move { means.reload().await };
        ctx.spawn(reloaded.into_actor(self).map(move |reloaded, actor, ctx| {
            if let Some(reloaded) = reloaded {
                // Who does not wait any more need not be told.
                waiting.into_iter().for_each(|answer| drop(answer.send(reloaded.clone())));
            }
            actor.is_busy = false;
            actor.begin(ctx);
        }));
    }
}

impl Actor for Reloader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let watching = watch::keep(Arc::clone(&self.means), ctx.address());
        ctx.spawn(watching.into_actor(self));
        self.begin(ctx);
        self.lifeline.up(ctx);
    }
}

impl Supervised for Reloader {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.is_busy = false;
    }
}

impl Handler<Reload> for Reloader {
    type Result = ResponseFuture<Result<Reloaded, Refusal>>;

    fn handle(&mut self, _: Reload, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        self.waiting.push(answer);
        self.begin(ctx);
        Box::pin(async move { answered.await.map_err(|_| Refusal::Away) })
    }
}

impl Handler<Finish> for Reloader {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Context<Self>) {
        self.lifeline.finish(ctx);
    }
}

impl Handler<Drill> for Reloader {
    type Result = ();

    fn handle(&mut self, drill: Drill, ctx: &mut Context<Self>) {
        self.lifeline.drill(drill, ctx);
    }
}

impl Means {
    /// `config` is in force already; it was read from `path` just now, and made of `inputs`.
    pub fn new(
        path: PathBuf,
        config: Arc<Config>,
        inputs: Inputs,
        supervisor: Recipient<Reconfigure>,
        control: Control,
        log: Logger,
    ) -> Self {
        let now = Timestamp::now();
        let state = FileState { loaded_at: now, read_at: now, errors: Vec::new(), needs_restart: Vec::new() };
        Self {
            path,
            supervisor,
            control,
            herald: Herald::default(),
            log,
            in_force: channel::Sender::new(config),
            state: channel::Sender::new(state),
            inputs: channel::Sender::new(inputs),
        }
    }

    /// Has what comes of reloads made public.
    #[must_use]
    pub fn telling(self, herald: Herald) -> Self {
        Self { herald, ..self }
    }

    /// Returns the configuration in force, now and from now on.
    pub fn in_force(&self) -> channel::Receiver<Arc<Config>> {
        self.in_force.subscribe()
    }

    /// Returns how it stands to its file, now and from now on.
    pub fn state(&self) -> channel::Receiver<FileState> {
        self.state.subscribe()
    }

    /// Makes one reload, from reading to telling; `None` if nobody was there to put it in force.
    async fn reload(&self) -> Option<Reloaded> {
        let read_at = Timestamp::now();
        let path = self.path.clone();
        let has_entities = !self.in_force.borrow().entities.is_empty();
        let expected = if has_entities { Expected::Something } else { Expected::Anything };
        match aside(move || read(&path, expected)).await {
            Ok(loaded) => self.take_over(loaded, read_at).await,
            Err(errors) => Some(self.reject(errors, read_at)),
        }
    }

    /// Puts what was read in force, as far as it differs and can be.
    async fn take_over(&self, loaded: Loaded, read_at: Timestamp) -> Option<Reloaded> {
        let running = Arc::clone(&self.in_force.borrow());
        let change = Change::between(&running, loaded.config);
        let takes_effect = change.takes_effect();
        // Also if nothing differs: whom the supervisor has given up it starts anew then, and what was sent before may have
        // been put in force although its answer was lost.
        self.put_in_force(&change).await?;
        self.state.send_modify(|state| {
            state.loaded_at = if takes_effect { read_at } else { state.loaded_at };
            state.read_at = read_at;
            state.errors.clear();
            state.needs_restart.clone_from(&change.diff.needs_restart);
        });
        self.inputs.send_replace(loaded.inputs);
        change.tell(&self.log);
        if takes_effect {
            self.tell(EventKind::ConfigApplied, "changes", change.diff.lines());
        }
        for warning in loaded.warnings.iter().filter(|_| takes_effect) {
            warn!(self.log, "configuration doubtful"; "finding" => %warning);
        }
        Some(change.reloaded())
    }

    fn tell(&self, kind: EventKind, name: &str, lines: Vec<String>) {
        let lines = lines.iter().map(|line| Json::from(line.as_str())).collect();
        let details = Json::Object(Object::from([(name.into(), lines)]));
        self.herald.tell(NewEvent { at: Timestamp::now(), kind, entity: None, source: None, details });
    }

    async fn put_in_force(&self, change: &Change) -> Option<()> {
        let config = Arc::clone(&change.config);
        if let Err(away) = self.supervisor.send(Reconfigure { config }).await {
            error!(self.log, "configuration cannot be put in force"; key::ERROR => %away);
            return None;
        }
        points::pass(Point::Reloaded);
        self.control.apply(&change.config.log);
        self.in_force.send_replace(Arc::clone(&change.config));
        Some(())
    }

    fn reject(&self, errors: ConfigErrors, read_at: Timestamp) -> Reloaded {
        error!(self.log, "configuration rejected"; key::ERROR => %errors);
        self.tell(EventKind::ConfigRejected, "errors", errors.errors.iter().map(ToString::to_string).collect());
        self.state.send_modify(|state| {
            state.read_at = read_at;
            state.errors.clone_from(&errors.errors);
        });
        self.inputs.send_replace(errors.inputs);
        Reloaded::Rejected { errors: errors.errors }
    }
}

/// Does what blocks on a thread where that is no harm; a panic in it is one of the caller.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // It was never begun: everything is ending.
            Err(_) => std::future::pending().await,
        },
    }
}
