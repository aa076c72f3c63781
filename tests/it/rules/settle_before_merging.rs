//! What a reading says of a write of our own comes before what it says of a user.

use super::{BEA, Site, introduce, two, until};

#[test]
fn an_update_that_took_effect_and_says_otherwise_is_no_edit() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").fault("update.after", "exit 1\n");
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| (site.runs().count("billing", "update") > 0).then_some(()), || daemon.log_text());
    site.system("billing").heal();
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/records/customer/1")["version"], 2);
    assert_eq!(
        (site.system("crm").documents(), site.system("billing").documents()),
        (vec![BEA.into()], vec![BEA.into()])
    );
    assert_eq!(site.runs().count("crm", "update"), 0, "it is never written back");
    daemon.stop();
}
