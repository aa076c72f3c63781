//! Cancellation that a poll loop can wait for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// A handle by which another thread ends an invocation: as its deadline would, but now.
///
/// Clones share one state. Once triggered it stays so: use a new one for what shall run after it.
#[derive(Debug, Clone)]
pub struct Cancel(Option<Arc<OwnedFd>>);

impl Cancel {
    /// Makes a handle that is not triggered yet.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Some(Arc::new(fd))))
    }

    /// Returns the handle of what nobody cancels.
    pub const fn never() -> Self {
        Self(None)
    }

    /// Cancels all that waits on this handle now or later.
    pub fn trigger(&self) {
        if let Some(fd) = &self.0 {
            // Fails only where the counter is full: it has been triggered then.
            let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
        }
    }

    /// Tells whether it has been triggered.
    pub fn is_triggered(&self) -> bool {
        let Some(fd) = self.fd() else { return false };
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Returns the descriptor that is readable once it has been triggered.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_deref().map(AsFd::as_fd)
    }
}
