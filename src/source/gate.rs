//! The gate that every invocation of an entity's programs passes: its throttle.

use std::time::Duration;

use crate::config::model::Throttle;

use super::process::cancel::Cancel;

/// The throttle of one entity, shared by all its sources and by every configuration it comes to run under.
#[derive(Debug)]
pub struct Gate {}

/// The wait was cancelled; nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot wait any longer for the throttle: cancelled")]
pub struct Cancelled;

/// How a gate is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GateState {
    /// Invocations that wait.
    pub waiting: usize,
    /// How long one that came now would wait.
    pub wait: Duration,
}

impl Gate {
    /// Makes a gate whose bucket is empty: whoever passed before it was there is not known.
    pub fn new(_throttle: &Throttle) -> Self {
        Self {}
    }

    /// Changes the limits, also for those who wait; what has been taken stays taken.
    pub fn set(&self, _throttle: &Throttle) {}

    /// Waits until one more invocation may start. Blocks.
    ///
    /// # Errors
    /// [`Cancelled`]; nothing was taken.
    pub fn pass(&self, _cancel: &Cancel) -> Result<(), Cancelled> {
        Ok(())
    }

    /// Returns how it is now.
    pub fn state(&self) -> GateState {
        GateState::default()
    }
}
