//! What the story needs: a directory, three systems, a daemon. All of it is cleared away again.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use tempfile::TempDir;

use super::error::DemoError;
use super::http::Http;
use super::interruption::Interruption;
use super::process::{self, Background};
use super::systems::Systems;

/// How long a program may take until it is ready. PostgreSQL is initialised within it, perhaps on a slow disk.
const PATIENCE: Duration = Duration::from_secs(120);

const CONFIG: &str = "retcon.toml";
const LOG: &str = "retcond.log";
const BILLING: &str = "systems/billing/billing.db";
const SERVICE: &str = "sources/http/service.py";
const BILLING_SOURCE: &str = "sources/sqlite/billing.py";
const DIRECTORIES: [&str; 6] =
    ["sources/files", "sources/sqlite", "sources/http", "systems/crm", "systems/billing", "systems/shop"];
const FILES: [(&str, &str); 5] = [
    (CONFIG, include_str!("../../../examples/retcon.toml")),
    ("sources/files/files.sh", include_str!("../../../examples/sources/files/files.sh")),
    (BILLING_SOURCE, include_str!("../../../examples/sources/sqlite/billing.py")),
    ("sources/http/crm.py", include_str!("../../../examples/sources/http/crm.py")),
    (SERVICE, include_str!("../../../examples/sources/http/service.py")),
];

/// The temporary directory and what runs there.
#[derive(Debug)]
pub(super) struct Stage {
    dir: TempDir,
    interruption: Interruption,
    search_path: OsString,
    service: Option<Background>,
    daemon: Option<Background>,
}

impl Stage {
    /// Makes the directory.
    pub(super) fn new(interruption: &Interruption) -> Result<Self, DemoError> {
        // Open to others: PostgreSQL runs as another user where we are root.
        let open = Permissions::from_mode(0o711);
        let dir = tempfile::Builder::new().prefix("retcon-demo.").permissions(open).tempdir();
        let dir = dir.map_err(|source| DemoError::SetUp { what: "make a temporary directory", source })?;
        let search_path = std::env::var_os("PATH").unwrap_or_default();
        Ok(Self { dir, interruption: interruption.clone(), search_path, service: None, daemon: None })
    }

    /// Writes the programs, starts the service and the daemon, and waits until they are ready.
    pub(super) fn set_up(&mut self) -> Result<Systems, DemoError> {
        self.search_path = python_first(&find_python()?);
        self.write_files().map_err(|source| DemoError::SetUp { what: "write the example sources", source })?;
        let mut setup = self.command(&self.path(BILLING_SOURCE));
        process::run("billing.py setup", setup.arg(BILLING).arg("setup"))?;
        let crm = self.start_service()?;
        self.start_daemon()?;
        let http = Http::new().map_err(|source| DemoError::SetUp { what: "make an HTTP client", source })?;
        Ok(Systems { crm, billing: self.path(BILLING), shop: self.path("systems/shop"), http })
    }

    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    pub(super) fn interruption(&self) -> &Interruption {
        &self.interruption
    }

    /// A command of `retcon`, as the user of this place would type it.
    pub(super) fn retcon(&self) -> Result<Command, DemoError> {
        let own = own_program().map_err(|source| DemoError::SetUp { what: "find the program that runs", source })?;
        Ok(self.command(&own))
    }

    /// What the daemon wrote last.
    pub(super) fn last_words(&self) -> String {
        match process::last_lines(&self.path(LOG)).as_str() {
            "" => String::new(),
            lines => format!("The daemon's last words:\n{lines}\n"),
        }
    }

    /// Stops the programs and removes the directory.
    pub(super) fn clear(mut self) -> Result<(), DemoError> {
        let stopped = self.daemon.take().map_or(Ok(()), Background::stop);
        let orphaned = process::stop_orphan(&self.path("state"));
        let left = self.service.take().map_or(Ok(()), Background::stop);
        let place = self.dir.path().display().to_string();
        let removed = self.dir.close().map_err(|source| DemoError::Clear { what: place, source });
        stopped.and(orphaned).and(left).and(removed)
    }

    fn write_files(&self) -> io::Result<()> {
        DIRECTORIES.iter().try_for_each(|directory| fs::create_dir_all(self.path(directory)))?;
        FILES.iter().try_for_each(|(name, text)| {
            fs::write(self.path(name), text)?;
            let mode = if *name == CONFIG { 0o644 } else { 0o755 };
            fs::set_permissions(self.path(name), Permissions::from_mode(mode))
        })
    }

    fn start_service(&mut self) -> Result<String, DemoError> {
        let mut command = self.command(&self.path(SERVICE));
        let service = Background::start("the HTTP service", command.arg("systems/crm"), &self.path("service.log"))?;
        let service = self.service.insert(service);
        let place = self.dir.path().join("systems/crm/url");
        let url = self.interruption.wait(PATIENCE, || {
            service.check()?;
            Ok(fs::read_to_string(&place).ok())
        })?;
        let not_ready = DemoError::NotReady { name: "the HTTP service", seconds: PATIENCE.as_secs() };
        url.map(|url| url.trim().to_owned()).ok_or(not_ready)
    }

    fn start_daemon(&mut self) -> Result<(), DemoError> {
        let mut command = self.command(&daemon_program()?);
        command.arg("--config").arg(self.path(CONFIG));
        let daemon = Background::start("retcond", &mut command, &self.path(LOG))?;
        let daemon = self.daemon.insert(daemon);
        let socket = self.dir.path().join("state/retcon.sock");
        let http =
            Http::over_socket(&socket).map_err(|source| DemoError::SetUp { what: "make an HTTP client", source })?;
        let ready = self.interruption.wait(PATIENCE, || {
            daemon.check()?;
            let answer = http.ask(Method::GET, "http://localhost/readyz", None);
            Ok(answer.ok().filter(|answer| answer.status.is_success()))
        })?;
        ready.map(drop).ok_or(DemoError::NotReady { name: "retcond", seconds: PATIENCE.as_secs() })
    }

    /// A program that runs here and knows of no other retcon.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RETCON_") {
                command.env_remove(name);
            }
        }
        command.env("PATH", &self.search_path).env("RETCON_CONFIG", self.path(CONFIG)).current_dir(self.dir.path());
        command
    }
}

/// Finds Python itself, and makes sure that it has SQLite.
fn find_python() -> Result<PathBuf, DemoError> {
    let say = "import sqlite3, sys; print(sys.executable, end='')";
    let output = Command::new("python3").args(["-c", say]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| DemoError::Python(error.to_string()))?;
    if output.status.success() {
        return Ok(PathBuf::from(OsString::from_vec(output.stdout)));
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(DemoError::Python(stderr.lines().last().unwrap_or("it says nothing").to_owned()))
}

/// Puts the directory of Python before the rest of `PATH`: what `python3` means there may be a launcher that picks one of
/// several Pythons, which takes longer than the data sources themselves.
fn python_first(python: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = python.parent().map(Path::to_path_buf).into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(directories).unwrap_or(path)
}

/// The program that runs now, links resolved.
fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()?.canonicalize()
}

/// The daemon, which is installed beside it.
fn daemon_program() -> Result<PathBuf, DemoError> {
    let own = own_program().map_err(|source| DemoError::SetUp { what: "find the program that runs", source })?;
    let daemon = own.with_file_name("retcond");
    if daemon.is_file() {
        return Ok(daemon);
    }
    Err(DemoError::NoDaemon(own.parent().map(Path::to_path_buf).unwrap_or_default()))
}
