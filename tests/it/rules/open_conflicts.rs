//! A conflict that stays open, while its contenders come and go.

use super::{ANN, CID, DAN, Site, ask, introduce, three, until};
use crate::support::daemon::Daemon;

/// crm says Cid and ldap says Dan.
#[track_caller]
fn in_conflict(site: &Site) -> Daemon<'_> {
    let daemon = introduce(site);
    site.system("crm").put("a", CID);
    site.system("ldap").put("sh-1", DAN);
    site.notify("crm", "a");
    assert_eq!(contenders(site), ["crm", "ldap"]);
    daemon
}

fn contenders(site: &Site) -> Vec<String> {
    let conflicts = site.get("/v1/conflicts");
    let contenders = conflicts["items"][0]["contenders"].as_array().cloned().unwrap_or_default();
    contenders.iter().filter_map(|one| one["sources"][0].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_contender_that_is_away_contends_with_its_last_value() {
    let site = Site::new(&three());
    let daemon = in_conflict(&site);
    site.system("ldap").fault_everywhere("exit 1\n");
    site.system("crm").put("a", r#"{"email":"x","name":"Cyd"}"#);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(
        || {
            let conflict = site.get("/v1/conflicts")["items"][0].clone();
            (conflict["contenders"][0]["value"] == "Cyd").then_some(())
        },
        || daemon.log_text(),
    );
    assert_eq!(contenders(&site), ["crm", "ldap"]);
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon.stop();
}

#[test]
fn the_last_value_of_one_that_is_away_is_accepted_once_the_others_have_dropped_out() {
    let site = Site::new(&three());
    let daemon = in_conflict(&site);
    site.system("ldap").fault_everywhere("exit 1\n");
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| (site.system("billing").documents() == [DAN]).then_some(()), || daemon.log_text());
    assert_eq!(contenders(&site), [""; 0]);
    site.system("ldap").heal();
    site.wait_until_at_rest();
    assert_eq!((site.system("crm").documents(), site.system("ldap").documents()), (vec![DAN.into()], vec![DAN.into()]));
    assert_eq!(site.runs().count("ldap", "update"), 0);
    daemon.stop();
}

#[test]
fn a_conflict_keeps_every_value_that_ever_contended() {
    let site = Site::new(&three());
    let daemon = in_conflict(&site);
    site.system("crm").put("a", r#"{"email":"x","name":"Eve"}"#);
    site.notify("crm", "a");
    let id = site.get("/v1/conflicts")["items"][0]["id"].to_string();
    site.retcon(&["resolve", &id, "--take", "ldap"]).exits(0);
    let values = "select string_agg(one ->> 'value', ' ' order by n) \
                  from conflict, json_array_elements(contended) with ordinality as contended (one, n)";
    assert_eq!(ask(&site, values), ["Cid Dan Eve"]);
    daemon.stop();
}

#[test]
fn a_resolution_counts_only_for_what_the_person_saw() {
    let site = Site::new(&three());
    let daemon = in_conflict(&site);
    let conflict = site.get("/v1/conflicts")["items"][0].clone();
    site.system("crm").put("a", r#"{"email":"x","name":"Eve"}"#);
    site.notify("crm", "a");
    let body = format!("{{\"take\":\"crm\",\"revision\":{}}}", conflict["revision"]);
    let path = format!("/v1/conflicts/{}/resolve", conflict["id"]);
    let refused = site.http("POST", &path, Some(&body)).has_status(409).json();
    assert_eq!(refused["code"], "stale-conflict");
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon.stop();
}
