//! Sources that are away, and come back.

use super::{ANN, BEA, Site, introduce, two, until};

#[test]
fn work_that_begins_to_wait_for_a_source_after_its_probe_was_due_is_done_once_the_source_is_back() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").fault_everywhere("exit 1\n");
    site.system("crm").fault("read", "until [ -e \"$system/go\" ]; do sleep 0.01; done\n");
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    let billing = || site.get("/v1/status")["entities"][0]["sources"][0].clone();
    until(|| (billing()["next_probe_ms"] == 0).then_some(()), || billing().to_string());
    site.system("billing").heal();
    site.system("crm").set("go");
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [BEA]);
    daemon.stop();
}

#[test]
fn work_of_a_source_that_is_not_configured_now_waits_for_its_return() {
    let site = Site::new(&two());
    site.system("crm").fault_everywhere("exit 1\n");
    site.system("crm").put("a", ANN);
    let daemon = site.start();
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    let item = || site.get("/v1/work-items/1");
    until(|| (item()["state"] == "waiting").then_some(()), || item().to_string());
    daemon.stop();

    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("the configuration");
    let (without, _) = config.split_once("[entities.customer.sources.crm]").expect("its table is the last");
    site.write("retcon.toml", without);
    let daemon = site.start();
    until(|| item()["last_error"].as_str()?.contains("not configured").then_some(()), || item().to_string());
    until(|| (item()["state"] == "waiting").then_some(()), || item().to_string());
    for _ in 0..100 {
        assert_eq!(item()["state"], "waiting", "it is looked at again and again");
    }
    daemon.stop();

    site.write("retcon.toml", &config);
    site.system("crm").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon.stop();
}
