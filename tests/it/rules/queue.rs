//! Every notification leads to a look that began after it.

use super::{ANN, BEA, CID, STOP, Site, introduce, two, wait_for_item, wait_for_stop};

#[test]
fn a_notification_that_comes_during_a_look_leads_to_another_one() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    let read_before = format!("[ -e \"$system/stopped\" ] || {{ \"$@\"; {STOP} exit 0; }}\n");
    site.system("crm").fault("read", &read_before);
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_stop(&site, &daemon, "crm");
    // It has read Bea, and does not know it yet.
    site.system("crm").put("a", CID);
    let told = site.ask(&["notify", "customer", "crm", "a"]);
    assert_eq!(told["work_items"][0]["coalesced"], false, "the look under way may have read before");
    let again = site.ask(&["notify", "customer", "crm", "a"]);
    assert_eq!(
        (&again["work_items"][0]["coalesced"], &again["work_items"][0]["id"]),
        (&true.into(), &told["work_items"][0]["id"])
    );
    site.system("crm").set("go");
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [CID]);
    daemon.stop();
}

#[test]
fn the_end_of_a_look_ends_only_what_it_has_claimed() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("crm").fault("read", &format!("[ -e \"$system/stopped\" ] || {{ {STOP} }}\n"));
    let first = site.ask(&["notify", "customer", "crm", "a"])["work_items"][0]["id"].clone();
    wait_for_stop(&site, &daemon, "crm");
    let second = site.ask(&["notify", "customer", "billing", "sh-1"])["work_items"][0]["id"].clone();
    let third = site.ask(&["notify", "customer", "crm", "a"])["work_items"][0]["id"].clone();
    let reads = site.runs().count("billing", "read");
    site.system("crm").set("go");
    site.wait_until_at_rest();
    assert!(first != third && second != third);
    assert!(site.runs().count("billing", "read") > reads, "there was another look");
    for item in [first, second, third] {
        assert_eq!(site.get(&format!("/v1/work-items/{item}"))["state"], "done");
    }
    daemon.stop();
}

#[test]
fn what_a_daemon_had_claimed_when_it_was_killed_is_looked_at_again() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("crm").fault("read", STOP);
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_stop(&site, &daemon, "crm");
    wait_for_item(&site, "crm", "a", "running");
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon.kill();
    site.system("crm").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [BEA]);
    daemon.stop();
}
