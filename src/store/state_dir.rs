//! The daemon's directory: its socket, its locks, its private PostgreSQL. One daemon at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::requests::lease::DaemonId;

/// For how long a lock is waited for that somebody holds.
const LOADING: Duration = Duration::from_millis(500);
/// The pause before it is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// A directory that exists and that no other daemon uses, for as long as this lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Closed on exec, so that nothing that the daemon starts inherits the lock.
    _lock: File,
}

/// Why a directory cannot be the daemon's.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    #[error("cannot use {}: a daemon{} uses it already (it holds {})",
        directory.display(), pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(), lock.display())]
    Taken { directory: PathBuf, lock: PathBuf, pid: Option<u32> },
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl StateDir {
    /// Makes the directory and its missing parents, and takes it.
    ///
    /// What is made is open for passing through when we are root, since PostgreSQL then runs as another user, and closed
    /// otherwise; what exists is left as it is.
    /// # Errors
    /// [`StateDirError::Taken`] if another daemon has it.
    pub fn claim(path: &Path) -> Result<Self, StateDirError> {
        let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
        create_all(path, mode).map_err(failed("create", path))?;
        let path = fs::canonicalize(path).map_err(failed("resolve", path))?;
        let lock = take_lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Notes the name of the daemon that uses the directory now, and gives that of the last one if it cannot live any more: its
    /// lock was given up while this machine has been up.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn succeed(&self, daemon: DaemonId) -> Result<Option<DaemonId>, StateDirError> {
        let path = self.path.join("daemon.id");
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let noted = fs::read_to_string(&path).unwrap_or_default();
        let former = match noted.split_once(' ') {
            Some((former, of_boot)) if of_boot.trim() == boot.trim() && !boot.is_empty() => former.parse().ok(),
            Some(_) | None => None,
        };
        let new = path.with_extension("new");
        let written = fs::write(&new, format!("{daemon} {boot}")).and_then(|()| fs::rename(&new, &path));
        written.map_err(failed("write", &path)).map(|()| former)
    }

    /// Gives the directory's path, absolute and without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a directory and its missing parents, all with `mode` whatever the umask.
pub(super) fn create_all(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_all(parent, mode)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

fn take_lock(directory: &Path) -> Result<File, StateDirError> {
    let path = directory.join("retcond.lock");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)
        .map_err(failed("open", &path))?;
    match lock_soon(&file) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            // Empty while its holder has not written it yet.
            let pid = file.read_to_string(&mut pid).ok().and_then(|_| pid.trim().parse().ok());
            return Err(StateDirError::Taken { directory: directory.to_owned(), lock: path, pid });
        }
        Err(error) => return Err(failed("lock", &path)(error.into())),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed("write", &path))?;
    Ok(file)
}

/// Takes the lock. A process that a daemon was starting when it was killed holds it until its program is loaded: that is waited for.
fn lock_soon(file: &File) -> Result<(), Errno> {
    let start = Instant::now();
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if start.elapsed() < LOADING => thread::sleep(PAUSE),
            other => return other,
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateDirError {
    let path = path.to_owned();
    move |source| StateDirError::Io { action, path, source }
}
