//! Files that every run needs, opened once and kept.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};

/// A file of the system, open from its first use on.
pub(super) struct Kept {
    path: &'static str,
    file: OnceLock<OwnedFd>,
}

/// Has nothing to read.
pub(super) static NOTHING: Kept = Kept::at("/dev/null");

/// Tells, last, which number was given to a process last.
pub(super) static LOAD: Kept = Kept::at("/proc/loadavg");

impl Kept {
    const fn at(path: &'static str) -> Self {
        Self { path, file: OnceLock::new() }
    }

    /// Gives the file; opens it where that has not succeeded yet.
    pub(super) fn fd(&'static self) -> io::Result<BorrowedFd<'static>> {
        if let Some(file) = self.file.get() {
            return Ok(file.as_fd());
        }
        let opened = rustix::fs::open(self.path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(self.file.get_or_init(|| opened).as_fd())
    }
}
