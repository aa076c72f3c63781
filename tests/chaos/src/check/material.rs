//! All that is known of a run, in the form in which the invariants are decided.

use std::collections::{BTreeMap, HashMap};

use super::CheckError;
use super::database::{ConflictRow, Database, RecordName};
use super::json::Json;
use crate::books::{
    Author, Change, ChangeKind, ClientLine, Decision, Facts, RunDir, RunEvent, RunLine, SourceFacts, Tidying,
};
use crate::clock::Micros;

/// The books of a run, and its database at rest.
#[derive(Debug, Clone)]
pub(super) struct Material {
    pub(super) facts: Facts,
    pub(super) systems: BTreeMap<Place, System>,
    pub(super) clients: Vec<ClientLine>,
    pub(super) decisions: Vec<Decision>,
    pub(super) database: Database,
    /// Programs of sources that are there still though the daemons are gone, by their command lines.
    pub(super) left_behind: Vec<String>,
}

/// A source of an entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) entity: String,
    pub(super) source: String,
}

/// What one system's books say.
#[derive(Debug, Clone)]
pub(super) struct System {
    pub(super) traits: SourceFacts,
    /// In the order in which they took effect.
    pub(super) deeds: Vec<Deed>,
    /// In the order in which they began.
    pub(super) runs: Vec<Run>,
}

/// One change of one item, with its documents read.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    pub(super) change: Change,
    pub(super) before: Option<Json>,
    pub(super) after: Option<Json>,
    /// Of a user's: what stood at each pointer that was written.
    pub(super) seen: Option<Json>,
}

/// One run of a program.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) name: String,
    pub(super) parent: u32,
    pub(super) operation: String,
    pub(super) key: Option<String>,
    pub(super) record: Option<i64>,
    pub(super) config: [String; 2],
    pub(super) start: Micros,
    /// Absent if it was killed.
    pub(super) end: Option<Micros>,
    pub(super) exit: Option<i32>,
    /// What it met: `source` or `record`, and the other run.
    pub(super) overlaps: Vec<(String, Option<String>)>,
}

/// An item that is there at the end.
#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    pub(super) key: &'a str,
    pub(super) document: &'a Json,
    /// How it came to be there.
    pub(super) origin: &'a Deed,
}

impl Material {
    /// Reads everything.
    ///
    /// # Errors
    /// [`CheckError`].
    pub(super) fn read(
        run: &RunDir,
        database: impl FnOnce(&str) -> Result<Database, CheckError>,
    ) -> Result<Self, CheckError> {
        let facts = run.facts().map_err(CheckError::Books)?;
        let mut systems = BTreeMap::new();
        for entity in &facts.entities {
            for source in &entity.sources {
                let changes = run.changes(&entity.name, &source.name).map_err(CheckError::Books)?;
                let lines = run.runs(&entity.name, &source.name).map_err(CheckError::Books)?;
                let deeds = changes.into_iter().map(Deed::read).collect::<Result<_, _>>()?;
                let system = System { traits: source.clone(), deeds, runs: pair(lines) };
                systems.insert(Place { entity: entity.name.clone(), source: source.name.clone() }, system);
            }
        }
        let clients = run.clients().map_err(CheckError::Books)?;
        let decisions = run.decisions().map_err(CheckError::Books)?;
        let database = database(&facts.database.url)?;
        let left_behind = left_behind(run);
        Ok(Self { facts, systems, clients, decisions, database, left_behind })
    }

    /// The systems of an entity.
    pub(super) fn systems_of<'a>(&'a self, entity: &'a str) -> impl Iterator<Item = (&'a Place, &'a System)> {
        self.systems.iter().filter(move |(place, _)| place.entity == entity)
    }

    /// All changes, with where they were made.
    pub(super) fn deeds(&self) -> impl Iterator<Item = (&Place, &Deed)> {
        self.systems.iter().flat_map(|(place, system)| system.deeds.iter().map(move |deed| (place, deed)))
    }

    /// Whether values of an entity may come back trimmed.
    pub(super) fn tidies(&self, entity: &str) -> bool {
        self.systems_of(entity).any(|(_, system)| system.traits.tidies != Tidying::Never)
    }

    /// Which record a copy's key names.
    pub(super) fn record_of(&self, place: &Place, key: &str) -> Option<i64> {
        let name = (place.entity.clone(), place.source.clone(), key.to_owned());
        self.database.keys.get(&name).copied()
    }

    /// Which record a change is of: that of its operation, or the one that the copy's key names; of a key that nobody was ever
    /// told, the record whose write gave it to the copy.
    pub(super) fn record_changed(&self, place: &Place, change: &Change) -> Option<i64> {
        self.record_ordered(change)
            .or_else(|| self.record_of(place, &change.key))
            .or_else(|| self.record_of(place, change.former_key.as_deref()?))
            .or_else(|| {
                let mut before = self.systems.get(place)?.deeds.iter().filter(|deed| deed.change.seq < change.seq);
                before
                    .rfind(|deed| deed.change.key == change.key && deed.is_ours())
                    .and_then(|deed| self.record_ordered(&deed.change))
            })
    }

    /// The record of the operation that made a change.
    fn record_ordered(&self, change: &Change) -> Option<i64> {
        let operation = change.operation.as_ref().and_then(|id| self.database.operations.get(id));
        operation.map(|operation| operation.record.1)
    }

    /// Whether a person may have said, by then, that a record's copy is not there; at any source, if none is named.
    pub(super) fn was_said_absent(&self, record: &RecordName, source: Option<&str>, by: Micros) -> bool {
        self.decisions.iter().any(|decision| {
            let order = &decision.order;
            let of = order.seen.get("source").and_then(|source| source.as_str());
            order.kind == "settle"
                && order.asked.get("absent").is_some()
                && order.at <= by
                && decision.may_apply()
                && (order.entity.as_ref(), order.record) == (Some(&record.0), Some(record.1))
                && source.zip(of).is_none_or(|(source, of)| source == of)
        })
    }

    /// Whether a user's change came after a write of ours, and before a reading had ended that shows what the system made of that:
    /// the two cannot be told apart.
    pub(super) fn is_taken_for_tidying(&self, place: &Place, change: &Change) -> bool {
        let Some(system) = self.systems.get(place) else { return false };
        let ours = system.deeds.iter().filter(|deed| deed.change.key == change.key && deed.is_ours());
        let Some(ours) = ours.filter(|deed| deed.change.at < change.at).max_by_key(|deed| deed.change.at) else {
            return false;
        };
        let shows = |run: &Run| {
            run.operation == "read"
                && run.key.as_ref() == Some(&change.key)
                && run.start >= ours.change.at
                && run.end.is_some_and(|end| end <= change.at)
        };
        !system.runs.iter().any(shows)
    }

    pub(super) fn conflicts_of<'a>(&'a self, record: &'a RecordName) -> impl Iterator<Item = &'a ConflictRow> {
        self.database.conflicts.iter().filter(move |conflict| conflict.record == *record)
    }

    pub(super) fn has_open_conflict(&self, record: &RecordName) -> bool {
        self.conflicts_of(record).any(|conflict| conflict.closed_by.is_none())
    }

    /// Whether it is not known what came of a write to a record's copy; at any source, if none is named.
    pub(super) fn is_in_doubt(&self, record: &RecordName, source: Option<&str>) -> bool {
        let mut operations = self.database.operations.values();
        operations.any(|operation| {
            operation.is_unsettled()
                && operation.record == *record
                && source.is_none_or(|source| source == operation.source)
        })
    }

    /// Whether anything is in doubt at a source: a copy that nobody knows may be what it made.
    pub(super) fn has_doubt_at(&self, place: &Place) -> bool {
        let mut operations = self.database.operations.values();
        operations.any(|row| row.is_unsettled() && row.record.0 == place.entity && row.source == place.source)
    }

    /// Whether work on a record or on a key is left to a person.
    pub(super) fn is_parked(&self, place: &Place, key: Option<&str>, record: Option<i64>) -> bool {
        self.database.items.values().any(|item| {
            let is_key = key.is_some() && item.source.as_ref() == Some(&place.source) && item.key.as_deref() == key;
            let is_record = record.is_some() && item.record == record;
            item.state == "parked" && item.entity == place.entity && (is_key || is_record)
        })
    }

    /// Everything that happened to a record, in the order of time, a line each.
    pub(super) fn timeline(&self, record: &RecordName) -> Vec<String> {
        let mut lines: Vec<(Micros, String)> = Vec::new();
        for (place, system) in self.systems_of(&record.0) {
            for Deed { change, .. } in &system.deeds {
                if self.record_changed(place, change) == Some(record.1) {
                    let after = change.after.as_deref().unwrap_or("-");
                    let by = change.operation.as_deref().unwrap_or(change.author.as_str());
                    let line = format!(
                        "{} {:?} {} {} by {by}: {after}",
                        place.source,
                        change.key,
                        change.author.as_str(),
                        change.kind.as_str()
                    );
                    lines.push((change.at, line));
                }
            }
            for run in system.runs.iter().filter(|run| run.record == Some(record.1)) {
                let key = run.key.as_deref().unwrap_or("-");
                let line = format!("{} {key:?} run {} {}, exit {:?}", place.source, run.name, run.operation, run.exit);
                lines.push((run.start, line));
            }
        }
        for version in self.database.versions.get(record).into_iter().flatten() {
            let state = if version.is_live { "live" } else { "deleted" };
            let line = format!(
                "version {} ({}, {state}): {}; overruled {}",
                version.version,
                version.kind(),
                version.changes,
                version.overruled
            );
            lines.push((version.at, line));
        }
        lines.sort();
        lines.into_iter().map(|(at, line)| format!("{}.{:06} {line}", at / 1_000_000, at % 1_000_000)).collect()
    }
}

impl System {
    /// What is there at the end.
    pub(super) fn items(&self) -> BTreeMap<&str, Item<'_>> {
        let mut items: BTreeMap<&str, Item<'_>> = BTreeMap::new();
        for deed in &self.deeds {
            let key = deed.change.key.as_str();
            let former = items.remove(deed.change.former_key.as_deref().unwrap_or(key));
            if let (ChangeKind::Create | ChangeKind::Update, Some(document)) = (deed.change.kind, &deed.after) {
                items.insert(key, Item { key, document, origin: former.map_or(deed, |item| item.origin) });
            }
        }
        items
    }

    /// The run of a name.
    pub(super) fn run(&self, name: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.name == name)
    }

    /// Whether what stands at a pointer is within the source's fields.
    pub(super) fn holds(&self, pointer: &str) -> bool {
        let fields = &self.traits.fields;
        fields.is_empty() || fields.iter().any(|field| is_within(field, pointer))
    }
}

impl Deed {
    pub(super) fn read(change: Change) -> Result<Self, CheckError> {
        let parse = |text: &Option<String>| {
            let parsed = text.as_ref().map(|text| {
                Json::parse(text).map_err(|source| CheckError::Json { text: text.clone(), source: Box::new(source) })
            });
            parsed.transpose()
        };
        let (before, after, seen) = (parse(&change.before)?, parse(&change.after)?, parse(&change.seen)?);
        Ok(Self { change, before, after, seen })
    }

    /// Whether it was made by one of our runs, and changed something.
    pub(super) fn is_ours(&self) -> bool {
        self.change.author == Author::Retcon
    }
}

impl Run {
    pub(super) fn changes_something(&self) -> bool {
        matches!(self.operation.as_str(), "create" | "update" | "delete")
    }
}

/// Says whether `pointer` is `base` or below it.
pub(super) fn is_within(base: &str, pointer: &str) -> bool {
    pointer.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Lists the processes whose first argument is the run's directory: its programs.
fn left_behind(run: &RunDir) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let command_lines = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    let directory = run.path().to_string_lossy();
    let is_its = |line: &String| line.split('\0').nth(1) == Some(directory.as_ref());
    command_lines.filter(is_its).map(|line| line.replace('\0', " ")).collect()
}

/// Puts the lines of each run together.
fn pair(lines: Vec<RunLine>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for RunLine { run: name, at, event } in lines {
        if let RunEvent::Start { parent, operation, key, record, config, .. } = event {
            places.insert(name.clone(), runs.len());
            let record = record.and_then(|record| record.parse().ok());
            let (end, exit, overlaps) = (None, None, Vec::new());
            runs.push(Run { name, parent, operation, key, record, config, start: at, end, exit, overlaps });
            continue;
        }
        let Some(run) = places.get(&name).and_then(|place| runs.get_mut(*place)) else { continue };
        match event {
            RunEvent::End { exit, .. } => (run.end, run.exit) = (Some(at), Some(exit)),
            RunEvent::Overlap { of, other } => run.overlaps.push((of, other)),
            RunEvent::Fault { .. } | RunEvent::Start { .. } => {}
        }
    }
    runs.sort_by_key(|run| run.start);
    runs
}
