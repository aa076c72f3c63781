//! Entities and their sources: state, lag, what waits, how much is done. Those that are well are folded where there are many.

use super::Badge;
use super::health::Standing;
use crate::actor::store::requests::view::Counts;
use crate::actor::supervisor::{EntityStatus, Survey};
use crate::api::pages::parts::{Grouped, Spark, Tone, grouped, span, spoken};
use crate::domain::name::EntityName;
use crate::metrics::MINUTES;

/// How many entities that are not well are shown at first, and how many that are.
const TROUBLED: usize = 30;
const WELL: usize = 12;

/// How many are shown at a time of all.
const PART: usize = 50;

/// How many sources of an entity are shown.
const SOURCES: usize = 12;

/// The matrix.
pub(super) struct Matrix {
    pub(super) rows: Vec<Row>,
    /// What is not shown, in words, and where it is.
    pub(super) rest: Option<String>,
    pub(super) previous: Option<usize>,
    pub(super) next: Option<usize>,
    /// Whether the database has told the counts.
    pub(super) knows_counts: bool,
}

/// An entity.
pub(super) struct Row {
    pub(super) name: String,
    state: &'static str,
    pub(super) served_by: Option<String>,
    pub(super) sources: Vec<Source>,
    /// How many sources are not shown.
    pub(super) more_sources: usize,
    pub(super) records: String,
    /// What waits for a person: number, word, and where.
    pub(super) open: Vec<(String, &'static str, String)>,
    /// How long the oldest look has waited.
    pub(super) lag: Option<String>,
    /// How many looks are asked for and not done.
    pub(super) queued: i64,
    pub(super) spark: Spark,
}

/// A source of an entity.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) tone: &'static str,
}

impl Row {
    pub(super) fn state(&self) -> Badge<'_> {
        Badge::of(self.state)
    }
}

impl Matrix {
    /// Puts it together: what is not well and some of the rest, or a part of all, from 1.
    pub(super) fn of(
        survey: &Survey,
        standing: &[Standing<'_>],
        part: Option<usize>,
        hour: impl Fn(&EntityName) -> [u32; MINUTES],
    ) -> Self {
        let (shown, rest, previous, next) = match part {
            None => selected(&survey.entities),
            Some(part) => {
                let (part, parts) = (part.max(1), survey.entities.len().div_ceil(PART));
                let shown = survey.entities.iter().skip((part - 1) * PART).take(PART).collect();
                (shown, None, (part > 1).then(|| part - 1), (part < parts).then_some(part + 1))
            }
        };
        let row = |entity: &EntityStatus| {
            let is_still = standing.iter().any(|one| *one.entity == entity.name);
            row(entity, is_still, Spark::new(hour(&entity.name)))
        };
        let rows = shown.into_iter().map(row).collect();
        Self { rows, rest, previous, next, knows_counts: survey.knows_counts }
    }
}

type Selected<'a> = (Vec<&'a EntityStatus>, Option<String>, Option<usize>, Option<usize>);

fn selected(entities: &[EntityStatus]) -> Selected<'_> {
    let (troubled, well): (Vec<_>, Vec<_>) = entities.iter().partition(|entity| is_troubled(entity));
    if entities.len() <= TROUBLED {
        return (entities.iter().collect(), None, None, None);
    }
    let [hidden, calm] = [troubled.len().saturating_sub(TROUBLED), well.len().saturating_sub(WELL)];
    let shown = troubled.into_iter().take(TROUBLED).chain(well.into_iter().take(WELL)).collect();
    let parts = [(hidden, "that need attention"), (calm, "in step")]
        .map(|(number, what)| (number > 0).then(|| format!("{} more {what}", number.grouped())));
    let rest: Vec<String> = parts.into_iter().flatten().collect();
    let rest = (!rest.is_empty()).then(|| format!("And {}: show all", rest.join(" and ")));
    (shown, rest, None, None)
}

fn is_troubled(entity: &EntityStatus) -> bool {
    open(&entity.counts) > 0
        || !matches!(entity.state, "up" | "standby")
        || entity.sources.values().any(|source| !matches!(source.state, "up" | "standby"))
}

/// How much of an entity waits for a person.
pub(super) fn open(counts: &Counts) -> i64 {
    counts.conflicts + counts.in_doubt + counts.parked + counts.deletes_held
}

fn row(entity: &EntityStatus, is_still: bool, spark: Spark) -> Row {
    let (name, counts) = (entity.name.to_string(), &entity.counts);
    let waits = [
        (counts.conflicts, "in conflict", format!("/conflicts?entity={name}")),
        (counts.in_doubt, "in doubt", format!("/doubts?entity={name}")),
        (counts.parked, "parked", format!("/work?state=parked&entity={name}")),
        (counts.deletes_held, "deletions held", format!("/deletes?entity={name}")),
    ];
    let open = waits.into_iter().filter(|(number, ..)| *number > 0);
    let queued = counts.ready + counts.running + counts.waiting;
    Row {
        state: if is_still { "stands still" } else { entity.state },
        served_by: entity.served_by.clone(),
        sources: entity
            .sources
            .iter()
            .take(SOURCES)
            .map(|(name, source)| Source::of(name.as_str(), source.state))
            .collect(),
        more_sources: entity.sources.len().saturating_sub(SOURCES),
        records: grouped(counts.records),
        open: open.map(|(number, what, path)| (grouped(number), what, path)).collect(),
        lag: (queued > 0).then(|| span(u64::try_from(counts.oldest_s).unwrap_or(0))),
        queued,
        spark,
        name,
    }
}

impl Source {
    pub(super) fn word(&self) -> &str {
        spoken(self.state)
    }

    fn of(name: &str, state: &'static str) -> Self {
        let tone = match state {
            "up" => Tone::Good,
            "down" | "given-up" => Tone::Bad,
            _ => Tone::Quiet,
        };
        Self { name: name.to_owned(), state, tone: tone.as_str() }
    }
}
