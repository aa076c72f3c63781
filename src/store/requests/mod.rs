//! The requests: one struct each, with what it gives. Grouped by who asks.

pub mod lease;
pub mod event;
pub mod queue;
pub mod look;
pub mod view;
pub mod attention;
pub mod browse;
pub mod inbox;
pub mod pause;
pub mod access;
pub mod webhook;
pub mod repeatable;
