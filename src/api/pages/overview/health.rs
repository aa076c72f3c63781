//! How everything is, in one sentence.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::actor::supervision::{ActorPath, ActorState, ActorStatus};
use crate::actor::supervisor::Survey;
use crate::api::pages::parts::{Grouped, grouped, span_since};
use crate::domain::name::EntityName;

/// How many entities and sources are named of which something is amiss.
const NAMED: usize = 2;

/// So long an entity may take to begin, or to be asked, before it counts as standing still.
const SETTLING: SignedDuration = SignedDuration::from_secs(10);

/// Says how everything is: what is amiss, or that nothing is.
pub(super) fn sentence(survey: &Survey, standing: &[Standing<'_>], is_rejected: bool) -> String {
    let count = |of: fn(&crate::actor::store::requests::view::Counts) -> i64| {
        survey.entities.iter().map(|entity| of(&entity.counts)).sum::<i64>()
    };
    let mut parts: Vec<String> = Vec::new();
    if !survey.database.up {
        parts.push(format!("the database cannot be reached{}", since_of(survey, &ActorPath::Store)));
    }
    parts.extend(stand_still(standing));
    parts.extend(some(count(|counts| counts.conflicts), "conflict", "conflicts"));
    parts.extend(some(count(|counts| counts.in_doubt), "in doubt", "in doubt"));
    parts.extend(some(count(|counts| counts.parked), "parked", "parked"));
    parts.extend(some(count(|counts| counts.deletes_held), "deletion held", "deletions held"));
    parts.extend(unreachable(&survey.actors));
    let is_given_up =
        |actor: &&ActorStatus| actor.state == ActorState::GivenUp && !matches!(actor.path, ActorPath::Entity(_));
    let given_up = survey.actors.iter().filter(is_given_up);
    parts.extend(given_up.map(|actor| format!("{} given up", actor.path)));
    if is_rejected {
        parts.push("the configuration file has mistakes".to_owned());
    }
    match parts.as_slice() {
        [] => all_is_well(survey, count(|counts| counts.ready + counts.running + counts.waiting)),
        _ => ending(&parts.join(", ")),
    }
}

fn some(number: i64, one: &str, many: &str) -> Option<String> {
    (number > 0).then(|| format!("{} {}", grouped(number), if number == 1 { one } else { many }))
}

/// An entity of which nothing is done at the moment, and is not meant so.
pub(super) struct Standing<'a> {
    pub(super) entity: &'a EntityName,
    since: Timestamp,
    pub(super) why: &'static str,
}

/// Gives the entities that stand still. While the database is away they all do, and that is said once.
pub(super) fn standing(survey: &Survey) -> Vec<Standing<'_>> {
    if !survey.database.up {
        return Vec::new();
    }
    let (now, idle): (_, BTreeSet<&EntityName>) = (
        Timestamp::now(),
        survey.entities.iter().filter(|entity| entity.state == "starting").map(|entity| &entity.name).collect(),
    );
    let of = |actor: &'_ ActorStatus| {
        let ActorPath::Entity(entity) = &actor.path else { return None };
        let is_long = now.duration_since(actor.since) > SETTLING;
        let (why, since) = match (actor.state, &actor.outage) {
            (ActorState::GivenUp, _) => ("failed too often", actor.since),
            (ActorState::Restarting, _) => ("failed, and is started again", actor.since),
            (ActorState::Up | ActorState::Starting, Some(outage)) => ("its queue cannot be read", outage.since),
            (ActorState::Up | ActorState::Starting, None) if is_long && idle.contains(entity) => {
                ("is served by nobody", actor.since)
            }
            (ActorState::Up | ActorState::Starting | ActorState::Stopping, _) => return None,
        };
        let entity = survey.entities.iter().map(|status| &status.name).find(|name| *name == entity)?;
        Some(Standing { entity, since, why })
    };
    survey.actors.iter().filter_map(of).collect()
}

/// Says which entities stand still, and why: by name, or how many.
fn stand_still(standing: &[Standing<'_>]) -> Vec<String> {
    if standing.len() > NAMED {
        return vec![format!("{} entities stand still", standing.len().grouped())];
    }
    let one = |one: &Standing<'_>| format!("{} stands still for {} ({})", one.entity, span_since(one.since), one.why);
    standing.iter().map(one).collect()
}

/// The sources that cannot be reached: by name, or how many.
fn unreachable(actors: &[ActorStatus]) -> Vec<String> {
    let down = |actor: &&ActorStatus| matches!(actor.path, ActorPath::Source(..)) && actor.outage.is_some();
    let down: Vec<&ActorStatus> = actors.iter().filter(down).collect();
    if down.len() > NAMED {
        return vec![format!("{} sources unreachable", down.len().grouped())];
    }
    let name = |path: &ActorPath| match path {
        ActorPath::Source(_, source) if down.len() == 1 => source.to_string(),
        path => path.to_string(),
    };
    let since = |actor: &ActorStatus| actor.outage.as_ref().map(|outage| span_since(outage.since)).unwrap_or_default();
    down.iter().map(|actor| format!("{} unreachable for {}", name(&actor.path), since(actor))).collect()
}

fn since_of(survey: &Survey, path: &ActorPath) -> String {
    let outage = survey.actors.iter().find(|actor| actor.path == *path).and_then(|actor| actor.outage.as_ref());
    outage.map(|outage| format!(" for {}", span_since(outage.since))).unwrap_or_default()
}

fn all_is_well(survey: &Survey, on_the_way: i64) -> String {
    let [mut paused, mut starting] = [0, 0];
    for entity in &survey.entities {
        match entity.state {
            "paused" => paused += 1,
            "starting" => starting += 1,
            _ => {}
        }
    }
    let all = match survey.entities.len() {
        0 => return "Nothing is configured to be kept in step.".to_owned(),
        1 => "The one entity is in step".to_owned(),
        n => format!("All {} entities are in step", n.grouped()),
    };
    let rest = [
        some(paused, "is paused", "are paused"),
        some(starting, "is starting", "are starting"),
        some(on_the_way, "look is on its way", "looks are on their way"),
    ];
    let rest: Vec<String> = rest.into_iter().flatten().collect();
    if rest.is_empty() { format!("{all}.") } else { format!("{all}; {}.", rest.join(", ")) }
}

/// Makes a sentence of it.
fn ending(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::actor::store::requests::view::Counts;
    use crate::actor::supervisor::{DatabaseStatus, EntityStatus};

    /// What is said of entities whose actors are in these states since five minutes ago.
    fn said(actors: &[(&str, ActorState)]) -> String {
        let since = Timestamp::now() - SignedDuration::from_mins(5);
        let name = |name: &str| name.parse::<EntityName>().expect("a name");
        let entity = |(entity, state): &(&str, ActorState)| EntityStatus {
            name: name(entity),
            state: if *state == ActorState::Up { "up" } else { state.as_str() },
            served_by: None,
            counts: Counts::default(),
            in_flight: 0,
            throttle: Default::default(),
            sources: BTreeMap::new(),
        };
        let actor = |(entity, state): &(&str, ActorState)| ActorStatus {
            path: ActorPath::Entity(name(entity)),
            id: 1,
            state: *state,
            since,
            restarts: 6,
            last_failure: None,
            next_start: None,
            outage: None,
        };
        let survey = Survey {
            uptime: Duration::ZERO,
            database: DatabaseStatus { up: true, error: None },
            usage: Default::default(),
            entities: actors.iter().map(entity).collect(),
            knows_counts: true,
            actors: actors.iter().map(actor).collect(),
        };
        sentence(&survey, &standing(&survey), false)
    }

    #[test]
    fn an_entity_that_failed_is_said_to_stand_still_by_name_or_with_how_many_others() {
        let (failed, failing) = (("customer", ActorState::GivenUp), ("product", ActorState::Restarting));
        assert_eq!(said(&[failed, ("product", ActorState::Up)]), "Customer stands still for 5 min (failed too often).");
        assert_eq!(
            said(&[failed, failing]),
            "Customer stands still for 5 min (failed too often), product stands still for 5 min (failed, and is started again)."
        );
        assert_eq!(said(&[failed, failing, ("order", ActorState::GivenUp)]), "3 entities stand still.");
        assert_eq!(said(&[("customer", ActorState::Up)]), "The one entity is in step.");
    }

    #[test]
    fn what_is_amiss_is_a_sentence() {
        assert_eq!(ending("2 conflicts, billing unreachable"), "2 conflicts, billing unreachable.");
        assert_eq!(ending("the database is away"), "The database is away.");
        assert_eq!(some(1, "conflict", "conflicts").as_deref(), Some("1 conflict"));
        assert_eq!(some(2_000, "conflict", "conflicts").as_deref(), Some("2,000 conflicts"));
        assert_eq!(some(0, "conflict", "conflicts"), None);
    }
}
