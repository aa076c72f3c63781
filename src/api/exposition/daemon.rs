//! The daemon as a whole: its process, its database, its configuration, its actors.

use std::fs;
use std::time::{Duration, SystemTime};

use super::truth;
use crate::actor::reloader::FileState;
use crate::actor::supervisor::Survey;
use crate::api::wire::supervision::State;
use crate::metrics::{Kind, Page};

pub(super) fn write(page: &mut Page, survey: &Survey, file: &FileState) {
    let mut build = page.family("retcon_build_info", Kind::Gauge, "The program that runs; its value is always 1.");
    build.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    process(page, survey.uptime);
    database(page, survey);
    configuration(page, file);
    actors(page, survey);
}

fn process(page: &mut Page, uptime: Duration) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let started = now.saturating_sub(uptime).as_secs_f64();
    page.single("retcon_start_time_seconds", Kind::Gauge, "When the daemon was started, since 1970.", started.round());
    if let Some(bytes) = resident_bytes() {
        let help = "Memory of the daemon's process.";
        page.single("retcon_process_resident_memory_bytes", Kind::Gauge, help, bytes as f64);
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        let help = "Descriptors that the daemon's process has open.";
        page.single("retcon_process_open_fds", Kind::Gauge, help, descriptors.count() as f64);
    }
}

/// Reads how much memory this process has (proc(5)).
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn database(page: &mut Page, survey: &Survey) {
    let help = "Whether the database answers and can store.";
    page.single("retcon_database_up", Kind::Gauge, help, truth(survey.database.up));
    let usage = survey.usage;
    let help = "Sessions with the database, of which a request takes one each.";
    let mut sessions = page.family("retcon_database_sessions", Kind::Gauge, help);
    sessions.count(&[("state", "idle")], usage.idle as u64);
    sessions.count(&[("state", "busy")], usage.open.saturating_sub(usage.idle) as u64);
    let help = "How many sessions there may be (pool_size).";
    page.single("retcon_database_sessions_limit", Kind::Gauge, help, usage.max as f64);
    let help = "Requests that wait for a session.";
    page.single("retcon_database_requests_waiting", Kind::Gauge, help, usage.waiting as f64);
}

fn configuration(page: &mut Page, file: &FileState) {
    let help = "Whether what the configuration file said when it was read last is in force.";
    page.single("retcon_config_last_reload_successful", Kind::Gauge, help, truth(file.errors.is_empty()));
    let help = "When the configuration file was read last, since 1970.";
    page.single("retcon_config_last_reload_timestamp_seconds", Kind::Gauge, help, file.read_at.as_second() as f64);
    let help = "When the configuration in force was read, since 1970.";
    page.single("retcon_config_in_force_timestamp_seconds", Kind::Gauge, help, file.loaded_at.as_second() as f64);
    let help = "Settings of the file that wait for a restart.";
    page.single("retcon_config_settings_pending", Kind::Gauge, help, file.needs_restart.len() as f64);
}

fn actors(page: &mut Page, survey: &Survey) {
    let mut actors = page.family("retcon_actors", Kind::Gauge, "Actors by state.");
    for state in State::ALL {
        let number = survey.actors.iter().filter(|actor| State::of(actor) == state).count();
        actors.count(&[("state", state.as_str())], number as u64);
    }
    let help = "How often an actor was started again after a failure; one that never was is left out.";
    let mut restarts = page.family("retcon_actor_restarts_total", Kind::Counter, help);
    for actor in survey.actors.iter().filter(|actor| actor.restarts > 0) {
        restarts.count(&[("actor", &actor.path.to_string())], actor.restarts);
    }
}
