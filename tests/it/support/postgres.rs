//! A PostgreSQL for this test process, and a database of its own for each test.
//!
//! The server is started at the first call, through the code that the daemon uses, and lives as long as the process: a
//! guardian ends it and removes its directory when the process is gone, however it went.

use std::fs::{self, Permissions};
use std::future::Future;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use retcon::store::Store;
use retcon::store::private::PrivatePostgres;
use retcon::store::state_dir::StateDir;
use tokio_postgres::{Config, NoTls};

/// A fresh, migrated database and a store on it; the database is dropped with this.
///
/// It stands for its [`Store`]: `store()` can be asked, and `store().clone()` is the store alone.
pub(crate) struct TestStore {
    store: Store,
    name: String,
}

/// Makes a fresh, migrated database. May be called from any test, asynchronous or not.
pub(crate) fn store() -> TestStore {
    TestStore::of("template retcon_template")
}

/// Makes an empty database, without even a schema.
pub(crate) fn empty() -> TestStore {
    TestStore::of("")
}

impl TestStore {
    fn of(clause: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        execute(&format!("create database {name} {clause}"));
        Self { store: Store::connect(config(&name), 8).expect("no TLS is asked for"), name }
    }

    /// Gives the database's URL, for a daemon that runs as we do.
    pub(crate) fn url(&self) -> String {
        let directory = SERVER.sockets.to_str().expect("a directory of ours is UTF-8").replace('/', "%2F");
        format!("postgres://retcon@{directory}/{}", self.name)
    }

    /// Gives how to connect to the database.
    pub(crate) fn config(&self) -> Config {
        config(&self.name)
    }

    /// Runs statements in it.
    #[track_caller]
    pub(crate) fn run(&self, statements: &str) {
        let config = self.config();
        block_on(async move {
            let (client, connection) = config.connect(NoTls).await.expect("the server takes connections");
            tokio::spawn(connection);
            client.batch_execute(statements).await.unwrap_or_else(|error| panic!("{statements}: {error:?}"));
        });
    }

    /// Asks it for a number.
    #[track_caller]
    pub(crate) fn number(&self, question: &str) -> i64 {
        let config = self.config();
        block_on(async move {
            let (client, connection) = config.connect(NoTls).await.expect("the server takes connections");
            tokio::spawn(connection);
            client.query_one(question, &[]).await.unwrap_or_else(|error| panic!("{question}: {error:?}")).get(0)
        })
    }
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Drop for TestStore {
    fn drop(&mut self) {
        execute(&format!("drop database {} with (force)", self.name));
    }
}

/// Runs something asynchronous to its end, also where a runtime runs already.
pub(crate) fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    std::thread::scope(|scope| scope.spawn(|| runtime().block_on(future)).join()).expect("the future does not panic")
}

/// Waits for the end of this test process, then ends the server of the directory `$1` and removes the directory.
///
/// It reads from a pipe that nobody writes to: the end of the file is the end of the process.
const GUARDIAN: &str = r#"
read -r _
pid=$(head -n 1 "$1/state/pg/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
    kill -QUIT "$pid"
    while kill -0 "$pid"; do sleep 0.05; done
fi
rm -rf "$1"
"#;

struct Server {
    postgres: PrivatePostgres,
    sockets: PathBuf,
    _state_dir: StateDir,
    _guardian: Child,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let directory = reachable_directory("retcon-test-");
    let guardian = guard(&directory);
    let state_dir = StateDir::claim(&directory.join("state")).expect("a new directory can be taken");
    // What a power failure would do is tested elsewhere, with a server of the daemon's settings.
    let hasty =
        [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off"), ("max_connections", "300")];
    let postgres = PrivatePostgres::start_with(&state_dir, None, &hasty)
        .unwrap_or_else(|error| panic!("no PostgreSQL for the tests: {error:?}; hint: {:?}", error.hint()));
    let sockets = state_dir.path().join("pg/sock");
    let server = Server { postgres, sockets, _state_dir: state_dir, _guardian: guardian };
    server.make_template();
    server
});

impl Server {
    fn make_template(&self) {
        let mut config = self.postgres.config();
        block_on(async {
            let (client, connection) = config.connect(NoTls).await.expect("the server takes connections");
            tokio::spawn(connection);
            client.batch_execute("create database retcon_template").await.expect("a database can be made");
        });
        config.dbname("retcon_template");
        let store = Store::connect(config, 1).expect("no TLS is asked for");
        block_on(store.migrate()).expect("the migrations apply to a new database");
    }
}

/// Makes a directory that PostgreSQL's user can reach, also when we are root.
pub(crate) fn reachable_directory(prefix: &str) -> PathBuf {
    let directory = tempfile::Builder::new().prefix(prefix).tempdir().expect("a directory can be made").keep();
    fs::set_permissions(&directory, Permissions::from_mode(0o711)).expect("it is ours");
    directory
}

/// Starts the guardian of a directory, in a group of its own: Ctrl-C ends the tests, and so what it waits for.
pub(crate) fn guard(directory: &Path) -> Child {
    Command::new("sh")
        .args(["-c", GUARDIAN, "guardian"])
        .arg(directory)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh runs")
}

fn config(database: &str) -> Config {
    let mut config = SERVER.postgres.config();
    config.dbname(database);
    config
}

/// Runs a statement outside of any test's database.
fn execute(sql: &str) {
    block_on(async {
        let (client, connection) = config("postgres").connect(NoTls).await.expect("the server takes connections");
        let served = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        drop(client);
        drop(served.await);
    });
}
