//! Whose copy is it that a source tells of, and that nobody knows?

use super::{ANN, Site, introduce, notify, two};

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
