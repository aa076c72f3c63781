//! A create whose end nobody has seen.

use super::{ANN, DIE, Sh, Site, introduce, link, listing, only_doubt, records, two, until};

#[test]
fn a_create_that_took_effect_and_says_otherwise_is_found_by_listing() {
    let list =
        format!("list = [{:?}, \"systems/billing\", \"list\"]", crate::support::system::testing("sources/plain.sh"));
    let site = Site::new(&[Sh.source("billing").with(&list), Sh.source("crm")]);
    site.system("billing").fault("create.after", "exit 1\n");
    let daemon = site.start();
    site.system("billing").put("other", r#"{"email":"y","name":"Cid"}"#);
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(
        || (site.get("/v1/records/customer?limit=1")["items"][0]["links"].as_array()?.len() == 2).then_some(()),
        || daemon.log_text(),
    );
    site.system("billing").heal();
    site.notify("crm", "a");
    assert_eq!(site.runs().count("billing", "create"), 1);
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["key"], "sh-1");
    daemon.stop();
}

#[test]
fn a_create_that_may_be_repeated_is_repeated_under_its_own_id_with_the_same_bytes() {
    let site = Site::new(&[Sh.source("billing").with("create_is_idempotent = true"), Sh.source("crm")]);
    let dir = site.system("billing").dir().to_owned();
    let fault = "cat > \"$system/stdin\"; cat \"$system/stdin\" >> \"$system/sent\"\n\
                 [ -e \"$system/died\" ] || { : > \"$system/died\"; kill -9 $$; }\n\
                 \"$@\" < \"$system/stdin\"; exit\n";
    site.system("billing").fault("create", fault);
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    site.wait_until_at_rest();
    let runs = site.runs();
    let ids: Vec<_> = runs.started().filter(|run| run.operation == "create").map(|run| &run.operation_id).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(ids[0], ids[1]);
    assert_eq!(std::fs::read_to_string(dir.join("sent")).expect("what was sent"), format!("{ANN}\n{ANN}\n"));
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon.stop();
}

#[test]
fn a_daemon_killed_while_a_create_runs_comes_back_with_a_doubt_and_not_with_a_second_copy() {
    let site = Site::new(&two());
    site.system("billing").fault("create.after", ": > \"$system/created\"; sleep 1000\n");
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| site.system("billing").dir().join("created").exists().then_some(()), || daemon.log_text());
    daemon.kill();
    site.system("billing").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["state"], "in-doubt");
    site.notify("crm", "a");
    assert_eq!(site.runs().count("billing", "create"), 1);
    site.notify("billing", "sh-1");
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["state"], "linked");
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon.stop();
}

#[test]
fn a_create_that_gives_the_key_of_another_record_is_in_doubt_and_keeps_nobody_waiting() {
    let site = Site::with("match = [\"/email\"]", &two());
    let daemon = introduce(&site);
    let (bea, cid) = (r#"{"email":"y","name":"Bea"}"#, r#"{"email":"z","name":"Cid"}"#);
    site.system("billing").fault("create", "cat > /dev/null; echo sh-1; exit 0\n");
    site.system("crm").put("b", bea);
    let told = site.notify("crm", "b");
    assert!(told.stdout().contains("in-doubt"), "{told}");
    site.system("billing").heal();
    site.system("billing").put("c", cid);
    site.notify("billing", "c");
    assert_eq!(site.system("crm").documents().len(), 3);
    let status = site.get("/v1/status");
    assert_eq!((&status["entities"][0]["in_doubt"], &status["entities"][0]["records"]), (&1.into(), &3.into()));
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["key"], "sh-1");
    daemon.stop();
}
