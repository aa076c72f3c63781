//! What is known of every actor: how it is, how it failed, and what will be tried next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::super::lock::whole;
use super::path::ActorPath;

/// How many events are kept; older ones are in the log.
const EVENTS: usize = 256;

/// How many events are kept for whoever makes them public.
const TOLD: usize = 1_024;

/// How many characters of an error are kept; the log has all of it.
const ERROR: usize = 1_000;

/// What an actor is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorState {
    Starting,
    Up,
    /// It failed and is started again after a pause.
    Restarting,
    /// It failed too often; it is started again after a long pause, or when a person asks for it.
    GivenUp,
    /// It ends what it has begun.
    Stopping,
}

impl ActorState {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Restarting => "restarting",
            Self::GivenUp => "given-up",
            Self::Stopping => "stopping",
        }
    }
}

/// How an actor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorStatus {
    pub path: ActorPath,
    /// Names this actor: one that takes its place bears another number. A restart after a failure keeps it.
    pub id: u64,
    pub state: ActorState,
    /// When that state began.
    pub since: Timestamp,
    /// How often it was started again after a failure.
    pub restarts: u64,
    pub last_failure: Option<Failure>,
    /// When it is started again, if it is to be.
    pub next_start: Option<Timestamp>,
    /// What it stands for cannot be reached: the source's system, the database.
    pub outage: Option<Outage>,
}

/// How an actor failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub at: Timestamp,
    pub error: String,
}

/// Why what an actor stands for cannot be reached. The actor itself is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    pub since: Timestamp,
    pub error: String,
    /// When it is tried again, if that is known.
    pub next_probe: Option<Timestamp>,
}

/// Something that happened to an actor, in the words of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub at: Timestamp,
    /// As logged: `actor failed` and so on.
    pub event: &'static str,
    pub path: ActorPath,
    pub restarts: u64,
    pub delay: Option<Duration>,
    pub error: Option<String>,
}

/// Every actor and the latest events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervision {
    /// In the order of the tree: parents before children.
    pub actors: Vec<ActorStatus>,
    /// The latest last.
    pub events: Vec<Event>,
}

/// The book in which every actor is entered; clones are the same book.
///
/// It answers at once, also while the actor that is asked about has failed.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    actors: BTreeMap<ActorPath, ActorStatus>,
    events: VecDeque<Event>,
    /// What is worth being told outside, the latest last.
    told: VecDeque<Event>,
    /// How much was told ever.
    told_ever: watch::Sender<u64>,
    last_id: u64,
}

/// What happens to an actor.
pub(super) enum Happening<'a> {
    /// The pause after a failure is over.
    Starting,
    Started,
    Failed {
        error: &'a str,
    },
    Restarting {
        delay: Duration,
    },
    GaveUp {
        error: &'a str,
        delay: Duration,
    },
    Stopping,
    Stopped,
}

impl Ledger {
    /// Returns all that is known now.
    pub fn read(&self) -> Supervision {
        let book = self.book();
        Supervision { actors: book.actors.values().cloned().collect(), events: book.events.iter().cloned().collect() }
    }

    /// Returns what was told after so much, as far as it is kept, and how much was told ever: failures and their ends, and what
    /// could not be reached.
    pub fn told_since(&self, position: u64) -> (Vec<Event>, u64) {
        let book = self.book();
        let ever = *book.told_ever.borrow();
        let new = usize::try_from(ever.saturating_sub(position)).unwrap_or(usize::MAX);
        let from = book.told.len().saturating_sub(new);
        (book.told.range(from..).cloned().collect(), ever)
    }

    /// Tells when there is more of it.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.book().told_ever.subscribe()
    }

    /// Returns how one actor is.
    pub fn find(&self, path: &ActorPath) -> Option<ActorStatus> {
        self.book().actors.get(path).cloned()
    }

    /// Enters a new actor and gives its number. It takes the place of the one that stood there; after one that was given
    /// up, its restarts go on being counted.
    pub(super) fn enter(&self, path: &ActorPath) -> u64 {
        let mut book = self.book();
        book.last_id += 1;
        let id = book.last_id;
        let given_up = book.actors.get(path).filter(|former| former.state == ActorState::GivenUp);
        let (restarts, last_failure) =
            given_up.map_or((0, None), |former| (former.restarts + 1, former.last_failure.clone()));
        let (state, since) = (ActorState::Starting, Timestamp::now());
        let status = ActorStatus {
            path: path.clone(),
            id,
            state,
            since,
            restarts,
            last_failure,
            next_start: None,
            outage: None,
        };
        book.actors.insert(path.clone(), status);
        id
    }

    /// Notes what happened to the actor of this number; gives how often it was restarted.
    ///
    /// Of an actor whose place another one has taken the event alone is kept.
    pub(super) fn note(&self, path: &ActorPath, id: u64, happening: &Happening<'_>) -> u64 {
        let mut book = self.book();
        let now = Timestamp::now();
        let restarts = match book.actors.get_mut(path) {
            Some(actor) if actor.id == id => {
                actor.take_in(happening, now);
                actor.restarts
            }
            Some(_) | None => 0,
        };
        if let Some(event) = event(happening) {
            let (delay, error) = (happening.delay(), happening.error().map(brief));
            let event = Event { at: now, event, path: path.clone(), restarts, delay, error };
            if is_worth_telling(happening, restarts) {
                book.tell(event.clone());
            }
            book.events.push_back(event);
            if book.events.len() > EVENTS {
                book.events.pop_front();
            }
        }
        if matches!(happening, Happening::Stopped) && book.actors.get(path).is_some_and(|actor| actor.id == id) {
            book.actors.remove(path);
        }
        restarts
    }

    /// Notes that what the actor of this number stands for cannot be reached, and after which time it is tried again.
    pub(super) fn note_outage(&self, path: &ActorPath, id: u64, error: &str, next_probe: Option<Duration>) {
        let mut book = self.book();
        let Some(actor) = book.actors.get_mut(path).filter(|actor| actor.id == id) else { return };
        let (now, error) = (Timestamp::now(), brief(error));
        let (since, is_new) = actor.outage.as_ref().map_or((now, true), |outage| (outage.since, false));
        let next_probe = next_probe.and_then(|delay| now.checked_add(delay).ok());
        actor.outage = Some(Outage { since, error: error.clone(), next_probe });
        if is_new {
            let (event, _) = words(path);
            book.tell(Event { at: now, event, path: path.clone(), restarts: 0, delay: None, error: Some(error) });
        }
    }

    /// Notes that it can be reached.
    pub(super) fn note_reach(&self, path: &ActorPath, id: u64) {
        let mut book = self.book();
        let actor = book.actors.get_mut(path).filter(|actor| actor.id == id);
        if actor.is_some_and(|actor| actor.outage.take().is_some()) {
            let (_, event) = words(path);
            let at = Timestamp::now();
            book.tell(Event { at, event, path: path.clone(), restarts: 0, delay: None, error: None });
        }
    }

    /// Strikes out an actor that was given up and is not started again: it was taken out of the configuration.
    pub fn strike_out(&self, path: &ActorPath) {
        let mut book = self.book();
        if book.actors.get(path).is_some_and(|actor| actor.state == ActorState::GivenUp) {
            book.actors.remove(path);
        }
    }

    /// A panic while the book was open has left nothing half-written: every entry is put in whole.
    fn book(&self) -> MutexGuard<'_, Book> {
        whole(&self.0)
    }
}

impl Book {
    fn tell(&mut self, event: Event) {
        self.told.push_back(event);
        if self.told.len() > TOLD {
            self.told.pop_front();
        }
        self.told_ever.send_modify(|ever| *ever += 1);
    }
}

/// Tells failures and what became of them from what happens whenever a daemon starts and stops.
fn is_worth_telling(happening: &Happening<'_>, restarts: u64) -> bool {
    match happening {
        Happening::Failed { .. } | Happening::GaveUp { .. } => true,
        Happening::Started => restarts > 0,
        Happening::Starting | Happening::Restarting { .. } | Happening::Stopping | Happening::Stopped => false,
    }
}

/// Returns the words for what an actor stands for: that it cannot be reached, and that it can be again.
fn words(path: &ActorPath) -> (&'static str, &'static str) {
    match path {
        ActorPath::Store => ("database away", "database back"),
        ActorPath::Entity(_) => ("queue cannot be read", "queue can be read again"),
        ActorPath::Supervisor | ActorPath::Leases | ActorPath::Reloader | ActorPath::Source(..) => {
            ("source down", "source up again")
        }
    }
}

impl ActorStatus {
    fn take_in(&mut self, happening: &Happening<'_>, now: Timestamp) {
        self.next_start = happening.delay().and_then(|delay| now.checked_add(delay).ok());
        if let Some(error) = happening.error() {
            self.last_failure = Some(Failure { at: now, error: brief(error) });
        }
        let state = match happening {
            Happening::Starting => ActorState::Starting,
            Happening::Started => ActorState::Up,
            // What becomes of it is said next.
            Happening::Failed { .. } => self.state,
            Happening::Restarting { .. } => ActorState::Restarting,
            Happening::GaveUp { .. } => ActorState::GivenUp,
            Happening::Stopping | Happening::Stopped => ActorState::Stopping,
        };
        self.restarts += u64::from(matches!(happening, Happening::Restarting { .. }));
        if state != self.state {
            (self.state, self.since) = (state, now);
        }
    }
}

fn brief(error: &str) -> String {
    match error.char_indices().nth(ERROR) {
        Some((end, _)) => format!("{}…", &error[..end]),
        None => error.to_owned(),
    }
}

impl Happening<'_> {
    fn delay(&self) -> Option<Duration> {
        match self {
            Self::Restarting { delay } | Self::GaveUp { delay, .. } => Some(*delay),
            Self::Starting | Self::Started | Self::Failed { .. } | Self::Stopping | Self::Stopped => None,
        }
    }

    fn error(&self) -> Option<&str> {
        match self {
            Self::Failed { error } | Self::GaveUp { error, .. } => Some(error),
            Self::Starting | Self::Started | Self::Restarting { .. } | Self::Stopping | Self::Stopped => None,
        }
    }
}

/// Returns the phrase under which the log and the events know it.
pub(super) fn event(happening: &Happening<'_>) -> Option<&'static str> {
    match happening {
        Happening::Started => Some("actor started"),
        Happening::Failed { .. } => Some("actor failed"),
        Happening::Restarting { .. } => Some("actor restarting"),
        Happening::GaveUp { .. } => Some("actor gave up"),
        Happening::Starting | Happening::Stopping => None,
        Happening::Stopped => Some("actor stopped"),
    }
}
