//! What several tests need: real programs, started, watched and stopped.

pub(crate) mod postgres;
pub(crate) mod store;
pub(crate) mod program;
pub(crate) mod alone;
pub(crate) mod wait;
pub(crate) mod socket;
pub(crate) mod tcp;
pub(crate) mod runs;
pub(crate) mod system;
pub(crate) mod bench;
pub(crate) mod site;
pub(crate) mod daemon;
pub(crate) mod chaos;
pub(crate) mod actors;
pub(crate) mod scene;
pub(crate) mod cable;
pub(crate) mod wire;
pub(crate) mod meter;
pub(crate) mod cluster;
pub(crate) mod browser;
