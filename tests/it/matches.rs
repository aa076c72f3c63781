//! `match`, where it is configured, or means something else, when records are known already.

use rstest::rstest;

use crate::support::site::Site;
use crate::support::system::Language::C;

const ANN: &str = r#"{"email":"X","name":"Ann"}"#;

/// Adds lines to the entity, and a source that has its own copies.
fn reconfigure(site: &Site, settings: &str) {
    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    let config = config.replace("[entities.customer]\n", &format!("[entities.customer]\n{settings}\n"));
    site.write("retcon.toml", &(config + &C.source("shop").table("customer")));
}

/// Expects that every system has its one copy of the one record.
#[track_caller]
fn expect_one(site: &Site, in_shop: &str) {
    let records = site.get("/v1/records/customer");
    assert_eq!(records["items"].as_array().map(Vec::len), Some(1), "{records}");
    for (source, document) in [("billing", ANN), ("crm", ANN), ("shop", in_shop)] {
        assert_eq!(site.system(source).documents(), [document], "in {source}");
    }
    assert_eq!(site.get("/v1/records/customer/1")["links"][2]["key"], "own");
}

#[rstest]
#[case::by_a_reload(true)]
#[case::by_a_restart(false)]
fn an_item_matches_a_record_that_was_known_before_match_was_configured(#[case] is_reloaded: bool) {
    let site = Site::new(&[C.source("billing"), C.source("crm")]);
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    site.system("shop").put("own", ANN);
    let configure = || reconfigure(&site, "match = [\"/email\"]");
    let daemon = if is_reloaded {
        configure();
        site.retcon(&["reload"]).exits(0);
        daemon
    } else {
        daemon.kill();
        configure();
        site.start()
    };
    site.notify("shop", "own");
    expect_one(&site, ANN);
    daemon.stop();
}

#[test]
fn an_item_matches_a_record_that_was_known_when_other_spellings_were_equal() {
    let site = Site::with("match = [\"/email\"]", &[C.source("billing"), C.source("crm")]);
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    let in_shop = r#"{"email":"x","name":"Ann"}"#;
    site.system("shop").put("own", in_shop);
    reconfigure(&site, "fields = { \"/email\" = { equal = [\"casefold\"] } }");
    site.retcon(&["reload"]).exits(0);
    site.notify("shop", "own");
    expect_one(&site, in_shop);
    daemon.stop();
}

#[test]
fn records_that_came_while_nothing_matched_are_known_once_match_is_back() {
    let site = Site::with("match = [\"/email\"]", &[C.source("billing"), C.source("crm")]);
    let with_match = std::fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    let daemon = site.start();
    site.write("retcon.toml", &with_match.replace("match = ", "#"));
    site.retcon(&["reload"]).exits(0);
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    site.system("shop").put("own", ANN);
    site.write("retcon.toml", &with_match);
    reconfigure(&site, "");
    site.retcon(&["reload"]).exits(0);
    site.notify("shop", "own");
    expect_one(&site, ANN);
    daemon.stop();
}
