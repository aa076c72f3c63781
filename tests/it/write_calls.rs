//! A daemon that is killed at any of its calls that write: nothing is lost, nothing is done twice, and nothing is deleted wrongly.
//!
//! For each number n, the daemon is started on a place of its own, under `strike.c`, which kills it at the n-th of its calls
//! that write, before that call is carried out; PostgreSQL and the sources are not traced. Meanwhile a short script is played:
//! an item is introduced, edited and deleted in one system, of three. When the daemon dies another one is started, untraced,
//! and the script goes on; what the systems hold is compared after every step.
//!
//! With `CI_LONG=1` n runs from 1 until the daemon comes to its end untouched; otherwise a sample of the numbers is taken.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;

use crate::support::daemon::{Daemon, processes};
use crate::support::postgres::block_on;
use crate::support::program::{program, run};
use crate::support::site::Site;
use crate::support::socket::call;
use crate::support::store::rows;
use crate::support::system::Language::C;
use crate::support::system::{json, testing};
use crate::support::wait::until;

const ANN: &str = r#"{"email":"ann@example.com","name":"Ann"}"#;
const ANNE: &str = r#"{"email":"ann@example.com","name":"Anne"}"#;
const OTHERS: [&str; 2] = ["billing", "ldap"];

/// How many strikes a short run makes.
const SAMPLE: usize = 10;
/// A long run is over when so many daemons in a row came to their end untouched: how many calls one makes varies a little.
const UNTOUCHED: usize = 6;
/// How many daemons are struck at the same time.
const SIDE_BY_SIDE: usize = 3;

/// The compiled `tests/it/sources/strike.c`.
static STRIKE: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strike");
    let fresh = place.with_extension(std::process::id().to_string());
    run(program("cc").args(["-O1", "-Wall", "-Werror", "-o"]).arg(&fresh).arg(testing("sources/strike.c")), b"")
        .exits(0);
    fs::rename(&fresh, &place).expect("the compiled program is there");
    place
});

/// How far the script has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Start,
    Introduce,
    Update,
    Delete,
    Stop,
}

/// What came of a daemon that was to be killed at its n-th call.
struct Row {
    n: usize,
    /// The call, as `strike.c` reported it; `None`: it made fewer.
    struck: Option<String>,
    /// Where the script was then.
    stage: Stage,
    /// What had to be done about it.
    outcome: String,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n, struck, stage, outcome } = self;
        let struck = struck.as_deref().unwrap_or("untouched");
        write!(f, "{n:>5}  {:<9}  {:<48}  {struck}", format!("{stage:?}").to_lowercase(), outcome)
    }
}

/// The script, played on a site of its own.
struct Play<'a> {
    site: &'a Site,
    daemon: Option<Daemon<'a>>,
    /// Whether the daemon is the one that is to be struck.
    first: bool,
    stage: Stage,
    /// The stage at which it was struck.
    struck_at: Option<Stage>,
}

impl<'a> Play<'a> {
    /// Goes on with another daemon if the one that was struck is gone.
    #[track_caller]
    fn see_to_the_daemon(&mut self) {
        let daemon = self.daemon.as_mut().expect("there is always one");
        if daemon.ended().is_none() {
            return;
        }
        assert!(self.first, "only the first one is struck:\n{}", daemon.log_text());
        self.first = false;
        self.struck_at = Some(self.stage);
        // The processes that it leaves are its guardian's to end.
        self.daemon.take().expect("there is one").bury();
        self.daemon = Some(self.site.start());
    }

    /// Tells the daemon, whichever it is, of the item until it is acknowledged; what was acknowledged is never told again.
    #[track_caller]
    fn tell(&mut self) {
        let body = r#"{"entity":"customer","source":"crm","key":"a"}"#;
        until(
            || {
                self.see_to_the_daemon();
                let answer = call(&self.site.socket(), "POST", "/v1/notifications", Some(body.as_bytes()));
                answer.is_ok_and(|answer| answer.status == 202).then_some(())
            },
            || "nobody takes the notification",
        );
    }

    /// Tells of what users have done, waits until no work is left, and compares what the systems hold.
    #[track_caller]
    fn step(&mut self, stage: Stage, document: Option<&str>) {
        self.stage = stage;
        let (site, crm) = (self.site, self.site.system("crm"));
        match document {
            Some(document) => crm.put("a", document),
            None => crm.remove("a"),
        }
        self.tell();
        let owed = "select id, state, outcome, last_error from work_item where state <> 'done'";
        until(
            || {
                self.see_to_the_daemon();
                block_on(rows(site.database(), owed)).is_empty().then_some(())
            },
            || format!("work is left: {:?}\n{:#?}", block_on(rows(site.database(), owed)), site.runs()),
        );
        let expected: Vec<String> = document.map(json).into_iter().collect();
        for source in ["crm"].iter().chain(&OTHERS) {
            let held = self.site.system(source).documents();
            assert_eq!(held, expected, "{source} at {stage:?}; {}", self.story());
        }
        if stage < Stage::Delete {
            let deletes = OTHERS.map(|source| self.site.runs().count(source, "delete"));
            assert_eq!(deletes, [0, 0], "{stage:?}; {:#?}", self.site.runs());
        }
    }

    /// All that is known, for a failure.
    fn story(&self) -> String {
        let tables = [
            "select id, subject, source, foreign_key, record, state, attempts, outcome, last_error from work_item",
            "select id, kind, source, state, attempts, document, last_end, created_at, ended_at from operation",
            "select source, state, foreign_key, shadow, ack, owed, in_step, last_error from link",
            "select id, state, version, agreed from record",
        ];
        let tables = tables.map(|sql| format!("{sql}: {:#?}", block_on(rows(self.site.database(), sql))));
        let log = fs::read_to_string(self.site.path().join("retcond.log")).unwrap_or_default();
        let struck = fs::read_to_string(self.site.path().join("struck"));
        let runs = self
            .site
            .runs()
            .0
            .into_iter()
            .map(|run| format!("{:?} {} {} {} {}", run.end, run.source, run.operation, run.key, run.operation_id));
        format!("{struck:?}\n{}\n{}\n{log}", tables.join("\n"), runs.collect::<Vec<_>>().join("\n"))
    }

    /// Plays the whole script, and stops the daemon.
    #[track_caller]
    fn play(&mut self) {
        let log = self.site.path().join("retcond.log");
        let is_ready = || fs::read_to_string(&log).is_ok_and(|log| log.contains("\"database ready\""));
        until(
            || {
                self.see_to_the_daemon();
                is_ready().then_some(())
            },
            || "nobody is ready",
        );
        self.step(Stage::Introduce, Some(ANN));
        self.step(Stage::Update, Some(ANNE));
        self.step(Stage::Delete, None);
        self.stage = Stage::Stop;
        self.see_to_the_daemon();
        let mut daemon = self.daemon.take().expect("there is one");
        daemon.signal(Signal::TERM);
        let in_order = daemon.wait().code() == Some(0);
        assert!(in_order || self.first, "{}", daemon.log_text());
        daemon.bury();
        if !in_order {
            self.struck_at = Some(Stage::Stop);
            self.site.start().stop();
        }
        let left = || processes(self.site.path());
        until(|| left().is_empty().then_some(()), || format!("left: {:?}", left()));
    }

    /// Everything that was begun is accounted for.
    #[track_caller]
    fn expect_accounted(&self) {
        let ask = |sql: &str| block_on(rows(self.site.database(), sql));
        let unaccounted = "select id, source, kind, state, last_end from operation where state not in ('done', 'superseded') \
                           and (state <> 'in-doubt' or coalesce(last_end, '') = '')";
        assert_eq!(ask(unaccounted), [""; 0], "{:#?}", self.site.runs());
        assert_eq!(ask("select state from record"), ["deleted"], "{:#?}", self.site.runs());
        let runs = self.site.runs();
        runs.assert_none_meet();
        // What changed something had been committed as an operation before.
        for run in runs.started().filter(|run| run.operation_id != "-") {
            let known = ask(&format!("select kind from operation where id = '{}'", run.operation_id));
            assert_eq!(known, [run.operation.as_str()], "{run:?}");
        }
        for operation in ["create", "update", "delete"] {
            assert_eq!(runs.count("crm", operation), 0, "users' own system: {runs:#?}");
        }
    }

    /// Says what had to be done about the strike, by the sources' own log.
    fn outcome(&self) -> String {
        let runs = self.site.runs();
        let mut outcome = Vec::new();
        for operation in ["create", "update", "delete"] {
            let again: usize = OTHERS.iter().map(|source| runs.count(source, operation).saturating_sub(1)).sum();
            if again > 0 {
                outcome.push(format!("{operation} again"));
            }
        }
        if runs.started().any(|run| run.operation == "list" || run.operation == "find") {
            outcome.push("copy looked for".to_owned());
        }
        let doubts = block_on(rows(self.site.database(), "select id from operation where state = 'in-doubt'")).len();
        if doubts > 0 {
            outcome.push(format!("{doubts} in doubt"));
        }
        if outcome.is_empty() { "went on".to_owned() } else { outcome.join(", ") }
    }
}

/// The command by which a source tells of all its items.
fn listing(name: &str) -> String {
    let (recorder, plain) = (testing("sources/recorder.sh"), C.program());
    format!("list = [{recorder:?}, \"systems/{name}\", {plain:?}, \"systems/{name}\", \"list\"]")
}

/// Plays the script with a daemon that is killed at its n-th call that writes; 0: never.
#[track_caller]
fn strike(n: usize) -> Row {
    let site = Site::empty();
    let sources = [
        C.source("crm"),
        C.source("billing").with(&listing("billing")),
        C.source("ldap").with("create_is_idempotent = true"),
    ];
    let sources = sources.map(|source| {
        site.system(&source.name);
        source.table("customer")
    });
    site.system("ldap").set("remember");
    let common = "[server]\nlisten = \"\"\n\n[log]\nlevel = \"info\"\nformat = \"json\"\n\n";
    let retry = "[entities.customer]\nretry = { first = \"20ms\", max = \"200ms\", attempts = 3 }\n";
    site.write("retcon.toml", &[common, &site.database_table(), retry, &sources.concat()].concat());
    let report = site.path().join("struck");
    let mut tracer = program(&*STRIKE);
    tracer.arg(n.to_string()).arg(&report).arg(env!("CARGO_BIN_EXE_retcond"));
    let daemon = Daemon::spawn_by(&site, tracer);
    let mut play = Play { site: &site, daemon: Some(daemon), first: true, stage: Stage::Start, struck_at: None };
    play.play();
    play.expect_accounted();
    let report = fs::read_to_string(report).expect("the tracer reports");
    let struck = report.strip_prefix("struck ").map(|struck| struck.trim_end().to_owned());
    assert_eq!(struck.is_some(), play.struck_at.is_some(), "{report}");
    let outcome = match &struck {
        Some(_) => play.outcome(),
        None => report.trim_end().to_owned(),
    };
    Row { n, struck, stage: play.struck_at.unwrap_or(Stage::Stop), outcome }
}

/// Says whether processes may be traced here; where not, prints why.
fn may_trace() -> bool {
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("may-trace.{}", std::process::id()));
    let run = run(Command::new(&*STRIKE).arg("1").arg(&report).args(["/bin/echo", "not struck"]), b"");
    fs::remove_file(report).ok();
    if run.status == Some(125) {
        eprintln!("NOT RUN: tracing is not permitted here: {run}");
        return false;
    }
    assert_eq!((run.status, run.stdout()), (None, String::new()), "it was to be struck: {run}");
    true
}

/// What came of all strikes.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    /// The numbers at which something was wrong; what it was has been printed.
    wrong: Vec<usize>,
}

/// Strikes at one number after the other, several at a time; `seen` is told of each row.
fn strike_all(next: impl Fn() -> Option<usize> + Sync, seen: impl Fn(&Row) + Sync) -> Table {
    let table = Mutex::new(Table::default());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(n) = next() {
                    let row = std::panic::catch_unwind(|| strike(n));
                    let mut table = table.lock().expect("nobody panicked");
                    match row {
                        Ok(row) => {
                            println!("{row}");
                            seen(&row);
                            table.rows.push(row);
                        }
                        Err(_) => table.wrong.push(n),
                    }
                }
            });
        }
    });
    let mut table = table.into_inner().expect("nobody panicked");
    table.rows.sort_by_key(|row| row.n);
    table
}

/// Every number, until daemons come to their end untouched.
fn every_number() -> Table {
    let (next, untouched) = (AtomicUsize::new(1), AtomicUsize::new(0));
    strike_all(
        || (untouched.load(Ordering::Relaxed) < UNTOUCHED).then(|| next.fetch_add(1, Ordering::Relaxed)),
        |row| match row.struck {
            Some(_) => untouched.store(0, Ordering::Relaxed),
            None => drop(untouched.fetch_add(1, Ordering::Relaxed)),
        },
    )
}

/// Some of the numbers, evenly over all there are.
fn sample() -> Table {
    let whole = strike(0);
    let count: usize = whole.outcome.strip_prefix("untouched ").and_then(|n| n.parse().ok()).expect("it counts");
    let next = AtomicUsize::new(0);
    let number = |index: usize| (index < SAMPLE).then_some(1 + index * (count - 1) / SAMPLE);
    strike_all(|| number(next.fetch_add(1, Ordering::Relaxed)), |_| {})
}

/// Writes the table, with counts at its end; says where.
fn report(Table { rows, wrong }: &Table) -> String {
    let mut text =
        String::from("    n  when       what came of it                                   what was struck\n");
    let mut counts: BTreeMap<(Stage, String), usize> = BTreeMap::new();
    for row in rows {
        let _ = writeln!(text, "{row}");
        *counts.entry((row.stage, row.outcome.clone())).or_default() += usize::from(row.struck.is_some());
    }
    let struck = rows.iter().filter(|row| row.struck.is_some()).count();
    let untouched = rows.len() - struck;
    let _ = writeln!(text, "\n{struck} daemons killed and {untouched} untouched, with everything as it should be");
    let _ = writeln!(text, "{} with something lost, done twice, deleted wrongly or not accounted for", wrong.len());
    for ((stage, outcome), count) in counts.iter().filter(|(_, count)| **count > 0) {
        let _ = writeln!(text, "{count:>5}  {:<9}  {outcome}", format!("{stage:?}").to_lowercase());
    }
    text
}

#[test]
fn a_daemon_that_is_killed_at_any_call_that_writes_loses_nothing_and_does_nothing_twice() {
    if !may_trace() {
        return;
    }
    let long = std::env::var_os("CI_LONG").is_some_and(|value| value == "1");
    let table = if long { every_number() } else { sample() };
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("write-calls.txt");
    fs::write(&place, report(&table)).expect("a file");
    println!("{}\nalso in {}", report(&table), place.display());
    assert_eq!(table.wrong, [0; 0], "see above");
    let struck = table.rows.iter().filter(|row| row.struck.is_some()).count();
    assert!(struck >= SAMPLE - 2, "hardly one was struck");
}
