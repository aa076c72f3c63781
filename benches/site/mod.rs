//! A place where the whole daemon is measured: sources that cost next to nothing, a configuration, a PostgreSQL.

#![allow(dead_code, reason = "each bench uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls};

use crate::daemon::{self, Daemon};
use crate::socket::{Connection, ask, is_ready};

/// The one entity.
pub const ENTITY: &str = "customer";

/// A document of a customer; `<n>` and `<edition>` stand for numbers.
const DOCUMENT: &str = "{\"name\":\"Customer <n>\",\"email\":\"customer-<n>@example.com\",\"edition\":<edition>,\"vip\":false,\
    \"address\":{\"street\":\"<n> Long Street\",\"city\":\"Springfield\",\"zip\":\"12345\",\"country\":\"US\"},\
    \"tags\":[\"newsletter\",\"wholesale\"],\"balance\":12.50}";

/// A record with a copy in each source, under the key `k<n>`, all in step.
const FILL: &str = "
    with made as (
        insert into record (entity, id, version, agreed)
        select 'customer', n, 1, replace('DOCUMENT', '<n>', n::text)::json from generate_series(FIRST, LAST) as n
        returning id, agreed
    ), versions as (
        insert into version (entity, record, version, cause, changes, state)
        select 'customer', id, 1, '{\"kind\":\"sync\"}', '[]', 'live' from made
    ), keys as (
        insert into foreign_key (entity, source, key, record, state)
        select 'customer', source, 'k' || id, id, 'current' from made, unnest('{SOURCES}'::text[]) as source
    )
    insert into link (entity, record, source, state, foreign_key, shadow, ack, in_step)
    select 'customer', id, source, 'linked', 'k' || id, agreed, agreed, true
    from made, unnest('{SOURCES}'::text[]) as source";

/// How many records are made in one statement.
const FILLED_AT_ONCE: u64 = 50_000;

/// A directory with a configuration and, once a daemon runs, its PostgreSQL; beside it the stores of the sources, in memory.
pub struct Site {
    dir: TempDir,
    stores: TempDir,
    program: PathBuf,
    pub sources: Vec<String>,
}

impl Site {
    /// Makes sources `s0`, `s1` and so on, empty, and configures the entity with them.
    pub fn new(sources: usize) -> Self {
        let dir = daemon::directory();
        let program = compile(dir.path());
        let sources: Vec<String> = (0..sources).map(|number| format!("s{number}")).collect();
        let site = Self { dir, stores: in_memory(), program, sources };
        site.sources.iter().for_each(|source| fs::create_dir(site.store(source)).expect("it is ours"));
        site.configure("");
        site
    }

    /// The directory of the configuration.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The program of the sources.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The items of a source, a file each.
    pub fn store(&self, source: &str) -> PathBuf {
        self.stores.path().join(source)
    }

    /// What the program of a source is given in its environment.
    pub fn environment(&self, source: &str) -> BTreeMap<&'static str, String> {
        let path = |path: PathBuf| path.display().to_string();
        [("STORE", path(self.store(source))), ("NOTES", path(self.notes(source)))].into()
    }

    /// Where the program of a source notes its writes, if the environment of [`Self::environment`] is configured.
    pub fn notes(&self, source: &str) -> PathBuf {
        self.stores.path().join(format!("{source}.notes"))
    }

    /// Configures the entity, with `more` after it.
    pub fn configure(&self, more: &str) {
        self.configure_with(|source| [("STORE", self.store(source).display().to_string())].into(), more);
    }

    /// The same, with an environment for each source.
    pub fn configure_with(&self, environment: impl Fn(&str) -> BTreeMap<&'static str, String>, more: &str) {
        let mut text = format!(
            "[server]\nlisten = \"\"\ngrace = \"5s\"\n\n[log]\nlevel = \"alert\"\n\n[entities.{ENTITY}]\nmax_deletes = {{ count = 0 }}\n\n"
        );
        for source in &self.sources {
            let words = environment(source).into_iter().map(|(name, value)| format!("{name} = {value:?}"));
            let words: Vec<String> = words.collect();
            text += &format!(
                "[entities.{ENTITY}.sources.{source}]\ncommand = [{:?}]\ncreate_is_idempotent = true\nenv = {{ {} }}\n\n",
                self.program.display().to_string(),
                words.join(", ")
            );
        }
        fs::write(self.path().join("retcon.toml"), text + more).expect("a configuration");
    }

    /// Starts a daemon, and waits until it is ready.
    pub fn start(&self) -> Daemon {
        Daemon::start(self.path(), || is_ready(self.path()))
    }

    /// Opens a connection to the daemon that is kept.
    pub fn connection(&self) -> Connection {
        Connection::open(self.path())
    }

    /// Opens a session with the daemon's PostgreSQL.
    pub fn database(&self) -> Database {
        Database::open(self.path())
    }

    /// Puts an item into a source's store, as a user would.
    pub fn put(&self, source: &str, key: &str, document: &str) {
        fs::write(self.store(source).join(key), document).expect("it is ours");
    }

    /// Makes the records of these numbers, in step, in the database alone: what is to be looked at must be [`Self::put`] besides.
    pub fn fill(&self, database: &Database, from: u64, count: u64) {
        for first in (from..from + count).step_by(FILLED_AT_ONCE as usize) {
            let last = (from + count).min(first + FILLED_AT_ONCE) - 1;
            let statement = FILL.replace("DOCUMENT", &DOCUMENT.replace("<edition>", "0"));
            let statement = statement.replace("FIRST", &first.to_string()).replace("LAST", &last.to_string());
            database.execute(&statement.replace("SOURCES", &self.sources.join(",")));
        }
        database.execute(
            "update entity set last_internal_key = (select coalesce(max(id), 0) from record); analyze; checkpoint",
        );
    }

    /// Tells the daemon that copies of a source have changed.
    pub fn notify(&self, connection: &mut Connection, source: &str, keys: &[String]) {
        for keys in keys.chunks(100) {
            let one = |key: &String| format!(r#"{{"entity":"{ENTITY}","source":"{source}","key":"{key}"}}"#);
            let all: Vec<String> = keys.iter().map(one).collect();
            connection.post("/v1/notifications", &format!(r#"{{"notifications":[{}]}}"#, all.join(",")));
        }
    }

    /// How often the programs of each source were run, by what they were run for.
    pub fn starts(&self) -> Starts {
        let (_, text) = ask(self.path(), "GET", "/metrics").expect("the daemon answers");
        let mut starts = Starts::new();
        for line in text.lines().filter(|line| line.starts_with("retcon_invocations_total{")) {
            let label = |name: &str| line.split_once(&format!("{name}=\""))?.1.split_once('"').map(|(value, _)| value);
            let (source, operation) = (label("source").expect("a label"), label("operation").expect("a label"));
            let count = line.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok()).expect("a number");
            *starts.entry((source.to_owned(), operation.to_owned())).or_default() += count;
        }
        starts
    }
}

/// Runs, by source and operation.
pub type Starts = BTreeMap<(String, String), u64>;

/// The document of this number and edition.
pub fn document(number: u64, edition: u64) -> String {
    DOCUMENT.replace("<n>", &number.to_string()).replace("<edition>", &edition.to_string())
}

/// A session with a daemon's PostgreSQL.
pub struct Database {
    runtime: Runtime,
    pub client: Client,
}

impl Database {
    fn open(dir: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut config = Config::new();
        config.host_path(dir.join("state/pg/sock")).user("retcon").dbname("postgres");
        let opened = runtime.block_on(config.connect(NoTls));
        let (client, connection) = opened.expect("the private PostgreSQL takes connections");
        runtime.spawn(connection);
        Self { runtime, client }
    }

    /// Executes statements, without parameters.
    pub fn execute(&self, statements: &str) {
        self.runtime.block_on(self.client.batch_execute(statements)).expect("a statement that can be executed");
    }

    /// Gives the rows of a statement, each as its columns, which are text.
    pub fn rows(&self, statement: &str) -> Vec<Vec<Option<String>>> {
        let rows = self.runtime.block_on(self.client.query(statement, &[])).expect("a statement that can be executed");
        rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect()
    }

    /// Waits until no work is left; fails if any is parked. It asks the more seldom the more is left: what it asks takes its time from
    /// what is measured.
    pub fn wait_until_done(&self) {
        let ask = "select count(*), min(last_error) filter (where state = 'parked') from work_item where state <> 'done' and id > 0";
        let ask = self.runtime.block_on(self.client.prepare(ask)).expect("a statement");
        let (began, mut most) = (Instant::now(), 0);
        loop {
            let answer = self.runtime.block_on(self.client.query_one(&ask, &[])).expect("the database answers");
            let (left, error): (i64, Option<String>) = (answer.get(0), answer.get(1));
            if left == 0 {
                return;
            }
            assert!(error.is_none() && began.elapsed() < Duration::from_secs(600), "{left} left: {error:?}");
            most = left.max(most);
            let expected = began.elapsed().as_secs_f64() * left as f64 / (most - left).max(1) as f64;
            sleep(Duration::from_secs_f64((expected / 4.0).clamp(0.002, 0.1)));
        }
    }
}

/// Compiles the program of the sources.
fn compile(into: &Path) -> PathBuf {
    let (program, code) = (into.join("source"), concat!(env!("CARGO_MANIFEST_DIR"), "/benches/site/source.c"));
    let mut command = Command::new("cc");
    command.args(["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o"]).arg(&program).arg(code);
    let output = command.output().expect("a C compiler is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Makes a directory in memory, where there is such a place.
fn in_memory() -> TempDir {
    let place = tempfile::Builder::new().prefix("retcon-bench.").tempdir_in("/dev/shm");
    place.unwrap_or_else(|_| daemon::directory())
}
