//! Who acts, when, and what happens when it fails. Actors hold no memory that matters: the database does.

pub mod supervisor;
pub mod store;
