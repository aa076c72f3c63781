//! Locks whose holders may panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock, also after a panic of one who held it: only for what every holder changes in one step, so that it is whole.
pub(super) fn whole<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
