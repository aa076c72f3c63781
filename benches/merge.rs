//! The time and the allocations of one merge of three copies: `make bench`.
//!
//! A look at a record reads three documents and writes one at least. That passage is the floor: parsing the three and
//! printing one. Beside it stand parsing and printing each once, and the differences that `json-patch` finds between the
//! agreed document and each of the three, which is less than a merge. All sides are measured in turns, so that a busy
//! machine slows all.

#[path = "merge/allocations.rs"]
mod allocations;
#[path = "report/mod.rs"]
mod report;
#[path = "merge/scene.rs"]
mod scene;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use retcon::domain::json::Json;
use retcon::domain::merge::merge;

use report::{Bound, Report, median};
use scene::{SHAPES, Scene, Shape, Size};

/// How often each side is measured.
const ROUNDS: usize = 21;
/// How many bytes pass in one measurement, about.
const BYTES: usize = 1_000_000;
/// How many times its floor a merge of small documents may take.
const MOST: f64 = 3.0;

const ABOUT: &str = "One merge of three copies, beside its floor: parsing the three documents and printing one.";
const HEAD: &str = "Beside these, parsing and printing each of the three once, and what `json-patch` takes to find the \
    differences between the agreed document and each of the three, which is less than a merge; and the allocations of \
    each.\n\n\
    | | merge | floor | each once | diffs | allocations: merge | floor | each once | diffs |\n\
    |---|---:|---:|---:|---:|---:|---:|---:|---:|\n";

fn main() {
    let mut report = Report::new("merge", ABOUT);
    let mut table = HEAD.to_owned();
    for (size, bound) in [(Size::Small, Bound::AtMost(MOST)), (Size::Large, Bound::None)] {
        for shape in &SHAPES {
            measure(&mut report, &mut table, size, shape, bound);
        }
    }
    report.note(table.trim_end());
    report.write();
}

/// Measures a case.
fn measure(report: &mut Report, table: &mut String, size: Size, shape: &Shape, bound: Bound) {
    let scene = Scene::new(size, shape);
    let texts = scene.texts();
    let values: Vec<serde_json::Value> = texts.iter().map(|text| text.parse().expect("it is JSON")).collect();
    let agreed = scene.agreed.to_serde().expect("it has no lone surrogates");
    let question = scene.question();
    let sides: [&dyn Fn(); 4] = [
        &|| drop(black_box(merge(black_box(&question)))),
        &|| read_and_write_one(&texts),
        &|| texts.iter().for_each(|text| pass(text)),
        &|| values.iter().for_each(|value| drop(black_box(json_patch::diff(black_box(&agreed), value)))),
    ];
    let passes = (BYTES / texts.iter().map(String::len).sum::<usize>()).max(1);
    let mut times = sides.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (times, side) in times.iter_mut().zip(sides) {
            times.push(time(passes, side));
        }
    }
    let what = format!("3 x {size}, {}", shape.name);
    let rounds: Vec<(f64, f64)> = times[0].iter().copied().zip(times[1].iter().copied()).collect();
    report.compare(&what, "µs", &rounds, bound);
    let [merging, floor, passing, diffing] = times.map(median);
    let _ = write!(table, "| {what} | {merging:.1} µs | {floor:.1} µs | {passing:.1} µs | {diffing:.1} µs |");
    for side in sides {
        let _ = write!(table, " {} |", allocations::count(side));
    }
    table.push('\n');
}

/// Reads all documents and writes the first.
fn read_and_write_one(texts: &[String]) {
    let read = |text: &String| Json::parse(black_box(text).as_bytes()).expect("it is a document");
    let documents: Vec<Json> = texts.iter().map(read).collect();
    drop(black_box(documents[0].to_string()));
    drop(black_box(documents));
}

/// Reads a document and writes it again, as it passes through the daemon.
fn pass(text: &str) {
    let document = Json::parse(black_box(text).as_bytes()).expect("it is a document");
    drop(black_box(document.to_string()));
}

/// Gives the time of one pass, in microseconds.
fn time(passes: usize, side: &dyn Fn()) -> f64 {
    let start = Instant::now();
    for _ in 0..passes {
        side();
    }
    start.elapsed().as_secs_f64() * 1e6 / passes as f64
}
