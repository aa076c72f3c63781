//! A create whose end nobody has seen.

use super::{
    ANN, BEA, CID, DIE, Sh, Site, introduce, link, listing, only_doubt, records, two, until, wait_for_item,
    wait_for_stop,
};

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
fn a_create_that_may_be_repeated_is_repeated_also_when_its_copy_and_the_record_were_edited_since() {
    // As what it has made holds something else by now, no search would know it again.
    let found = "sh -c 'grep -lxF \"$(cat)\" items/*.json | sed s,.*/,,'";
    let billing = Sh.source("billing").with(&format!("create_is_idempotent = true\nfind = {found:?}"));
    let site = Site::new(&[billing, Sh.source("crm")]);
    let system = site.system("billing");
    let remember = "made=\"$system/made-$RETCON_OPERATION_ID\"\n\
                    if [ -e \"$made\" ]; then cat > /dev/null; cat \"$made\"; exit; fi\n\
                    \"$@\" > \"$made\"; [ -e \"$system/told\" ] || { : > \"$system/told\"; echo '{' ; exit; }; cat \"$made\"; exit\n";
    system.fault("create", remember);
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| system.dir().join("told").exists().then_some(()), || daemon.log_text());
    system.put(&system.only_key(), r#"{"email":"x","name":"Ann","phone":"1"}"#);
    site.system("crm").put("a", r#"{"email":"y","name":"Ann"}"#);
    site.notify("crm", "a");
    site.wait_until_at_rest();
    assert_eq!(system.documents().len(), 1, "{:?}", system.items());
    assert!(site.get("/v1/records/customer/1")["links"][0]["key"].is_string());
    daemon.stop();
}

#[test]
fn a_create_in_doubt_is_not_forgotten_while_its_entity_is_only_observed() {
    let site = Site::new(&[Sh.source("billing").with("create_is_idempotent = true"), Sh.source("crm")]);
    let billing = site.system("billing");
    let mute = "made=\"$system/made-$RETCON_OPERATION_ID\"\n\
                if [ -e \"$made\" ]; then cat > /dev/null; else \"$@\" > \"$made\"; fi\n\
                [ -e \"$system/go\" ] || exit 1\n\
                cat \"$made\"; exit\n";
    billing.fault("create", mute);
    let sync = std::fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
    let observe = sync.replace("[entities.customer]\n", "[entities.customer]\nmode = \"observe\"\n");
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_item(&site, "crm", "a", "waiting");
    for (config, state) in [(&observe, "in-doubt"), (&sync, "linked")] {
        site.write("retcon.toml", config);
        site.retcon(&["reload"]).exits(0);
        site.notify("crm", "a");
        assert_eq!(link(&site, 1, "billing")["state"], state);
        billing.set("go");
    }
    assert_eq!(billing.documents(), [ANN]);
    daemon.stop();
}

#[test]
fn an_edit_of_what_a_create_has_made_is_not_lost_when_that_is_repeated() {
    let site = Site::new(&[Sh.source("billing").with("create_is_idempotent = true"), Sh.source("crm")]);
    let edited = r#"{"email":"x","name":"Anna"}"#;
    let once = format!(
        "made=\"$system/made-$RETCON_OPERATION_ID\"\n\
         if [ -e \"$made\" ]; then cat > /dev/null; cat \"$made\"; exit; fi\n\
         \"$@\" > \"$made\"; echo '{edited}' > \"$system/items/sh-1.json\"; exit 1\n"
    );
    site.system("billing").fault("create", &once);
    let daemon = site.start();
    site.system("crm").put("a", r#"{"email":"x","name":"Ann"}"#);
    site.notify("crm", "a");
    site.wait_until_at_rest();
    assert_eq!(site.runs().count("billing", "create"), 2);
    assert_eq!(site.system("billing").documents(), [edited]);
    let conflict = site.get("/v1/conflicts")["items"][0].clone();
    assert_eq!((&conflict["path"], &conflict["agreed"]), (&"/name".into(), &"Ann".into()));
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

#[test]
fn a_first_create_is_made_without_a_search() {
    let site = Site::new(&[listing("billing"), Sh.source("crm")]);
    let daemon = introduce(&site);
    assert_eq!((site.runs().count("billing", "list"), site.runs().count("billing", "create")), (0, 1));
    daemon.stop();
}

#[test]
fn what_does_not_show_at_once_is_looked_for_twice_before_it_is_created_again() {
    let site = Site::new(&[listing("billing"), Sh.source("crm")]);
    let daemon = site.start();
    // The index of this system is a little behind.
    site.system("billing").fault("list", "[ -e \"$system/listed\" ] || { : > \"$system/listed\"; exit 0; }\n");
    site.system("billing").fault("create.after", DIE);
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!((site.system("billing").documents(), site.runs().count("billing", "create")), (vec![ANN.into()], 1));
    assert_eq!(link(&site, 1, "billing")["key"], "sh-1");
    daemon.stop();
}

#[test]
fn what_was_absent_twice_is_created_again() {
    let site = Site::new(&[listing("billing"), Sh.source("crm")]);
    let daemon = site.start();
    site.system("billing").fault("create", "[ -e \"$system/died\" ] || { : > \"$system/died\"; kill -9 $$; }\n");
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    site.wait_until_at_rest();
    let runs = site.runs();
    let at_billing: Vec<_> = runs.started().filter(|run| run.source == "billing").map(|run| &*run.operation).collect();
    assert_eq!(at_billing, ["create", "list", "list", "create", "read"]);
    let ids: Vec<_> = runs.started().filter(|run| run.operation == "create").map(|run| &run.operation_id).collect();
    assert_eq!(ids[0], ids[1], "it is the same document for the same copy");
    daemon.stop();
}

#[test]
fn a_copy_that_is_found_with_another_document_is_weighed_as_if_it_knew_nothing() {
    let site = Site::with("match = [\"/email\"]", &[listing("billing"), Sh.source("crm")]);
    let daemon = site.start();
    site.system("billing").fault("create.after", &format!("echo '{BEA}' > \"$system/items/sh-1.json\"\n{DIE}"));
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!(link(&site, 1, "billing")["key"], "sh-1");
    assert_eq!(
        (site.system("crm").documents(), site.system("billing").documents()),
        (vec![ANN.into()], vec![BEA.into()])
    );
    let conflict = site.get("/v1/conflicts")["items"][0].clone();
    assert_eq!((&conflict["path"], &conflict["agreed"]), (&"/name".into(), &"Ann".into()));
    assert_eq!(site.runs().count("billing", "create"), 1);
    daemon.stop();
}

#[test]
fn a_copy_that_is_listed_and_may_be_ours_edited_keeps_the_create_in_doubt() {
    let site = Site::new(&[listing("billing"), Sh.source("crm")]);
    let daemon = site.start();
    site.system("billing").fault("create.after", &format!("echo '{BEA}' > \"$system/items/sh-1.json\"\n{DIE}"));
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!((only_doubt(&site)["id"].clone(), site.runs().count("billing", "create")), (1.into(), 1));
    assert_eq!(site.system("billing").documents(), [BEA]);
    daemon.stop();
}

#[test]
fn an_item_of_which_a_notification_came_before_the_create_is_none_of_its_making() {
    let site = Site::new(&[listing("billing"), Sh.source("crm")]);
    let daemon = site.start();
    // Told of, and not to be read.
    site.system("billing").put("own", CID);
    site.system("billing").fault("read", "exit 3\n");
    site.retcon(&["notify", "customer", "billing", "own"]).exits(0);
    wait_for_item(&site, "billing", "own", "parked");
    site.system("billing").heal();
    site.system("billing").fault("create", "[ -e \"$system/died\" ] || { : > \"$system/died\"; kill -9 $$; }\n");
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!(link(&site, 1, "billing")["state"], "linked", "it is created again");
    assert_eq!(site.system("billing").documents().len(), 2);
    daemon.stop();
}

#[test]
fn the_same_item_within_the_fields_of_its_source_and_but_for_spelling_is_what_was_sent() {
    let equal = "fields = { \"/name\" = { equal = [\"casefold\"] } }";
    let site = Site::with(equal, &[Sh.source("billing").with("fields = [\"/email\", \"/name\"]"), Sh.source("crm")]);
    let daemon = site.start();
    let own = r#"{"email":"x","name":"ANN","number":17}"#;
    site.system("billing").fault("create.after", &format!("echo '{own}' > \"$system/items/sh-1.json\"\n{DIE}"));
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    site.system("billing").heal();
    site.notify("billing", "sh-1");
    assert_eq!(link(&site, 1, "billing")["state"], "linked");
    assert_eq!(
        (site.system("billing").documents(), site.system("crm").documents()),
        (vec![own.into()], vec![ANN.into()])
    );
    assert_eq!((records(&site), site.get("/v1/conflicts")["items"].as_array().map(Vec::len)), (1, Some(0)));
    daemon.stop();
}

#[test]
fn a_copy_that_was_edited_before_it_was_looked_for_by_its_whole_document_is_not_made_again_once_somebody_told_of_it() {
    // It finds what equals a document, when the test lets it.
    let found = "cd systems/billing; : > stopped; until [ -e go ]; do sleep 0.01; done; grep -lxF \"$(cat)\" items/*.json | sed s,.*/,,";
    let billing = Sh.source("billing").with(&format!("find = [\"sh\", \"-c\", {found:?}]"));
    let site = Site::new(&[billing, Sh.source("crm")]);
    site.system("billing").fault("create.after", DIE);
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_stop(&site, &daemon, "billing");
    site.system("billing").heal();
    site.system("billing").put("sh-1", CID);
    site.retcon(&["notify", "customer", "billing", "sh-1"]).exits(0);
    std::fs::write(site.system("billing").dir().join("go"), "").expect("the program can go on");
    wait_for_item(&site, "billing", "sh-1", "waiting");
    until(|| (site.get("/v1/status")["entities"][0]["in_doubt"] == 1).then_some(()), || daemon.log_text());
    assert_eq!((site.runs().count("billing", "create"), records(&site)), (1, 1));
    site.retcon(&["settle", &only_doubt(&site)["id"].to_string(), "--key", "sh-1"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!((site.runs().count("billing", "create"), records(&site)), (1, 1));
    assert_eq!(link(&site, 1, "billing")["key"], "sh-1");
    daemon.stop();
}
