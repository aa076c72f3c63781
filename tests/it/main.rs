//! The integration tests: one binary, a file for each behaviour.

mod support;

mod api;
mod cli;
mod commands;
mod database_outage;
mod config;
mod embedded;
mod examples;
mod file_lengths;
mod layers;
mod migrations;
mod private_postgres;
mod log_lines;
mod documents;
mod outcomes;
mod offline_sources;
mod processes;
mod rules;
mod sessions;
mod store_queue;
mod store_claim;
mod store_introduce;
mod store_look;
mod store_view;
mod store_races;
mod store_plans;
mod store_errors;
