//! The integration tests: one binary, a file for each behaviour.

mod support;

mod cli;
mod config;
mod examples;
mod file_lengths;
mod layers;
mod migrations;
mod private_postgres;
mod outcomes;
mod processes;
mod sessions;
