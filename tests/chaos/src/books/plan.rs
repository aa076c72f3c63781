//! The faults that a simulated program makes at present.

use serde::{Deserialize, Serialize};

/// `plan/ENTITY.SOURCE.json`, read anew by each run. Numbers are chances out of a thousand for each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// It cannot reach its system: every run exits 1.
    pub outage: bool,
    /// It does nothing until it is killed; half of the time after its change took effect.
    pub hang: u64,
    /// It prints what no contract allows, and exits 0.
    pub garbage: u64,
    /// It prints without end.
    pub flood: u64,
    /// Its change takes effect, and it exits 1 or 4, or is killed.
    pub apply_fail: u64,
    /// It exits 3 and does nothing.
    pub reject: u64,
    /// It exits 4, or 1 where it was to change something, and does nothing.
    pub fail: u64,
    /// A read shows, for some seconds, what retcon deleted.
    pub stale: u64,
    /// It takes up to half a second.
    pub slow: u64,
}
