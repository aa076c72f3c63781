//! What a person should know, the gravest first.

use std::collections::BTreeMap;

use super::super::{output, tree};
use crate::api::wire::status::{ConfigStatus, EntityStatus, PausedSince, Status};
use crate::api::wire::supervision::{Actor, Kind, State, Supervision};
use crate::config::Finding;

/// Something to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remark {
    pub(super) weight: Weight,
    pub(super) text: String,
}

/// How grave it is, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Daemon,
    GivenUp,
    Down,
    Parked,
    Open,
    /// It is no trouble: it passes by itself, or is as it should be.
    Passing,
}

impl Remark {
    pub(super) fn new(weight: Weight, text: impl Into<String>) -> Self {
        Self { weight, text: text.into() }
    }
}

/// Returns what is to be known of a daemon that has answered, with the command that shows more.
pub(super) fn of(status: &Status, supervision: &Supervision) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if status.database.state != "up" {
        let error = status.database.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        remarks.push(Remark::new(Weight::Daemon, format!("the database is {}{error}", status.database.state)));
    }
    remarks.extend(config(&status.config));
    status.entities.iter().for_each(|entity| remarks.extend(of_entity(entity).chain(paused(entity))));
    remarks.extend(served_elsewhere(&status.entities));
    remarks.extend(supervision.actors.iter().filter_map(of_actor));
    sorted(remarks)
}

/// Returns what is to be known while the daemon cannot say how everything is: why, and how its parts are.
pub(super) fn without_status(why: &str, supervision: &Supervision) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = supervision.actors.iter().filter_map(of_actor).collect();
    if !remarks.iter().any(|remark| remark.weight == Weight::Daemon) {
        remarks.push(Remark::new(Weight::Daemon, why));
    }
    sorted(remarks)
}

fn sorted(mut remarks: Vec<Remark>) -> Vec<Remark> {
    remarks.sort_by_key(|remark| remark.weight);
    remarks
}

/// Says what is wrong with the file, if it was rejected: the first mistake, and how many there are besides.
fn config(config: &ConfigStatus) -> Option<Remark> {
    let first = config.errors.first()?.clone();
    let more = match config.errors.len() - 1 {
        0 => "(retcon check)".to_owned(),
        more => format!("(and {more} more: retcon check)"),
    };
    let first = Finding::from(first);
    let loaded_at = output::second(&config.loaded_at);
    let text = format!("the configuration was rejected, that of {loaded_at} is in force: {first} {more}");
    Some(Remark::new(Weight::Daemon, text))
}

/// Returns what waits for a person in an entity; how its actors are, they tell themselves.
fn of_entity(entity: &EntityStatus) -> impl Iterator<Item = Remark> {
    let (name, parked) = (&entity.name, entity.queue.parked);
    let counted = |weight: Weight, n: i64, text: String| (n > 0).then(|| Remark::new(weight, text));
    let remarks = [
        counted(Weight::Parked, parked, format!("{name}: {parked} parked (retcon work --state parked)")),
        counted(
            Weight::Open,
            entity.conflicts,
            format!("{name}: {} in conflict (retcon conflicts {name})", entity.conflicts),
        ),
        counted(
            Weight::Open,
            entity.deletes_held,
            format!("{name}: {} deletions held (retcon deletes {name})", entity.deletes_held),
        ),
        counted(Weight::Open, entity.in_doubt, format!("{name}: {} in doubt (retcon doubts {name})", entity.in_doubt)),
    ];
    remarks.into_iter().flatten()
}

/// Says what of an entity a person has stopped, since when, and how it goes on.
fn paused(entity: &EntityStatus) -> impl Iterator<Item = Remark> {
    let sources = entity.sources.iter().map(|source| (format!("{}/{}", entity.name, source.name), &source.paused));
    let all = std::iter::once((entity.name.clone(), &entity.paused)).chain(sources);
    all.filter_map(|(name, paused)| {
        let PausedSince { since, who } = paused.as_ref()?;
        let by = who.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
        let text = format!("{name} has been paused since {}{by} (retcon resume {name})", output::second(since));
        Some(Remark::new(Weight::Passing, text))
    })
}

/// Names the daemons that serve what this one does not, each with the number of its entities.
fn served_elsewhere(entities: &[EntityStatus]) -> impl Iterator<Item = Remark> {
    let mut servers: BTreeMap<&str, usize> = BTreeMap::new();
    for server in entities.iter().filter_map(|entity| entity.served_by.as_deref()) {
        *servers.entry(server).or_default() += 1;
    }
    let remark = |(server, count): (&str, usize)| match count {
        1 => Remark::new(Weight::Passing, format!("1 entity is served by {server}")),
        count => Remark::new(Weight::Passing, format!("{count} entities are served by {server}")),
    };
    servers.into_iter().map(remark)
}

/// Returns what is to be known of an actor: its state, why, and what will be tried next.
fn of_actor(actor: &Actor) -> Option<Remark> {
    let weight = match (actor.state, actor.kind) {
        (State::Up | State::Stopping, _) => return None,
        (State::Starting | State::Restarting, _) => Weight::Passing,
        (State::Down | State::GivenUp, Kind::Store | Kind::Supervisor) => Weight::Daemon,
        (State::GivenUp, Kind::Leases | Kind::Reloader | Kind::Entity | Kind::Source) => Weight::GivenUp,
        (State::Down, Kind::Leases | Kind::Reloader | Kind::Entity | Kind::Source) => Weight::Down,
    };
    let is = match (actor.state, actor.kind) {
        (State::Down, Kind::Store) => "the database is away".to_owned(),
        (state, _) => format!("{} is {}", actor.path, state.as_str()),
    };
    let why = match (&actor.error, &actor.last_exit) {
        (Some(error), _) => format!(": {}", tree::brief(error)),
        (None, Some(exit)) => format!(": {}", tree::brief(&exit.error)),
        (None, None) => String::new(),
    };
    let next = actor.next.as_ref().map(|next| format!(" ({})", tree::next(next))).unwrap_or_default();
    Some(Remark::new(weight, format!("{is}{why}{next}")))
}

/// Says whether a state is one that a person should know of.
pub(super) fn is_bad(state: &str) -> bool {
    matches!(state, "down" | "given-up")
}
