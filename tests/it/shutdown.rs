//! The end of the daemon: no new claims, what runs gets its grace, nothing is left; and at a second signal, now.

use rustix::process::Signal;

use crate::support::daemon::{Daemon, processes};
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::system::SourceSpec;
use crate::support::wait::until;

const ANN: &str = r#"{"email":"x","name":"Ann"}"#;

/// A program that says that it is at work, and goes on when the test lets it.
const HELD: &str = ": > \"$system/begun\"; until [ -e \"$system/go\" ]; do sleep 0.01; done\n";
/// One that nothing but SIGKILL ends.
const STUBBORN: &str = "trap '' TERM; : > \"$system/begun\"; while :; do sleep 0.01; done\n";

fn two() -> [SourceSpec; 2] {
    [Sh.source("crm"), Sh.source("billing")]
}

/// Lets a create begin at billing that behaves as `program` says, with another notification behind it.
fn with_a_create_under_way<'a>(site: &'a Site, program: &str) -> Daemon<'a> {
    site.system("billing").fault("create", program);
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| site.system("billing").dir().join("begun").exists().then_some(()), || daemon.log_text());
    daemon
}

/// Waits until the daemon has understood that it is to stop.
fn is_stopping(daemon: &Daemon<'_>) {
    daemon.wait_for_event(|event| event["msg"] == "daemon stopping");
}

#[test]
fn what_runs_when_the_daemon_is_told_to_stop_ends_and_is_recorded_and_nothing_else_is_begun() {
    let site = Site::with("throttle = { in_flight = 1 }", &two());
    let mut daemon = with_a_create_under_way(&site, HELD);
    site.system("crm").put("b", ANN);
    site.retcon(&["notify", "customer", "crm", "b"]).exits(0);
    daemon.signal(Signal::TERM);
    is_stopping(&daemon);
    site.write("systems/billing/go", "");
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log_text());
    assert_eq!(processes(site.path()), []);
    let runs = site.runs();
    assert_eq!((runs.count("crm", "read"), runs.count("billing", "create")), (1, 1), "{runs:?}");
    drop(daemon);
    site.system("billing").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["state"], "linked");
    assert_eq!(site.get("/v1/status")["entities"][0]["in_doubt"], 0);
    assert_eq!(site.system("billing").documents(), [ANN, ANN]);
    site.runs().assert_none_meet();
    daemon.stop();
}

#[test]
fn a_second_signal_ends_what_runs_now() {
    let site = Site::with("", &two());
    site.write("retcon.toml", &graceful(&site, "1h"));
    let mut daemon = with_a_create_under_way(&site, STUBBORN);
    daemon.signal(Signal::TERM);
    is_stopping(&daemon);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log_text());
    assert_eq!(processes(site.path()), []);
    daemon.wait_for_event(|event| event["msg"] == "stopping at once");
}

#[test]
fn what_outlasts_the_grace_is_ended_and_what_it_may_have_done_is_in_doubt() {
    let site = Site::with("", &two());
    site.write("retcon.toml", &graceful(&site, "100ms"));
    let mut daemon = with_a_create_under_way(&site, STUBBORN);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log_text());
    assert_eq!(processes(site.path()), []);
    daemon.wait_for_event(|event| event["msg"] == "grace is over");
    drop(daemon);
    site.system("billing").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["state"], "in-doubt");
    assert_eq!(site.system("billing").documents(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn actors_stop_in_the_reverse_of_the_order_in_which_they_started() {
    let site = Site::with("", &two());
    let daemon = site.start();
    daemon.signal(Signal::TERM);
    let mut daemon = daemon;
    daemon.wait();
    let stopped: Vec<String> = daemon
        .events()
        .iter()
        .filter(|event| event["msg"] == "actor stopped")
        .filter_map(|event| event["actor"].as_str().map(String::from))
        .collect();
    let place = |actor: &str| stopped.iter().position(|stopped| stopped == actor);
    let order: Vec<_> = ["customer/crm", "customer", "store", "supervisor"].into_iter().map(place).collect();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{stopped:?}");
}

/// The site's configuration, with this grace.
fn graceful(site: &Site, grace: &str) -> String {
    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("the configuration");
    config.replacen("[server]\n", &format!("[server]\ngrace = {grace:?}\n"), 1)
}
