//! What the private PostgreSQL has on disk, and how it comes to be there.
//!
//! ```text
//! state_dir/pg/            ours
//!   postgresql.conf  pg_hba.conf  pg_ident.conf    written anew at every start
//!   postgres.log
//!   data/                  PostgreSQL's
//!   sock/                  PostgreSQL's
//! ```
//! As root we write only into directories that are ours, so that PostgreSQL's user cannot lead us anywhere by a link.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use super::account::Account;
use super::error::{PrivateError, failed};
use super::postmaster::LOCK_FILE;
use super::programs::Programs;
use crate::store::state_dir::create_all;

/// The name of the only user, and the owner of everything.
pub(super) const SUPERUSER: &str = "retcon";
/// Names the socket, since there is no TCP.
pub(super) const PORT: u16 = 5432;
/// The files that are written anew at every start, each with the setting that names it.
const FILES: [(&str, &str); 3] =
    [("config_file", "postgresql.conf"), ("hba_file", "pg_hba.conf"), ("ident_file", "pg_ident.conf")];
/// What the kernel allows for the path of a unix socket.
const LONGEST_SOCKET_PATH: usize = 107;
/// A data directory that we were still making, followed by what makes the name new.
const UNFINISHED: &str = "data.new-";
/// Stands in a data directory that we completed.
const COMPLETE: &str = "retcon.complete";
/// The log starts anew beyond it.
const LARGEST_LOG: u64 = 8 << 20;
/// How much of the log's end an error quotes.
const TAIL_LINES: usize = 12;

/// Paths of the private PostgreSQL.
#[derive(Debug)]
pub(super) struct Cluster {
    base: PathBuf,
    pub data: PathBuf,
    pub sockets: PathBuf,
    pub log: PathBuf,
}

impl Cluster {
    /// Lays the paths out; touches nothing.
    pub fn new(state_dir: &Path) -> Self {
        let base = state_dir.join("pg");
        let (data, sockets, log) = (base.join("data"), base.join("sock"), base.join("postgres.log"));
        Self { base, data, sockets, log }
    }

    /// Checks that what an earlier run left is ours: as root we would not write into a directory that another user can change.
    pub fn check_owner(&self) -> Result<(), PrivateError> {
        let us = geteuid().as_raw();
        match fs::symlink_metadata(&self.base) {
            Ok(found) if found.uid() != us => {
                Err(PrivateError::OtherOwner { directory: self.base.clone(), owner: found.uid(), us })
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("read", &self.base)(error)),
        }
    }

    /// Checks that a socket can be bound.
    pub fn check_socket_path(&self) -> Result<(), PrivateError> {
        let path = self.sockets.join(format!(".s.PGSQL.{PORT}"));
        let length = path.as_os_str().len();
        if length > LONGEST_SOCKET_PATH { Err(PrivateError::SocketPath { path, length }) } else { Ok(()) }
    }

    /// Gives the files by which a server keeps another from its data and from its socket.
    pub fn lock_files(&self) -> [PathBuf; 2] {
        [self.data.join(LOCK_FILE), self.sockets.join(format!(".s.PGSQL.{PORT}.lock"))]
    }

    /// Gives the major version of PostgreSQL that made the data directory; `None` if there is no data directory.
    pub fn made_by(&self) -> Result<Option<String>, PrivateError> {
        if !self.data.exists() {
            return Ok(None);
        }
        if !self.data.join(COMPLETE).exists() {
            return Err(PrivateError::Foreign { data: self.data.clone() });
        }
        let path = self.data.join("PG_VERSION");
        let version = fs::read_to_string(&path).map_err(failed("read", &path))?;
        Ok(Some(version.trim().to_owned()))
    }

    /// Makes what is missing around the data directory, and writes the settings.
    pub fn prepare(&self, account: &Account) -> Result<(), PrivateError> {
        let mode = match account {
            Account::Ours => 0o700,
            Account::Other(_) => 0o711,
        };
        create_all(&self.base, mode).map_err(failed("create", &self.base))?;
        account.check_reaches(&self.base)?;
        create_all(&self.sockets, 0o700).map_err(failed("create", &self.sockets))?;
        account.own(&self.sockets)?;
        // Who may pass through the sockets' directory is the owner or root; peer authentication asks once more.
        let who = if geteuid().is_root() { "root" } else { "/^.*$" };
        self.write("postgresql.conf", include_str!("postgresql.conf"))?;
        self.write("pg_hba.conf", "local all all peer map=retcon\n")?;
        self.write("pg_ident.conf", &format!("retcon {who} {SUPERUSER}\n"))
    }

    /// Replaces a file of ours, whole or not at all.
    fn write(&self, name: &str, text: &str) -> Result<(), PrivateError> {
        let path = self.base.join(name);
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.base)?;
            file.write_all(text.as_bytes())?;
            file.as_file().set_permissions(Permissions::from_mode(0o644))?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(failed("write", &path))
    }

    /// Makes the data directory: a crash leaves it whole or not there.
    pub fn initialise(&self, programs: &Programs, account: &Account) -> Result<(), PrivateError> {
        self.remove_unfinished()?;
        // A new name each time: the initdb of a killed daemon may still be writing to the last one.
        let unfinished = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.base)
            .map_err(failed("create a directory in", &self.base))?;
        account.own(unfinished.path())?;
        let output = command(&programs.initdb, account)
            .arg("-D")
            .arg(unfinished.path())
            .args(["-U", SUPERUSER, "-E", "UTF8", "--locale=C", "--data-checksums"])
            .args(["--auth-local=peer", "--auth-host=reject"])
            .output()
            .map_err(failed("run", &programs.initdb))?;
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            return Err(PrivateError::Initdb { status: output.status, output: last_lines(&text) });
        }
        let path = unfinished.keep();
        self.complete(&path).map_err(failed("complete", &path))
    }

    /// Marks a data directory as completed and gives it its name, durably.
    fn complete(&self, unfinished: &Path) -> io::Result<()> {
        let mark = OpenOptions::new().write(true).create_new(true).mode(0o644).open(unfinished.join(COMPLETE))?;
        mark.sync_all()?;
        File::open(unfinished)?.sync_all()?;
        fs::rename(unfinished, &self.data)?;
        File::open(&self.base)?.sync_all()
    }

    /// Removes what an earlier run left half-finished.
    fn remove_unfinished(&self) -> Result<(), PrivateError> {
        let entries = fs::read_dir(&self.base).map_err(failed("list", &self.base))?;
        for entry in entries {
            let entry = entry.map_err(failed("list", &self.base))?;
            if entry.file_name().as_bytes().starts_with(UNFINISHED.as_bytes()) {
                match fs::remove_dir_all(entry.path()) {
                    // The initdb of a killed daemon still writes there: the next run removes it.
                    Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                    removed => removed.map_err(failed("remove", &entry.path()))?,
                }
            }
        }
        Ok(())
    }

    /// Gives the command that runs the server, with `settings` over those of the file.
    pub fn server(&self, programs: &Programs, account: &Account, settings: &[(String, String)]) -> Command {
        let mut server = command(&programs.postgres, account);
        server.arg("-D").arg(&self.data);
        for (name, file) in FILES {
            server.arg("-c").arg(setting(name, &self.base.join(file)));
        }
        server.arg("-c").arg(setting("unix_socket_directories", &quoted(&self.sockets)));
        for (name, value) in settings {
            server.arg("-c").arg(format!("{name}={value}"));
        }
        server
    }

    /// Opens the log for appending, and says how long it is already.
    pub fn open_log(&self) -> Result<(File, u64), PrivateError> {
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > LARGEST_LOG) {
            let former = self.base.join("postgres.log.1");
            fs::rename(&self.log, &former).map_err(failed("rename", &self.log))?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o640)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&self.log)
            .map_err(failed("open", &self.log))?;
        let length = file.metadata().map_err(failed("read", &self.log))?.len();
        Ok((file, length))
    }

    /// Gives the last lines of what the log has beyond `from`.
    pub fn log_since(&self, from: u64) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(from.max(length.saturating_sub(16 << 10))))?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            Ok(text)
        };
        read().map_or_else(|error| format!("(cannot read it: {error})"), |text| last_lines(&text))
    }
}

/// Gives a command of PostgreSQL's, in an environment of ours.
fn command(program: &Path, account: &Account) -> Command {
    let mut command = Command::new(program);
    account.apply(&mut command);
    // The working directory may be closed to the account.
    command.current_dir("/").stdin(Stdio::null());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
    // A group of its own: Ctrl-C at the terminal is for the daemon, which stops what it started in order.
    command.process_group(0);
    command
}

/// Gives `name=path`, whatever bytes the path has.
fn setting(name: &str, path: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(name);
    text.push("=");
    text.push(path);
    text
}

/// Quotes a path for a list of directories.
fn quoted(path: &Path) -> PathBuf {
    let mut bytes = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        bytes.extend(if *byte == b'"' { &b"\"\""[..] } else { std::slice::from_ref(byte) });
    }
    bytes.push(b'"');
    PathBuf::from(std::ffi::OsStr::from_bytes(&bytes))
}

fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
