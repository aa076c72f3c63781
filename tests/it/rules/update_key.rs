//! An update may give its copy another key.

use super::{BEA, Site, introduce, two};

#[test]
fn a_notification_for_a_former_key_finds_its_record() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").set("rekey");
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    let record = site.get("/v1/records/customer/1");
    assert_eq!(record["links"][0]["key"], "sh-2", "{record}");
    site.notify("billing", "sh-1");
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(site.get("/v1/records/customer?source=billing&key=sh-1")["items"][0]["id"], 1);
    daemon.stop();
}
