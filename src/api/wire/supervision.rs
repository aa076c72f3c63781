//! How every actor is, and what happened to them lately.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::actor::supervision::{self, ActorState, ActorStatus};

/// Every actor and the latest events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Supervision {
    /// In the order of the tree: parents before children.
    pub actors: Vec<Actor>,
    /// The newest last.
    pub events: Vec<Event>,
}

/// How an actor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    /// Its place in the tree: `store`, `customer`, `customer/crm`.
    pub path: String,
    pub kind: Kind,
    /// Names this actor; one that takes its place bears another number. It is kept over restarts.
    pub id: u64,
    pub state: State,
    /// When that state began.
    pub since: String,
    /// How often it was started again after a failure.
    pub restarts: u64,
    /// How it failed last.
    #[schema(required)]
    pub last_exit: Option<Exit>,
    /// While it is down: why.
    #[schema(required)]
    pub error: Option<String>,
    /// What will be tried next.
    #[schema(required)]
    pub next: Option<Next>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ActorKind)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Supervisor,
    Store,
    Leases,
    Reloader,
    Entity,
    Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ActorState)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Starting,
    Up,
    /// It is well, and what it stands for cannot be reached: a source's system, the database.
    Down,
    /// It failed and is started again after a pause.
    Restarting,
    /// It failed too often; it is started again after a long pause.
    GivenUp,
    /// It ends what it has begun.
    Stopping,
}

impl State {
    /// Every state.
    pub(in crate::api) const ALL: [Self; 6] =
        [Self::Starting, Self::Up, Self::Down, Self::Restarting, Self::GivenUp, Self::Stopping];

    /// How an actor is, with what it stands for.
    pub(in crate::api) fn of(actor: &ActorStatus) -> Self {
        match (actor.state, &actor.outage) {
            (ActorState::Up, Some(_)) => Self::Down,
            (ActorState::Up, None) => Self::Up,
            (ActorState::Starting, _) => Self::Starting,
            (ActorState::Restarting, _) => Self::Restarting,
            (ActorState::GivenUp, _) => Self::GivenUp,
            (ActorState::Stopping, _) => Self::Stopping,
        }
    }

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Down => "down",
            Self::Restarting => "restarting",
            Self::GivenUp => "given-up",
            Self::Stopping => "stopping",
        }
    }
}

/// How an actor failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ActorExit)]
pub struct Exit {
    pub at: String,
    pub error: String,
}

/// What will be tried, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NextTry)]
pub struct Next {
    pub action: Action,
    pub at: String,
    /// The time left, in milliseconds; 0 if it is due.
    pub in_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NextAction)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The actor is started again.
    Restart,
    /// The source is asked whether it can be reached.
    Probe,
}

impl Action {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Probe => "probe",
        }
    }
}

/// Something that happened to an actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SupervisionEvent)]
pub struct Event {
    pub at: String,
    /// As logged: `actor started`, `actor failed`, `actor restarting`, `actor gave up`, `actor stopped`.
    pub event: String,
    pub path: String,
    pub restarts: u64,
    #[schema(required)]
    pub delay_ms: Option<u64>,
    #[schema(required)]
    pub error: Option<String>,
}

impl Supervision {
    pub(crate) fn new(known: supervision::Supervision, now: Timestamp) -> Self {
        let actors = known.actors.into_iter().map(|actor| Actor::new(actor, now));
        Self { actors: actors.collect(), events: known.events.into_iter().map(Event::from).collect() }
    }
}

impl Actor {
    fn new(actor: ActorStatus, now: Timestamp) -> Self {
        let state = State::of(&actor);
        let ActorStatus { path, id, state: _, since, restarts, last_failure, next_start, outage } = actor;
        let (since, error, next) = match (state, outage) {
            (State::Down, Some(down)) => {
                let probe = down.next_probe.map(|at| Next::new(Action::Probe, at, now));
                (down.since, Some(down.error), probe)
            }
            (State::Down | State::Up, _) => (since, None, None),
            (State::Starting | State::Restarting | State::GivenUp | State::Stopping, _) => {
                (since, None, next_start.map(|at| Next::new(Action::Restart, at, now)))
            }
        };
        let last_exit = last_failure.map(|failure| Exit { at: failure.at.to_string(), error: failure.error });
        let (kind, path, since) = (Kind::from(&path), path.to_string(), since.to_string());
        Self { path, kind, id, state, since, restarts, last_exit, error, next }
    }
}

impl Next {
    fn new(action: Action, at: Timestamp, now: Timestamp) -> Self {
        let left = at.duration_since(now).as_millis();
        Self { action, at: at.to_string(), in_ms: u64::try_from(left).unwrap_or(0) }
    }
}

impl From<&supervision::ActorPath> for Kind {
    fn from(path: &supervision::ActorPath) -> Self {
        match path {
            supervision::ActorPath::Supervisor => Self::Supervisor,
            supervision::ActorPath::Store => Self::Store,
            supervision::ActorPath::Leases => Self::Leases,
            supervision::ActorPath::Reloader => Self::Reloader,
            supervision::ActorPath::Entity(_) => Self::Entity,
            supervision::ActorPath::Source(..) => Self::Source,
        }
    }
}

impl From<supervision::Event> for Event {
    fn from(event: supervision::Event) -> Self {
        let supervision::Event { at, event, path, restarts, delay, error } = event;
        let delay_ms = delay.and_then(|delay| u64::try_from(delay.as_millis()).ok());
        Self { at: at.to_string(), event: event.to_owned(), path: path.to_string(), restarts, delay_ms, error }
    }
}
