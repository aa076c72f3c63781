//! The configuration: the file, its validation with every error at once, and what a change of it means.

pub mod model;
