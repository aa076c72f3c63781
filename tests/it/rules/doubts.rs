//! A person's word on what is in doubt.

use super::{ANN, BEA, CID, DIE, Sh, Site, introduce, link, listing, only_doubt, records, three, two, wait_for_item};
use crate::support::daemon::Daemon;

/// Puts Ann into crm, while a create at billing dies `at` its beginning or its end: it is in doubt as number 1.
#[track_caller]
fn in_doubt<'a>(site: &'a Site, at: &str) -> Daemon<'a> {
    let daemon = site.start();
    site.system("billing").fault(at, "echo 'half a key\u{1b}[2J'; echo 'no route to\u{7} host' >&2; kill -9 $$\n");
    site.system("crm").put("a", ANN);
    let told = site.notify("crm", "a");
    assert!(told.stdout().contains("in-doubt"), "{told}");
    site.system("billing").heal();
    daemon
}

#[test]
fn a_doubt_is_shown_with_what_its_program_said() {
    let site = Site::new(&two());
    let daemon = in_doubt(&site, "create.after");
    let doubt = only_doubt(&site);
    assert_eq!(
        (&doubt["entity"], &doubt["record"], &doubt["source"]),
        (&"customer".into(), &1.into(), &"billing".into())
    );
    assert_eq!((&doubt["kind"], &doubt["key"], &doubt["attempts"]), (&"create".into(), &().into(), &1.into()));
    assert_eq!(doubt["document"].to_string(), ANN);
    let output = &doubt["output"];
    assert_eq!((&output["exit"], &output["stdout"]), (&"signal 9".into(), &"sh-1\nhalf a key^[[2J".into()), "{doubt}");
    assert!(output["stderr"].as_str().is_some_and(|text| text.ends_with("no route to^G host")), "{doubt}");
    let run = site.runs().started().find(|run| run.operation == "create").cloned().expect("it was tried");
    assert_eq!(doubt["operation"], *run.operation_id);
    let shown = site.retcon(&["doubts"]).exits(0);
    for part in ["doubt 1 ", "create at billing", "signal 9", "half a key^[[2J"] {
        assert!(shown.stdout().contains(part), "{shown}");
    }
    let status = site.retcon(&["status"]).exits(1);
    assert!(status.stdout().contains("1 in doubt (retcon doubts customer)"), "{status}");
    assert_eq!(site.get("/v1/doubts?entity=customer")["items"][0]["id"], 1);
    daemon.stop();
}

#[test]
fn the_key_that_a_person_names_is_linked_and_what_the_others_changed_meanwhile_goes_there() {
    let site = Site::new(&two());
    let daemon = in_doubt(&site, "create.after");
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    let settled = site.ask(&["settle", "1", "--key", "sh-1"]);
    assert_eq!((&settled["state"], &settled["record"]), (&"applied".into(), &1.into()));
    assert_eq!(
        (&link(&site, 1, "billing")["state"], site.system("billing").documents()),
        (&"linked".into(), vec![BEA.into()])
    );
    assert_eq!((site.runs().count("billing", "create"), site.runs().count("crm", "update")), (1, 0));
    assert_eq!(site.get("/v1/doubts")["items"].as_array().map(Vec::len), Some(0));
    site.retcon(&["status"]).exits(0);
    daemon.stop();
}

#[test]
fn what_stands_under_the_key_that_a_person_names_is_weighed_and_not_lost() {
    let site = Site::new(&two());
    let daemon = in_doubt(&site, "create");
    site.system("billing").put("own", CID);
    site.retcon(&["settle", "1", "--key", "own"]).exits(0);
    assert_eq!(link(&site, 1, "billing")["key"], "own");
    let conflicts = site.get("/v1/conflicts");
    assert_eq!(
        (&conflicts["items"][0]["path"], conflicts["items"].as_array().map(Vec::len)),
        (&"/name".into(), Some(1))
    );
    assert_eq!(
        (site.system("crm").documents(), site.system("billing").documents()),
        (vec![ANN.into()], vec![CID.into()])
    );
    daemon.stop();
}

#[test]
fn what_the_copy_under_that_key_holds_as_it_was_sent_is_no_news_against_what_was_agreed_since() {
    let site = Site::with("merge_policy = \"accept-all\"", &[Sh.source("billing"), Sh.source("ads")]);
    let daemon = site.start();
    site.system("billing").fault("create.after", DIE);
    site.system("ads").put("a", ANN);
    site.notify("ads", "a");
    site.system("billing").heal();
    site.system("ads").put("a", BEA);
    site.notify("ads", "a");
    site.system("billing").put("sh-1", r#"{"email":"y","name":"Ann"}"#);
    site.retcon(&["settle", "1", "--key", "sh-1"]).exits(0);
    let both = r#"{"email":"y","name":"Bea"}"#;
    assert_eq!(
        (site.system("ads").documents(), site.system("billing").documents()),
        (vec![both.to_owned()], vec![both.to_owned()]),
        "the address was edited in billing, and its name is only what was sent there once"
    );
    daemon.stop();
}

#[test]
fn a_create_that_a_person_says_made_nothing_is_made_anew() {
    let site = Site::new(&two());
    let daemon = in_doubt(&site, "create");
    site.retcon(&["settle", "1", "--absent"]).exits(0);
    assert_eq!(
        (link(&site, 1, "billing")["state"].clone(), site.system("billing").documents()),
        ("linked".into(), vec![ANN.into()])
    );
    assert_eq!(site.runs().count("billing", "create"), 2);
    let runs = site.runs();
    let ids: Vec<_> = runs.started().filter(|run| run.operation == "create").map(|run| &run.operation_id).collect();
    assert_ne!(ids[0], ids[1], "it is another operation");
    daemon.stop();
}

#[test]
fn an_item_of_the_same_match_value_takes_the_place_of_the_copy_that_was_never_made() {
    let site = Site::with("match = [\"/email\"]", &two());
    let daemon = in_doubt(&site, "create");
    site.system("billing").put("own", CID);
    site.retcon(&["notify", "customer", "billing", "own"]).exits(0);
    wait_for_item(&site, "billing", "own", "waiting");
    site.retcon(&["settle", "1", "--absent"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!((link(&site, 1, "billing")["key"].clone(), records(&site)), ("own".into(), 1));
    assert_eq!(site.system("billing").documents(), [CID], "nothing is made beside it, and nothing of it is lost");
    assert_eq!(site.get("/v1/conflicts")["items"][0]["path"], "/name");
    daemon.stop();
}

#[test]
fn for_a_persons_word_nothing_is_made_beside_an_item_that_cannot_be_read() {
    let site = Site::with("match = [\"/email\"]", &two());
    let daemon = in_doubt(&site, "create");
    site.system("billing").put("own", CID);
    site.retcon(&["notify", "customer", "billing", "own"]).exits(0);
    wait_for_item(&site, "billing", "own", "waiting");
    site.system("billing").fault("read", "exit 1\n");
    let settled = site.http("POST", "/v1/doubts/1/settle", Some(r#"{"absent":true}"#)).has_status(202).json();
    assert_eq!(settled["state"], "pending");
    site.system("billing").heal();
    site.wait_until_at_rest();
    assert_eq!((link(&site, 1, "billing")["key"].clone(), records(&site)), ("own".into(), 1));
    assert_eq!((site.system("billing").documents(), site.runs().count("billing", "create")), (vec![CID.into()], 1));
    daemon.stop();
}

#[test]
fn what_cannot_be_so_is_refused_and_the_doubt_stays() {
    let site = Site::new(&two());
    let daemon = in_doubt(&site, "create");
    let refuse = |doubt: u32, body: &str, status: u16, code: &str| {
        let answer = site.http("POST", &format!("/v1/doubts/{doubt}/settle"), Some(body)).has_status(status);
        assert_eq!(answer.json()["code"], code);
    };
    refuse(1, r#"{"key":"nowhere"}"#, 422, "nothing-there");
    refuse(1, r#"{"key":"a\nb"}"#, 422, "invalid-foreign-key");
    refuse(1, r#"{"key":"a","absent":true}"#, 400, "malformed");
    refuse(1, "{}", 400, "malformed");
    refuse(99, r#"{"absent":true}"#, 404, "unknown-doubt");
    site.system("crm").put("b", r#"{"email":"y","name":"Dan"}"#);
    site.notify("crm", "b");
    let key = link(&site, 2, "billing")["key"].clone();
    refuse(1, &format!("{{\"key\":{key}}}"), 409, "key-taken");
    assert_eq!(only_doubt(&site)["id"], 1);
    site.retcon(&["settle", "1", "--absent"]).exits(0);
    refuse(1, r#"{"absent":true}"#, 409, "settled-doubt");
    daemon.stop();
}

#[test]
fn a_word_on_a_source_that_is_down_is_kept_and_acted_on_when_it_is_back() {
    let site = Site::new(&two());
    let daemon = in_doubt(&site, "create.after");
    site.system("billing").fault_everywhere("exit 1\n");
    let pending = site.http("POST", "/v1/doubts/1/settle", Some(r#"{"key":"sh-1"}"#)).has_status(202).json();
    assert_eq!(pending["state"], "pending");
    daemon.kill();
    let daemon = site.start();
    assert_eq!(only_doubt(&site)["id"], 1);
    site.system("billing").heal();
    site.wait_until_at_rest();
    assert_eq!(link(&site, 1, "billing")["key"], "sh-1");
    assert_eq!(site.runs().count("billing", "create"), 1);
    daemon.stop();
}

#[test]
fn only_the_copies_in_doubt_wait_and_the_others_of_their_record_go_on() {
    let site = Site::new(&[&three()[..], &[Sh.source("shop")]].concat());
    let daemon = site.start();
    site.system("billing").fault("create.after", DIE);
    site.system("shop").fault("create", DIE);
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    assert_eq!(site.system("ldap").documents(), [ANN]);
    let doubts = site.get("/v1/doubts");
    let of = |n: usize| (doubts["items"][n]["record"].clone(), doubts["items"][n]["source"].clone());
    assert_eq!([of(0), of(1)], [(1.into(), "billing".into()), (1.into(), "shop".into())]);
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    assert_eq!(site.system("ldap").documents(), [BEA]);
    assert_eq!(site.get("/v1/records/customer/1")["version"], 2);
    site.system("shop").heal();
    let id = |n: usize| doubts["items"][n]["id"].to_string();
    site.retcon(&["settle", &id(1), "--absent"]).exits(0);
    assert_eq!(site.system("shop").documents(), [BEA], "one is settled, and the other one waits on");
    assert_eq!(
        (only_doubt(&site)["source"].clone(), site.system("billing").documents()),
        ("billing".into(), vec![ANN.into()])
    );
    site.retcon(&["settle", &id(0), "--key", "sh-1"]).exits(0);
    assert_eq!(site.system("billing").documents(), [BEA]);
    assert_eq!(site.runs().count("billing", "create"), 1);
    daemon.stop();
}

#[test]
fn an_update_in_doubt_is_settled_by_the_new_key_of_its_copy() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").set("rekey");
    site.system("billing").fault("update.after", DIE);
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    site.system("billing").heal();
    let doubt = only_doubt(&site);
    assert_eq!((&doubt["kind"], &doubt["key"]), (&"update".into(), &"sh-1".into()));
    site.retcon(&["settle", "--key", "sh-2", &doubt["id"].to_string()]).exits(0);
    let copy = link(&site, 1, "billing");
    assert_eq!(
        (&copy["state"], &copy["key"], &copy["former_keys"][0]),
        (&"linked".into(), &"sh-2".into(), &"sh-1".into())
    );
    assert_eq!((site.runs().count("billing", "update"), site.runs().count("crm", "update")), (1, 0));
    assert_eq!(site.system("billing").documents(), [BEA]);
    daemon.stop();
}

#[test]
fn an_update_in_doubt_whose_copy_a_person_says_is_gone_counts_as_missing() {
    let site = Site::with("delete_after = \"1h\"", &two());
    let daemon = introduce(&site);
    site.system("billing").fault("update", "rm \"$system/items/$RETCON_KEY.json\"; kill -9 $$\n");
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    site.system("billing").heal();
    assert_eq!(site.system("crm").documents(), [BEA], "what is in doubt is no deletion");
    site.retcon(&["settle", &only_doubt(&site)["id"].to_string(), "--absent"]).exits(0);
    // The record was changed since billing last stood for it, so the two words cross.
    let conflict = site.get("/v1/conflicts")["items"][0].clone();
    assert_eq!((&conflict["path"], &conflict["kind"]), (&"".into(), &"edit-delete".into()));
    site.retcon(&["resolve", &conflict["id"].to_string(), "--absent"]).exits(0);
    assert_eq!(site.system("crm").documents(), [""; 0]);
    daemon.stop();
}

#[test]
fn a_copy_that_is_there_is_not_said_to_be_gone() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").fault("update.after", "echo 'no good key!'; exit 0\n");
    site.system("crm").put("a", BEA);
    site.system("billing").fault("update", "cat > /dev/null; echo 'no good key!'; exit 0\n");
    site.notify("crm", "a");
    site.system("billing").heal();
    let doubt = only_doubt(&site)["id"].to_string();
    let refused = site.retcon(&["settle", &doubt, "--absent"]).exits(1);
    assert!(refused.stderr().contains("copy-there"), "{refused}");
    site.retcon(&["settle", &doubt, "--key", "sh-1"]).exits(0);
    assert_eq!(link(&site, 1, "billing")["state"], "linked");
    daemon.stop();
}

#[test]
fn a_doubt_outlives_its_record_and_a_key_that_is_learnt_then_is_deleted() {
    let site = Site::new(&two());
    let daemon = in_doubt(&site, "create.after");
    site.system("crm").remove("a");
    site.notify("crm", "a");
    assert_eq!(site.get("/v1/records/customer/1")["state"], "deleted");
    assert_eq!((only_doubt(&site)["id"].clone(), site.system("billing").documents()), (1.into(), vec![ANN.into()]));
    site.retcon(&["settle", "1", "--key", "sh-1"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [""; 0]);
    assert_eq!((site.runs().count("crm", "create"), site.runs().count("billing", "create")), (0, 1));
    daemon.stop();
}

#[test]
fn a_copy_that_is_found_after_its_record_was_removed_is_deleted() {
    let site = Site::new(&[listing("billing"), Sh.source("crm")]);
    let daemon = site.start();
    // It cannot be listed before its record is gone.
    site.system("billing").fault("list", "exit 1\n");
    site.system("billing").fault("create.after", DIE);
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_item(&site, "crm", "a", "waiting");
    site.system("crm").remove("a");
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    crate::support::wait::until(
        || (site.get("/v1/records/customer/1")["state"] == "deleted").then_some(()),
        || daemon.log_text(),
    );
    site.system("billing").heal();
    site.wait_until_at_rest();
    assert_eq!((site.system("billing").documents(), site.runs().count("billing", "create")), (vec![], 1));
    daemon.stop();
}
