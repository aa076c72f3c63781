//! Actors that fail alone: each child is driven by a task of its own, which restarts it with growing pauses, gives it up when
//! that does not help, and enters all of it in one ledger.
//!
//! This layer knows no actor of ours. A parent starts its children with [`start`], and is told when one has ended or was given
//! up; what follows from that is the parent's.

mod alarm;
mod child;
mod ledger;
mod life;
mod lifeline;
mod path;
mod policy;

pub use alarm::Alarm;
pub use child::{Child, Ended, Spec, start};
pub use ledger::{ActorState, ActorStatus, Event, Failure, Ledger, Outage, Supervision};
pub use life::panic_text;
pub use lifeline::{Drill, Fault, Lifeline, Moment};
pub use path::ActorPath;
pub use policy::Policy;

#[cfg(test)]
mod tests;
