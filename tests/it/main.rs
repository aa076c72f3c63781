//! The integration tests: one binary, a file for each behaviour.

mod support;

mod api;
mod acceptance_contract;
mod acceptance_faults;
mod acceptance_input;
mod acceptance_load;
mod acceptance_policies;
mod acceptance_values;
mod cli;
mod commands;
mod database_outage;
mod config;
mod embedded;
mod demo;
mod examples;
mod file_lengths;
mod init;
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
