//! The time and the allocations of one merge of three copies: `make bench`.
//!
//! A look at a record reads three documents and writes one at least. That passage is the floor: parsing the three and
//! printing one. Beside it stand parsing and printing each once, and the differences that `json-patch` finds between the
//! agreed document and each of the three, which is less than a merge. The ratios are what to watch: all sides are
//! measured in turns, so that a busy machine slows all.

#[path = "merge/allocations.rs"]
mod allocations;
#[path = "merge/scene.rs"]
mod scene;

use std::hint::black_box;
use std::time::{Duration, Instant};

use retcon::domain::json::Json;
use retcon::domain::merge::merge;

use scene::{SHAPES, Scene, Shape, Size};

/// How often each side is measured.
const ROUNDS: usize = 41;
/// How many bytes pass in one measurement, about.
const BYTES: usize = 600_000;

fn main() {
    println!(
        "{:<24}{:>9}{:>9}{:>7}{:>9}{:>7}{:>9}{:>9}{:>9}{:>9}",
        "three copies of", "merge", "floor", "ratio", "passing", "ratio", "diffs", "allocs", "floor's", "diffs'"
    );
    for size in [Size::Small, Size::Large] {
        for shape in &SHAPES {
            measure(size, shape);
        }
    }
}

/// Measures a case, and prints a line.
fn measure(size: Size, shape: &Shape) {
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
    let [merging, floor, passing, diffing] = times.map(median);
    let [merges, floors, _, diffs] = sides.map(allocations::count);
    let size = texts[0].len();
    println!(
        "{:<24}{merging:>9.1}{floor:>9.1}{:>7.2}{passing:>9.1}{:>7.2}{diffing:>9.1}{merges:>9}{floors:>9}{diffs:>9}",
        format!("{size} B, {}", shape.name),
        merging / floor,
        merging / passing,
    );
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
    let elapsed: Duration = start.elapsed();
    elapsed.as_secs_f64() * 1e6 / passes as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
