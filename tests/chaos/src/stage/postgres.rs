//! PostgreSQL servers of our own, which can be killed, and can take each other's place.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::space::Space;
use postgres::{Client, Config, NoTls};
use rustix::process::{Pid, Signal, geteuid, kill_process};

/// The only user, and the name of the database.
pub const NAME: &str = "retcon";
/// How long a server may take to start or to stop on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a server does not do as it is told.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error("cannot find the program {0} of PostgreSQL")]
    Program(&'static str),
    #[error("cannot run {program}")]
    Run { program: PathBuf, source: io::Error },
    #[error("cannot run {program}: {status}\n{output}")]
    Failed { program: PathBuf, status: String, output: String },
    #[error("cannot lay out {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot start PostgreSQL within {PATIENCE:?}; see {}", log.display())]
    Start { log: PathBuf },
    #[error("cannot ask PostgreSQL")]
    Query(#[from] postgres::Error),
    #[error("cannot wait any longer for {0}")]
    Wait(&'static str),
}

/// How a server is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Sessions are ended in order.
    Fast,
    /// Its processes end at once.
    Immediate,
    /// Nobody is asked.
    Kill,
}

/// As whom PostgreSQL runs: it refuses to be root.
#[derive(Debug, Clone, Copy)]
struct Account(Option<(u32, u32)>);

impl Account {
    fn choose() -> io::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        let users = fs::read_to_string("/etc/passwd")?;
        let find = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut columns = line.split(':').skip(2).map(str::parse);
            Some((columns.next()?.ok()?, columns.next()?.ok()?))
        };
        Ok(Self(find("postgres").or_else(|| find("nobody"))))
    }

    fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Self(Some((uid, gid))) = self {
            command.uid(uid).gid(gid);
        }
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    fn own(self, path: &Path) -> Result<(), PostgresError> {
        let failed = |source| PostgresError::File { path: path.into(), source };
        fs::create_dir_all(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        match self.0 {
            Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(failed),
            None => Ok(()),
        }
    }
}

/// A server and its data.
#[derive(Debug)]
pub struct Server {
    account: Account,
    data: PathBuf,
    sockets: PathBuf,
    port: u16,
    log: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Lays out a server below `dir`, which others may enter; `port` names its socket, there is no TCP.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn new(dir: &Path, name: &str, port: u16) -> Result<Self, PostgresError> {
        let failed = |source| PostgresError::File { path: "/etc/passwd".into(), source };
        let account = Account::choose().map_err(failed)?;
        let base = dir.join("pg");
        fs::create_dir_all(&base).map_err(|source| PostgresError::File { path: base.clone(), source })?;
        let (data, sockets) = (base.join(name), base.join("sock"));
        account.own(&sockets)?;
        Ok(Self { account, data, sockets, port, log: dir.join(format!("postgres-{name}.log")), child: None })
    }

    /// Makes the data of a new server.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn initialise(&self) -> Result<(), PostgresError> {
        self.account.own(&self.data)?;
        let mut command = self.account.command(&find_program("initdb")?);
        command.arg("-D").arg(&self.data).args(["-U", NAME, "-E", "UTF8", "--locale=C", "--auth=trust", "--no-sync"]);
        run(command)
    }

    /// Copies the data of `primary`, whose standby this one is to be, and its tables from the first place to the second.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn copy(&self, primary: &Self, spaces: Option<(&Path, &Path)>) -> Result<(), PostgresError> {
        if self.data.exists() {
            fs::remove_dir_all(&self.data).map_err(|source| PostgresError::File { path: self.data.clone(), source })?;
        }
        self.account.own(&self.data)?;
        let mut command = self.account.command(&find_program("pg_basebackup")?);
        command.arg("-h").arg(&primary.sockets).args(["-p", &primary.port.to_string(), "-U", NAME]);
        command.args(["-X", "stream", "-c", "fast", "--write-recovery-conf", "--no-sync", "-D"]).arg(&self.data);
        if let Some((from, to)) = spaces {
            command.arg(format!("--tablespace-mapping={}={}", from.display(), to.display()));
        }
        run(command)
    }

    /// Starts it, and waits until it answers.
    ///
    /// What a killed one has left may hold it up: it is tried again for a while.
    /// # Errors
    /// [`PostgresError`].
    pub fn start(&mut self) -> Result<(), PostgresError> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.child.as_mut().map(Child::try_wait) {
                None => self.child = Some(self.spawn()?),
                Some(Ok(None)) if self.connect("postgres").is_ok() => return Ok(()),
                Some(Ok(None)) => {}
                Some(Ok(Some(_)) | Err(_)) => self.child = None,
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(PostgresError::Start { log: self.log.clone() })
    }

    fn spawn(&self) -> Result<Child, PostgresError> {
        let failed = |source| PostgresError::File { path: self.log.clone(), source };
        let log = File::options().append(true).create(true).open(&self.log).map_err(failed)?;
        let program = find_program("postgres")?;
        let mut command = self.account.command(&program);
        command.arg("-D").arg(&self.data).args(["-p", &self.port.to_string(), "-k"]).arg(&self.sockets);
        // A dying server is simulated, a dying machine is not: nothing need reach the disk.
        let settings =
            ["listen_addresses=", "fsync=off", "max_connections=100", "shared_buffers=16MB", "wal_keep_size=256MB"];
        settings.iter().for_each(|setting| {
            command.args(["-c", setting]);
        });
        command.stdout(Stdio::null()).stderr(log);
        command.spawn().map_err(|source| PostgresError::Run { program, source })
    }

    /// Ends it, and waits until it is gone.
    ///
    /// # Errors
    /// [`PostgresError::Wait`].
    pub fn stop(&mut self, how: Stop) -> Result<(), PostgresError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let signal = match how {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
            Stop::Kill => Signal::KILL,
        };
        let _ = kill_process(Pid::from_child(&child), signal);
        let deadline = Instant::now() + PATIENCE;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                self.child = Some(child);
                return Err(PostgresError::Wait("PostgreSQL to stop"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Opens a session, past every proxy.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub fn connect(&self, database: &str) -> Result<Client, postgres::Error> {
        let mut config = Config::new();
        config.host_path(&self.sockets).port(self.port).user(NAME).dbname(database);
        config.connect_timeout(Duration::from_secs(5)).connect(NoTls)
    }

    /// Executes statements outside of any transaction.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub fn execute(&self, statements: &[&str]) -> Result<(), PostgresError> {
        let mut client = self.connect("postgres")?;
        statements.iter().try_for_each(|statement| client.batch_execute(statement).map_err(PostgresError::from))
    }

    /// Mounts a small file system for its tables.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub fn make_space(&self) -> Result<Space, PostgresError> {
        let path = self.data.with_extension("space");
        let space = Space::mount(path.clone()).map_err(|source| PostgresError::File { path, source })?;
        self.account.own(space.path())?;
        Ok(space)
    }

    /// Gives the file of its log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Gives the socket.
    pub fn socket(&self) -> PathBuf {
        self.sockets.join(format!(".s.PGSQL.{}", self.port))
    }

    /// Gives a URL past every proxy.
    pub fn url(&self) -> String {
        let host = self.sockets.to_string_lossy().replace('/', "%2F");
        format!("postgres://{NAME}@{host}:{}/{NAME}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop(Stop::Immediate);
    }
}

/// Finds a program of PostgreSQL: on `PATH`, else where Debian has it.
fn find_program(name: &'static str) -> Result<PathBuf, PostgresError> {
    let debian =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).chain(debian).map(|place| place.join(name));
    places.find(|place| place.is_file()).ok_or(PostgresError::Program(name))
}

fn run(mut command: Command) -> Result<(), PostgresError> {
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(|source| PostgresError::Run { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let output_text = String::from_utf8_lossy(&text).into_owned();
    Err(PostgresError::Failed { program, status: output.status.to_string(), output: output_text })
}
