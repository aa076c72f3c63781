//! Cancellation that a poll loop can wait for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// A handle by which another thread ends an invocation: as its deadline would, but now.
///
/// Clones share one state. Once triggered it stays so: use a new one for what shall run after it.
#[derive(Debug, Clone)]
pub struct Cancel(Option<Arc<Switch>>);

#[derive(Debug)]
struct Switch {
    is_triggered: AtomicBool,
    fd: OwnedFd,
    /// What is triggered with it.
    children: Mutex<Vec<Weak<Switch>>>,
}

impl Switch {
    fn open() -> io::Result<Arc<Self>> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Arc::new(Self { is_triggered: AtomicBool::new(false), fd, children: Mutex::default() }))
    }

    fn trigger(&self) {
        self.is_triggered.store(true, Ordering::Release);
        // Fails only where the counter is full: it has been triggered then.
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
        self.children().iter().filter_map(Weak::upgrade).for_each(|child| child.trigger());
    }

    fn children(&self) -> MutexGuard<'_, Vec<Weak<Self>>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cancel {
    /// Makes a handle that is not triggered yet.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Some(Switch::open()?)))
    }

    /// Makes a handle of its own that is triggered with this one, too.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn child(&self) -> io::Result<Self> {
        let child = Self::new()?;
        if let (Some(parent), Some(switch)) = (&self.0, &child.0) {
            let mut children = parent.children();
            children.retain(|other| other.strong_count() > 0);
            children.push(Arc::downgrade(switch));
        }
        if self.is_triggered() {
            child.trigger();
        }
        Ok(child)
    }

    /// Returns the handle of what nobody cancels.
    pub const fn never() -> Self {
        Self(None)
    }

    /// Cancels all that waits on this handle now or later.
    pub fn trigger(&self) {
        if let Some(switch) = &self.0 {
            switch.trigger();
        }
    }

    /// Tells whether it has been triggered.
    pub fn is_triggered(&self) -> bool {
        self.0.as_deref().is_some_and(|switch| switch.is_triggered.load(Ordering::Acquire))
    }

    /// Waits until it is triggered, for `at_most`; tells whether it has been.
    pub fn wait(&self, at_most: Duration) -> bool {
        let mut fds: Vec<_> = self.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).into_iter().collect();
        let at_most = Timespec::try_from(at_most).ok();
        poll(&mut fds, at_most.as_ref()).is_ok_and(|ready| ready > 0)
    }

    /// Returns the descriptor that is readable once it has been triggered.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_deref().map(|switch| switch.fd.as_fd())
    }
}
