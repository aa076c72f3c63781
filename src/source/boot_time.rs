//! A clock that all processes of the machine read alike, and that counts also while the machine sleeps.

use std::ops::{Add, Sub};
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// The time since the machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(Duration);

impl BootTime {
    pub fn now() -> Self {
        // The kernel's clock is never negative, so this never fails.
        Self(Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default())
    }

    pub(super) fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(Duration::from_nanos(nanoseconds))
    }

    /// Returns it as a number; what is too far away is as far as a number goes.
    pub(super) fn nanoseconds(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Returns it as the kernel has it; never zero, which would mean "never" to a timer.
    pub(super) fn timespec(self) -> Timespec {
        let far = Timespec { tv_sec: i64::MAX, tv_nsec: 0 };
        Timespec::try_from(self.0.max(Duration::from_nanos(1))).unwrap_or(far)
    }
}

impl Sub for BootTime {
    type Output = Duration;

    /// Gives how much earlier the other one is; nothing if it is later.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}
