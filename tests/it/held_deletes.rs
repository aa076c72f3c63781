//! `max_deletes`: past it nothing is deleted for a source's word alone, and a person decides.

use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language::C;
use crate::support::wait::until;

const WRONG_TENANT: &str = "echo no such item >&2; exit 2";

/// Two systems, of which `crm` has this many customers; billing has them too, and all is in step.
fn in_step(site: &Site, count: usize) -> Daemon<'_> {
    let daemon = site.start();
    for n in 0..count {
        site.system("crm").put(&format!("k{n}"), &format!(r#"{{"name":"customer {n}"}}"#));
    }
    notify_all(site, count);
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").items().len(), count);
    daemon
}

fn site(settings: &str) -> Site {
    Site::with(settings, &[C.source("billing").with("read_back = false"), C.source("crm")])
}

#[track_caller]
fn notify_all(site: &Site, count: usize) {
    let one = |n| json!({"entity": "customer", "source": "crm", "key": format!("k{n}")});
    let batch = json!({ "notifications": (0..count).map(one).collect::<Vec<_>>() });
    site.http("POST", "/v1/notifications", Some(&batch.to_string())).has_status(202);
}

/// The record that is known by a key of crm.
#[track_caller]
fn record_of(site: &Site, key: &str) -> String {
    site.get(&format!("/v1/records/customer?source=crm&key={key}"))["items"][0]["id"].to_string()
}

#[track_caller]
fn held(site: &Site) -> Vec<Value> {
    site.get("/v1/deletes?limit=1000")["items"].as_array().expect("a list").clone()
}

#[track_caller]
fn entity(site: &Site) -> Value {
    site.get("/v1/status")["entities"][0].clone()
}

/// What is held, once and without anything else to do; so many live records are left.
#[track_caller]
fn expect_held(site: &Site, count: usize, records: usize) {
    site.wait_until_at_rest();
    let entity = entity(site);
    assert_eq!((&entity["deletes_held"], &entity["records"]), (&json!(count), &json!(records)), "{entity}");
    assert_eq!((&entity["queue"]["parked"], &entity["conflicts"]), (&json!(0), &json!(0)), "{entity}");
    assert_eq!((held(site).len(), site.system("billing").items().len()), (count, records));
}

#[track_caller]
fn removed(site: &Site) -> Vec<(String, String)> {
    let records = site.get("/v1/records/customer?limit=1000")["items"].as_array().expect("a list").clone();
    let gone = records.iter().filter(|record| record["state"] == "deleted");
    gone.map(|record| (record["id"].to_string(), record["version"].to_string())).collect()
}

#[test]
fn a_source_that_lacks_everything_costs_no_more_than_the_limit_and_nothing_in_the_end() {
    const ALL: usize = 200;
    const LIMIT: usize = 5;
    let site = site("max_deletes = { count = 5, per = \"1h\" }");
    let daemon = in_step(&site, ALL);
    site.retcon(&["status"]).exits(0);
    site.system("crm").fault_everywhere(WRONG_TENANT);
    notify_all(&site, ALL);
    expect_held(&site, ALL - LIMIT, ALL - LIMIT);
    let first = held(&site);
    assert_eq!(site.runs().count("billing", "delete"), LIMIT);
    let status = site.retcon(&["status"]).exits(1);
    assert!(status.stdout().contains("! customer: 195 deletions held (retcon deletes customer)"), "{status}");

    // Told of them again, also after a restart, it holds what it held, and deletes no more.
    notify_all(&site, ALL);
    expect_held(&site, ALL - LIMIT, ALL - LIMIT);
    daemon.stop();
    let daemon = site.start();
    notify_all(&site, ALL);
    expect_held(&site, ALL - LIMIT, ALL - LIMIT);
    assert_eq!(held(&site), first, "no second row");
    daemon.kill();
    let daemon = site.start();
    expect_held(&site, ALL - LIMIT, ALL - LIMIT);
    assert_eq!(site.runs().count("billing", "delete"), LIMIT);

    // The right tenant again: what was removed is taken back, and one look tells of all the others.
    site.system("crm").heal();
    let removed = removed(&site);
    assert_eq!(removed.len(), LIMIT);
    for (id, version) in removed {
        site.retcon(&["undo", "customer", &id, &version]).exits(0);
    }
    let key = held(&site)[0]["key"].as_str().expect("a key").to_owned();
    site.notify("crm", &key);
    expect_held(&site, 0, ALL);
    assert_eq!(site.system("crm").items().len(), ALL, "nobody stands there twice");
    let documents = |source: &str| {
        let mut documents = site.system(source).documents();
        documents.sort();
        documents
    };
    assert_eq!(documents("crm"), documents("billing"));
    notify_all(&site, ALL);
    expect_held(&site, 0, ALL);
    assert_eq!(site.runs().count("crm", "create") + site.runs().count("crm", "delete"), 0);
    site.retcon(&["status"]).exits(0);
    site.runs().assert_none_meet();
    daemon.stop();
}

#[test]
fn a_look_at_a_held_deletion_is_done_and_says_so() {
    let site = site("max_deletes = { count = 1, per = \"1h\" }");
    let daemon = in_step(&site, 3);
    for key in ["k0", "k1", "k2"] {
        site.system("crm").remove(key);
    }
    assert!(site.notify("crm", "k0").stdout().contains("deleted"));
    for key in ["k1", "k2"] {
        let told = site.notify("crm", key);
        assert!(told.stdout().contains("done, held"), "{told}");
    }
    expect_held(&site, 2, 2);
    let listed = site.ask(&["deletes", "customer"]);
    let first = &listed["items"][0];
    let names = ["entity", "source", "key"].map(|name| first[name].as_str().unwrap_or_default());
    assert_eq!(names, ["customer", "crm", "k1"], "{first}");
    assert_eq!(first["record"].to_string(), record_of(&site, "k1"), "{first}");
    assert!(first["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{first}");
    assert_eq!(listed["next"], Value::Null);
    let text = site.retcon(&["deletes"]).exits(0);
    assert!(text.stdout().contains("crm:k1") && text.stdout().contains("crm:k2"), "{text}");
    let record = site.get(&format!("/v1/records/customer/{}", record_of(&site, "k1")));
    assert_eq!(record["state"], "live");
    let error = record["links"][1]["last_error"].as_str().expect("why").to_owned();
    assert!(error.contains("max_deletes (1 in 1h)"), "{error}");
    daemon.stop();
}

#[test]
fn other_sources_are_kept_in_step_while_a_deletion_is_held() {
    let sources = ["billing", "crm", "shop"].map(|name| C.source(name).with("read_back = false"));
    let site = Site::with("max_deletes = { count = 1, per = \"1h\" }", &sources);
    let daemon = in_step(&site, 2);
    for key in ["k0", "k1"] {
        site.system("crm").remove(key);
        site.notify("crm", key);
    }
    expect_held(&site, 1, 1);
    let key = site.system("billing").only_key();
    site.system("billing").put(&key, r#"{"name":"edited"}"#);
    site.notify("billing", &key);
    assert_eq!(site.system("shop").documents(), [r#"{"name":"edited"}"#]);
    expect_held(&site, 1, 1);
    // Approved now, the removal meets an edit that crm has not seen: that is a conflict, and no deletion.
    site.retcon(&["deletes", "customer", "--approve"]).exits(0);
    site.wait_until_at_rest();
    let conflicts = site.get("/v1/conflicts");
    assert_eq!(conflicts["items"][0]["kind"], "edit-delete", "{conflicts}");
    assert_eq!((held(&site), site.system("shop").items().len()), (Vec::new(), 1));
    daemon.stop();
}

#[test]
fn what_is_approved_is_removed_if_it_is_still_missing_and_stays_if_it_shows_again() {
    let site = site("max_deletes = { count = 1, per = \"1h\" }");
    let daemon = in_step(&site, 4);
    for key in ["k0", "k1", "k2", "k3"] {
        site.system("crm").remove(key);
        site.notify("crm", key);
    }
    expect_held(&site, 3, 3);
    let again = r#"{"name":"customer 3"}"#;
    site.system("crm").put("k3", again);
    let run = site.retcon(&["deletes", "--approve"]).exits(0);
    assert!(run.stdout().contains("customer: 3 approved, 3 records are looked at again"), "{run}");
    expect_held(&site, 0, 1);
    assert_eq!(
        (site.system("billing").documents(), site.system("crm").documents()),
        (vec![again.into()], vec![again.into()])
    );
    // What is found missing later was not approved.
    site.system("crm").remove("k3");
    site.notify("crm", "k3");
    expect_held(&site, 1, 1);
    let approved = site.ask(&["deletes", "customer", "--approve"]);
    assert_eq!(approved["approved"], 1, "{approved}");
    assert_eq!(approved["work_items"].as_array().map(Vec::len), Some(1), "{approved}");
    expect_held(&site, 0, 0);
    let run = site.retcon(&["deletes", "--approve"]).exits(0);
    assert!(run.stdout().is_empty() && run.stderr().contains("no deletion is held"), "{run}");
    assert_eq!(site.http("POST", "/v1/deletes/approve", Some(r#"{"entity":"customer"}"#)).json()["approved"], 0);
    daemon.stop();
}

#[test]
fn an_approval_waits_for_its_source_and_survives_a_kill() {
    let site = site("max_deletes = { count = 1, per = \"1h\" }");
    let daemon = in_step(&site, 2);
    for key in ["k0", "k1"] {
        site.system("crm").remove(key);
        site.notify("crm", key);
    }
    expect_held(&site, 1, 1);
    site.system("crm").fault("read", "exit 1");
    site.retcon(&["deletes", "customer", "--approve"]).exits(0);
    until(|| (entity(&site)["queue"]["waiting"] == 1).then_some(()), || entity(&site).to_string());
    assert_eq!(site.system("billing").items().len(), 1, "an outage approves of nothing");
    daemon.kill();
    let daemon = site.start();
    site.system("crm").heal();
    expect_held(&site, 0, 0);
    daemon.stop();
}

#[test]
fn a_removal_by_a_person_is_neither_held_nor_counted() {
    let site = site("max_deletes = { count = 1, per = \"1h\" }\non_delete = \"hold\"");
    let daemon = in_step(&site, 3);
    for key in ["k0", "k1"] {
        site.system("crm").remove(key);
        site.notify("crm", key);
    }
    for conflict in site.get("/v1/conflicts")["items"].as_array().expect("a list") {
        site.retcon(&["resolve", &conflict["id"].to_string(), "--absent"]).exits(0);
    }
    // To take the birth of a record back removes it.
    site.retcon(&["undo", "customer", &record_of(&site, "k2"), "1"]).exits(0);
    expect_held(&site, 0, 0);
    daemon.stop();
}

#[test]
fn a_limit_of_none_and_a_limit_that_is_raised_are_in_force_at_once() {
    let site = site("max_deletes = { count = 1, per = \"1h\" }");
    let daemon = in_step(&site, 4);
    let remove = |key: &str| {
        site.system("crm").remove(key);
        site.notify("crm", key)
    };
    remove("k0");
    assert!(remove("k1").stdout().contains("held"));
    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("the configuration");
    site.write("retcon.toml", &config.replace("count = 1", "count = 2"));
    site.retcon(&["reload"]).exits(0);
    assert!(remove("k2").stdout().contains("deleted"), "the second of two");
    assert!(remove("k3").stdout().contains("held"));
    expect_held(&site, 2, 2);
    site.write("retcon.toml", &config.replace("count = 1", "count = 0"));
    site.retcon(&["reload"]).exits(0);
    // Without a limit nothing is held, and a new look carries out what was.
    for key in ["k1", "k3"] {
        assert!(site.notify("crm", key).stdout().contains("deleted"));
    }
    expect_held(&site, 0, 0);
    daemon.stop();
}
