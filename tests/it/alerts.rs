//! `[alerts]`: people are told of what needs one, each time until that succeeds, and nothing waits for it.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::socket::call;
use crate::support::system::Language;
use crate::support::wait::until;

/// A site whose command writes down what it is told, unless a file `refuse` stands there.
fn site(settings: &str) -> Site {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let command = "if [ -e refuse ]; then echo no line >&2; cat >> refused; exit 1; fi; cat >> told";
    let config = fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
    let alerts = format!("[alerts]\ncommand = [\"/bin/sh\", \"-c\", {command:?}]\n{settings}\n\n[entities.customer]");
    site.write("retcon.toml", &config.replace("[entities.customer]", &alerts));
    site
}

/// What has been told so far.
fn told(site: &Site, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(site.path().join(file)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Waits until so many have been told.
#[track_caller]
fn wait_for(site: &Site, file: &str, number: usize) -> Vec<Value> {
    until(
        || Some(told(site, file)).filter(|told| told.len() >= number),
        || {
            format!(
                "{:#?}\n{}",
                told(site, file),
                fs::read_to_string(site.path().join("retcond.log")).unwrap_or_default()
            )
        },
    )
}

/// Notifies of a copy whose read breaks until it is parked.
fn park(site: &Site, key: &str) {
    site.system("crm").put(key, r#"{"name": "Ann"}"#);
    site.system("crm").fault("read", "exit 3");
    site.retcon(&["notify", "--wait", "customer", "crm", key]).exits(1);
    site.system("crm").heal();
}

#[test]
fn each_is_told_once_as_one_line_of_json() {
    let site = site("");
    let daemon = site.start();
    park(&site, "p");
    let told = wait_for(&site, "told", 1);
    assert_eq!((&told[0]["kind"], &told[0]["entity"]), (&Value::from("parked"), &Value::from("customer")), "{told:#?}");
    site.disagree("1");
    let told = wait_for(&site, "told", 2);
    assert_eq!(told[1]["kind"], "conflict", "{told:#?}");
    assert!(told[0]["id"].as_i64() < told[1]["id"].as_i64() && told.len() == 2, "{told:#?}");
    daemon.stop();
}

#[test]
fn only_what_is_worth_it_is_told() {
    let site = site("on = [\"conflict\"]");
    let daemon = site.start();
    park(&site, "p");
    site.disagree("1");
    let told = wait_for(&site, "told", 1);
    assert_eq!((told.len(), &told[0]["kind"]), (1, &Value::from("conflict")), "{told:#?}");
    daemon.stop();
}

#[test]
fn what_was_not_told_before_a_restart_is_told_after_it() {
    let site = site("");
    let daemon = site.start();
    site.write("refuse", "");
    park(&site, "p");
    wait_for(&site, "refused", 1);
    // Nothing waits for it.
    site.disagree("1");
    let refusal = daemon.wait_for_event(|event| event["msg"] == "alert not delivered");
    assert!(refusal["error"].as_str().is_some_and(|error| error.contains("no line")), "{refusal}");
    daemon.stop();
    fs::remove_file(site.path().join("refuse")).expect("it is there");
    let daemon = site.start();
    let told = wait_for(&site, "told", 2);
    let kinds: Vec<_> = told.iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds, ["parked", "conflict"], "{told:#?}");
    daemon.stop();
}

#[test]
fn it_is_tried_again_until_it_succeeds() {
    let site = site("");
    let daemon = site.start();
    site.write("refuse", "");
    park(&site, "p");
    wait_for(&site, "refused", 2);
    fs::remove_file(site.path().join("refuse")).expect("it is there");
    assert_eq!(wait_for(&site, "told", 1)[0], told(&site, "refused")[0]);
    daemon.stop();
}

#[test]
fn of_two_daemons_one_tells() {
    let site = site("");
    let mut one = site.start();
    let other = Daemon::start_in(&site, "other");
    park(&site, "p");
    site.disagree("1");
    wait_for(&site, "told", 2);
    one.signal(Signal::TERM);
    one.wait();
    one.bury();
    let work = other.get("/v1/work-items?state=parked")["items"][0]["id"].clone();
    site.system("crm").fault("read", "exit 3");
    let retried = call(&other.socket(), "POST", &format!("/v1/work-items/{work}/retry"), None);
    retried.expect("the other daemon answers").has_status(200);
    let told = wait_for(&site, "told", 3);
    assert_eq!((told.len(), &told[2]["kind"]), (3, &Value::from("parked")), "{told:#?}");
    other.stop();
}

#[test]
fn a_command_takes_effect_with_a_reload_and_one_that_hangs_holds_nothing_up() {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let daemon = site.start();
    let config = fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
    let with = |command: &str| {
        let alerts = format!("[alerts]\ncommand = [\"/bin/sh\", \"-c\", {command:?}]\n\n[entities.customer]");
        site.write("retcon.toml", &config.replace("[entities.customer]", &alerts));
        site.retcon(&["reload"]).exits(0);
    };
    with("echo > began; sleep 1000");
    park(&site, "p");
    until(|| site.path().join("began").exists().then_some(()), || daemon.log_text());
    site.disagree("1");
    with("cat >> told");
    assert_eq!(wait_for(&site, "told", 2)[1]["kind"], "conflict");
    daemon.stop();
}
