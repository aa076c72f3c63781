//! What a scrape of `/metrics` and the overview cost with a thousand entities and a hundred thousand records: `make bench`.
//!
//! The scrape stands beside its floor: the one count that the database makes for it, asked for alone.

mod daemon;
mod report;
mod socket;

use std::fs;
use std::path::Path;
use std::time::Instant;

use daemon::Daemon;
use report::{Bound, Report};
use socket::{ask, is_ready};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls};

const ENTITIES: usize = 1000;
const SOURCES: [&str; 3] = ["billing", "crm", "warehouse"];
/// How often each is measured.
const TIMES: usize = 50;

/// A hundred records for each entity, of which a tenth is deleted; work that waits, conflicts.
const FILL: &str = "
    update entity set last_internal_key = 100;
    insert into record (entity, id, version, agreed, state)
        select name, n, 1, '{\"name\": \"Ann\"}', case when n % 10 = 0 then 'deleted' else 'live' end
        from entity, generate_series(1, 100) as n;
    insert into work_item (entity, subject, source, foreign_key, state, due_at, blocked_by)
        select name, 'copy', 'crm', 'k' || n, 'waiting', 'infinity', '{crm}' from entity, generate_series(1, 10) as n;
    insert into conflict (entity, record, path, path_hash, kind, contenders, contended)
        select name, 1, '\"\"', '', 'held', '[]', '[]' from entity;
    analyze";

fn main() {
    let mut report = Report::new(
        "scrape",
        &format!(
            "A scrape of `/metrics` with {ENTITIES} entities of {} sources and 100,000 records, beside the one count that the \
             database makes for it, asked for alone; and the overview for people.",
            SOURCES.len()
        ),
    );
    let dir = daemon::directory();
    let runtime = Runtime::new().expect("a runtime");
    configure(&dir);
    let daemon = Daemon::start(dir.path(), || is_ready(dir.path()));
    let client = runtime.block_on(connect(dir.path()));
    for statement in FILL.split_inclusive(';') {
        runtime.block_on(client.batch_execute(statement)).expect("rows");
    }
    let count = include_str!("../src/store/sql/entity/count.sql");
    let counts = times(|| assert_eq!(runtime.block_on(client.query(count, &[])).expect("counts").len(), ENTITIES));
    let mut size = 0;
    let scrapes = times(|| size = scrape(dir.path()).len());
    for (place, what) in ["median", "longest"].into_iter().enumerate() {
        report.within(what, "ms", &[(scrapes[place], counts[place])], Bound::AtMost(100.0));
    }
    report.measure("size", "MiB", size as f64 / f64::from(1 << 20), Bound::AtMost(2.0));
    let pages = times(|| size = overview(dir.path()).len());
    report.measure("the overview, median", "ms", pages[0], Bound::AtMost(100.0));
    report.measure("the overview, longest", "ms", pages[1], Bound::None);
    report.measure("the overview, size", "KiB", size as f64 / 1024.0, Bound::AtMost(100.0));
    report.write();
    drop(client);
    drop(daemon);
}

fn configure(dir: &TempDir) {
    let source = |entity: usize, name: &str| {
        format!("[entities.entity-{entity:04}.sources.{name}]\ncommand = [\"/bin/true\"]\n")
    };
    let entities: String = (0..ENTITIES).flat_map(|entity| SOURCES.map(|name| source(entity, name))).collect();
    let head = "[server]\nlisten = \"\"\ngrace = \"1s\"\n\n[log]\nlevel = \"alert\"\n\n";
    fs::write(dir.path().join("retcon.toml"), format!("{head}{entities}")).expect("a configuration");
}

/// Measures the median and the longest time, in milliseconds.
fn times(mut work: impl FnMut()) -> [f64; 2] {
    let mut times: Vec<f64> = (0..TIMES)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    [times[TIMES / 2], times[TIMES - 1]]
}

fn scrape(dir: &Path) -> String {
    let (status, text) = ask(dir, "GET", "/metrics").expect("the daemon answers");
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("retcon_records{entity=\"entity-0999\"} 90\n"), "{text}");
    text
}

fn overview(dir: &Path) -> String {
    let (status, text) = ask(dir, "GET", "/").expect("the daemon answers");
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("1,000 conflicts") && text.contains("entity-0000"), "{text}");
    text
}

async fn connect(dir: &Path) -> Client {
    let mut config = Config::new();
    config.host_path(dir.join("state/pg/sock")).user("retcon").dbname("postgres");
    let (client, connection) = config.connect(NoTls).await.expect("the private PostgreSQL takes connections");
    tokio::spawn(connection);
    client
}
