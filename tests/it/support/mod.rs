//! What several tests need: real programs, started, watched and stopped.

pub(crate) mod postgres;
