//! Who acts, when, and what happens when it fails. Actors hold no memory that matters: the database does.

mod lock;
pub mod supervision;
pub mod messages;
pub mod supervisor;
pub mod leases;
mod pace;
pub mod reloader;
pub mod entity;
mod office;
mod workshop;
mod desk;
mod look;
pub mod errand;
pub mod crew;
pub mod herald;
mod alerts;
pub mod source;
pub mod store;
