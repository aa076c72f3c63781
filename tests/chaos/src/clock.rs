//! The clock of all books.

use std::time::{SystemTime, UNIX_EPOCH};

/// A time: microseconds of `CLOCK_REALTIME` since 1970.
pub type Micros = i64;

/// Tells what time it is.
pub fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}
