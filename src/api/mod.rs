//! What programs and people see: the routes of the HTTP API, the types on the wire, a typed client of them, and the pages.
//!
//! Routes parse names and keys into types and ask actors; they know neither the database nor how a source is run.
//! The routes and the codes of problems are described in docs/api.md.

pub mod wire;
pub mod problem;
mod input;
mod forms;
mod signature;
mod describe;
mod arrears;
mod under_way;
mod service;
mod exposition;
mod count;
mod routes;
mod pages;
mod body;
pub mod access;
mod patient;
mod screen;
mod socket;
mod tcp;
pub mod server;
pub mod client;

pub use arrears::Arrears;
pub use service::Service;
pub use under_way::UnderWay;
