//! How long it takes from the acknowledgement of a notification to the end of the write in the other source: `make bench`.
//!
//! It stands beside its floor, what cannot be left out: both copies read side by side, one durable commit in the same
//! PostgreSQL, the update; done bare, in turns.

mod bare;
mod daemon;
mod report;
mod site;
mod socket;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bare::Bare;
use report::{Bound, Report};
use rustix::time::{ClockId, clock_gettime};
use site::{Database, ENTITY, Site, document};
use socket::Connection;

/// How many notifications a round has, and how many rounds there are.
const ITEMS: u64 = 100;
const ROUNDS: u64 = 5;
/// How long everything is left alone before the next one, so that it meets a daemon that has nothing to do.
const PAUSE: Duration = Duration::from_millis(40);

const TABLE: &str = "create table bench_latency (id bigint generated always as identity primary key, document json)";

fn main() {
    let mut report = Report::new(
        "latency",
        "From the acknowledgement of a notification to the end of the write in the other source, nothing else being done, and from \
         when it was sent: some of the work is done before it is acknowledged. Beside both reads side by side, one durable commit \
         and the update, done bare.",
    );
    let (ours, floor) = (Site::new(2), Site::new(2));
    ours.configure_with(|source| ours.environment(source), "");
    let daemon = ours.start();
    let database = ours.database();
    database.execute(TABLE);
    prepare(&ours, &floor, &database);
    let mut connection = ours.connection();
    let rounds: Vec<[(f64, f64); 4]> = (1..=ROUNDS)
        .map(|edition| {
            let pairs = (0..ITEMS)
                .map(|item| (notified(&ours, &mut connection, item, edition), bare(&floor, &database, item, edition)));
            let (ours, floor): (Vec<Took>, Vec<f64>) = pairs.unzip();
            let acknowledged: Vec<f64> = ours.iter().map(|took| took.acknowledged).collect();
            let sent: Vec<f64> = ours.iter().map(|took| took.sent).collect();
            [(&acknowledged, 0.50), (&acknowledged, 0.99), (&sent, 0.50), (&sent, 0.99)]
                .map(|(ours, part)| (quantile(ours, part), quantile(&floor, part)))
        })
        .collect();
    drop((connection, database, daemon));
    let of = |place: usize| rounds.iter().map(|round| round[place]).collect::<Vec<_>>();
    report.compare("p50", "ms", &of(0), Bound::AtMost(1.5));
    report.compare("p99", "ms", &of(1), Bound::None);
    report.compare("p50, from when it was sent", "ms", &of(2), Bound::None);
    report.compare("p99, from when it was sent", "ms", &of(3), Bound::None);
    report.note(&format!("Each round has {ITEMS} notifications."));
    report.write();
}

/// Has all records made, in both places.
fn prepare(ours: &Site, floor: &Site, database: &Database) {
    let keys: Vec<String> = (0..ITEMS).map(|item| format!("k{item}")).collect();
    for (item, key) in (0..ITEMS).zip(&keys) {
        ours.put("s0", key, &document(item, 0));
        floor.sources.iter().for_each(|source| floor.put(source, key, &document(item, 0)));
    }
    ours.notify(&mut ours.connection(), "s0", &keys);
    database.wait_until_done();
    assert_eq!(fs::read_dir(ours.store("s1")).expect("it is there").count() as u64, ITEMS);
}

/// How long it took to the end of the write, in milliseconds, from two moments on.
struct Took {
    sent: f64,
    acknowledged: f64,
}

/// Edits an item and tells the daemon.
fn notified(site: &Site, connection: &mut Connection, item: u64, edition: u64) -> Took {
    let key = format!("k{item}");
    site.put("s0", &key, &document(item, edition));
    let notes = site.notes("s1");
    let before = length(&notes);
    sleep(PAUSE);
    let body = format!(r#"{{"entity":"{ENTITY}","source":"s0","key":"{key}"}}"#);
    let sent = now();
    connection.post("/v1/notifications", &body);
    let acknowledged = now();
    let until = Instant::now() + Duration::from_secs(30);
    while length(&notes) == before {
        assert!(Instant::now() < until, "nothing is written for {key}");
        sleep(Duration::from_millis(1));
    }
    let ended = last_note(&notes);
    let since = |moment| (ended - moment) as f64 / 1e6;
    Took { sent: since(sent), acknowledged: since(acknowledged) }
}

/// Does the same without a daemon.
fn bare(site: &Site, database: &Database, item: u64, edition: u64) -> f64 {
    let (key, text) = (format!("k{item}"), document(item, edition) + "\n");
    let program = |source: &str| {
        let environment = site.environment(source);
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Bare::new(site.program(), &environment)
    };
    let reads = ["s0", "s1"].map(|source| program(source).told("read", &key));
    let update = program("s1").told("update", &key);
    sleep(PAUSE);
    let began = now();
    let reads = reads.map(|read| read.start(None));
    reads.into_iter().for_each(|read| assert_eq!(read.finish().status, Some(0)));
    database.execute(&format!("insert into bench_latency (document) values ('{}')", text.trim()));
    assert_eq!(update.run(Some(&text)).status, Some(0));
    (last_note(&site.notes("s1")) - began) as f64 / 1e6
}

/// The time by which the programs note, in nanoseconds.
fn now() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

fn length(notes: &Path) -> u64 {
    fs::metadata(notes).map_or(0, |metadata| metadata.len())
}

fn last_note(notes: &Path) -> i64 {
    let text = fs::read_to_string(notes).expect("something was written");
    let line = text.lines().last().expect("something was written");
    assert!(line.starts_with("update "), "{line}");
    line.rsplit(' ').next().and_then(|time| time.parse().ok()).expect("a time")
}

/// Gives the value that this part of all are below.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}
