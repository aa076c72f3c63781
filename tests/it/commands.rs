//! The commands over a running daemon, in text for people and in JSON for scripts.

use serde_json::{Value, json};

use crate::support::program::Run;
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::wait::until;

fn site() -> Site {
    Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")])
}

/// Makes the record 1 from an item of crm; billing gets a copy of its own.
#[track_caller]
fn make_record(site: &Site, document: &str) {
    site.system("crm").put("c1", document);
    site.notify("crm", "c1");
}

/// Has both users edit their copies, in contradiction, and gives the conflict.
#[track_caller]
fn make_conflict(site: &Site, crm: &str, billing: &str) -> Value {
    let key = site.system("billing").only_key();
    site.system("crm").put("c1", crm);
    site.system("billing").put(&key, billing);
    site.notify("crm", "c1");
    let conflicts = site.ask(&["conflicts"]);
    assert_eq!(conflicts["items"].as_array().map(Vec::len), Some(1), "{conflicts}");
    conflicts["items"][0].clone()
}

#[track_caller]
fn says(run: &Run, words: &[&str]) {
    for word in words {
        assert!(run.stdout().contains(word), "no word of {word:?}: {run}");
    }
}

/// Expects a refusal: exit status 1, an error with these words, and nothing on standard output.
#[track_caller]
fn refuses(run: &Run, words: &[&str]) {
    assert_eq!(run.status, Some(1), "{run}");
    assert_eq!(run.stdout(), "", "{run}");
    assert!(run.stderr().starts_with("error: cannot "), "{run}");
    assert!(run.stderr().contains("\nhint: "), "{run}");
    for word in words {
        assert!(run.stderr().contains(word), "no word of {word:?}: {run}");
    }
}

#[test]
fn notify_tells_what_came_of_it() {
    let site = site();
    let daemon = site.start();
    site.system("crm").put("c1", r#"{"name": "Ann"}"#);
    let run = site.retcon(&["notify", "customer", "crm", "c1", "--wait"]).exits(0);
    let key = site.system("billing").only_key();
    let billing = format!("billing {key}: in step");
    says(&run, &["work item 1: done, synced", "customer 1: live, version 1", "crm c1: in step", &billing]);

    let item = site.ask(&["notify", "customer", "crm", "c1", "--wait"]);
    assert_eq!((&item["state"], &item["outcome"], &item["record"]), (&json!("done"), &json!("in-step"), &json!(1)));
    let nothing = site.ask(&["notify", "customer", "crm", "c2", "--wait"]);
    assert_eq!((&nothing["state"], &nothing["outcome"]), (&json!("done"), &json!("nothing-there")), "{nothing}");
    let accepted = site.ask(&["notify", "customer", "crm", "c1"]);
    assert_eq!(accepted["work_items"][0]["coalesced"], false, "{accepted}");
    says(&site.retcon(&["notify", "customer", "crm", "c3"]).exits(0), &["work item "]);
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn what_cannot_be_notified_is_refused_by_name() {
    let site = site();
    let daemon = site.start();
    refuses(&site.retcon(&["notify", "custmer", "crm", "1"]), &["custmer", "unknown-entity", "retcon status"]);
    refuses(&site.retcon(&["notify", "customer", "cmr", "1"]), &["cmr", "unknown-source"]);
    refuses(&site.retcon(&["notify", "customer", "crm", "a;b"]), &["';'", "invalid-foreign-key"]);
    refuses(&site.retcon(&["notify", "customer", "crm", ""]), &["empty", "invalid-foreign-key"]);
    refuses(&site.retcon(&["--format", "json", "notify", "customer", "crm", "a/b"]), &["'/'"]);
    let unknown: [(&[&str], &str); 8] = [
        (&["show", "customer", "4711"], "unknown-record"),
        (&["show", "customer", "crm:4711"], "no record has or had that key"),
        (&["history", "customer", "4711"], "unknown-record"),
        (&["explain", "customer", "4711"], "unknown-record"),
        (&["undo", "customer", "4711", "1"], "unknown-record"),
        (&["resolve", "4711", "--keep"], "unknown-conflict"),
        (&["retry", "4711"], "unknown-work-item"),
        (&["drop", "4711"], "unknown-work-item"),
    ];
    for (command, word) in unknown {
        refuses(&site.retcon(command), &[word]);
    }
    daemon.stop();
}

#[test]
fn a_record_is_shown_with_its_copies_its_history_and_its_origins() {
    let site = site();
    let daemon = site.start();
    make_record(&site, r#"{"name": "Ann", "age": 41}"#);
    let key = site.system("billing").only_key();
    site.system("billing").put(&key, r#"{"name": "Anne", "age": 41}"#);
    site.notify("billing", &key);

    let records = site.ask(&["records", "customer"]);
    let links = json!([{"source": "billing", "key": key}, {"source": "crm", "key": "c1"}]);
    let record = json!({"entity": "customer", "id": 1, "state": "live", "version": 2, "links": links, "conflicts": 0});
    assert_eq!(records, json!({"items": [record], "next": null}));
    assert_eq!(site.ask(&["records", "customer", "--source", "crm", "--key", "c1"]), records);
    says(&site.retcon(&["records", "customer"]).exits(0), &["crm:c1", &format!("billing:{key}"), "live"]);

    let shown = site.ask(&["show", "customer", "1"]);
    assert_eq!(shown["agreed"], json!({"name": "Anne", "age": 41}), "{shown}");
    assert_eq!(shown["links"][1]["state"], "linked", "{shown}");
    assert_eq!(
        (&shown["links"][1]["in_step"], &shown["links"][1]["shadow"]),
        (&json!(true), &shown["agreed"]),
        "{shown}"
    );
    assert_eq!(site.ask(&["show", "customer", "crm:c1"]), shown);
    assert_eq!(site.get("/v1/records/customer/1"), shown);
    says(
        &site.retcon(&["show", "customer", "1"]).exits(0),
        &["customer 1: live, version 2", "\"name\": \"Anne\"", "c1"],
    );

    let history = site.ask(&["history", "customer", "1"]);
    let patch = json!([{"op": "replace", "path": "/name", "value": "Anne", "sources": ["billing"]}]);
    assert_eq!(
        (&history["items"][1]["patch"], &history["items"][1]["cause"]["kind"]),
        (&patch, &json!("sync")),
        "{history}"
    );
    let text = site.retcon(&["history", "customer", "1"]).exits(0);
    says(&text, &["version 1  ", "version 2  ", "replace \"/name\" = \"Anne\"  (billing)"]);

    let origins = site.ask(&["explain", "customer", "1"]);
    assert_eq!(
        (&origins["/name"]["sources"], &origins["/name"]["version"]),
        (&json!(["billing"]), &json!(2)),
        "{origins}"
    );
    assert_eq!((&origins["/age"]["sources"], &origins["/age"]["value"]), (&json!(["crm"]), &json!(41)), "{origins}");
    says(&site.retcon(&["explain", "customer", "1"]).exits(0), &["\"/name\"", "\"Anne\"", "billing"]);
    daemon.stop();
}

#[test]
fn an_undo_is_a_version_of_its_own_and_goes_everywhere() {
    let site = site();
    let daemon = site.start();
    make_record(&site, r#"{"name": "Ann"}"#);
    site.system("crm").put("c1", r#"{"name": "Anne"}"#);
    site.notify("crm", "c1");
    refuses(&site.retcon(&["undo", "customer", "1", "7"]), &["unknown-version", "retcon history"]);
    refuses(&site.retcon(&["undo", "customer", "1", "1"]), &["undo-blocked", "again"]);
    let answer = site.http("POST", "/v1/records/customer/1/undo", Some(r#"{"version":1}"#));
    assert!(answer.has_problem(409, "undo-blocked").json()["pointers"].is_array());
    says(&site.retcon(&["undo", "customer", "1", "2"]).exits(0), &["applied: record 1 is at version 3"]);
    for source in ["crm", "billing"] {
        assert_eq!(site.system(source).documents(), [r#"{"name":"Ann"}"#], "{source}");
    }
    let history = site.ask(&["history", "customer", "1"]);
    assert_eq!(history["items"][2]["cause"]["kind"], "undo", "{history}");
    assert_eq!(history["items"][2]["patch"][0]["sources"], json!([]), "{history}");
    let answer = site.ask(&["undo", "customer", "1", "3"]);
    assert_eq!(answer, json!({"state": "applied", "record": 1, "version": 4}));
    daemon.stop();
}

#[test]
fn a_conflict_is_shown_and_decided() {
    let site = site();
    let daemon = site.start();
    make_record(&site, r#"{"name": "Ann", "age": 41}"#);
    says(&site.retcon(&["status"]).exits(0), &["all is well"]);
    let conflict = make_conflict(&site, r#"{"name": "Anne", "age": 41}"#, r#"{"name": "Anna", "age": 41}"#);
    assert_eq!((&conflict["path"], &conflict["kind"]), (&json!("/name"), &json!("edit-edit")), "{conflict}");
    assert_eq!(
        (&conflict["entity"], &conflict["record"], &conflict["agreed"]),
        (&json!("customer"), &json!(1), &json!("Ann"))
    );
    let contenders = json!([{"sources": ["billing"], "value": "Anna"}, {"sources": ["crm"], "value": "Anne"}]);
    assert_eq!(conflict["contenders"], contenders, "{conflict}");
    assert!(conflict["opened_at"].is_string() && conflict["revision"].is_i64(), "{conflict}");
    assert_eq!(site.ask(&["show", "customer", "1"])["conflicts"], json!([conflict]));
    let id = conflict["id"].to_string();
    says(&site.retcon(&["conflicts", "customer"]).exits(0), &["\"/name\"", "edit-edit", "\"Anna\"", "\"Ann\"", &id]);
    says(&site.retcon(&["status"]).exits(1), &["1 in conflict", "retcon conflicts customer"]);

    refuses(&site.retcon(&["resolve", &id, "--take", "ldap"]), &["ldap", "senseless-resolution"]);
    let stale = site.retcon(&["resolve", &id, "--take", "crm", "--revision", "99"]);
    refuses(&stale, &["stale-conflict", "retcon conflicts"]);
    let path = format!("/v1/conflicts/{id}/resolve");
    let stale = site.http("POST", &path, Some(r#"{"take":"crm","revision":99}"#)).has_problem(409, "stale-conflict");
    assert_eq!(
        (&stale.json()["contenders"], &stale.json()["revision"]),
        (&contenders, &conflict["revision"]),
        "{stale}"
    );

    says(&site.retcon(&["resolve", &id, "--take", "crm"]).exits(0), &["applied: record 1 is at version 2"]);
    for source in ["crm", "billing"] {
        assert_eq!(site.system(source).documents(), [r#"{"age":41,"name":"Anne"}"#], "{source}");
    }
    assert_eq!(site.ask(&["conflicts"]), json!({"items": [], "next": null}));
    refuses(&site.retcon(&["resolve", &id, "--take", "crm"]), &["stale-conflict", "closed"]);
    site.retcon(&["status"]).exits(0);
    daemon.stop();
}

#[test]
fn a_value_that_a_person_gives_keeps_its_digits() {
    let site = site();
    let daemon = site.start();
    make_record(&site, r#"{"n": 1}"#);
    for value in ["1e400", "12345678901234567890.10", "-0.50", "null", r#""a\u0000b""#, r#"{"a/b~c":[{}]}"#] {
        let conflict = make_conflict(&site, r#"{"n": 2}"#, r#"{"n": 3}"#);
        let id = conflict["id"].to_string();
        site.retcon(&["resolve", &id, "--value", value]).exits(0);
        for source in ["crm", "billing"] {
            assert_eq!(site.system(source).documents(), [format!(r#"{{"n":{value}}}"#)], "{source}");
        }
    }
    daemon.stop();
}

#[test]
fn an_element_of_a_keyed_array_is_decided_by_a_value_with_its_key_and_by_no_other() {
    let arrays = "arrays = { \"/phones\" = { key = \"type\" } }";
    let site = Site::with(arrays, &[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let daemon = site.start();
    make_record(&site, r#"{"phones": [{"type": "home", "no": 1}]}"#);
    let conflict = make_conflict(&site, r#"{"phones": [{"type": "home", "no": 2}]}"#, r#"{"phones": []}"#);
    assert_eq!(conflict["path"], "/phones/home", "{conflict}");
    let id = conflict["id"].to_string();
    for value in [r#"{"no": 3}"#, r#"{"type": "work", "no": 3}"#, "3"] {
        let run = site.retcon(&["resolve", &id, "--value", value]);
        refuses(&run, &["senseless-resolution", "/phones/home", "key"]);
    }
    assert_eq!(site.ask(&["conflicts"])["items"], json!([conflict]), "nothing of it was applied");
    assert_eq!(site.ask(&["show", "customer", "1"])["version"], 1);
    site.retcon(&["resolve", &id, "--value", r#"{"type": "home", "no": 3}"#]).exits(0);
    for source in ["crm", "billing"] {
        assert_eq!(site.system(source).documents(), [r#"{"phones":[{"no":3,"type":"home"}]}"#], "{source}");
    }
    daemon.stop();
}

#[test]
fn a_person_can_keep_the_agreed_value_or_have_nothing_there() {
    let site = site();
    let daemon = site.start();
    make_record(&site, r#"{"a": 1, "b": 1}"#);
    let conflict = make_conflict(&site, r#"{"a": 2, "b": 1}"#, r#"{"a": 3, "b": 1}"#);
    let answer = site.ask(&["resolve", &conflict["id"].to_string(), "--keep"]);
    assert_eq!(answer["state"], "applied", "{answer}");
    for source in ["crm", "billing"] {
        assert_eq!(site.system(source).documents(), [r#"{"a":1,"b":1}"#], "{source}");
    }
    let conflict = make_conflict(&site, r#"{"a": 1, "b": 2}"#, r#"{"a": 1, "b": 3}"#);
    site.retcon(&["resolve", &conflict["id"].to_string(), "--absent"]).exits(0);
    for source in ["crm", "billing"] {
        assert_eq!(site.system(source).documents(), [r#"{"a":1}"#], "{source}");
    }
    daemon.stop();
}

#[test]
fn parked_work_is_told_of_tried_again_and_dropped() {
    let site = site();
    let daemon = site.start();
    site.system("billing").set("refuse");
    site.system("crm").put("c1", r#"{"name": "Ann"}"#);
    let run = site.retcon(&["notify", "customer", "crm", "c1", "--wait"]).exits(1);
    says(&run, &["parked"]);
    let run = run.complains_of("error: cannot ").complains_of("refused").complains_of("hint: `retcon retry ");
    let parked = site.ask(&["work", "--state", "parked"]);
    let item = &parked["items"][0];
    assert_eq!((&item["state"], &item["key"], &item["record"]), (&json!("parked"), &json!("c1"), &json!(1)), "{run}");
    assert!(item["last_error"].as_str().is_some_and(|error| error.contains("refused")), "{item}");
    let id = item["id"].to_string();
    says(&site.retcon(&["work"]).exits(0), &["crm:c1", "parked", &id]);
    says(&site.retcon(&["status"]).exits(1), &["1 parked", "retcon work --state parked"]);

    let run = site.retcon(&["retry", &id, "4711"]);
    assert_eq!(run.status, Some(1), "{run}");
    says(&run, &[&format!("work item {id}: ")]);
    assert!(run.stderr().contains("4711") && run.stderr().contains("1 of 2"), "{run}");
    site.wait_until_at_rest();
    let run = site.retcon(&["drop", &id]).exits(0);
    says(&run, &[&format!("work item {id}: done, dropped")]);
    refuses(&site.retcon(&["retry", &id]), &["wrong-state", "done"]);
    refuses(&site.retcon(&["drop", &id]), &["wrong-state", "done"]);

    site.system("billing").unset("refuse");
    let item = site.ask(&["notify", "customer", "crm", "c1", "--wait"]);
    assert_eq!(item["outcome"], "synced", "{item}");
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Ann"}"#]);
    site.retcon(&["status"]).exits(0);
    daemon.stop();
}

#[test]
fn waiting_ends_with_its_time_and_says_how_things_stand() {
    let site = site();
    let daemon = site.start();
    site.system("crm").fault_everywhere("echo nobody home >&2; exit 1");
    let run = site.retcon(&["notify", "customer", "crm", "c1", "--wait", "--timeout", "1s"]);
    refuses(&run, &["after 1s it is waiting", "nobody home", "goes on by itself"]);
    says(&site.retcon(&["status"]).exits(1), &["customer/crm is down", "nobody home"]);
    site.system("crm").heal();
    site.wait_until_at_rest();
    site.retcon(&["status"]).exits(0);
    daemon.stop();
}

#[test]
fn waiting_goes_on_with_the_item_that_serves_the_notification_instead() {
    let site = site();
    let daemon = site.start();
    let crm = site.system("crm");
    crm.put("c1", r#"{"name": "Ann"}"#);
    let go = crm.dir().join("go");
    crm.fault("read", &format!("while [ ! -e '{}' ]; do sleep 0.01; done; exit 1", go.display()));
    let (first, second) = std::thread::scope(|threads| {
        let wait = || site.ask(&["notify", "customer", "crm", "c1", "--wait"]);
        let first = threads.spawn(wait);
        until(|| (site.get("/v1/work-items")["items"][0]["state"] == "running").then_some(()), || "no look is made");
        let second = threads.spawn(wait);
        until(|| site.get("/v1/work-items")["items"].get(1).cloned(), || "there is no second item");
        std::fs::write(go, "").expect("a file");
        until(|| (site.get("/v1/work-items/1")["coalesced_into"] == 2).then_some(()), || site.get("/v1/work-items"));
        crm.heal();
        (first.join().expect("it ends well"), second.join().expect("it ends well"))
    });
    assert_eq!((&first["id"], &first["outcome"]), (&json!(2), &json!("synced")), "{first}");
    assert_eq!(first, second);
    assert_eq!(site.get("/v1/work-items/1")["outcome"], "coalesced");
    daemon.stop();
}
