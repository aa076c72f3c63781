//! The views of supervision: `GET /v1/supervision` and `retcon tree`.

use serde_json::{Value, json};

use crate::support::cable::Cable;
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::wait::until;

fn site() -> Site {
    Site::new(&[Language::Sh.source("billing"), Language::Sh.source("crm")])
}

fn supervision(site: &Site) -> Value {
    site.get("/v1/supervision")
}

/// Returns an actor of the view.
#[track_caller]
fn actor(site: &Site, path: &str) -> Value {
    let view = supervision(site);
    let actors = view["actors"].as_array().unwrap_or_else(|| panic!("no actors: {view}"));
    let found = actors.iter().find(|actor| actor["path"] == path);
    found.unwrap_or_else(|| panic!("no {path}: {view}")).clone()
}

#[track_caller]
fn wait_for(site: &Site, path: &str, state: &str) -> Value {
    let found = || Some(actor(site, path)).filter(|actor| actor["state"] == state);
    until(found, || format!("{path} is not {state}: {}", supervision(site)))
}

#[test]
fn every_actor_is_shown_with_its_state_and_its_start_among_the_events() {
    let site = site();
    let daemon = site.start();
    let paths = ["supervisor", "store", "leases", "reloader", "customer", "customer/billing", "customer/crm"];
    let kinds = ["supervisor", "store", "leases", "reloader", "entity", "source", "source"];
    for path in paths {
        wait_for(&site, path, "up");
    }
    let view = supervision(&site);
    let actors = view["actors"].as_array().expect("a list");
    let shown: Vec<_> = actors.iter().map(|actor| (&actor["path"], &actor["kind"])).collect();
    let expected: Vec<_> = paths.into_iter().map(Value::from).zip(kinds.into_iter().map(Value::from)).collect();
    assert_eq!(shown, expected.iter().map(|(path, kind)| (path, kind)).collect::<Vec<_>>(), "{view}");
    for actor in actors {
        let rest = json!([actor["restarts"], actor["last_exit"], actor["error"], actor["next"]]);
        assert_eq!(rest, json!([0, null, null, null]), "{actor}");
        assert!(actor["id"].is_u64() && actor["since"].is_string(), "{actor}");
    }
    let events = view["events"].as_array().expect("a list");
    let started: Vec<&Value> = events.iter().filter(|event| event["event"] == "actor started").collect();
    assert_eq!(started.len(), paths.len(), "{view}");
    let time = |event: &&Value| event["at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    assert!(started.is_sorted_by_key(time) && time(&started[0]).is_some(), "the newest is the last: {view}");

    let tree = site.retcon(&["tree"]).exits(0);
    let shown = tree.stdout();
    let lines: Vec<&str> = shown.lines().map(|line| line.split("  ").next().unwrap_or("")).collect();
    assert_eq!(lines[..6], ["ACTOR", "supervisor", "├─ store", "├─ leases", "├─ reloader", "└─ customer"], "{tree}");
    assert!(shown.contains("\n   ├─ billing") && shown.contains("\n   └─ crm"), "{tree}");
    assert_eq!(site.ask(&["tree"])["actors"], view["actors"]);
    daemon.stop();
}

#[test]
fn a_source_that_is_away_is_down_with_its_next_probe_until_it_is_back() {
    let site = site();
    let daemon = site.start();
    let items = site.system("billing").dir().join("items");
    let away = site.system("billing").dir().join("away");
    std::fs::rename(&items, &away).expect("the items are there");
    site.system("crm").put("c1", r#"{"name": "Ann"}"#);
    site.retcon(&["notify", "customer", "crm", "c1"]).exits(0);
    let down = wait_for(&site, "customer/billing", "down");
    assert!(down["error"].as_str().is_some_and(|error| error.contains("nobody at home")), "{down}");
    assert_eq!((&down["next"]["action"], &down["last_exit"]), (&json!("probe"), &Value::Null), "{down}");
    assert!(down["next"]["in_ms"].as_u64().is_some_and(|ms| ms <= 30_000), "{down}");
    let tree = site.retcon(&["tree"]).exits(0);
    let shown = tree.stdout();
    let line = shown.lines().find(|line| line.contains("billing")).unwrap_or_else(|| panic!("{tree}"));
    assert!(line.contains(" down ") && line.contains("probe ") && line.contains("nobody at home"), "{tree}");

    let status = site.retcon(&["status"]).exits(1);
    assert!(
        status.stdout().contains("! customer/billing is down: ") && status.stdout().contains("(probe "),
        "{status}"
    );
    site.retcon(&["status", "--format", "json"]).exits(1);

    std::fs::rename(&away, &items).expect("the items come back");
    let up = wait_for(&site, "customer/billing", "up");
    assert_eq!((&up["error"], &up["next"], &up["id"]), (&Value::Null, &Value::Null, &down["id"]), "{up}");
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn the_view_answers_while_the_database_is_away_and_says_so() {
    let cable = Cable::new();
    let site = &cable.site;
    let daemon = site.start();
    let store = actor(site, "store");
    cable.pull();
    site.http("GET", "/v1/status", None).has_problem(503, "store-unavailable");
    let down = wait_for(site, "store", "down");
    assert!(down["error"].as_str().is_some_and(|error| error.contains("cannot")), "{down}");
    assert_eq!(down["id"], store["id"], "it was not started again: {down}");
    assert_eq!(actor(site, "customer")["state"], "up");
    site.retcon(&["tree"]).exits(0);
    let status = site.retcon(&["status"]).exits(1);
    assert!(status.stdout().starts_with("! the database is away: "), "{status}");
    site.retcon(&["status", "--format", "json"]).exits(1).complains_of("store-unavailable");

    cable.plug();
    until(|| (site.http("GET", "/v1/status", None).status == 200).then_some(()), || supervision(site).to_string());
    assert_eq!(actor(site, "store")["state"], "up");
    assert!(site.retcon(&["status"]).exits(0).stdout().starts_with("all is well\n"));
    for actor in supervision(site)["actors"].as_array().expect("a list") {
        assert_eq!(actor["restarts"], 0, "{actor}");
    }
    daemon.stop();
}

#[test]
fn a_tree_of_a_daemon_that_does_not_run_cannot_be_shown() {
    let run = site().retcon(&["tree"]).exits(3).complains_of("error: cannot reach the daemon");
    assert_eq!(run.stdout(), "", "{run}");
}
