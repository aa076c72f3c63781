//! `retcon pause` and `resume`: what is stopped for the time being, and what goes on.

use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::wait::until;

/// A site with the record 1 in both of its sources.
fn site_with_a_record() -> Site {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let daemon = site.start();
    site.system("crm").put("c1", r#"{"name": "Ann"}"#);
    site.notify("crm", "c1");
    daemon.stop();
    site
}

/// The state of the entity, and that of a source of it.
fn states(site: &Site, source: &str) -> (String, String) {
    let entity = site.get("/v1/status")["entities"][0].clone();
    let sources = entity["sources"].as_array().cloned().unwrap_or_default();
    let source = sources.into_iter().find(|known| known["name"] == source).unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (word(&entity["state"]), word(&source["state"]))
}

fn runs_of(site: &Site, source: &str) -> usize {
    site.runs().0.iter().filter(|event| event.source == source).count()
}

/// Waits for a work item's state.
#[track_caller]
fn wait_for(site: &Site, item: &Value, state: &str) -> Value {
    let path = format!("/v1/work-items/{item}");
    until(|| Some(site.get(&path)).filter(|item| item["state"] == state), || site.get(&path).to_string())
}

/// Notifies, without waiting, and gives the number of the work item.
#[track_caller]
fn tell(site: &Site, key: &str) -> Value {
    site.ask(&["notify", "customer", "crm", "--", key])["work_items"][0]["id"].clone()
}

#[test]
fn a_paused_source_is_not_run_and_counts_as_unreachable_until_it_is_resumed() {
    let site = site_with_a_record();
    let daemon = site.start();
    let run = site.retcon(&["pause", "customer/billing"]).exits(0);
    assert_eq!(run.stdout(), "customer/billing is paused\n", "{run}");
    assert_eq!(states(&site, "billing"), ("up".to_owned(), "paused".to_owned()));
    let told = site.get("/v1/status")["entities"][0].clone();
    assert!(told["paused"].is_null() && told["sources"][1]["paused"].is_null(), "{told}");
    let (paused, act) = (told["sources"][0]["paused"].clone(), site.ask(&["audit"])["items"][0].clone());
    assert!(paused["who"] == act["who"] && paused["since"].as_str() > act["at"].as_str(), "{paused} {act}");
    let [since, who] = ["since", "who"].map(|name| paused[name].as_str().unwrap_or_default());
    let said =
        format!("customer/billing has been paused since {}Z by {who} (retcon resume customer/billing)", &since[..19]);
    let shown = site.retcon(&["status"]).exits(0).stdout();
    assert!(shown.contains(&said), "{said:?} is not said: {shown}");

    let before = runs_of(&site, "billing");
    site.system("crm").put("c1", r#"{"name": "Anne"}"#);
    let item = tell(&site, "c1");
    let waiting = wait_for(&site, &item, "waiting");
    assert_eq!(waiting["blocked_by"], json!(["billing"]), "{waiting}");
    assert_eq!(waiting["attempts"], 0, "{waiting}");
    assert_eq!(site.get("/v1/records/customer/1")["agreed"], json!({"name": "Anne"}), "the others go on");
    assert_eq!(runs_of(&site, "billing"), before);

    let run = site.retcon(&["resume", "customer/billing"]).exits(0);
    assert_eq!(run.stdout(), "customer/billing goes on\n", "{run}");
    wait_for(&site, &item, "done");
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Anne"}"#]);
    assert_eq!(states(&site, "billing"), ("up".to_owned(), "up".to_owned()));
    daemon.stop();
}

#[test]
fn nothing_of_a_paused_entity_is_begun_and_what_comes_is_kept() {
    let site = site_with_a_record();
    let daemon = site.start();
    assert_eq!(site.ask(&["pause", "customer"]), json!({"entity": "customer", "source": null, "paused": true}));
    let before = site.runs().0.len();
    site.system("crm").put("c1", r#"{"name": "Anne"}"#);
    let item = tell(&site, "c1");
    assert_eq!(states(&site, "crm").0, "paused");
    let told = site.get("/v1/status")["entities"][0].clone();
    assert!(told["paused"]["since"].is_string() && told["sources"][0]["paused"].is_null(), "{told}");
    let shown = site.retcon(&["status"]).exits(0).stdout();
    assert!(shown.contains("customer has been paused since "), "{shown}");
    site.http("GET", "/readyz", None).has_status(200);
    // Whatever reloads and asks for work finds it paused.
    site.retcon(&["reload"]).exits(0);
    site.retcon(&["retry", &item.to_string()]).exits(0);
    assert_eq!(site.get(&format!("/v1/work-items/{item}"))["state"], "ready");
    assert_eq!(site.runs().0.len(), before);
    site.retcon(&["resume", "customer"]).exits(0);
    wait_for(&site, &item, "done");
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Anne"}"#]);
    daemon.stop();
}

#[test]
fn a_pause_outlives_the_daemon() {
    let site = site_with_a_record();
    let daemon = site.start();
    site.retcon(&["pause", "customer"]).exits(0);
    site.retcon(&["pause", "customer/billing"]).exits(0);
    daemon.kill();
    let daemon: Daemon<'_> = site.start();
    let both = || Some(states(&site, "billing")).filter(|(entity, source)| entity == "paused" && source == "paused");
    until(both, || site.get("/v1/status").to_string());
    site.system("crm").put("c1", r#"{"name": "Anne"}"#);
    let item = tell(&site, "c1");
    site.retcon(&["resume", "customer"]).exits(0);
    wait_for(&site, &item, "waiting");
    site.retcon(&["resume", "customer/billing"]).exits(0);
    wait_for(&site, &item, "done");
    daemon.stop();
}

#[test]
fn what_is_not_configured_cannot_be_paused() {
    let site = site_with_a_record();
    let daemon = site.start();
    site.http("POST", "/v1/entities/custmer/pause", None).has_problem(404, "unknown-entity");
    site.http("POST", "/v1/entities/customer/sources/ldap/pause", None).has_problem(404, "unknown-source");
    site.http("POST", "/v1/entities/customer/sources/a%20b/resume", None).has_problem(404, "unknown-source");
    let run = site.retcon(&["pause", "customer/ldap"]).exits(1);
    assert!(run.stderr().starts_with("error: cannot pause customer/ldap"), "{run}");
    // To resume what goes on, and to pause what is paused, is no mistake.
    site.retcon(&["resume", "customer"]).exits(0);
    site.retcon(&["pause", "customer"]).exits(0);
    site.retcon(&["pause", "customer"]).exits(0);
    daemon.stop();
}
