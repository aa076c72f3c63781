//! The supervision tree: every actor that is not well, and all of them where they are few.

use super::{Badge, When};
use crate::actor::supervision::ActorStatus;
use crate::api::wire::supervision::State;

/// As many are shown, whatever there are.
const SHOWN: usize = 40;

/// The tree.
pub(super) struct Tree {
    pub(super) actors: Vec<Actor>,
    pub(super) all: usize,
    /// How many are well and not shown.
    pub(super) folded: usize,
}

/// An actor.
pub(super) struct Actor {
    pub(super) path: String,
    /// How deep it stands: 0, 1, 2.
    pub(super) depth: usize,
    state: State,
    since: String,
    pub(super) restarts: u64,
    pub(super) error: Option<String>,
}

impl Actor {
    fn of(actor: &ActorStatus) -> Self {
        let (state, path) = (State::of(actor), actor.path.to_string());
        let depth = if path == "supervisor" { 0 } else { 1 + path.matches('/').count() };
        let (outage, failure) = (actor.outage.as_ref(), actor.last_failure.as_ref());
        let error = match state {
            State::Down => outage.map(|outage| outage.error.clone()),
            State::Up => None,
            State::Starting | State::Restarting | State::GivenUp | State::Stopping => {
                failure.map(|failure| failure.error.clone())
            }
        };
        let since = outage.filter(|_| state == State::Down).map_or(actor.since, |outage| outage.since);
        Self { path, depth, state, since: since.to_string(), restarts: actor.restarts, error }
    }

    pub(super) fn badge(&self) -> Badge<'_> {
        Badge::of(self.state.as_str())
    }

    pub(super) fn when(&self) -> When {
        When::since(&self.since)
    }
}

impl Tree {
    pub(super) fn of(actors: &[ActorStatus]) -> Self {
        let all = actors.len();
        let is_shown = |actor: &&ActorStatus| all <= SHOWN || State::of(actor) != State::Up;
        let actors: Vec<Actor> = actors.iter().filter(is_shown).take(SHOWN).map(Actor::of).collect();
        Self { folded: all - actors.len(), actors, all }
    }
}
