//! What `retcon status` shows: one screen, however many entities there are.

use super::super::output;
use super::remarks::{Remark, Weight, is_bad};
use crate::api::wire::status::{EntityStatus, Status};

/// Up to this many entities, and sources, each has a line of its own; more of them are summed up.
const ROWS: usize = 15;
/// How many remarks stand on a screen.
const REMARKS: usize = 15;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Screen,
    All,
}

/// Writes the remarks, the gravest first; the first line is the verdict.
pub(super) fn remarks(remarks: &[Remark], extent: Extent) -> String {
    let is_well = remarks.iter().all(|remark| remark.weight == Weight::Passing);
    let verdict = match remarks {
        [] => "all is well\n",
        _ if is_well => "nothing needs a person\n",
        _ => "",
    };
    let shown = match extent {
        Extent::Screen => remarks.len().min(REMARKS),
        Extent::All => remarks.len(),
    };
    let mut text = verdict.to_owned();
    for Remark { weight, text: said } in &remarks[..shown] {
        let mark = if *weight == Weight::Passing { '-' } else { '!' };
        text.push_str(&format!("{mark} {said}\n"));
    }
    if shown < remarks.len() {
        text.push_str(&format!("... and {} more (--all shows them)\n", remarks.len() - shown));
    }
    text
}

/// Writes how the daemon, its entities and their sources are.
pub(super) fn status(status: &Status, extent: Extent) -> String {
    let mut text = format!(
        "\nretcond {}, up {}, database {}\nconfiguration {}\n",
        status.version,
        output::age(status.uptime_s),
        status.database.state,
        status.config.path,
    );
    if !status.config.needs_restart.is_empty() {
        text.push_str(&format!("needs a restart: {}\n", status.config.needs_restart.join(", ")));
    }
    text.push('\n');
    let sources = status.entities.iter().map(|entity| entity.sources.len()).sum::<usize>();
    if extent == Extent::Screen && status.entities.len().max(sources) > ROWS {
        return text + &sum(status);
    }
    text.push_str(&entities(status));
    text.push('\n');
    text.push_str(&throttles(status));
    text.push_str(&self::sources(status));
    text
}

/// Sums up what would not fit.
fn sum(status: &Status) -> String {
    let entities = &status.entities;
    let total = |count: fn(&EntityStatus) -> i64| entities.iter().map(count).sum::<i64>();
    let oldest = entities.iter().map(|entity| entity.queue.oldest_s).max().unwrap_or(0);
    let sources = entities.iter().flat_map(|entity| &entity.sources).map(|source| source.state.as_str());
    let mut table = output::table(&["", "", ""]);
    table.add_row(["entities", &states(entities.iter().map(|entity| entity.state.as_str()))]);
    table.add_row(["sources", &states(sources)]);
    table.add_row(["records", &total(|entity| entity.records).to_string()]);
    let work = format!(
        "{} ready, {} running, {} waiting, {} parked; the oldest {}",
        total(|entity| entity.queue.ready),
        total(|entity| entity.queue.running),
        total(|entity| entity.queue.waiting),
        total(|entity| entity.queue.parked),
        output::age(u64::try_from(oldest).unwrap_or(0)),
    );
    table.add_row(["work", &work]);
    let open = format!(
        "{} in conflict, {} in doubt, {} deletions held",
        total(|entity| entity.conflicts),
        total(|entity| entity.in_doubt),
        total(|entity| entity.deletes_held)
    );
    table.add_row(["open", &open]);
    if let Some(throttled) = throttled(entities) {
        table.add_row(["throttled", &throttled]);
    }
    format!("{}\n--all lists every entity and source\n", output::lines(&mut table).trim_start_matches('\n'))
}

/// Counts states, the frequent ones first: `1000: 997 up, 3 starting`.
fn states<'a>(states: impl Iterator<Item = &'a str>) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for state in states {
        match counts.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => counts.push((state, 1)),
        }
    }
    counts.sort_by_key(|(state, count)| (std::cmp::Reverse(*count), *state));
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    let parts: Vec<String> = counts.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
    format!("{all}: {}", parts.join(", "))
}

fn throttled(entities: &[EntityStatus]) -> Option<String> {
    let throttles: Vec<_> =
        entities.iter().filter_map(|entity| entity.throttle.as_ref()).filter(|throttle| throttle.rate > 0.0).collect();
    let longest = throttles.iter().map(|throttle| throttle.wait_ms).max()?;
    let waiting: usize = throttles.iter().map(|throttle| throttle.waiting).sum();
    Some(format!("{} entities; {waiting} runs wait, the longest wait is {}", throttles.len(), wait(longest)))
}

fn entities(status: &Status) -> String {
    let head = [
        "ENTITY",
        "STATE",
        "RECORDS",
        "READY",
        "RUNNING",
        "WAITING",
        "PARKED",
        "OLDEST",
        "CONFLICTS",
        "IN DOUBT",
        "HELD",
    ];
    let mut table = output::table(&head);
    for entity in &status.entities {
        let queue = &entity.queue;
        table.add_row([
            output::cell(&entity.name),
            output::state(&entity.state, !is_bad(&entity.state)),
            output::cell(entity.records),
            output::cell(queue.ready),
            output::cell(queue.running),
            output::cell(queue.waiting),
            output::state(&queue.parked.to_string(), queue.parked == 0),
            output::cell(output::age(u64::try_from(queue.oldest_s).unwrap_or(0))),
            output::state(&entity.conflicts.to_string(), entity.conflicts == 0),
            output::state(&entity.in_doubt.to_string(), entity.in_doubt == 0),
            output::state(&entity.deletes_held.to_string(), entity.deletes_held == 0),
        ]);
    }
    output::lines(&mut table)
}

/// The entities whose sources are held to a rate; nothing where there is none.
fn throttles(status: &Status) -> String {
    let mut table = output::table(&["THROTTLED", "RATE", "BURST", "WAITING", "WAIT"]);
    for entity in &status.entities {
        let Some(throttle) = &entity.throttle else { continue };
        if throttle.rate > 0.0 || throttle.waiting > 0 {
            table.add_row([
                output::cell(&entity.name),
                output::cell(format!("{}/s", throttle.rate)),
                output::cell(throttle.burst),
                output::cell(throttle.waiting),
                output::cell(wait(throttle.wait_ms)),
            ]);
        }
    }
    if table.is_empty() { String::new() } else { output::lines(&mut table) + "\n" }
}

fn sources(status: &Status) -> String {
    let mut table = output::table(&["SOURCE", "STATE", "RESTARTS", "LAST ERROR"]);
    for entity in &status.entities {
        for source in &entity.sources {
            let probe = source.next_probe_ms.map(|ms| format!(" (asked again in {} s)", ms.div_ceil(1000)));
            table.add_row([
                output::cell(format!("{}/{}", entity.name, source.name)),
                output::state(&source.state, !is_bad(&source.state)),
                output::cell(source.restarts),
                output::cell(format!("{}{}", source.last_error.as_deref().unwrap_or(""), probe.unwrap_or_default())),
            ]);
        }
    }
    output::lines(&mut table)
}

/// Writes a wait for people: short ones to a tenth of a second, rounded up.
fn wait(ms: u64) -> String {
    match ms.div_ceil(100) {
        tenths @ 0..100 => format!("{}.{}s", tenths / 10, tenths % 10),
        tenths => output::age(tenths.div_ceil(10)),
    }
}
