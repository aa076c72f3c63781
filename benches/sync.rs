//! How many notifications a second are carried out, to the last recording, with two sources and with five: `make bench`.
//!
//! They stand beside their floor: for each source a bare loop that makes the very runs that the daemon made there, all of them
//! side by side.

mod bare;
mod daemon;
mod report;
mod site;
mod socket;

use std::fs;
use std::thread;
use std::time::Instant;

use bare::Bare;
use report::{Bound, Report};
use site::{Database, ENTITY, Site, Starts, document};

/// What is measured: so many sources, so many items a round, and how many records are looked at at a time, if not as many as where
/// nothing is configured.
const CASES: [Case; 3] = [
    Case { sources: 2, items: 400, in_flight: None },
    Case { sources: 2, items: 400, in_flight: Some(16) },
    Case { sources: 5, items: 200, in_flight: None },
];
const ROUNDS: u64 = 3;

/// What is done to every item of a round, in this order.
const ALL: [Change; 4] = [Change::Create, Change::Update, Change::Nothing, Change::Delete];

struct Case {
    sources: usize,
    items: u64,
    in_flight: Option<u32>,
}

/// What a user did to an item before the daemon was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Create,
    Update,
    /// The daemon is told without a reason.
    Nothing,
    Delete,
}

fn main() {
    let mut report = Report::new(
        "sync",
        "Notifications a second, from the first one sent to the last recording; beside a bare loop for each source, side by \
         side, that makes the very same runs there.",
    );
    CASES.iter().for_each(|case| measure(&mut report, case));
    report.write();
}

fn measure(report: &mut Report, &Case { sources, items, in_flight }: &Case) {
    // The floor has a site of its own, where no daemon runs.
    let (ours, floor) = (Site::new(sources), Site::new(sources));
    let mut name = format!("{sources} sources");
    if let Some(in_flight) = in_flight {
        ours.configure(&format!("[entities.{ENTITY}.throttle]\nin_flight = {in_flight}\n"));
        name += &format!(", {in_flight} in flight");
    }
    let daemon = ours.start();
    let database = ours.database();
    let mut rates = ALL.map(|_| Vec::new());
    let mut runs = ALL.map(|_| 0.0);
    for round in 0..ROUNDS {
        let keys: Vec<(u64, String)> = (round * items..(round + 1) * items).map(|n| (n, format!("k{n}"))).collect();
        for (place, change) in ALL.into_iter().enumerate() {
            let before = ours.starts();
            let rate = carry_out(&ours, change, &keys, &database);
            let made = difference(&before, &ours.starts());
            runs[place] = made.values().sum::<u64>() as f64 / items as f64;
            rates[place].push((rate, bare(&floor, change, &keys, &made)));
        }
    }
    drop((database, daemon));
    for ((change, rates), runs) in ALL.into_iter().zip(rates).zip(runs) {
        let (rate_bound, most_runs) = match (change, sources) {
            (Change::Update, 2) => (Bound::AtLeast(0.70), Bound::AtMost(3.0)),
            (Change::Nothing, 2) => (Bound::None, Bound::AtMost(2.0)),
            (Change::Create | Change::Update | Change::Nothing | Change::Delete, _) => (Bound::None, Bound::None),
        };
        report.compare(&format!("{}, {name}", change.name()), "/s", &rates, rate_bound);
        report.measure(&format!("its runs of programs, {name}"), "", runs, most_runs);
    }
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "creates",
            Self::Update => "updates",
            Self::Nothing => "nothing changed",
            Self::Delete => "deletes",
        }
    }

    /// Makes the change in the store of the first source.
    fn make(self, site: &Site, keys: &[(u64, String)]) {
        for (number, key) in keys {
            match self {
                Self::Create => site.put("s0", key, &document(*number, 0)),
                Self::Update => site.put("s0", key, &document(*number, 1)),
                Self::Nothing => {}
                Self::Delete => fs::remove_file(site.store("s0").join(key)).expect("it is there"),
            }
        }
    }
}

/// Has the daemon carry a change out; gives the notifications a second.
fn carry_out(site: &Site, change: Change, keys: &[(u64, String)], database: &Database) -> f64 {
    change.make(site, keys);
    // The daemon closes one that was silent for long.
    let mut connection = site.connection();
    let names: Vec<String> = keys.iter().map(|(_, key)| key.clone()).collect();
    let began = Instant::now();
    site.notify(&mut connection, "s0", &names);
    database.wait_until_done();
    keys.len() as f64 / began.elapsed().as_secs_f64()
}

fn difference(before: &Starts, after: &Starts) -> Starts {
    after.iter().map(|(what, count)| (what.clone(), count - before.get(what).unwrap_or(&0))).collect()
}

/// Makes the same runs without a daemon, one loop for each source; gives the items a second.
fn bare(site: &Site, change: Change, keys: &[(u64, String)], made: &Starts) -> f64 {
    change.make(site, keys);
    let began = Instant::now();
    thread::scope(|scope| {
        for source in &site.sources {
            scope.spawn(|| run_all(site, source, keys, made));
        }
    });
    keys.len() as f64 / began.elapsed().as_secs_f64()
}

/// Makes the runs that were made at one source: as many of each kind, spread over the items as the daemon spreads them.
fn run_all(site: &Site, source: &str, keys: &[(u64, String)], made: &Starts) {
    let items = keys.len() as u64;
    let count = |operation: &str| made.get(&(source.to_owned(), operation.to_owned())).copied().unwrap_or(0);
    // Of so many runs, those that fall to this item.
    let share = |operation: &str, item: u64| count(operation) * (item + 1) / items - count(operation) * item / items;
    let edition = if count("create") > 0 { 0 } else { 1 };
    for (item, (number, key)) in (0..).zip(keys) {
        let text = document(*number, edition) + "\n";
        // What was just created is read back; anything else is read before it is changed.
        for operation in ["create", "read", "update", "delete"] {
            for _ in 0..share(operation, item) {
                let stdin = matches!(operation, "create" | "update").then_some(text.as_str());
                run(site, source, operation, key, stdin);
            }
        }
    }
}

fn run(site: &Site, source: &str, operation: &str, key: &str, stdin: Option<&str>) {
    let store = site.store(source).display().to_string();
    let bare = Bare::new(site.program(), &[("STORE", &store), ("RETCON_OPERATION_ID", key)]);
    let end = bare.told(operation, if operation == "create" { "" } else { key }).run(stdin);
    assert!(matches!(end.status, Some(0 | 2)), "{operation} {key}: {end:?}");
}
