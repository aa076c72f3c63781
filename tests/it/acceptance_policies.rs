//! What the configuration decides: policies, matching, deletions, parts of documents, seen from outside.

use rstest::rstest;
use serde_json::Value;

use crate::support::site::Site;
use crate::support::system::Language::{C, Sh};
use crate::support::system::{SourceSpec, json};
use crate::support::wait::until;

const ANN: &str = r#"{"email":"ann@example.com","name":"Ann"}"#;
const ANNE: &str = r#"{"email":"ann@example.com","name":"Anne"}"#;
const ANNA: &str = r#"{"email":"ann@example.com","name":"Anna"}"#;

fn three() -> [SourceSpec; 3] {
    [C.source("billing"), Sh.source("crm"), C.source("shop")]
}

/// Puts Ann into all systems; gives her key in the shop.
#[track_caller]
fn create_ann(site: &Site) -> String {
    site.system("crm").put("1", ANN);
    site.notify("crm", "1");
    expect(site, [ANN, ANN, ANN]);
    site.system("shop").only_key()
}

/// Expects the only document of billing, crm and shop.
#[track_caller]
fn expect(site: &Site, documents: [&str; 3]) {
    for (source, document) in ["billing", "crm", "shop"].into_iter().zip(documents) {
        assert_eq!(site.system(source).documents(), [json(document)], "in {source}");
    }
}

#[track_caller]
fn conflicts(site: &Site) -> Vec<Value> {
    site.get("/v1/conflicts")["items"].as_array().expect("a list").clone()
}

/// Edits Ann in the CRM and in the shop, differently, and has it looked at.
#[track_caller]
fn contradict(site: &Site) {
    let key = create_ann(site);
    site.system("crm").put("1", ANNE);
    site.system("shop").put(&key, ANNA);
    site.notify("shop", &key);
}

#[rstest]
#[case::accept_all("merge_policy = \"accept-all\"", ANNA)]
#[case::prefer("merge_policy = \"prefer:billing,crm\"", ANNE)]
#[case::trust_one_that_speaks("merge_policy = \"trust-only:crm\"", ANNE)]
#[case::trust_one_that_is_silent("fields = { \"/name\" = { merge_policy = \"trust-only:billing\" } }", ANN)]
#[case::of_a_field("fields = { \"/name\" = { merge_policy = \"trust-only:shop\" } }", ANNA)]
fn a_policy_decides_at_once_and_history_names_who_lost(#[case] settings: &str, #[case] winner: &str) {
    let site = Site::with(settings, &three());
    let daemon = site.start();
    contradict(&site);
    expect(&site, [winner, winner, winner]);
    assert_eq!(conflicts(&site), Vec::<Value>::new());
    let history = site.get("/v1/records/customer/1/history").to_string();
    for loser in [ANNA, ANNE].into_iter().filter(|document| *document != winner) {
        let name = if loser == ANNA { "\"Anna\"" } else { "\"Anne\"" };
        assert!(history.contains(name), "{name} is not named in {history}");
    }
    site.notify("crm", "1");
    expect(&site, [winner, winner, winner]);
    daemon.stop();
}

#[test]
fn a_conflict_is_one_however_often_it_is_seen_and_closes_when_the_systems_agree() {
    let site = Site::new(&three());
    let daemon = site.start();
    contradict(&site);
    let first = conflicts(&site);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((first[0]["path"].as_str(), first[0]["kind"].as_str()), (Some("/name"), Some("edit-edit")));
    for _ in 0..3 {
        site.notify("crm", "1");
    }
    assert_eq!(conflicts(&site), first, "seen again, it is the same");
    expect(&site, [ANN, ANNE, ANNA]);
    // The rest of the record goes on meanwhile.
    site.system("crm").put("1", r#"{"email":"anne@work.example","name":"Anne"}"#);
    site.notify("crm", "1");
    let [billing, shop] = ["billing", "shop"].map(|source| site.system(source).documents().concat());
    assert!(billing.contains("anne@work.example") && shop.contains("anne@work.example"), "{billing} {shop}");
    // The people agree by themselves.
    site.system("crm").put("1", r#"{"email":"anne@work.example","name":"Anna"}"#);
    site.notify("crm", "1");
    assert_eq!(conflicts(&site), Vec::<Value>::new());
    let anna = r#"{"email":"anne@work.example","name":"Anna"}"#;
    expect(&site, [anna, anna, anna]);
    daemon.stop();
}

#[test]
fn every_change_waits_for_a_person_who_wants_it_so() {
    let site = Site::with("merge_policy = \"reject-all\"", &three());
    let daemon = site.start();
    site.system("crm").put("1", ANN);
    site.notify("crm", "1");
    assert!(site.system("shop").items().is_empty());
    let held = conflicts(&site);
    assert_eq!((held[0]["path"].as_str(), held[0]["kind"].as_str()), (Some(""), Some("held")));
    site.retcon(&["resolve", &held[0]["id"].to_string(), "--take", "crm"]).exits(0);
    site.wait_until_at_rest();
    expect(&site, [ANN, ANN, ANN]);
    site.system("crm").put("1", ANNE);
    site.notify("crm", "1");
    expect(&site, [ANN, ANNE, ANN]);
    site.retcon(&["resolve", &conflicts(&site)[0]["id"].to_string(), "--take", "crm"]).exits(0);
    site.wait_until_at_rest();
    expect(&site, [ANNE, ANNE, ANNE]);
    daemon.stop();
}

#[test]
fn a_deletion_against_an_edit_is_a_conflict_and_nothing_is_written() {
    let site = Site::new(&three());
    let daemon = site.start();
    let key = create_ann(&site);
    site.system("shop").remove(&key);
    site.system("crm").put("1", ANNE);
    site.notify("shop", &key);
    let open = conflicts(&site);
    assert_eq!((open[0]["path"].as_str(), open[0]["kind"].as_str()), (Some(""), Some("edit-delete")));
    assert_eq!(site.system("billing").documents(), [json(ANN)]);
    assert_eq!(site.system("crm").documents(), [json(ANNE)]);
    assert!(site.system("shop").items().is_empty());
    site.retcon(&["resolve", &open[0]["id"].to_string(), "--take", "crm"]).exits(0);
    site.wait_until_at_rest();
    expect(&site, [ANNE, ANNE, ANNE]);
    daemon.stop();
}

#[test]
fn a_deletion_is_recreated_where_that_is_wanted() {
    let site = Site::with("on_delete = \"recreate\"", &three());
    let daemon = site.start();
    let key = create_ann(&site);
    site.system("shop").remove(&key);
    site.notify("shop", &key);
    site.wait_until_at_rest();
    expect(&site, [ANN, ANN, ANN]);
    assert_eq!(site.runs().count("crm", "delete") + site.runs().count("billing", "delete"), 0);
    daemon.stop();
}

#[test]
fn a_deletion_unlinks_where_that_is_wanted() {
    let site = Site::with("on_delete = \"unlink\"", &three());
    let daemon = site.start();
    let key = create_ann(&site);
    site.system("shop").remove(&key);
    site.notify("shop", &key);
    site.system("crm").put("1", ANNE);
    site.notify("crm", "1");
    assert_eq!(site.system("billing").documents(), [json(ANNE)]);
    assert!(site.system("shop").items().is_empty());
    daemon.stop();
}

#[test]
fn a_deletion_waits_for_a_person_where_that_is_wanted() {
    let site = Site::with("on_delete = \"hold\"", &three());
    let daemon = site.start();
    let key = create_ann(&site);
    site.system("shop").remove(&key);
    site.notify("shop", &key);
    let open = conflicts(&site);
    assert_eq!((open[0]["path"].as_str(), open[0]["kind"].as_str()), (Some(""), Some("held")));
    assert_eq!(site.system("crm").documents(), [json(ANN)]);
    site.retcon(&["resolve", &open[0]["id"].to_string(), "--absent"]).exits(0);
    site.wait_until_at_rest();
    for source in ["billing", "crm", "shop"] {
        assert!(site.system(source).items().is_empty(), "{source} holds {:?}", site.system(source).items());
    }
    daemon.stop();
}

#[test]
fn a_new_item_that_matches_a_record_without_a_copy_there_joins_it() {
    let site = Site::with("match = [\"/email\"]\non_delete = \"unlink\"", &three());
    let daemon = site.start();
    let key = create_ann(&site);
    site.system("shop").remove(&key);
    site.notify("shop", &key);
    // The shop has none of her now, and somebody enters her there by hand.
    site.system("shop").put("by-hand", ANN);
    site.notify("shop", "by-hand");
    let records = site.get("/v1/records/customer");
    assert_eq!(records["items"].as_array().map(Vec::len), Some(1), "{records}");
    site.system("crm").put("1", ANNE);
    site.notify("crm", "1");
    expect(&site, [ANNE, ANNE, ANNE]);
    daemon.stop();
}

#[test]
fn a_second_item_that_matches_is_for_a_person_to_look_at() {
    let site = Site::with("match = [\"/email\"]", &three());
    let daemon = site.start();
    create_ann(&site);
    site.system("crm").put("2", ANNA);
    site.notify("crm", "2");
    assert_eq!(conflicts(&site)[0]["kind"], "match");
    assert_eq!(site.runs().count("billing", "create") + site.runs().count("shop", "create"), 2, "both for the first");
    assert_eq!(site.system("crm").get("2").as_deref(), Some(ANNA), "it is left as it is");
    daemon.stop();
}

#[test]
fn a_second_item_that_matches_waits_for_a_person_also_while_its_source_is_away() {
    let site = Site::with("match = [\"/email\"]", &three());
    let daemon = site.start();
    create_ann(&site);
    let crm = site.system("crm");
    crm.put("2", ANNA);
    site.notify("crm", "2");
    crm.fault("read", "exit 1");
    site.http("POST", "/v1/records/customer/2/sync", None).has_status(202);
    until(
        || (site.get("/v1/status")["entities"][0]["queue"]["waiting"] == 1).then_some(()),
        || site.get("/v1/status").to_string(),
    );
    crm.heal();
    site.wait_until_at_rest();
    assert_eq!(conflicts(&site)[0]["kind"], "match");
    assert_eq!(site.runs().count("billing", "create") + site.runs().count("shop", "create"), 2, "both for the first");
    daemon.stop();
}

#[test]
fn copies_of_one_item_that_are_told_of_at_once_become_one_record() {
    const ITEMS: usize = 20;
    let site = Site::with("match = [\"/email\"]", &three());
    let daemon = site.start();
    let mut notifications = Vec::new();
    for source in ["crm", "shop"] {
        for item in 0..ITEMS {
            let key = format!("{source}-{item}");
            site.system(source).put(&key, &format!(r#"{{"email":"{item}@example.com","name":"Ann"}}"#));
            notifications.push(format!(r#"{{"entity":"customer","source":"{source}","key":"{key}"}}"#));
        }
    }
    let all = format!(r#"{{"notifications":[{}]}}"#, notifications.join(","));
    site.http("POST", "/v1/notifications", Some(&all)).has_status(202);
    site.wait_until_at_rest();
    assert_eq!(conflicts(&site), Vec::<serde_json::Value>::new(), "{}", daemon.log_text());
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(ITEMS));
    assert_eq!(["billing", "crm", "shop"].map(|source| site.runs().count(source, "create")), [ITEMS, 0, 0]);
    site.runs().assert_none_meet();
    daemon.stop();
}

#[test]
fn a_system_that_holds_a_part_keeps_what_is_its_own() {
    let part = || C.source("billing").with("fields = [\"/name\"]");
    let site = Site::new(&[part(), Sh.source("crm"), C.source("shop")]);
    let daemon = site.start();
    site.system("crm").put("1", ANN);
    site.notify("crm", "1");
    assert_eq!(site.system("billing").documents(), [json(r#"{"name":"Ann"}"#)]);
    let key = site.system("billing").only_key();
    site.system("billing").put(&key, r#"{"account":17,"email":"bill@example.com","name":"Anne"}"#);
    site.notify("billing", &key);
    assert_eq!(site.system("crm").documents(), [json(ANNE)], "a name goes, an account stays");
    site.system("crm").put("1", ANNA);
    site.notify("crm", "1");
    let kept = r#"{"account":17,"email":"bill@example.com","name":"Anna"}"#;
    assert_eq!(site.system("billing").documents(), [json(kept)]);
    daemon.stop();
}

#[test]
fn keyed_arrays_and_sets_are_merged_by_their_elements() {
    let arrays = "arrays = { \"/phones\" = { key = \"type\" }, \"/tags\" = { set = true } }";
    let site = Site::with(arrays, &three());
    let daemon = site.start();
    let phones = |home: &str, work: &str, tags: &str| {
        format!(
            r#"{{"phones":[{{"type":"home","number":"{home}"}},{{"type":"work","number":"{work}"}}],"tags":{tags}}}"#
        )
    };
    site.system("crm").put("1", &phones("1", "2", r#"["a"]"#));
    site.notify("crm", "1");
    let key = site.system("shop").only_key();
    site.system("crm").put("1", &phones("10", "2", r#"["a","b"]"#));
    site.system("shop").put(&key, &phones("1", "20", r#"["c","a"]"#));
    site.notify("shop", &key);
    assert_eq!(conflicts(&site), Vec::<Value>::new());
    let documents = ["billing", "crm", "shop"].map(|source| site.system(source).documents().concat());
    for document in documents {
        assert!(document.contains(r#""number":"10""#) && document.contains(r#""number":"20""#), "{document}");
        assert!(["\"a\"", "\"b\"", "\"c\""].iter().all(|tag| document.contains(tag)), "{document}");
    }
    daemon.stop();
}

#[test]
fn an_observer_writes_nothing() {
    let site = Site::with("mode = \"observe\"", &three());
    let daemon = site.start();
    site.system("crm").put("1", ANN);
    site.retcon(&["notify", "customer", "crm", "1"]).exits(0);
    site.wait_until_at_rest();
    assert!(site.runs().started().all(|run| run.operation == "read"), "{:#?}", site.runs());
    assert!(site.system("shop").items().is_empty() && site.system("billing").items().is_empty());
    daemon.stop();
}
