//! PostgreSQL servers of a test's own: primaries and standbys that are killed, promoted, filled up, and come back.
//!
//! Where the tests run as root the servers run as `postgres`, or else as `nobody`: PostgreSQL refuses to be root.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use super::daemon::processes;
use super::postgres::{block_on, guard, reachable_directory};
use super::program::{program, run};
use super::wait::until;

/// What makes a server fast where no power fails.
const HASTY: [&str; 2] = ["fsync=off", "max_connections=60"];

const PORT: u16 = 5432;

/// A server with a data directory and a socket of its own; ended and removed with this.
pub(crate) struct Node {
    dir: PathBuf,
    postmaster: Option<Child>,
    /// What its processes have in their environment, besides.
    environment: Vec<(&'static str, PathBuf)>,
    /// Ends the server, should this process end before.
    _guardian: Child,
}

impl Node {
    /// Makes a new database server, which does not run yet.
    pub(crate) fn new() -> Self {
        let node = Self::place();
        node.initialise(&[]);
        node
    }

    /// Makes a new database server whose data has so much room, its write-ahead log apart: a disk of its own.
    ///
    /// Gives `None` where nobody may mount one: as an ordinary user, and in most containers.
    pub(crate) fn on_small_disk(size: &str) -> Option<Self> {
        let node = Self::place();
        let disk = node.disk();
        let (uid, gid) = account()?;
        let options = format!("size={size},uid={uid},gid={gid},mode=700");
        let mounted = run(program("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&disk), b"");
        if mounted.status != Some(0) {
            println!("no small disk: {mounted}");
            return None;
        }
        node.initialise(&["-X", node.dir.join("wal/wal").to_str().expect("it is UTF-8")]);
        Some(node)
    }

    /// The directory in which its data is.
    pub(crate) fn disk(&self) -> PathBuf {
        self.dir.join("state/pg")
    }

    fn initialise(&self, arguments: &[&str]) {
        let mut initdb = self.program("initdb");
        initdb.arg("-D").arg(self.data()).args(["-U", "retcon", "-A", "trust", "-N", "-E", "UTF8"]).args(arguments);
        run(&mut initdb, b"").exits(0);
    }

    /// Copies a running server; the copy follows it once it is started.
    pub(crate) fn standby_of(primary: &Self) -> Self {
        let node = Self::place();
        let origin = format!("host={} user=retcon application_name=standby", primary.sockets().display());
        let mut copy = node.program("pg_basebackup");
        copy.arg("-D").arg(node.data()).args(["-d", &origin, "-R", "-X", "stream", "-c", "fast", "-N"]);
        run(&mut copy, b"").exits(0);
        node
    }

    fn place() -> Self {
        let dir = reachable_directory("retcon-node-");
        for inside in ["state/pg", "sock", "wal"] {
            fs::create_dir_all(dir.join(inside)).expect("a directory");
        }
        if let Some((uid, gid)) = account() {
            for inside in ["state/pg", "sock", "wal"] {
                chown(dir.join(inside), Some(uid), Some(gid)).expect("we are root");
            }
        }
        Self { _guardian: guard(&dir), dir, postmaster: None, environment: Vec::new() }
    }

    /// Puts something into the environment of the server that is started next; gives the place of a file that it can read.
    pub(crate) fn set(&mut self, name: &'static str, file: &str, content: &[u8]) -> PathBuf {
        let place = self.dir.join(file);
        fs::write(&place, content).expect("a file");
        self.environment.push((name, place.clone()));
        place
    }

    /// Where its guardian expects it.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("state/pg/data")
    }

    pub(crate) fn sockets(&self) -> PathBuf {
        self.dir.join("sock")
    }

    /// As it stands in a URL.
    pub(crate) fn host(&self) -> String {
        self.sockets().to_str().expect("a directory of ours is UTF-8").replace('/', "%2F")
    }

    /// Starts it with these settings, and waits until it answers.
    #[track_caller]
    pub(crate) fn start(&mut self, settings: &[&str]) {
        self.start_at(PORT, settings);
    }

    /// Likewise, where the settings name this port.
    #[track_caller]
    pub(crate) fn start_at(&mut self, port: u16, settings: &[&str]) {
        self.launch(settings);
        until(
            || self.try_ask_at(port, "select 1").is_ok().then_some(()),
            || format!("{:?}: {}", self.try_ask_at(port, "select 1"), self.log()),
        );
    }

    /// Starts it without waiting for anything.
    pub(crate) fn launch(&mut self, settings: &[&str]) {
        let log = File::options().create(true).append(true).open(self.dir.join("log")).expect("a log file");
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data()).arg("-k").arg(self.sockets()).args(["-c", "listen_addresses="]);
        for setting in HASTY.iter().chain(settings) {
            server.args(["-c", setting]);
        }
        server.envs(self.environment.iter().map(|(name, value)| (name, value)));
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0);
        self.postmaster = Some(server.spawn().expect("PostgreSQL starts"));
    }

    /// Ends it in order: what a standby waits for is sent.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Ends all its processes at once, as the loss of its machine does.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        if let Some(postmaster) = &self.postmaster {
            kill_process(Pid::from_child(postmaster), Signal::KILL).expect("it is ours");
        }
        for process in processes(&self.data()) {
            // It may have noticed.
            kill_process(process.pid, Signal::KILL).ok();
        }
        self.end(Signal::KILL);
        until(|| processes(&self.data()).is_empty().then_some(()), || format!("{:?}", processes(&self.data())));
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut postmaster) = self.postmaster.take() else { return };
        kill_process(Pid::from_child(&postmaster), signal).ok();
        until(|| postmaster.try_wait().expect("it is ours").map(drop), || format!("it does not end: {}", self.log()));
    }

    /// Has a standby become a primary, and waits for that.
    #[track_caller]
    pub(crate) fn promote(&self) {
        assert_eq!(self.ask("select pg_promote(true, 60)"), ["t"]);
    }

    /// How to connect to it.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        config.host_path(self.sockets()).user("retcon").dbname("postgres");
        config
    }

    /// Runs a statement, and gives the first column of its rows.
    #[track_caller]
    pub(crate) fn ask(&self, sql: &str) -> Vec<String> {
        self.try_ask(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}: {}", self.log()))
    }

    #[track_caller]
    pub(crate) fn ask_at(&self, port: u16, sql: &str) -> Vec<String> {
        self.try_ask_at(port, sql).unwrap_or_else(|error| panic!("{sql}: {error:?}: {}", self.log()))
    }

    pub(crate) fn try_ask(&self, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        self.try_ask_at(PORT, sql)
    }

    fn try_ask_at(&self, port: u16, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        block_on(async {
            let mut config = self.config();
            let (client, connection) = config.port(port).connect(NoTls).await?;
            tokio::spawn(connection);
            let answer = client.simple_query(sql).await?;
            Ok(answer.iter().filter_map(first_column).collect())
        })
    }

    /// Waits until a statement gives this.
    #[track_caller]
    pub(crate) fn wait_for(&self, sql: &str, wanted: &[&str]) {
        let answer = || self.try_ask(sql);
        until(
            || answer().is_ok_and(|rows| rows == wanted).then_some(()),
            || format!("{sql}: {:?}: {}", answer(), self.log()),
        );
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// A program of PostgreSQL's, as the user that it runs as.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(programs().join(name));
        command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        if let Some((uid, gid)) = account() {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut postmaster) = self.postmaster.take() {
            kill_process(Pid::from_child(&postmaster), Signal::QUIT).ok();
            postmaster.wait().ok();
        }
        if rustix::process::geteuid().is_root() {
            // Where one was mounted.
            program("umount").arg(self.disk()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
        }
        fs::remove_dir_all(&self.dir).ok();
    }
}

fn first_column(message: &SimpleQueryMessage) -> Option<String> {
    match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    }
}

/// As whom PostgreSQL runs; `None`: as we do.
pub(crate) fn account() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("there are users");
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut words = line.split(':').skip(2).map(|word| word.parse().expect("a number"));
        words.next().zip(words.next())
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("somebody is not root"))
}

/// Where PostgreSQL's programs are: the newest that Debian has, or else beside the `initdb` on `PATH`.
fn programs() -> PathBuf {
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    if let Some(newest) = installed.max_by_key(version) {
        return newest.join("bin");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|directory| Path::new(directory).join("initdb").exists());
    found.expect("PostgreSQL is installed")
}
