//! A directory with a configuration, systems and their data sources, in which daemons are started and commands typed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::daemon::Daemon;
use super::postgres::{self, TestStore};
use super::program::{Run, program, run};
use super::runs::Runs;
use super::socket::{Answer, call, call_with};
use super::system::{SourceSpec, System};
use super::wait::until;

/// What every configuration of these tests begins with, besides its database.
const COMMON: &str = "[server]\nlisten = \"\"\n\n[log]\nlevel = \"debug\"\nformat = \"json\"\n\n";
/// Fast, so that a test sees a retry soon; what is waited for is always an event.
const FAST: &str = "retry = { first = \"20ms\", max = \"200ms\", attempts = 3 }\n";

/// A place of its own for one test. Nothing of it is left when it goes.
pub(crate) struct Site {
    dir: TempDir,
    database: TestStore,
}

impl Site {
    /// A site without a configuration.
    pub(crate) fn empty() -> Self {
        Self { dir: open_directory(), database: postgres::store() }
    }

    /// A site that keeps one entity, `customer`, in step between these sources.
    pub(crate) fn new(sources: &[SourceSpec]) -> Self {
        Self::with("", sources)
    }

    /// Likewise, with lines of the entity's own.
    pub(crate) fn with(settings: &str, sources: &[SourceSpec]) -> Self {
        let site = Self::empty();
        let mut config = format!("{COMMON}{}[entities.customer]\n{settings}\n", site.database_table());
        if !settings.contains("retry") {
            config += FAST;
        }
        for source in sources {
            site.system(&source.name);
            config += &source.table("customer");
        }
        site.write("retcon.toml", &config);
        site
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The table that names the site's own database, on a server that all tests share.
    pub(crate) fn database_table(&self) -> String {
        format!("[database]\nurl = {:?}\n\n", self.database.url())
    }

    /// The site's own database.
    pub(crate) fn database(&self) -> &TestStore {
        &self.database
    }

    /// Writes a file of the site.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// The system behind a source.
    pub(crate) fn system(&self, source: &str) -> System {
        System::create(self.path().join("systems").join(source))
    }

    /// Starts a daemon and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(&self) -> Daemon<'_> {
        Daemon::start(self)
    }

    /// Runs a command of `retcon` to its end, with nothing on stdin.
    #[track_caller]
    pub(crate) fn retcon(&self, arguments: &[&str]) -> Run {
        self.retcon_with(arguments, b"")
    }

    #[track_caller]
    pub(crate) fn retcon_with(&self, arguments: &[&str], stdin: &[u8]) -> Run {
        let mut command = program(env!("CARGO_BIN_EXE_retcon"));
        command.current_dir(self.path()).env("RETCON_CONFIG", self.path().join("retcon.toml")).args(arguments);
        run(&mut command, stdin)
    }

    /// Runs a command of `retcon` to its end, with these variables in its environment.
    #[track_caller]
    pub(crate) fn retcon_in(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Run {
        let mut command = program(env!("CARGO_BIN_EXE_retcon"));
        command.current_dir(self.path()).env("RETCON_CONFIG", self.path().join("retcon.toml"));
        run(command.envs(environment.iter().copied()).args(arguments), b"")
    }

    /// Runs a command that succeeds with `--format json`, and gives the body it printed.
    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        let run = self.retcon(&[&["--format", "json"], arguments].concat()).exits(0);
        serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"))
    }

    /// Notifies of a copy and waits for the look, which ends well.
    #[track_caller]
    pub(crate) fn notify(&self, source: &str, key: &str) -> Run {
        self.retcon(&["notify", "--wait", "customer", source, "--", key]).exits(0)
    }

    /// Opens a conflict: has an item of `crm` edited differently there and in `billing`.
    #[track_caller]
    pub(crate) fn disagree(&self, key: &str) {
        self.system("crm").put(key, r#"{"name": "Ann"}"#);
        self.notify("crm", key);
        let copy = self.system("billing").only_key();
        self.system("crm").put(key, r#"{"name": "Anne"}"#);
        self.system("billing").put(&copy, r#"{"name": "Anna"}"#);
        self.notify("crm", key);
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("state/retcon.sock")
    }

    /// Sends a request to the daemon.
    #[track_caller]
    pub(crate) fn http(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let answer = call(&self.socket(), method, path, body.map(str::as_bytes));
        answer.unwrap_or_else(|error| panic!("no answer to {method} {path}: {error}"))
    }

    /// Sends a request with headers of its own.
    #[track_caller]
    pub(crate) fn http_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let answer = call_with(&self.socket(), method, path, headers, body.map(str::as_bytes));
        answer.unwrap_or_else(|error| panic!("no answer to {method} {path}: {error}"))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.http("GET", path, None).has_status(200).json()
    }

    /// Waits until no work is ready, running or waiting: nothing is owed to anybody, conflicts and doubts apart.
    #[track_caller]
    pub(crate) fn wait_until_at_rest(&self) {
        until(
            || {
                let entity = self.get("/v1/status")["entities"][0]["queue"].clone();
                ["ready", "running", "waiting"].iter().all(|state| entity[state] == 0).then_some(())
            },
            || self.get("/v1/status").to_string(),
        );
    }

    /// The runs of all data sources so far.
    #[track_caller]
    pub(crate) fn runs(&self) -> Runs {
        Runs::load(&self.path().join("systems/runs"))
    }
}

/// A temporary directory that others may enter: a private PostgreSQL runs as another user where the tests run as root.
pub(crate) fn open_directory() -> TempDir {
    let open = fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("retcon-it.").permissions(open).tempdir().expect("a temporary directory")
}
