//! An update may give its copy another key.

use super::{ANN, BEA, DIE, Site, introduce, link, only_doubt, records, two};

#[test]
fn a_notification_for_a_former_key_finds_its_record() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").set("rekey");
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    let record = site.get("/v1/records/customer/1");
    assert_eq!(record["links"][0]["key"], "sh-2", "{record}");
    site.system("billing").put("sh-2", ANN);
    site.notify("billing", "sh-1");
    assert_eq!(site.system("crm").documents(), [ANN], "its record was looked at");
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(site.get("/v1/records/customer?source=billing&key=sh-1")["items"][0]["id"], 1);
    daemon.stop();
}

#[test]
fn a_copy_that_is_not_found_after_an_update_that_may_have_renamed_it_is_in_doubt_and_not_missing() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").set("rekey");
    site.system("billing").fault("update.after", DIE);
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    site.system("billing").heal();
    assert_eq!(link(&site, 1, "billing")["state"], "in-doubt");
    assert_eq!(site.get("/v1/records/customer/1")["state"], "live");
    assert_eq!(site.runs().count("crm", "delete"), 0);
    // The source tells of the new key: it holds what was sent.
    site.notify("billing", "sh-2");
    assert_eq!(link(&site, 1, "billing")["key"], "sh-2");
    assert_eq!((site.system("billing").documents(), records(&site)), (vec![BEA.into()], 1));
    assert_eq!((site.runs().count("billing", "update"), site.runs().count("billing", "create")), (1, 1));
    daemon.stop();
}

#[test]
fn a_copy_that_is_not_found_after_updates_that_were_all_refused_is_missing() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").fault("update", "rm \"$system/items/$RETCON_KEY.json\"; exit 3\n");
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/doubts")["items"].as_array().map(Vec::len), Some(0));
    // Edited there and deleted here: that is for a person, and it is a deletion.
    assert_eq!(site.get("/v1/conflicts")["items"][0]["kind"], "edit-delete");
    daemon.stop();
}

#[test]
fn a_new_key_that_cannot_be_read_leaves_the_old_one_and_a_doubt() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").fault("update.after", "echo elsewhere\n");
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    let doubt = only_doubt(&site);
    assert_eq!((&doubt["kind"], &doubt["key"]), (&"update".into(), &"sh-1".into()));
    assert!(doubt["last_error"].as_str().is_some_and(|why| why.contains("elsewhere")), "{doubt}");
    assert_eq!(link(&site, 1, "billing")["key"], "sh-1");
    site.system("billing").heal();
    // It is there under its old key, as it was sent: that tells.
    site.notify("billing", "sh-1");
    assert_eq!(link(&site, 1, "billing")["state"], "linked");
    assert_eq!((site.system("billing").documents(), site.runs().count("billing", "update")), (vec![BEA.into()], 1));
    assert_ne!(site.system("crm").documents(), [ANN]);
    daemon.stop();
}
