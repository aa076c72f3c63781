//! What it costs that there is much already: `make bench`; `cargo bench --bench scale -- plans` asks PostgreSQL alone.
//!
//! Daemons with no records, with ten thousand and with a million do the same work in turns, so that a busy machine slows all of them.

mod daemon;
mod fill;
mod plans;
mod report;
mod site;
mod socket;

use std::env;
use std::thread::sleep;
use std::time::{Duration, Instant};

use daemon::Daemon;
use fill::{fill, fill_queue, made_key, match_by_email};
use plans::{Explained, explain_all};
use report::{Bound, Report};
use site::{Database, Site, document};
use socket::ask;

const FEW: u64 = 10_000;
const MANY: u64 = 1_000_000;
/// How many items wait, where many do.
const QUEUE: u64 = 200_000;
const ENTITIES: usize = 1_000;
/// How often the rates are measured, in how many rounds in all, and with how many items each time.
const ROUNDS: u64 = 3;
const ALL_ROUNDS: u64 = 2 * ROUNDS + 2;
const ITEMS: u64 = 150;
/// How long what has been done may echo before a daemon counts as idle, and how long it is watched then.
const SETTLING: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_secs(20);
/// The number of the first item that is made here; those below are of the filling.
const FIRST_NEW: u64 = 10_000_000;

fn main() {
    let only_plans = env::args().any(|argument| argument == "plans");
    let few = Scene::new(FEW, "");
    let many = Scene::new(MANY, "");
    let mut report = Report::new(
        "plans",
        "What each statement on the way of a notification reads, in pages of 8 KiB of tables and indexes, as `explain (analyze, buffers)` says. \
         In bold what reads more than deeper indexes account for. `cargo bench --bench scale -- plans` makes this alone.",
    );
    let [of_few, of_many] = [&few, &many].map(|scene| explain_all(&scene.database));
    if only_plans {
        fill_queue(&many.database, QUEUE);
    } else {
        compare_rates(&few, &many);
        // As autovacuum does a moment later.
        many.database.execute("vacuum analyze work_item");
    }
    enter_plans(&mut report, &of_few, &of_many, &explain_all(&many.database));
    report.write();
}

/// A daemon with what it has.
struct Scene {
    database: Database,
    daemon: Daemon,
    /// Removed when the daemon has stopped.
    site: Site,
    records: u64,
}

/// What a round of work came to, in items a second.
#[derive(Debug, Clone, Copy)]
struct Rates {
    creates: f64,
    updates: f64,
}

impl Scene {
    /// Starts a daemon with so many records, and with `more` in its configuration.
    fn new(records: u64, more: &str) -> Self {
        let site = Site::new(2);
        site.configure(more);
        match_by_email(&site);
        let daemon = site.start();
        let database = site.database();
        if records > 0 {
            fill(&site, &database, records);
        }
        Self { database, daemon, site, records }
    }

    /// Has items made, and as many changed: those that were just made where there are no others.
    fn work(&self, round: u64) -> Rates {
        let news: Vec<u64> = (0..ITEMS).map(|n| FIRST_NEW + round * ITEMS + n).collect();
        let creates = self.time(&news, 0);
        let olds = if self.records > 0 { self.olds(round) } else { news };
        Rates { creates, updates: self.time(&olds, 1) }
    }

    /// Gives records of the filling from all over it, other ones in each round, whose copies are where they should be.
    fn olds(&self, round: u64) -> Vec<u64> {
        let apart = self.records / (ITEMS * ALL_ROUNDS + 1);
        let olds: Vec<u64> = (0..ITEMS).map(|n| 2 + (round + n * ALL_ROUNDS) * apart).collect();
        olds.iter().for_each(|number| self.put_copies(*number));
        olds
    }

    /// Puts the copies of a record of the filling where it says that they are.
    fn put_copies(&self, record: u64) {
        self.site.put("s0", &format!("k{record}"), &document(record, 0));
        self.site.put("s1", &made_key(record), &document(record, 0));
    }

    /// Gives items an edition in the first source, and times how they are spread.
    fn time(&self, numbers: &[u64], edition: u64) -> f64 {
        let keys: Vec<String> = numbers.iter().map(|number| format!("k{number}")).collect();
        numbers.iter().zip(&keys).for_each(|(number, key)| self.site.put("s0", key, &document(*number, edition)));
        let (mut connection, last) = (self.site.connection(), self.last_item());
        let began = Instant::now();
        self.site.notify(&mut connection, "s0", &keys);
        let done = format!("select count(*)::text from work_item where id > {last} and state = 'done'");
        self.wait_for(&done, keys.len());
        keys.len() as f64 / began.elapsed().as_secs_f64()
    }

    fn last_item(&self) -> String {
        self.value("select coalesce(max(id), 0)::text from work_item")
    }

    /// Waits until the answer to a question is this number.
    fn wait_for(&self, question: &str, number: usize) {
        while self.value(question) != number.to_string() {
            sleep(Duration::from_millis(20));
        }
    }

    fn value(&self, question: &str) -> String {
        self.database.rows(question)[0][0].clone().expect("it is not null")
    }

    fn mebibytes(&self) -> f64 {
        self.daemon.memory() as f64 / 1024.0
    }

    /// Times how what is due first is worked off where so much is due as there is of [`QUEUE`].
    fn work_off(&self) -> f64 {
        let olds = self.olds(ALL_ROUNDS - 1);
        olds.iter().for_each(|record| self.site.put("s0", &format!("k{record}"), &document(*record, 1)));
        let last = self.last_item();
        let keys: Vec<String> = olds.iter().map(|record| format!("('k{record}')")).collect();
        let insert =
            "insert into work_item (entity, subject, source, foreign_key, due_at) select 'customer', 'copy', 's0',";
        for rows in [
            format!("key, '2000-01-01' from (values {}) as wanted (key)", keys.join(", ")),
            format!("'k' || n, '2000-01-02' from generate_series(1, {QUEUE}) as n on conflict do nothing"),
        ] {
            self.database.execute(&format!("{insert} {rows}"));
        }
        self.database.execute("vacuum analyze work_item");
        let began = Instant::now();
        self.site.notify(&mut self.site.connection(), "s0", &[format!("k{}", olds[0])]);
        let left = format!("id > {last} and id <= {last} + {ITEMS} and state <> 'done'");
        self.wait_for(&format!("select count(*)::text from work_item where {left}"), 0);
        let rate = ITEMS as f64 / began.elapsed().as_secs_f64();
        // Of the others there is nothing to be found.
        self.ask("POST", "/v1/entities/customer/pause");
        self.database.execute("delete from work_item where due_at = '2000-01-02' and state in ('ready', 'waiting')");
        self.wait_for("select count(*)::text from work_item where state = 'running'", 0);
        self.ask("POST", "/v1/entities/customer/resume");
        rate
    }

    /// Times a scrape, in milliseconds.
    fn scrape(&self) -> f64 {
        let began = Instant::now();
        self.ask("GET", "/metrics");
        began.elapsed().as_secs_f64() * 1000.0
    }

    fn ask(&self, method: &str, path: &str) {
        let answer = ask(self.site.path(), method, path);
        assert_eq!(answer.as_ref().map(|answer| answer.0), Some(200), "{method} {path}: {answer:?}");
    }
}

/// Has each of some scenes do the same, in turns.
fn in_turns<const N: usize>(scenes: [&Scene; N], rounds: std::ops::Range<u64>) -> [Vec<Rates>; N] {
    let mut rates = scenes.map(|_| Vec::new());
    for round in rounds {
        for (scene, rates) in scenes.iter().zip(&mut rates) {
            rates.push(scene.work(round));
        }
    }
    rates
}

fn compare_rates(few: &Scene, many: &Scene) {
    let mut report = Report::new(
        "scale",
        "What it costs that there is much already: a daemon with so many records, beside one that has none and does the same work in turns; \
         two sources, items a second, from the first notification to the last recording.",
    );
    let empty = Scene::new(0, "");
    let crowd = Scene::new(0, &others());
    enter_idle(&mut report, &empty, many);
    let [none, of_few, of_many, in_crowd] = in_turns([&empty, few, many, &crowd], 0..ROUNDS);
    enter_rates(&mut report, &format!("{FEW} records"), &of_few, &none, Bound::None);
    enter_rates(&mut report, &format!("{MANY} records"), &of_many, &none, Bound::AtLeast(0.9));
    enter_rates(&mut report, &format!("{ENTITIES} entities"), &in_crowd, &none, Bound::None);
    drop(crowd);
    fill_queue(&many.database, QUEUE);
    let [none, of_many] = in_turns([&empty, many], ROUNDS..2 * ROUNDS);
    enter_rates(&mut report, &format!("{MANY} records, {QUEUE} wait"), &of_many, &none, Bound::AtLeast(0.9));
    let none: Vec<f64> = none.iter().map(|rates| rates.updates).collect();
    report.compare(
        &format!("updates, {QUEUE} due"),
        "/s",
        &[(many.work_off(), report::median(none))],
        Bound::AtLeast(0.9),
    );
    let scrapes: Vec<(f64, f64)> = (0..5).map(|_| (many.scrape(), empty.scrape())).collect();
    report.compare(&format!("a scrape, {MANY} records, {QUEUE} wait"), "ms", &scrapes, Bound::None);
    report.write();
}

fn enter_rates(report: &mut Report, what: &str, ours: &[Rates], floor: &[Rates], bound: Bound) {
    let pairs = |of: fn(&Rates) -> f64| ours.iter().map(of).zip(floor.iter().map(of)).collect::<Vec<_>>();
    report.compare(&format!("creates, {what}"), "/s", &pairs(|rates| rates.creates), bound);
    report.compare(&format!("updates, {what}"), "/s", &pairs(|rates| rates.updates), bound);
}

/// Lets both have worked, and watches what they take when there is nothing to do.
fn enter_idle(report: &mut Report, empty: &Scene, many: &Scene) {
    in_turns([empty, many], ALL_ROUNDS - 2..ALL_ROUNDS - 1);
    sleep(SETTLING);
    let before = many.daemon.cpu();
    sleep(WATCHED);
    let busy = (many.daemon.cpu() - before).as_secs_f64() / WATCHED.as_secs_f64();
    let more = many.mebibytes() - empty.mebibytes();
    report.measure(&format!("memory, {MANY} records"), "MiB", many.mebibytes(), Bound::AtMost(40.0));
    report.measure("of which more than without records", "MiB", more, Bound::AtMost(32.0));
    report.measure(&format!("of a core, idle, {MANY} records"), "%", busy * 100.0, Bound::AtMost(1.0));
}

/// Configures the other entities.
fn others() -> String {
    let source = |entity, source| format!("[entities.e{entity}.sources.s{source}]\ncommand = [\"/bin/true\"]\n");
    (1..ENTITIES).flat_map(|entity| [0, 1].map(|number| source(entity, number))).collect()
}

/// Enters what each statement reads: a table, and every plan.
fn enter_plans(report: &mut Report, few: &[Explained], many: &[Explained], queued: &[Explained]) {
    let mut table = format!(
        "| statement | pages, {FEW} records | {MANY} | {MANY}, {QUEUE} wait | ms |\n|---|---:|---:|---:|---:|\n"
    );
    let mut plans = String::new();
    for ((few, many), queued) in few.iter().zip(many).zip(queued) {
        let grown = |pages: u64| if is_grown(few.pages, pages) { format!("**{pages}**") } else { pages.to_string() };
        let (many_pages, queued_pages) = (grown(many.pages), grown(queued.pages));
        let row =
            format!("| {} | {} | {many_pages} | {queued_pages} | {:.2} |\n", few.name, few.pages, queued.milliseconds);
        table += &row;
        plans += &format!("{}\n\n{}\n\n", queued.name, queued.plan);
    }
    let grown = few.iter().zip(many).filter(|(few, many)| is_grown(few.pages, many.pages)).count();
    report.measure("statements that grow with the records", "", grown as f64, Bound::AtMost(0.0));
    let grown = few.iter().zip(queued).filter(|(few, queued)| is_grown(few.pages, queued.pages)).count();
    report.measure("statements that grow with the queue", "", grown as f64, Bound::None);
    report.note(&table);
    report.note(
        "Four read what waits, however much there is besides: a count reads all of it, `list_told` what waits at its source (asked only while a \
         create is in doubt at a source that has no `find`), and `probe` and `release`, asked here for a source for which nothing waits, what \
         waits for another. They touch no page more for the records.",
    );
    report.note(&format!(
        "<details><summary>The plans, with {MANY} records and {QUEUE} items that wait</summary>\n\n```text\n{plans}```\n\n</details>"
    ));
}

/// Whether a statement reads more than the deeper trees of larger indexes account for.
fn is_grown(few: u64, many: u64) -> bool {
    many > 2 * few + 8
}
