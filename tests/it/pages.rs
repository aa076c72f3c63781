//! The pages: what people see and decide.

mod sign_in;
mod browsing;
mod overview;
mod every;
mod browse;
mod refusals;
mod browse_by_hand;
mod deciding;
mod decisions;
mod owed;
mod windows;
