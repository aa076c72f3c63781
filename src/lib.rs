//! retcon keeps the copies of a record in many systems in step.
//!
//! The layers, from rules to wiring; what each may import is in ARCHITECTURE.md, and a test holds it.

pub mod points;
pub mod domain;
pub mod config;
pub mod log;
pub mod metrics;
pub mod source;
pub mod store;
pub mod actor;
pub mod api;
pub mod cli;
pub mod daemon;
