//! The main job: what happens in one system happens in the others, with data sources written by docs/data-sources.md alone.

use rstest::rstest;
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language::{self, C, Python, Sh};
use crate::support::system::json;

const ANN: &str = r#"{"name":"Ann","email":"ann@example.com"}"#;
const ANNE: &str = r#"{"name":"Anne","email":"ann@example.com"}"#;
const ANNE_AT_WORK: &str = r#"{"name":"Anne","email":"anne@work.example"}"#;

/// A site with a source in this language, and one beside it.
fn pair(language: Language) -> Site {
    Site::new(&[C.source("crm"), language.source("billing")])
}

/// A user puts Ann into the CRM, and retcon creates her in billing; gives her key there.
#[track_caller]
fn create_ann(site: &Site) -> String {
    site.system("crm").put("1", ANN);
    site.notify("crm", "1");
    assert_eq!(site.system("billing").documents(), [json(ANN)]);
    site.system("billing").only_key()
}

/// Expects an event with what a program wrote, at a level.
#[track_caller]
fn expect_stderr(daemon: &Daemon<'_>, level: &str, source: &str, words: &str) {
    let told = |event: &Value| {
        let stderr = event["stderr"].as_str().unwrap_or_default();
        event["source"] == source && stderr.contains(words)
    };
    let event = daemon.wait_for_event(told);
    assert_eq!(event["level"].as_str().unwrap_or_default().to_uppercase(), level, "{event}");
}

#[rstest]
fn a_new_item_is_created_elsewhere_and_edits_go_both_ways(#[values(Sh, Python, C)] language: Language) {
    let site = pair(language);
    let daemon = site.start();
    let key = create_ann(&site);

    site.system("crm").put("1", ANNE);
    site.notify("crm", "1");
    assert_eq!(site.system("billing").get(&key).as_deref().map(json), Some(json(ANNE)));

    site.system("billing").put(&key, ANNE_AT_WORK);
    site.notify("billing", &key);
    assert_eq!(site.system("crm").get("1").as_deref().map(json), Some(json(ANNE_AT_WORK)));

    assert_eq!(site.runs().count("billing", "create"), 1);
    assert_eq!(site.runs().count("billing", "update"), 1);
    assert_eq!(site.runs().count("crm", "update"), 1);
    site.runs().assert_none_meet();
    expect_stderr(&daemon, "DEBUG", "billing", ": create");
    expect_stderr(&daemon, "DEBUG", "billing", ": update");
    daemon.stop();
}

#[rstest]
fn a_deletion_in_one_of_three_sources_spreads_and_history_stays(#[values(Sh, Python, C)] language: Language) {
    let site = Site::new(&[C.source("crm"), language.source("billing"), Sh.source("shop")]);
    let daemon = site.start();
    let key = create_ann(&site);
    site.system("billing").remove(&key);
    site.notify("billing", &key);
    for source in ["crm", "billing", "shop"] {
        assert!(site.system(source).items().is_empty(), "{source} holds {:?}", site.system(source).items());
    }
    assert_eq!(site.runs().count("crm", "delete"), 1);
    assert_eq!(site.runs().count("shop", "delete"), 1);
    assert_eq!(site.runs().count("billing", "delete"), 0, "there was nothing left to delete");
    expect_stderr(&daemon, "ERROR", "billing", "no item");

    let record = site.get("/v1/records/customer/1");
    assert_eq!(record["state"], "deleted", "{record}");
    assert_eq!(json(&record["agreed"].to_string()), json(ANN), "what was deleted is still known");
    let history = site.retcon(&["history", "customer", "1"]).exits(0);
    assert!(history.stdout().contains("ann@example.com"), "{history}");
    daemon.stop();
}

#[rstest]
fn a_key_that_changes_at_an_update_is_followed(#[values(Sh, Python, C)] language: Language) {
    let site = pair(language);
    let daemon = site.start();
    let old = create_ann(&site);
    site.system("billing").set("rekey");
    site.system("crm").put("1", ANNE);
    site.notify("crm", "1");
    let new = site.system("billing").only_key();
    assert_ne!(new, old);
    site.system("billing").unset("rekey");

    // Under its new name the copy is edited and read, and a late word of the old name still finds the record.
    site.system("billing").put(&new, ANNE_AT_WORK);
    site.notify("billing", &new);
    assert_eq!(site.system("crm").documents(), [json(ANNE_AT_WORK)]);
    site.notify("billing", &old);
    assert_eq!(site.system("crm").documents(), [json(ANNE_AT_WORK)]);
    assert_eq!(site.system("billing").only_key(), new);
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(1));
    daemon.stop();
}

#[rstest]
fn a_key_that_stands_for_nothing_is_looked_at_and_left(#[values(Sh, Python, C)] language: Language) {
    let site = pair(language);
    let daemon = site.start();
    let told = site.ask(&["notify", "customer", "billing", "nobody", "--wait"]);
    assert_eq!(told["outcome"], "nothing-there", "{told}");
    expect_stderr(&daemon, "ERROR", "billing", "no item nobody");
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(0));
    daemon.stop();
}

#[rstest]
fn a_refused_write_is_parked_and_made_up_for_when_it_is_tried_again(#[values(Sh, Python, C)] language: Language) {
    let site = pair(language);
    let daemon = site.start();
    let key = create_ann(&site);
    site.system("billing").set("refuse");
    site.system("crm").put("1", ANNE);
    let parked = site.retcon(&["notify", "customer", "crm", "1", "--wait"]).exits(1).complains_of("parked");
    expect_stderr(&daemon, "ERROR", "billing", "update refused");
    assert_eq!(site.system("billing").get(&key).as_deref().map(json), Some(json(ANN)), "{parked}");
    assert_eq!(site.system("crm").documents(), [json(ANNE)], "the edit stays where it was made");
    site.retcon(&["status"]).exits(1);

    site.system("billing").unset("refuse");
    let item = site.get("/v1/work-items?state=parked")["items"][0]["id"].to_string();
    site.retcon(&["retry", &item]).exits(0);
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [json(ANNE)]);
    site.retcon(&["status"]).exits(0);
    daemon.stop();
}

#[rstest]
fn a_source_that_is_away_is_an_emergency_and_comes_back_by_itself(#[values(Sh, Python, C)] language: Language) {
    let site = pair(language);
    let daemon = site.start();
    create_ann(&site);
    let items = site.system("billing").dir().join("items");
    let away = site.system("billing").dir().join("away");
    std::fs::rename(&items, &away).expect("the items are there");
    site.system("crm").put("1", ANNE);
    site.retcon(&["notify", "customer", "crm", "1"]).exits(0);
    expect_stderr(&daemon, "EMERG", "billing", "nobody at home");
    site.retcon(&["status"]).exits(1);

    std::fs::rename(&away, &items).expect("the items come back");
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [json(ANNE)]);
    assert_eq!(site.system("crm").documents(), [json(ANNE)]);
    site.retcon(&["status"]).exits(0);
    daemon.stop();
}
