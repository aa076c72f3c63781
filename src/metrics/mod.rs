//! What is counted for whoever watches the daemon, and the text in which Prometheus reads it.
//!
//! Counters belong to the process and begin at zero with it. What the database knows is not counted here. The names are told in
//! docs/operations.md.

mod histogram;
mod hour;
mod page;
mod tally;

pub use histogram::Histogram;
pub use hour::{Hour, MINUTES, Minute};
pub use page::{Family, Kind, Page};
pub use tally::{Counted, Invocation, Request, Tally};
