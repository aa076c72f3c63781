//! Breaks a running retcon in every way that is known, and decides afterwards whether anything was lost or done twice.
//!
//! A run has systems (`sim`), users who edit them, a nemesis who breaks things, and books (`books`) in which everybody but
//! retcon writes down what was done. The checker (`check`) reads the books and retcon's database, and shares no code with retcon.

pub mod books;
pub mod clock;
pub mod chance;
pub mod scenario;
pub mod sim;
pub mod client;
pub mod stage;
pub mod crowd;
pub mod nemesis;
pub mod drive;
pub mod check;
pub mod report;
pub mod planted;
