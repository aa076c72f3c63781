//! A copy that shows again after we have deleted it.

use super::{ANN, BEA, Site, introduce, records, two, wait_for_item};

#[test]
fn a_copy_that_shows_again_unchanged_right_after_its_deletion_is_looked_at_later() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("crm").remove("a");
    site.notify("crm", "a");
    assert_eq!(site.system("billing").documents(), [""; 0]);
    // An answer from before.
    site.system("billing").put("sh-1", ANN);
    site.retcon(&["notify", "customer", "billing", "sh-1"]).exits(0);
    let item = wait_for_item(&site, "billing", "sh-1", "waiting");
    assert!(item["last_error"].as_str().is_some_and(|why| why.contains("deleted a moment ago")), "{item}");
    assert_eq!((records(&site), site.system("crm").documents()), (1, vec![]));
    daemon.stop();
}

#[test]
fn a_copy_that_shows_again_with_another_document_is_a_new_record() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("crm").remove("a");
    site.notify("crm", "a");
    site.system("billing").put("sh-1", BEA);
    site.notify("billing", "sh-1");
    assert_eq!((records(&site), site.system("crm").documents()), (2, vec![BEA.into()]));
    assert_eq!(site.get("/v1/records/customer/1")["state"], "deleted");
    assert_eq!(site.get("/v1/records/customer?source=billing&key=sh-1")["items"][0]["id"], 2);
    daemon.stop();
}
