//! The actors of the daemon, started in this process: a supervisor on a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message, System};
use retcon::actor::store::{Ask, StoreActor};
use retcon::actor::supervision::{
    ActorPath, ActorState, ActorStatus, Drill, Fault, Ledger, Moment, Policy, Supervision,
};
use retcon::actor::supervisor::{
    Finish, GetStatus, GetStore, GetSupervision, Identity, Notify, Reconfigure, Refusal, Start, Status, StopEntities,
    Supervisor,
};
use retcon::config::{Config, ConfigDiff, load};
use retcon::source::process::cancel::Cancel;
use retcon::store::requests::lease::DaemonId;
use retcon::store::requests::queue::{Enqueued, Notification};
use retcon::store::requests::view::Counts;
use retcon::store::{Request, Store, StoreError};
use slog::Logger;

use super::daemon::processes;
use super::postgres::block_on;
use super::site::Site;
use super::store::{entity, source};
use super::wait::until;

/// Restarts that a test need not wait for.
pub(crate) fn policy() -> Policy {
    let (first, max) = (Duration::from_millis(1), Duration::from_millis(10));
    Policy { first, max, ..Policy::default() }
}

/// A supervisor with all its children, that serves a [`Site`].
pub(crate) struct Actors<'a> {
    site: &'a Site,
    config: Arc<Config>,
    supervisor: Addr<Supervisor>,
    ledger: Ledger,
    cancel: Cancel,
    thread: Option<JoinHandle<Option<String>>>,
}

impl<'a> Actors<'a> {
    /// Starts them by the site's configuration, and waits until all are up.
    #[track_caller]
    pub(crate) fn start(site: &'a Site) -> Self {
        Self::start_with(site, policy(), retcon::log::discard())
    }

    #[track_caller]
    pub(crate) fn start_with(site: &'a Site, policy: Policy, log: Logger) -> Self {
        Self::start_on((**site.database()).clone(), site, policy, log)
    }

    /// Starts them on a store of the test's own.
    #[track_caller]
    pub(crate) fn start_on(store: Store, site: &'a Site, policy: Policy, log: Logger) -> Self {
        let config = configuration(site);
        let (cancel, ledger) = (Cancel::new().expect("descriptors are left"), Ledger::default());
        let (tell, told) = channel();
        let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
        let start = Start {
            config: Arc::clone(&config),
            state_dir: config.server.state_dir.clone(),
            store,
            cancel: cancel.clone(),
            guardian: None,
            identity: Identity { daemon: DaemonId::new(), name: "test".to_owned(), former: None },
            policy,
            ledger: ledger.clone(),
            tally: Default::default(),
            herald: Default::default(),
            log,
            ended: Box::new(move |reason| ended.send(reason).expect("the thread waits for it")),
        };
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                tell.send(Supervisor::start(start).addr).expect("the test waits for it");
                end.recv().await.flatten()
            })
        });
        let supervisor = told.recv().expect("the supervisor starts");
        let actors = Self { site, config, supervisor, ledger, cancel, thread: Some(thread) };
        actors.wait_until_up();
        actors
    }

    /// Sends a message to the supervisor, and gives its answer.
    #[track_caller]
    pub(crate) fn ask<M>(&self, message: M) -> M::Result
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Supervisor: Handler<M>,
        <Supervisor as Actor>::Context: ToEnvelope<Supervisor, M>,
    {
        block_on(self.supervisor.send(message)).expect("the supervisor answers")
    }

    pub(crate) fn store(&self) -> Addr<StoreActor> {
        self.ask(GetStore)
    }

    /// Asks the store.
    pub(crate) fn ask_store<R: Request>(&self, request: R) -> Result<R::Reply, StoreError> {
        let store = self.store();
        block_on(async move { store.send(Ask(request)).await }).expect("the store answers")
    }

    pub(crate) fn status(&self) -> Status {
        self.ask(GetStatus).expect("the database answers")
    }

    /// Has a notification taken on, however often that must be tried.
    #[track_caller]
    pub(crate) fn notify(&self, notification: &Notification) -> Enqueued {
        let take_on = || self.try_to_notify(notification);
        until(|| take_on().ok().and_then(|mut enqueued| enqueued.pop()), || format!("{:?}", take_on()))
    }

    pub(crate) fn try_to_notify(&self, notification: &Notification) -> Result<Vec<Enqueued>, Refusal> {
        self.ask(Notify(vec![notification.clone()]))
    }

    /// Makes an actor fail.
    pub(crate) fn drill(&self, path: &ActorPath, moment: Moment, fault: Fault) {
        // A supervisor that panics at once gives no answer.
        let _ = block_on(self.supervisor.send(Drill { path: path.clone(), moment, fault }));
    }

    /// Puts the site's configuration in force as it stands there now.
    #[track_caller]
    pub(crate) fn reconfigure(&mut self) -> ConfigDiff {
        let config = configuration(self.site);
        let diff = ConfigDiff::between(Some(&self.config), &config);
        self.config = Arc::clone(&config);
        self.ask(Reconfigure { config });
        diff
    }

    /// What is known of all actors, also of those that have ended by now.
    pub(crate) fn ledger(&self) -> Supervision {
        self.ledger.read()
    }

    /// As the supervisor tells it.
    pub(crate) fn supervision(&self) -> Supervision {
        self.ask(GetSupervision)
    }

    pub(crate) fn find(&self, path: &ActorPath) -> Option<ActorStatus> {
        self.ledger.find(path)
    }

    #[track_caller]
    pub(crate) fn actor(&self, path: &ActorPath) -> ActorStatus {
        self.find(path).unwrap_or_else(|| panic!("no {path} in {:#?}", self.ledger()))
    }

    /// The number of each actor, and how often it was restarted.
    pub(crate) fn lives(&self) -> BTreeMap<String, (u64, u64)> {
        let lives = self.ledger().actors.into_iter().map(|actor| (actor.path.to_string(), (actor.id, actor.restarts)));
        lives.collect()
    }

    /// How often this was entered of an actor, in the words of the log.
    pub(crate) fn happened(&self, path: &ActorPath, event: &str) -> usize {
        self.ledger().events.iter().filter(|entry| entry.path == *path && entry.event == event).count()
    }

    #[track_caller]
    pub(crate) fn wait_for_state(&self, path: &ActorPath, state: ActorState) {
        let is_so = || self.find(path).is_some_and(|actor| actor.state == state);
        until(|| is_so().then_some(()), || format!("{path} is not {state:?}: {:#?}", self.ledger()));
    }

    /// Waits until an actor has ended, and nothing is known of it any more.
    #[track_caller]
    pub(crate) fn wait_until_gone(&self, path: &ActorPath) {
        until(|| self.find(path).is_none().then_some(()), || format!("{path} is there: {:#?}", self.ledger()));
    }

    /// Waits until every actor that is configured is up.
    #[track_caller]
    pub(crate) fn wait_until_up(&self) {
        let mut paths = vec![ActorPath::Supervisor, ActorPath::Store];
        for (name, entity) in &self.config.entities {
            paths.push(ActorPath::Entity(name.clone()));
            paths.extend(entity.sources.keys().map(|source| ActorPath::Source(name.clone(), source.clone())));
        }
        paths.iter().for_each(|path| self.wait_for_state(path, ActorState::Up));
    }

    /// Waits until no work is ready, running or waiting.
    #[track_caller]
    pub(crate) fn wait_until_at_rest(&self) {
        let rests = |status: &Status| {
            let owed = |counts: &Counts| counts.ready + counts.running + counts.waiting;
            status.entities.iter().all(|entity| owed(&entity.counts) == 0)
        };
        let status = || self.ask(GetStatus);
        until(
            || status().is_ok_and(|status| rests(&status)).then_some(()),
            || format!("{:#?}\n{:#?}", status(), self.ledger()),
        );
    }

    /// Tells everything to stop.
    pub(crate) fn tell_to_stop(&self) {
        let supervisor = self.supervisor.clone();
        std::thread::spawn(move || {
            block_on(async move {
                // Whoever is gone has stopped.
                let _ = supervisor.send(StopEntities).await;
                supervisor.do_send(Finish);
            });
        });
    }

    /// Waits for the end of the supervisor; gives the reason if it could not go on. Nothing may be left of it.
    #[track_caller]
    pub(crate) fn wait_for_end(mut self) -> Option<String> {
        let thread = self.thread.take().expect("it was not waited for");
        until(|| thread.is_finished().then_some(()), || format!("it does not end: {:#?}", self.ledger()));
        let reason = thread.join().expect("the thread does not panic");
        assert_eq!(processes(self.site.path()), Vec::new(), "left behind");
        reason
    }

    /// Waits for the end of the supervisor, which was well; gives what was entered of all actors until then.
    #[track_caller]
    pub(crate) fn ledger_after_end(self) -> Supervision {
        let ledger = self.ledger.clone();
        assert_eq!(self.wait_for_end(), None);
        ledger.read()
    }

    /// Stops everything; it says that it was well, and that nobody is left.
    #[track_caller]
    pub(crate) fn stop(self) {
        self.tell_to_stop();
        assert_eq!(self.ledger_after_end().actors, Vec::new(), "not stopped");
    }
}

impl Drop for Actors<'_> {
    /// What a failed test has left ends by itself.
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.cancel.trigger();
            self.tell_to_stop();
        }
    }
}

#[track_caller]
fn configuration(site: &Site) -> Arc<Config> {
    let loaded = load(&site.path().join("retcon.toml"), std::iter::empty());
    Arc::new(loaded.unwrap_or_else(|errors| panic!("{errors}")).config)
}

/// The path of an entity's actor.
pub(crate) fn of_entity(entity_name: &str) -> ActorPath {
    ActorPath::Entity(entity(entity_name))
}

/// The path of a source's actor.
pub(crate) fn of_source(entity_name: &str, source_name: &str) -> ActorPath {
    ActorPath::Source(entity(entity_name), source(source_name))
}
