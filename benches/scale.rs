//! What it costs that there is much already: `make bench`; `cargo bench --bench scale -- plans` asks PostgreSQL alone.
//!
//! Daemons with no records, with ten thousand and with a million do the same work in turns, so that a busy machine slows all of them.

mod daemon;
mod fill;
mod plans;
mod report;
#[path = "scale/scene.rs"]
mod scene;
mod site;
mod socket;

use std::env;
use std::thread::sleep;
use std::time::Duration;

use fill::fill_queue;
use plans::{Explained, explain_all};
use report::{Bound, Report};
use scene::{ROUNDS, Round, Scene, Took};

const FEW: u64 = 10_000;
const MANY: u64 = 1_000_000;
/// How many items wait, where many do.
const QUEUE: u64 = 200_000;
const ENTITIES: usize = 1_000;
/// How long what has been done may echo before a daemon counts as idle, and how long it is watched then.
const SETTLING: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_secs(20);

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
    let of_queue = if only_plans {
        fill_queue(&many.database, QUEUE);
        explain_all(&many.database)
    } else {
        compare_rates(&few, &many)
    };
    enter_plans(&mut report, &of_few, &of_many, &of_queue);
    report.write();
}

/// Has each of some scenes do the same, in turns, and each time another one first.
fn in_turns<T, const N: usize>(
    scenes: [&Scene; N],
    rounds: std::ops::Range<u64>,
    work: fn(&Scene, u64) -> T,
) -> [Vec<T>; N] {
    let mut took = scenes.map(|_| Vec::new());
    for round in rounds {
        for place in 0..N {
            let place = (place + round as usize) % N;
            took[place].push(work(scenes[place], round));
        }
    }
    took
}

/// Compares them; gives the plans as they are while much waits, and nothing is due that a claim would take instead.
fn compare_rates(few: &Scene, many: &Scene) -> Vec<Explained> {
    let mut report = Report::new(
        "scale",
        "What it costs that there is much already: a daemon with so many records, beside one that has none and does the same work in turns; \
         two sources, items a second, from the first notification to the last recording, and what they take of the cores. What is changed \
         is all over the records, each for the first time since they were made; where there are none, it is what was made just before.",
    );
    let empty = Scene::new(0, "");
    let crowd = Scene::new(0, &others());
    enter_idle(&mut report, &empty, many);
    let [none, of_few, of_many, in_crowd] = in_turns([&empty, few, many, &crowd], 0..ROUNDS, Scene::work);
    enter_rounds(&mut report, &format!("{FEW} records"), &of_few, &none, Bound::None);
    enter_rounds(&mut report, &format!("{MANY} records"), &of_many, &none, Bound::AtLeast(0.9));
    enter_rounds(&mut report, &format!("{ENTITIES} entities"), &in_crowd, &none, Bound::None);
    drop(crowd);
    enter_memory(&mut report, &format!("{FEW} records"), few, &empty);
    fill_queue(&many.database, QUEUE);
    let [none, of_many] = in_turns([&empty, many], ROUNDS..2 * ROUNDS, Scene::work);
    enter_rounds(&mut report, &format!("{MANY} records, {QUEUE} wait"), &of_many, &none, Bound::AtLeast(0.9));
    enter_memory(&mut report, &format!("{MANY} records, {QUEUE} wait"), many, &empty);
    // As autovacuum does a moment later.
    many.database.execute("vacuum analyze work_item");
    let of_queue = explain_all(&many.database);
    empty.fill_due(0);
    many.fill_due(QUEUE);
    let [none, of_many] = in_turns([&empty, many], 0..ROUNDS, |scene, _| scene.work_off());
    enter(&mut report, &format!("updates, {MANY} records, {QUEUE} due"), &of_many, &none, Bound::AtLeast(0.9));
    enter_memory(&mut report, &format!("{MANY} records, {QUEUE} due"), many, &empty);
    let scrapes: Vec<(f64, f64)> = (0..5).map(|_| (many.scrape(), empty.scrape())).collect();
    report.compare(&format!("a scrape, {MANY} records, {QUEUE} wait"), "ms", &scrapes, Bound::None);
    report.write();
    of_queue
}

fn enter_rounds(report: &mut Report, what: &str, ours: &[Round], floor: &[Round], bound: Bound) {
    let all = |rounds: &[Round], of: fn(&Round) -> Took| rounds.iter().map(of).collect::<Vec<_>>();
    for (work, of) in [("creates", (|round| round.creates) as fn(&Round) -> Took), ("updates", |round| round.updates)] {
        enter(report, &format!("{work}, {what}"), &all(ours, of), &all(floor, of), bound);
    }
}

fn enter(report: &mut Report, what: &str, ours: &[Took], floor: &[Took], bound: Bound) {
    let pairs = |of: fn(&Took) -> f64| ours.iter().map(of).zip(floor.iter().map(of)).collect::<Vec<_>>();
    report.pairs(what, "/s", &pairs(|took| took.rate), bound);
    report.pairs(&format!("of the cores, {what}"), "ms", &pairs(|took| took.cpu), Bound::None);
}

/// Enters what a daemon has in memory after so much work, beside one without records that has done as much.
fn enter_memory(report: &mut Report, what: &str, ours: &Scene, empty: &Scene) {
    report.within(
        &format!("memory after work, {what}"),
        "MiB",
        &[(ours.mebibytes(), empty.mebibytes())],
        Bound::AtMost(40.0),
    );
}

/// Lets both have worked, and watches what they take when there is nothing to do.
fn enter_idle(report: &mut Report, empty: &Scene, many: &Scene) {
    in_turns([empty, many], 2 * ROUNDS..2 * ROUNDS + 1, Scene::work);
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
         waits for another. They touch no page more for the records. `assign` reads a row, and enters its next version in the indexes of what \
         waits, each of which is two pages deeper.",
    );
    report.note(&format!(
        "<details><summary>The plans, with {MANY} records and {QUEUE} items that wait</summary>\n\n```text\n{plans}```\n\n</details>"
    ));
}

/// Whether a statement reads more than the deeper trees of larger indexes account for.
fn is_grown(few: u64, many: u64) -> bool {
    many > 2 * few + 8
}
