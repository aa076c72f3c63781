//! Live reload: who asks for it, what comes of it, and what of it is seen.

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::wait::until;

mod watched;

const APPLIED: &str = "configuration applied";
const REJECTED: &str = "configuration rejected";
const UNCHANGED: &str = "configuration unchanged";

/// A site whose file is not watched.
fn site() -> Site {
    let site = Site::with("throttle = { rate = 1 }", &[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let text = read(&site);
    site.write("retcon.toml", &format!("reload.watch = false\n{text}"));
    site
}

fn read(site: &Site) -> String {
    std::fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration")
}

/// Replaces a part of the configuration, which stands there.
#[track_caller]
fn edit(site: &Site, from: &str, to: &str) {
    let text = read(site);
    assert!(text.contains(from), "no {from:?} in {text}");
    replace(site, &text.replacen(from, to, 1));
}

/// Replaces the configuration whole, as editors do.
fn replace(site: &Site, text: &str) {
    let fresh = site.write(".retcon.toml.new", text);
    std::fs::rename(fresh, site.path().join("retcon.toml")).expect("a file");
}

fn with_rate(text: &str, rate: u32) -> String {
    text.replace("rate = 1 ", &format!("rate = {rate} "))
}

/// The rate of the configuration in force.
fn rate(site: &Site) -> u64 {
    site.get("/v1/status")["entities"][0]["throttle"]["rate"].as_f64().map_or(0, |rate| rate as u64)
}

#[track_caller]
fn wait_for_rate(site: &Site, daemon: &Daemon<'_>, rate: u64) {
    until(|| (self::rate(site) == rate).then_some(()), || daemon.log_text());
}

#[track_caller]
fn wait_for(daemon: &Daemon<'_>, message: &str) -> Value {
    daemon.wait_for_event(|event| event["msg"] == message)
}

fn count(daemon: &Daemon<'_>, message: &str) -> usize {
    daemon.events().iter().filter(|event| event["msg"] == message).count()
}

#[test]
fn a_hang_up_applies_what_the_file_says() {
    let site = site();
    let daemon = site.start();
    edit(&site, "rate = 1 ", "rate = 2 ");
    daemon.signal(Signal::HUP);
    let applied = wait_for(&daemon, APPLIED);
    assert_eq!(applied["changes"], "entities.customer: throttle changed", "{applied}");
    assert_eq!(applied["actor"], "reloader", "{applied}");
    assert_eq!(rate(&site), 2);
    daemon.stop();
}

#[test]
fn a_person_is_told_what_changed_or_that_nothing_did() {
    let site = site();
    let daemon = site.start();
    let run = site.retcon(&["reload"]).exits(0);
    assert_eq!((run.stdout().as_str(), run.stderr().as_str()), ("nothing changed\n", ""));
    wait_for(&daemon, UNCHANGED);
    edit(&site, "rate = 1 ", "rate = 2 ");
    edit(&site, "level = \"debug\"", "level = \"info\"");
    let run = site.retcon(&["reload"]).exits(0);
    assert_eq!(run.stdout(), "log.level: changed\nentities.customer: throttle changed\n", "{run}");
    assert_eq!(rate(&site), 2);
    let body = site.ask(&["reload"]);
    assert_eq!(body, serde_json::json!({"outcome": "unchanged", "changes": [], "errors": []}));
    daemon.stop();
}

#[test]
fn a_broken_file_changes_nothing_and_is_reported_in_full() {
    let site = site();
    let daemon = site.start();
    let before = site.get("/v1/status")["config"].clone();
    assert_eq!((&before["state"], &before["errors"]), (&"applied".into(), &serde_json::json!([])), "{before}");
    let good = read(&site);
    let broken = format!("{}\nfrob = 1\n[retention]\nwork = \"soon\"\n", with_rate(&good, 9));
    replace(&site, &broken);

    let run = site.retcon(&["reload"]).exits(1);
    assert_eq!(run.stdout(), "");
    let check = site.retcon(&["check"]).exits(2);
    let findings = |stderr: &str| stderr.lines().filter(|line| line.contains("retcon.toml:")).count();
    assert_eq!(findings(&run.stderr()), 2, "{run}");
    for line in check.stderr().lines().filter(|line| line.contains("retcon.toml:")) {
        assert!(run.stderr().contains(line), "no {line:?}: {run}");
    }
    let rejected = wait_for(&daemon, REJECTED);
    assert_eq!(rejected["level"], "ERROR");
    for word in ["frob", "retention.work: ", "retcon.toml:", "2 errors"] {
        assert!(rejected["error"].as_str().is_some_and(|error| error.contains(word)), "no {word:?}: {rejected}");
    }

    let body = site.http("POST", "/v1/reload", None).has_status(200).json();
    assert_eq!((&body["outcome"], &body["changes"]), (&"rejected".into(), &serde_json::json!([])), "{body}");
    let config = site.get("/v1/status")["config"].clone();
    assert_eq!((&config["state"], &config["errors"]), (&"rejected".into(), &body["errors"]), "{config}");
    assert_eq!(config["loaded_at"], before["loaded_at"]);
    let keys: Vec<_> = body["errors"].as_array().expect("a list").iter().map(|error| error["key"].clone()).collect();
    assert_eq!(keys, ["entities.customer.sources.billing.frob", "retention.work"], "{body}");
    assert!(body["errors"][0]["line"].is_u64() && body["errors"][0]["column"].is_u64(), "{body}");
    let status = site.retcon(&["status"]).exits(1);
    assert!(status.stdout().contains("! the configuration was rejected"), "{status}");
    assert!(status.stdout().contains("and 1 more: retcon check"), "{status}");
    assert_eq!(rate(&site), 1);

    replace(&site, &good);
    assert_eq!(site.retcon(&["reload"]).exits(0).stdout(), "nothing changed\n");
    let status = site.retcon(&["status"]).exits(0);
    assert!(status.stdout().starts_with("all is well\n"), "{status}");
    daemon.stop();
}

#[test]
fn what_is_no_file_is_a_mistake_and_holds_up_neither_a_reload_nor_the_end() {
    let site = site();
    let daemon = site.start();
    let file = site.path().join("retcon.toml");
    let good = read(&site);
    for stand_in in ["fifo", "device"] {
        std::fs::remove_file(&file).expect("it is there");
        match stand_in {
            "fifo" => mknodat(CWD, &file, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO"),
            _ => std::os::unix::fs::symlink("/dev/zero", &file).expect("a link"),
        }
        let body = site.http("POST", "/v1/reload", None).has_status(200).json();
        assert_eq!(body["outcome"], "rejected", "{stand_in}: {body}");
        replace(&site, &with_rate(&good, 2));
        let body = site.http("POST", "/v1/reload", None).has_status(200).json();
        assert_eq!(body["outcome"], "applied", "{stand_in}: {body}");
        replace(&site, &good);
        site.http("POST", "/v1/reload", None).has_status(200);
    }
    daemon.stop();
}

/// Edits the record differently in both systems, and has it looked at.
fn contradict(site: &Site, crm: &str, billing: &str) {
    let key = site.system("billing").only_key();
    site.system("crm").put("ann", &format!("{{\"name\":{crm:?}}}"));
    site.system("billing").put(&key, &format!("{{\"name\":{billing:?}}}"));
    site.notify("crm", "ann");
}

#[test]
fn what_runs_is_the_last_configuration_that_was_right() {
    let site = site();
    let daemon = site.start();
    site.system("crm").put("ann", r#"{"name":"Ann"}"#);
    site.notify("crm", "ann");
    let policy = |policy: &str| format!("[entities.customer]\nmerge_policy = {policy:?}\n");
    edit(&site, "[entities.customer]\n", &policy("trust-only:crm"));
    site.retcon(&["reload"]).exits(0);
    contradict(&site, "Anne", "Anna");
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Anne"}"#]);

    edit(&site, &policy("trust-only:crm"), &policy("trust-only:billing"));
    edit(&site, "[server]\n", "[server]\nfrob = 1\n");
    site.retcon(&["reload"]).exits(1);
    contradict(&site, "Anne B.", "Anna B.");
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Anne B."}"#]);

    edit(&site, "frob = 1\n", "");
    site.retcon(&["reload"]).exits(0);
    contradict(&site, "Anne C.", "Anna C.");
    assert_eq!(site.system("crm").documents(), [r#"{"name":"Anna C."}"#]);
    daemon.stop();
}

#[test]
fn what_needs_a_restart_is_named_each_time_and_the_rest_is_in_force() {
    let site = site();
    let daemon = site.start();
    edit(&site, "rate = 1 ", "rate = 2 ");
    edit(&site, "[server]\n", "[server]\ngrace = \"1m\"\n");
    edit(&site, "[database]\n", "[database]\npool_size = 5\n");
    let names = "server.grace: changed, needs a restart\ndatabase.pool_size: changed, needs a restart\n";
    let run = site.retcon(&["reload"]).exits(0);
    assert_eq!(run.stdout(), format!("{names}entities.customer: throttle changed\n"));
    let applied = wait_for(&daemon, APPLIED);
    assert_eq!(applied["needs_restart"], "server.grace database.pool_size");
    assert_eq!(rate(&site), 2);
    let run = site.retcon(&["reload"]).exits(0);
    assert_eq!(run.stdout(), names);
    assert_eq!(site.ask(&["reload"])["outcome"], "needs-restart");
    let config = site.get("/v1/status")["config"].clone();
    assert_eq!(config["needs_restart"], serde_json::json!(["server.grace", "database.pool_size"]), "{config}");
    let status = site.retcon(&["status"]).exits(0);
    assert!(status.stdout().contains("needs a restart: server.grace, database.pool_size"), "{status}");
    daemon.stop();
    let daemon = site.start();
    assert_eq!(site.retcon(&["reload"]).exits(0).stdout(), "nothing changed\n");
    daemon.stop();
}

#[test]
fn level_and_format_of_the_log_change_at_once() {
    let site = site();
    edit(&site, "level = \"debug\"", "level = \"crit\"");
    let daemon = site.start();
    site.retcon(&["reload"]).exits(0);
    assert_eq!(daemon.log_text().lines().filter(|line| !line.is_empty()).count(), 0, "{}", daemon.log_text());
    edit(&site, "level = \"crit\"", "level = \"info\"");
    site.retcon(&["reload"]).exits(0);
    wait_for(&daemon, APPLIED);
    edit(&site, "format = \"json\"", "format = \"text\"");
    site.retcon(&["reload"]).exits(0);
    until(
        || daemon.log_text().contains("NOTICE configuration applied").then_some(()),
        || format!("no text: {}", daemon.log_text()),
    );
    daemon.stop();
}

#[test]
fn no_secret_is_told() {
    let site = site();
    edit(
        &site,
        "[entities.customer.sources.crm]\n",
        "[entities.customer.sources.crm]\nenv = { TOKEN = \"hunter1\" }\n",
    );
    let daemon = site.start();
    let good = read(&site).replace("hunter1", "hunter2");
    replace(&site, &good);
    let changed = site.retcon(&["reload"]).exits(0);
    assert_eq!(changed.stdout(), "entities.customer.sources.crm: env changed\n");
    let url = |url: &str| good.replace("[database]\nurl", &format!("[database]\nurl = {url:?}\n# url"));
    replace(&site, &url("postgres://me:hunter3@localhost/retcon"));
    let restart = site.retcon(&["reload"]).exits(0);
    assert_eq!(restart.stdout(), "database.url: changed, needs a restart\n");
    replace(&site, &url("postgress://me:hunter4@localhost/retcon").replace("\"hunter2\" }", "[\"hunter5\"] }"));
    let rejected = site.retcon(&["reload"]).exits(1);
    for run in [&changed, &restart, &rejected] {
        assert!(!run.stderr().contains("hunter"), "{run}");
    }
    wait_for(&daemon, REJECTED);
    let shown = [
        daemon.log_text(),
        site.get("/v1/status").to_string(),
        site.retcon(&["reload", "--format", "json"]).exits(1).stdout(),
    ];
    for text in shown {
        assert!(!text.contains("hunter"), "{text}");
    }
    daemon.stop();
}

#[test]
fn a_hundred_hang_ups_while_the_file_changes_end_with_what_it_said_last() {
    let site = site();
    let daemon = site.start();
    let text = read(&site);
    for rate in 2..=101 {
        // In place, so that a reload may come between the emptying and the writing.
        site.write("retcon.toml", &with_rate(&text, rate));
        daemon.signal(Signal::HUP);
    }
    wait_for_rate(&site, &daemon, 101);
    let applied = daemon.events().into_iter().filter(|event| event["msg"] == APPLIED);
    let torn: Vec<_> = applied.filter(|event| event["changes"] != "entities.customer: throttle changed").collect();
    assert!(torn.is_empty(), "half a file: {torn:?}");
    assert_eq!(count(&daemon, "actor failed"), 0, "{}", daemon.log_text());
    assert_eq!(site.retcon(&["reload"]).exits(0).stdout(), "nothing changed\n");
    daemon.stop();
}

#[test]
fn a_file_without_a_byte_is_no_configuration_for_a_daemon_that_serves() {
    let site = site();
    let daemon = site.start();
    let text = read(&site);
    site.write("retcon.toml", "");
    let run = site.retcon(&["reload"]);
    // Which names no state directory: that is the usual one, then, and so is that of the site.
    run.exits(1).complains_of("the file is empty");
    assert_eq!(rate(&site), 1);
    site.write("retcon.toml", &text);
    assert_eq!(site.retcon(&["reload"]).exits(0).stdout(), "nothing changed\n");
    daemon.stop();
}
