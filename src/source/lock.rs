//! A source's lock: one invocation at a time, among the daemon and every command typed by hand.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::domain::name::{EntityName, SourceName};

use super::process::cancel::Cancel;
use super::process::is_shortage;

/// How long a wait for the lock sleeps between two tries: doubling from the first to the second.
const SLEEP: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// A source's lock, held until it is dropped, or its process is gone.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why a source's lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("cannot make the directory for locks {}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot lock {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot wait any longer for the source's turn: cancelled")]
    Cancelled,
}

impl Lock {
    /// Waits for the lock of a source below `state_dir`.
    ///
    /// The file stays when the lock is gone: to remove it would let two hold "the" lock.
    ///
    /// # Errors
    /// Nothing is held then.
    pub(crate) fn take(
        state_dir: &Path,
        entity: &EntityName,
        source: &SourceName,
        cancel: &Cancel,
    ) -> Result<Self, LockError> {
        let (file, path) = file(state_dir, entity, source)?;
        match acquire(&file, |pause| cancel.wait(pause)) {
            Ok(Acquired::Yes) => Ok(Self { _file: file }),
            Ok(Acquired::GivenUp) => Err(LockError::Cancelled),
            Err(source) => Err(LockError::File { path, source }),
        }
    }

    /// Takes the lock if nobody has it.
    ///
    /// # Errors
    /// Nothing is held then.
    pub(crate) fn take_at_once(
        state_dir: &Path,
        entity: &EntityName,
        source: &SourceName,
    ) -> Result<Option<Self>, LockError> {
        let (file, path) = file(state_dir, entity, source)?;
        match acquire(&file, |_| true) {
            Ok(Acquired::Yes) => Ok(Some(Self { _file: file })),
            Ok(Acquired::GivenUp) => Ok(None),
            Err(source) => Err(LockError::File { path, source }),
        }
    }
}

/// Opens the file of a source's lock; gives its path, too.
fn file(state_dir: &Path, entity: &EntityName, source: &SourceName) -> Result<(File, PathBuf), LockError> {
    let directory = state_dir.join("locks");
    let path = directory.join(format!("{entity}.{source}.lock"));
    let opened = match open(&path) {
        // Only the first of all finds no directory.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(&directory)
                .map_err(|source| LockError::Directory { path: directory.clone(), source })?;
            open(&path)
        }
        opened => opened,
    };
    match opened {
        Ok(file) => Ok((file, path)),
        Err(source) => Err(LockError::File { path, source }),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// What came of waiting for a file's lock.
pub(super) enum Acquired {
    Yes,
    GivenUp,
}

/// Waits for the exclusive lock of a file, until `wait`, which lets time pass, says to give up.
pub(super) fn acquire(file: &File, mut wait: impl FnMut(Duration) -> bool) -> io::Result<Acquired> {
    let mut pause = SLEEP.0;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Acquired::Yes),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if wait(pause) {
            return Ok(Acquired::GivenUp);
        }
        pause = (pause * 2).min(SLEEP.1);
    }
}

impl LockError {
    /// Says whether this machine has no descriptor left for it now.
    pub(crate) fn is_shortage(&self) -> bool {
        match self {
            Self::Directory { source, .. } | Self::File { source, .. } => is_shortage(source),
            Self::Cancelled => false,
        }
    }

    /// Says all that is known, for a place that keeps one line.
    pub(crate) fn with_cause(&self) -> String {
        match self {
            Self::Directory { source, .. } | Self::File { source, .. } => format!("{self}: {source}"),
            Self::Cancelled => self.to_string(),
        }
    }
}
