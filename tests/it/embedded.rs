//! `database.url = "embedded"`: the daemon and its private PostgreSQL, from outside.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::daemon::{Daemon, processes};
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::wait::until;

/// A site whose daemon has a PostgreSQL of its own.
fn site() -> Site {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("shop")]);
    let config = fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    site.write("retcon.toml", &config.replace(&site.database_table(), "[database]\nurl = \"embedded\"\n\n"));
    site
}

/// The postmaster's number, as its lock file says.
fn postmaster(site: &Site) -> Pid {
    let text = fs::read_to_string(site.path().join("state/pg/data/postmaster.pid")).expect("it runs");
    let number = text.lines().next().and_then(|line| line.trim().parse().ok());
    number.and_then(Pid::from_raw).expect("its first line is its number")
}

/// How the PostgreSQL of the last daemon came to run.
fn origin(daemon: &Daemon) -> String {
    let events = daemon.events();
    let event = events.iter().rev().find(|event| event["msg"] == "private postgresql running").expect("it is logged");
    event["origin"].as_str().expect("it is a word").to_owned()
}

#[test]
fn stopping_the_daemon_stops_its_postgresql_and_the_next_finds_what_was_recorded() {
    let site = site();
    let daemon = site.start();
    assert_eq!(origin(&daemon), "Initialised");
    site.system("crm").put("1", r#"{"name":"Ann"}"#);
    site.notify("crm", "1");
    // Checks that no process is left.
    daemon.stop();

    let daemon = site.start();
    assert_eq!(origin(&daemon), "Started");
    assert_eq!(site.ask(&["show", "customer", "1"])["agreed"]["name"], "Ann");
    daemon.stop();
}

#[test]
fn a_killed_daemon_leaves_its_postgresql_to_the_next() {
    let site = site();
    let daemon = site.start();
    let held = postmaster(&site);
    daemon.kill_alone();

    let daemon = site.start();
    assert_eq!((origin(&daemon).as_str(), postmaster(&site)), ("Adopted", held));
    daemon.stop();
}

#[test]
fn a_signal_during_the_first_start_leaves_nothing_behind() {
    let site = site();
    let mut daemon = Daemon::spawn(&site);
    let initialising = || {
        let entries = fs::read_dir(site.path().join("state/pg")).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("data")).then_some(())
    };
    until(initialising, || daemon.log_text());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log_text());
    assert_eq!(processes(site.path()), [], "left behind");
}

#[test]
fn work_goes_on_after_the_postmaster_was_killed() {
    let site = site();
    let daemon = site.start();
    kill_process(postmaster(&site), Signal::KILL).expect("it is ours");
    daemon.wait_for_event(|event| event["msg"] == "private postgresql started again");
    site.system("crm").put("1", r#"{"name":"Ann"}"#);
    // Until the sessions are new, a request may be refused.
    until(
        || site.retcon(&["notify", "--wait", "customer", "crm", "1"]).status.filter(|status| *status == 0),
        || daemon.log_text(),
    );
    assert_eq!(site.ask(&["show", "customer", "1"])["agreed"]["name"], "Ann");
    daemon.stop();
}

#[test]
fn a_database_that_is_frozen_is_told_to_clients_and_forgiven() {
    let site = site();
    let daemon = site.start();
    let frozen: Vec<_> =
        processes(site.path()).into_iter().filter(|process| process.command.contains("postgres")).collect();
    assert!(!frozen.is_empty(), "{:?}", processes(site.path()));
    frozen.iter().for_each(|process| kill_process(process.pid, Signal::STOP).expect("it is ours"));
    let hint = r#"{"entity":"customer","source":"crm","key":"1"}"#;
    let refused = site.http("POST", "/v1/notifications", Some(hint)).has_status(503).json();
    assert_eq!(refused["code"], "store-unavailable");
    frozen.iter().for_each(|process| kill_process(process.pid, Signal::CONT).expect("it is ours"));
    site.system("crm").put("1", r#"{"name":"Ann"}"#);
    site.notify("crm", "1");
    assert_eq!(site.ask(&["show", "customer", "1"])["agreed"]["name"], "Ann");
    daemon.stop();
}

#[test]
fn a_second_daemon_is_refused_by_the_path_of_the_state_directory() {
    let site = site();
    let first = site.start();
    let mut second = Daemon::spawn(&site);
    assert_eq!(second.wait().code(), Some(1));
    let refusal = format!("a daemon (pid {}) uses it already", first.pid().as_raw_nonzero());
    assert!(first.log_text().contains(&refusal), "{}", first.log_text());
    assert!(first.log_text().contains(&site.path().join("state").display().to_string()));
    drop(second);
}

#[test]
fn a_directory_closed_to_the_other_user_is_told_with_what_to_do() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: PostgreSQL runs as we do, and there is no other user");
        return;
    }
    let site = site();
    fs::set_permissions(site.path(), Permissions::from_mode(0o700)).expect("it is ours");
    let mut daemon = Daemon::spawn(&site);
    assert_eq!(daemon.wait().code(), Some(1));
    let text = daemon.log_text();
    for part in [&*format!("{} is closed to that user", site.path().display()), "server.state_dir", "chmod o+x"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!site.path().join("state/pg").exists(), "nothing was started, and nothing was made");
}
