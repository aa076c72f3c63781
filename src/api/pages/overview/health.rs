//! How everything is, in one sentence.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::actor::supervision::{ActorPath, ActorState, ActorStatus};
use crate::actor::supervisor::Survey;
use crate::api::pages::parts::span_since;
use crate::domain::name::EntityName;

/// How many entities and sources are named of which something is amiss.
const NAMED: usize = 2;

/// So long an entity may take to begin, or to be asked, before it counts as standing still.
const SETTLING: SignedDuration = SignedDuration::from_secs(10);

/// Says how everything is: what is amiss, or that nothing is.
pub(super) fn sentence(survey: &Survey, is_rejected: bool) -> String {
    let count = |of: fn(&crate::actor::store::requests::view::Counts) -> i64| {
        survey.entities.iter().map(|entity| of(&entity.counts)).sum::<i64>()
    };
    let mut parts: Vec<String> = Vec::new();
    if !survey.database.up {
        parts.push(format!("the database cannot be reached{}", since_of(survey, &ActorPath::Store)));
    }
    parts.extend(stand_still(survey));
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
fn stand_still(survey: &Survey) -> Vec<String> {
    let standing = standing(survey);
    if standing.len() > NAMED {
        return vec![format!("{} entities stand still", standing.len())];
    }
    let one = |one: &Standing<'_>| format!("{} stands still for {} ({})", one.entity, span_since(one.since), one.why);
    standing.iter().map(one).collect()
}

/// The sources that cannot be reached: by name, or how many.
fn unreachable(actors: &[ActorStatus]) -> Vec<String> {
    let down = |actor: &&ActorStatus| matches!(actor.path, ActorPath::Source(..)) && actor.outage.is_some();
    let down: Vec<&ActorStatus> = actors.iter().filter(down).collect();
    if down.len() > NAMED {
        return vec![format!("{} sources unreachable", down.len())];
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
        n => format!("All {} entities are in step", grouped(n as i64)),
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

/// Writes a number with its thousands apart: `12,345`.
pub(in crate::api::pages) fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && digit.is_ascii_digit() && (digits.len() - n).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1000, "-1,000")] {
            assert_eq!(grouped(number), text);
        }
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
