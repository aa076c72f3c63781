//! Runs one data-source program and reads its end by the contract (docs/data-sources.md).
//!
//! Everything here blocks the calling thread for as long as the program runs; nothing a program does can block it longer.
//! Nothing here decides what follows from an end: that is the domain's.

pub mod boot_time;
pub mod contract;
pub mod process;
pub mod guardian;
pub mod lock;
pub mod gate;
pub mod tenure;
pub mod past;
pub mod visit;
pub mod alert;
pub mod log;
