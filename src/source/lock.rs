//! A source's lock: one invocation at a time, among the daemon and every command typed by hand.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::domain::name::{EntityName, SourceName};

use super::process::cancel::Cancel;

/// A source's lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _fd: OwnedFd,
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
    /// # Errors
    /// Nothing is held then.
    pub(crate) fn take(
        state_dir: &Path,
        entity: &EntityName,
        source: &SourceName,
        cancel: &Cancel,
    ) -> Result<Self, LockError> {
        todo!()
    }
}
