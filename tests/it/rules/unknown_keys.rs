//! Whose copy is it that a source tells of, and that nobody knows?

use super::{
    ANN, BEA, CID, DIE, STOP, Sh, Site, ask, introduce, link, listing, notify, only_doubt, records, two, until,
    wait_for_item, wait_for_stop,
};

#[test]
fn a_source_that_tells_of_its_new_key_before_it_has_printed_it_makes_no_second_record() {
    let site = Site::new(&two());
    site.system("billing").fault("create.after", &notify(&site, "billing", "sh-1"));
    let daemon = introduce(&site);
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(1));
    assert_eq!((site.system("crm").documents().len(), site.system("billing").documents().len()), (1, 1));
    assert_eq!(site.runs().count("crm", "create") + site.runs().count("billing", "create"), 1);
    daemon.stop();
}

#[test]
fn a_create_that_dies_after_it_took_effect_is_in_doubt_and_its_own_notification_settles_it() {
    let site = Site::new(&two());
    site.system("billing").fault("create.after", "kill -9 $$\n");
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    let told = site.notify("crm", "a");
    assert!(told.stdout().contains("in-doubt"), "{told}");
    let record = site.get("/v1/records/customer/1");
    assert_eq!(record["links"][0]["state"], "in-doubt", "{record}");
    site.notify("crm", "a");
    assert_eq!(site.runs().count("billing", "create"), 1, "what is in doubt is not repeated");
    site.notify("billing", "sh-1");
    let record = site.get("/v1/records/customer/1");
    assert_eq!(
        (&record["links"][0]["state"], &record["links"][0]["key"]),
        (&"linked".into(), &"sh-1".into()),
        "{record}"
    );
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(1));
    daemon.stop();
}

/// A create of a source that makes its item, does something at some point, and prints the key.
fn talking(when: &str, talk: &str) -> String {
    let [before, between] = if when == "before" { [talk, ""] } else { ["", talk] };
    format!("cat > \"$system/items/own.json\"\n{before}printf own\n{between}echo\nexit 0\n")
}

#[test]
fn a_source_may_tell_of_its_new_key_before_while_and_after_it_prints_it() {
    for when in ["before", "while"] {
        let site = Site::new(&two());
        site.system("billing").fault("create", &talking(when, &notify(&site, "billing", "own")));
        let daemon = introduce(&site);
        // It was told while the create ran, and nobody has read it before that was over.
        let events = site.runs().0;
        let place = |operation: &str| {
            let of =
                |event: &&crate::support::runs::RunEvent| event.source == "billing" && event.operation == operation;
            let places = events.iter().enumerate().filter(|(_, event)| of(event)).map(|(place, _)| place);
            places.collect::<Vec<_>>()
        };
        assert!(place("read").first() > place("create").last(), "{when}: {events:#?}");
        site.notify("billing", "own");
        site.wait_until_at_rest();
        assert_eq!((records(&site), link(&site, 1, "billing")["key"].clone()), (1, "own".into()), "{when}");
        assert_eq!((site.runs().count("billing", "create"), site.runs().count("crm", "create")), (1, 0), "{when}");
        daemon.stop();
    }
}

#[test]
fn a_key_told_of_while_a_create_is_in_flight_waits_unread_and_holds_nobody_up() {
    let site = Site::with("throttle = { in_flight = 2 }", &two());
    let daemon = site.start();
    site.system("billing").fault("create", STOP);
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_stop(&site, &daemon, "billing");
    for n in 0..5 {
        site.system("billing").put(&format!("own{n}"), &format!("{{\"email\":\"{n}\"}}"));
        site.retcon(&["notify", "customer", "billing", &format!("own{n}")]).exits(0);
    }
    // Another look goes through meanwhile: they hold no place.
    site.system("crm").put("none", ANN);
    site.system("crm").remove("none");
    site.notify("crm", "none");
    assert_eq!(site.runs().count("billing", "read"), 0);
    site.system("billing").set("go");
    site.wait_until_at_rest();
    assert_eq!((records(&site), site.system("crm").documents().len()), (6, 6));
    daemon.stop();
}

#[test]
fn while_a_doubt_lasts_an_item_with_another_match_value_goes_through() {
    let site = Site::with("match = [\"/email\"]", &two());
    let daemon = in_doubt(&site);
    site.system("billing").put("own", r#"{"email":"y","name":"Dan"}"#);
    site.notify("billing", "own");
    assert_eq!((records(&site), site.system("crm").documents().len()), (2, 2));
    assert_eq!(only_doubt(&site)["id"], 1);
    daemon.stop();
}

#[test]
fn while_a_doubt_lasts_an_item_that_may_be_its_copy_waits_visibly_at_no_cost_and_goes_on_when_it_is_settled() {
    for settings in ["", "match = [\"/email\"]"] {
        let site = Site::with(settings, &two());
        let daemon = in_doubt(&site);
        site.system("billing").put("own", CID);
        site.retcon(&["notify", "customer", "billing", "own"]).exits(0);
        let item = wait_for_item(&site, "billing", "own", "waiting");
        let why = item["last_error"].as_str().unwrap_or_default();
        assert!(why.contains("retcon settle 1 --key KEY"), "{settings:?}: {item}");
        assert_eq!((&item["due_at"], &only_doubt(&site)["waiting"][0]), (&().into(), &"own".into()), "{settings:?}");
        // Nothing is run for it, whatever else happens.
        let reads = || site.runs().0.iter().filter(|run| run.key == "own").count();
        let before = reads();
        site.notify("crm", "a");
        assert_eq!(reads(), before, "{settings:?}");
        site.retcon(&["settle", "1", "--key", "sh-1"]).exits(0);
        site.wait_until_at_rest();
        assert_eq!(records(&site), 2, "{settings:?}");
        // By `match` there are two copies of one item at billing now, which a person must see.
        let conflicts = site.get("/v1/conflicts")["items"].clone();
        let expected = if settings.is_empty() { 0 } else { 1 };
        assert_eq!(conflicts.as_array().map(Vec::len), Some(expected), "{settings:?}: {conflicts}");
        daemon.stop();
    }
}

#[test]
fn an_item_of_which_a_notification_came_before_the_doubt_goes_through() {
    let site = Site::new(&two());
    let daemon = site.start();
    site.system("billing").put("own", CID);
    site.system("billing").fault("read", STOP);
    site.retcon(&["notify", "customer", "billing", "own"]).exits(0);
    wait_for_stop(&site, &daemon, "billing");
    site.system("crm").put("a", ANN);
    site.system("billing").fault("create.after", DIE);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| (ask(&site, "select count(*) from operation") == ["1"]).then_some(()), || daemon.log_text());
    site.system("billing").set("go");
    site.wait_until_at_rest();
    assert_eq!((records(&site), site.system("crm").documents().len()), (2, 2));
    assert_eq!(only_doubt(&site)["record"], 1 + u32::from(link(&site, 1, "billing")["key"] == "own"));
    daemon.stop();
}

#[test]
fn an_older_item_of_the_same_match_value_waits_for_the_doubt_and_is_then_the_copy() {
    let site = Site::with("match = [\"/email\"]", &two());
    let daemon = site.start();
    site.system("billing").put("own", BEA);
    site.system("billing").fault("read", &format!("{STOP}exit 3\n"));
    site.retcon(&["notify", "customer", "billing", "own"]).exits(0);
    wait_for_stop(&site, &daemon, "billing");
    site.system("billing").set("go");
    wait_for_item(&site, "billing", "own", "parked");
    site.system("billing").heal();
    site.system("billing").fault("create", DIE);
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    site.system("billing").heal();
    // It is looked at for the old notification, from before the create.
    ask(&site, "update work_item set state = 'ready', due_at = now() where state = 'parked'");
    site.notify("crm", "a");
    let item = wait_for_item(&site, "billing", "own", "waiting");
    assert!(item["last_error"].as_str().is_some_and(|why| why.contains("retcon settle 1")), "{item}");
    site.retcon(&["settle", "1", "--absent"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!((link(&site, 1, "billing")["key"].clone(), records(&site)), ("own".into(), 1));
    assert_eq!(site.system("billing").documents(), [BEA]);
    daemon.stop();
}

#[test]
fn two_copies_of_one_item_told_of_at_once_are_one_record() {
    let site = Site::with("match = [\"/email\"]", &[listing("billing"), Sh.source("crm")]);
    site.system("crm").put("a", ANN);
    site.system("billing").put("b", ANN);
    let daemon = site.start();
    let body = r#"{"notifications":[{"entity":"customer","source":"crm","key":"a"},
                                    {"entity":"customer","source":"billing","key":"b"}]}"#;
    site.http("POST", "/v1/notifications", Some(body)).has_status(202);
    site.wait_until_at_rest();
    assert_eq!(records(&site), 1);
    assert_eq!(site.runs().count("crm", "create") + site.runs().count("billing", "create"), 0);
    daemon.stop();
}

#[test]
fn a_match_with_a_record_that_has_a_live_copy_there_is_a_conflict_and_nothing_is_created() {
    let site = Site::with("match = [\"/email\"]", &two());
    let daemon = introduce(&site);
    site.system("billing").put("own", BEA);
    site.notify("billing", "own");
    let conflict = site.get("/v1/conflicts")["items"][0].clone();
    assert_eq!((&conflict["kind"], &conflict["record"]), (&"match".into(), &2.into()));
    assert_eq!((site.system("crm").documents(), site.system("billing").documents().len()), (vec![ANN.into()], 2));
    daemon.stop();
}

/// Puts Ann into crm, while a create at billing makes its copy and dies: it is in doubt as number 1.
#[track_caller]
fn in_doubt(site: &Site) -> crate::support::daemon::Daemon<'_> {
    let daemon = site.start();
    site.system("billing").fault("create.after", DIE);
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    site.system("billing").heal();
    daemon
}
