//! Cancellation that a poll loop can wait for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

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
        self.wait(Duration::ZERO)
    }

    /// Waits until it is triggered, for `at_most`; tells whether it has been.
    pub fn wait(&self, at_most: Duration) -> bool {
        let mut fds: Vec<_> = self.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).into_iter().collect();
        let at_most = Timespec::try_from(at_most).ok();
        poll(&mut fds, at_most.as_ref()).is_ok_and(|ready| ready > 0)
    }

    /// Returns the descriptor that is readable once it has been triggered.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_deref().map(AsFd::as_fd)
    }
}
