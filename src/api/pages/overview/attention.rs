//! What waits for a person, each with its reason and the way to where it is decided.

use std::collections::BTreeMap;

use super::matrix::open;
use super::{Badge, When};
use crate::actor::reloader::FileState;
use crate::actor::store::requests::attention::{Matter, Waiting};
use crate::actor::supervision::{ActorPath, ActorState, ActorStatus};
use crate::actor::supervisor::Survey;
use crate::api::pages::page::encoded;
use crate::api::pages::parts::{Tone, grouped};
use crate::api::pages::records::telling;
use crate::api::pages::words;
use crate::domain::merge::ConflictKind;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::record::OperationKind;

/// How many are shown, and how many of one kind: the latest ten thousand of one should not hide what else there is.
const SHOWN: usize = 12;
const OF_A_KIND: usize = 4;

/// How much of an error is shown, in characters.
const ERROR: usize = 200;

/// Something that waits for a person.
pub(super) struct Item {
    /// RFC 3339 in UTC.
    since: String,
    word: &'static str,
    tone: Tone,
    /// What it is about.
    pub(super) title: String,
    pub(super) reason: String,
    /// A little of the record, by which people know which it is.
    pub(super) telling: Vec<(String, String)>,
    /// Where it is decided.
    pub(super) path: String,
    /// How many of them there are, if it stands for several.
    counts: i64,
}

impl Item {
    pub(super) fn badge(&self) -> Badge<'_> {
        Badge::new(self.word, self.tone)
    }

    pub(super) fn when(&self) -> When {
        When::of(&self.since)
    }
}

/// What the database knows of; the deletions of a source are one thing, however many are held.
pub(super) fn of_database(waiting: Vec<Waiting>, survey: &Survey) -> Vec<Item> {
    let mut deletes: BTreeMap<EntityName, (SourceName, String)> = BTreeMap::new();
    let mut items = Vec::new();
    for Waiting { entity, since, matter } in waiting {
        match matter {
            Matter::Delete { source } => {
                deletes.entry(entity).or_insert((source, since));
            }
            matter => items.extend(item(&entity, since, matter)),
        }
    }
    let held = |entity: &EntityName| {
        let found = survey.entities.iter().find(|status| status.name == *entity);
        found.map_or(1, |status| status.counts.deletes_held.max(1))
    };
    items.extend(deletes.into_iter().map(|(entity, (source, since))| {
        let counts = held(&entity);
        let reason = format!("more went missing at once than max_deletes lets through, the latest in {source}");
        let title = if counts == 1 {
            format!("{entity}: 1 deletion")
        } else {
            format!("{entity}: {} deletions", grouped(counts))
        };
        let path = format!("/deletes?entity={entity}");
        Item { counts, ..plain(since, ("held", Tone::Open), title, reason, path) }
    }));
    items
}

fn item(entity: &EntityName, since: String, matter: Matter) -> Option<Item> {
    Some(match matter {
        Matter::Conflict { id, record, path, kind, beginning } => {
            let place = if path.is_root() { String::new() } else { format!(": {}", words::place(&path)) };
            let telling = beginning.as_deref().map(telling).unwrap_or_default();
            let title = format!("{entity} {record}{place}");
            let reason = contradiction(kind).to_owned();
            let path = format!("/conflicts/{id}");
            Item { telling, ..plain(since, ("conflict", Tone::Open), title, reason, path) }
        }
        Matter::Doubt { number, record, source, kind } => {
            let reason = format!("nobody knows whether it was {} there", done(kind));
            let (title, path) = (format!("{entity} {record} in {source}"), format!("/doubts#doubt-{number}"));
            plain(since, ("in doubt", Tone::Open), title, reason, path)
        }
        Matter::Parked { item, copy, record, error } => {
            let title = match (copy, record) {
                (Some((source, key)), _) => format!("{entity}, {source} {}", key.as_str()),
                (None, Some(record)) => format!("{entity} {record}"),
                (None, None) => format!("{entity}, item {item}"),
            };
            let reason = error.map_or_else(|| "retcon has stopped retrying".to_owned(), |error| brief(&error));
            let path = format!("/work?state=parked&entity={}#item-{item}", encoded(entity.as_str()));
            plain(since, ("parked", Tone::Bad), title, reason, path)
        }
        Matter::Delete { .. } => return None,
    })
}

/// One thing, of which nothing else is told.
fn plain(since: String, (word, tone): (&'static str, Tone), title: String, reason: String, path: String) -> Item {
    Item { since, word, tone, title, reason, telling: Vec::new(), path, counts: 1 }
}

/// Why there is a conflict.
fn contradiction(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::EditEdit => "changed to different values in several places",
        ConflictKind::EditDelete => "removed in one place and changed in another",
        ConflictKind::Held => "a change that the rules leave to a person",
        ConflictKind::Match => "looks like another record, which has a copy there already",
        ConflictKind::Schema => "would break the entity's schema",
        ConflictKind::Oscillation => "sources keep undoing each other here",
    }
}

fn done(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Create => "created",
        OperationKind::Update => "updated",
        OperationKind::Delete => "deleted",
    }
}

/// What the daemon knows of itself: what cannot be reached, what it gave up, what is wrong with its file.
pub(super) fn of_daemon(survey: &Survey, file: &FileState) -> Vec<Item> {
    let mut items: Vec<Item> = survey.actors.iter().filter_map(of_actor).collect();
    if let Some(first) = file.errors.first() {
        let more = file.errors.len() - 1;
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        let (since, title) = (file.read_at.to_string(), "The configuration file".to_owned());
        let reason = format!("{}{more}", brief(&first.to_string()));
        let path = "/configuration".to_owned();
        items.push(Item { counts: 0, ..plain(since, ("rejected", Tone::Bad), title, reason, path) });
    }
    items
}

fn of_actor(actor: &ActorStatus) -> Option<Item> {
    let path = match &actor.path {
        ActorPath::Source(entity, source) => format!("/sources/{entity}/{source}"),
        ActorPath::Supervisor | ActorPath::Store | ActorPath::Leases | ActorPath::Reloader | ActorPath::Entity(_) => {
            "/#tree".to_owned()
        }
    };
    let title = match &actor.path {
        ActorPath::Store => "The database".to_owned(),
        ActorPath::Entity(entity) => entity.to_string(),
        path => path.to_string(),
    };
    let word = if matches!(actor.path, ActorPath::Entity(_)) { "stands still" } else { "not reachable" };
    let (word, since, reason) = match (&actor.outage, actor.state) {
        (_, ActorState::GivenUp) => {
            let reason = actor.last_failure.as_ref().map_or("it failed too often", |failure| failure.error.as_str());
            ("given up", actor.since, reason)
        }
        (Some(outage), _) => (word, outage.since, outage.error.as_str()),
        (None, _) => return None,
    };
    Some(Item { counts: 0, ..plain(since.to_string(), (word, Tone::Bad), title, brief(reason), path) })
}

/// Puts the latest first and keeps so many; gives how many more wait.
pub(super) fn arrange(items: &mut Vec<Item>, survey: &Survey) -> i64 {
    items.sort_by(|one, other| other.since.cmp(&one.since));
    if items.len() > SHOWN {
        let mut kinds: BTreeMap<&'static str, usize> = BTreeMap::new();
        items.retain(|item| {
            let of_kind = kinds.entry(item.word).or_default();
            *of_kind += 1;
            *of_kind <= OF_A_KIND
        });
    }
    items.truncate(SHOWN);
    let all: i64 = survey.entities.iter().map(|entity| open(&entity.counts)).sum();
    let shown: i64 = items.iter().map(|item| item.counts).sum();
    if survey.knows_counts { (all - shown).max(0) } else { 0 }
}

fn brief(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= ERROR { line.to_owned() } else { line.chars().take(ERROR).chain(['\u{2026}']).collect() }
}
