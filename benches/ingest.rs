//! How many notifications a second are acknowledged once they are durable: `make bench`.
//!
//! They stand beside their floor: pgbench inserting single rows into the same server, with as many clients, in turns.

mod daemon;
mod report;
mod socket;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use daemon::Daemon;
use report::{Bound, Report};
use socket::{Connection, ask, is_ready};

/// How long one measurement takes, and how many of each are made, in turns.
const TIME: Duration = Duration::from_secs(4);
const ROUNDS: usize = 3;
/// How many notifications a batch has.
const BATCH: u64 = 100;

const CONFIG: &str = "[server]\nlisten = \"\"\ngrace = \"1s\"\n\n[log]\nlevel = \"alert\"\n\n\
    [entities.customer.sources.billing]\ncommand = [\"/bin/true\"]\n\
    [entities.customer.sources.crm]\ncommand = [\"/bin/true\"]\n";

const INSERT: &str = "\\set n random(1, 1000000000)\n\
    insert into bench_ingest (entity, source, foreign_key) values ('customer', 'crm', :n);\n";

fn main() {
    let mut report = Report::new(
        "ingest",
        "Notifications a second that are acknowledged, each durable; beside pgbench inserting single rows into the same server, \
         with as many clients as are named last.",
    );
    let dir = daemon::directory();
    fs::write(dir.path().join("retcon.toml"), CONFIG).expect("a configuration");
    fs::write(dir.path().join("insert.sql"), INSERT).expect("a script");
    let daemon = Daemon::start(dir.path(), || is_ready(dir.path()));
    // No look is made meanwhile.
    assert_eq!(ask(dir.path(), "POST", "/v1/entities/customer/pause").map(|answer| answer.0), Some(200));
    let table = "create table bench_ingest (id bigint generated always as identity primary key, entity text not null, \
                 source text not null, foreign_key text not null)";
    psql(dir.path(), table);
    let least = |beside, clients| if (clients, beside) == (64, 8) { Bound::AtLeast(1.0) } else { Bound::None };
    for (clients, beside) in [(1, 1), (8, 8), (64, 64), (64, 8)] {
        let rounds = measure(dir.path(), clients, 1, beside);
        report.compare(&format!("{clients} clients, pgbench {beside}"), "/s", &rounds, least(beside, clients));
    }
    let rounds = measure(dir.path(), 8, BATCH, 8);
    report.compare(&format!("8 clients, batches of {BATCH}, pgbench 8"), "/s", &rounds, Bound::AtLeast(3.0));
    drop(daemon);
    report.write();
}

/// Measures notifications and inserted rows a second, in turns.
fn measure(dir: &Path, clients: usize, batch: u64, beside: usize) -> Vec<(f64, f64)> {
    (0..ROUNDS).map(|_| (post(dir, clients, batch), insert(dir, beside))).collect()
}

/// Posts for a while, from clients that keep their connections; gives the notifications that were acknowledged a second.
fn post(dir: &Path, clients: usize, batch: u64) -> f64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (over, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut connection = Connection::open(dir);
                while !over.load(Ordering::Relaxed) {
                    let first = NEXT.fetch_add(batch, Ordering::Relaxed);
                    let one = |n: u64| format!(r#"{{"entity":"customer","source":"crm","key":"{n}"}}"#);
                    let body = match batch {
                        1 => one(first),
                        _ => {
                            let all: Vec<String> = (first..first + batch).map(one).collect();
                            format!(r#"{{"notifications":[{}]}}"#, all.join(","))
                        }
                    };
                    connection.post("/v1/notifications", &body);
                    done.fetch_add(batch, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(TIME);
        over.store(true, Ordering::Relaxed);
    });
    done.into_inner() as f64 / began.elapsed().as_secs_f64()
}

/// Has pgbench insert single rows for a while; gives the rows a second.
fn insert(dir: &Path, clients: usize) -> f64 {
    let (clients, seconds, script) = (clients.to_string(), TIME.as_secs().to_string(), dir.join("insert.sql"));
    let script = script.to_str().expect("a path in UTF-8");
    let told = pgbench(dir, &["-n", "-M", "prepared", "-f", script, "-c", &clients, "-j", "2", "-T", &seconds]);
    let line = told.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap_or_else(|| panic!("no tps: {told}"));
    line.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

fn pgbench(dir: &Path, arguments: &[&str]) -> String {
    postgres(dir, "pgbench", &[arguments, &["postgres"]].concat())
}

fn psql(dir: &Path, statement: &str) {
    postgres(dir, "psql", &["-q", "-v", "ON_ERROR_STOP=1", "-c", statement, "postgres"]);
}

/// Runs a program of PostgreSQL against the private server of the daemon.
fn postgres(dir: &Path, name: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program(name));
    command.args(["-h", &dir.join("state/pg/sock").display().to_string(), "-U", "retcon"]).args(arguments);
    let output = command.output().expect("it is installed with PostgreSQL");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {}\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    text
}

/// Finds a program of PostgreSQL: on `PATH`, or where Debian has it.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let places = versions.map(|version| version.path().join("bin").join(name));
    places.filter(|place| place.exists()).max().unwrap_or_else(|| PathBuf::from(name))
}
