//! What is decided is on record before the first write, as if every write had failed.

use std::fs::File;

use rstest::rstest;
use rustix::fs::{FlockOperation, flock};

use crate::support::chaos::retcond_chaos;
use crate::support::daemon::Daemon;
use crate::support::runs::{RunEnd, RunEvent};
use crate::support::system::Language::C;

use super::{ANN, BEA, STOP, Sh, Site, ask, introduce, three, two, until, wait_for_stop};

/// How the write that is not settled stands, and whether it counts as begun.
const OPEN: &str = "select concat_ws(' ', state, may_have_taken_effect) from operation where state <> 'done'";

#[test]
fn the_decision_and_an_intent_for_each_write_are_on_record_before_the_first_write() {
    let site = Site::with("merge_policy = \"accept-all\"", &three());
    let daemon = introduce(&site);
    site.system("billing").fault("update", STOP);
    site.system("ldap").put("sh-1", r#"{"email":"x","name":"Lea"}"#);
    site.system("crm").put("a", r#"{"email":"x","name":"Bea"}"#);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_stop(&site, &daemon, "billing");
    assert_eq!(ask(&site, "select version, agreed ->> 'name' from record"), ["2|Lea"]);
    let overruled =
        "select version, overruled #>> '{0,source}', overruled #>> '{0,value}' from version where version = 2";
    assert_eq!(ask(&site, overruled), ["2|crm|Bea"]);
    let run = site.runs().started().find(|run| run.operation == "update").cloned().expect("it runs");
    let intents = "select source, kind, state, foreign_key, document ->> 'name', version from operation \
                   where state <> 'done' order by source";
    assert_eq!(ask(&site, intents), ["billing|update|in-flight|sh-1|Lea|2", "crm|update|in-flight|a|Lea|2"]);
    assert_eq!(ask(&site, "select id from operation where state <> 'done' and source = 'billing'"), [run.operation_id]);
    site.system("billing").set("go");
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn a_write_that_never_happened_is_no_edit_of_its_source() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").fault("update", &format!("{STOP}exit 1\n"));
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_stop(&site, &daemon, "billing");
    assert_eq!(ask(&site, "select shadow ->> 'name' from link where source = 'billing'"), ["Ann"]);
    daemon.kill();
    site.system("billing").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(
        (site.system("crm").documents(), site.system("billing").documents()),
        (vec![BEA.into()], vec![BEA.into()])
    );
    assert_eq!((site.runs().count("crm", "update"), &site.get("/v1/records/customer/1")["version"]), (0, &2.into()));
    daemon.stop();
}

#[test]
fn a_record_that_moved_meanwhile_is_planned_again() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("crm").fault("read", STOP);
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_stop(&site, &daemon, "crm");
    // Somebody else decides something of this record while it is being read.
    ask(&site, "update record set version = 2");
    site.system("crm").set("go");
    site.wait_until_at_rest();
    assert_eq!(ask(&site, "select version, agreed ->> 'name' from record"), ["3|Bea"]);
    assert_eq!(ask(&site, "select count(*) from version"), ["2"]);
    assert_eq!(site.system("billing").documents(), [BEA]);
    daemon.stop();
}

#[test]
fn no_write_is_begun_by_a_daemon_that_cannot_record_its_intent() {
    let site = Site::new(&[Sh.source("billing"), Sh.source("crm")]);
    let daemon = introduce(&site);
    ask(&site, "alter table operation add constraint full_disk check (attempts = 0) not valid");
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(
        || (site.get("/v1/work-items?state=parked")["items"].as_array()?.len() == 1).then_some(()),
        || daemon.log_text(),
    );
    assert_eq!((site.runs().count("billing", "update"), site.system("billing").documents()), (0, vec![ANN.to_owned()]));
    ask(&site, "alter table operation drop constraint full_disk");
    site.notify("crm", "a");
    assert_eq!(site.system("billing").documents(), [BEA]);
    daemon.stop();
}

/// Has a daemon die at a point while it carries out what crm is made to hold: that is decided and begun in one commit, and was made so often.
#[track_caller]
fn die_at(site: &Site, (point, made): (&str, usize), operation: &str, change: impl FnOnce()) {
    let mut daemon = Daemon::spawn_by(site, retcond_chaos(&[("RETCON_KILL_AT", point)]));
    daemon.wait_until_ready();
    change();
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    daemon.wait();
    daemon.bury();
    assert_eq!(ask(site, OPEN), ["in-flight t"]);
    assert_eq!(site.runs().count("billing", operation), made);
}

#[rstest]
fn an_update_that_was_decided_and_begun_in_one_commit_is_made_once_wherever_the_daemon_dies(
    #[values(("decided:1", 0), ("started:1", 0), ("ran:1", 1))] death: (&str, usize),
) {
    let site = Site::new(&two());
    introduce(&site).stop();
    die_at(&site, death, "update", || site.system("crm").put("a", BEA));
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [BEA]);
    assert_eq!(site.system("crm").documents(), [BEA]);
    assert_eq!((site.runs().count("billing", "update"), site.runs().count("crm", "update")), (1, 0));
    assert_eq!(ask(&site, OPEN), [""; 0]);
    daemon.stop();
}

#[rstest]
fn a_delete_that_was_decided_and_begun_in_one_commit_is_made_once_wherever_the_daemon_dies(
    #[values(("decided:1", 0), ("started:1", 0), ("ran:1", 1))] death: (&str, usize),
) {
    let site = Site::new(&two());
    introduce(&site).stop();
    die_at(&site, death, "delete", || site.system("crm").remove("a"));
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!((site.system("billing").documents(), site.runs().count("billing", "delete")), (vec![], 1));
    assert_eq!((site.runs().count("crm", "create"), ask(&site, OPEN)), (0, vec![]));
    assert_eq!(ask(&site, "select count(*) from counted_removal"), ["1"]);
    daemon.stop();
}

#[test]
fn what_is_edited_after_its_delete_was_begun_in_vain_is_no_less_an_edit() {
    let site = Site::new(&two());
    introduce(&site).stop();
    die_at(&site, ("decided:1", 0), "delete", || site.system("crm").remove("a"));
    site.system("billing").put("sh-1", BEA);
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(ask(&site, "select kind from conflict where closed_at is null"), ["edit-delete"]);
    assert_eq!((site.runs().count("billing", "delete"), site.system("billing").documents()), (0, vec![BEA.to_owned()]));
    daemon.stop();
}

#[rstest]
fn a_create_that_was_decided_and_begun_in_one_commit_is_made_once_or_in_doubt_wherever_the_daemon_dies(
    #[values(("decided:1", 0), ("started:1", 0), ("ran:1", 1))] death: (&str, usize),
    #[values(true, false)] is_repeatable: bool,
) {
    let billing = C.source("billing").with(&format!("create_is_idempotent = {is_repeatable}"));
    let site = Site::new(&[billing, C.source("crm")]);
    site.system("billing").set("remember");
    die_at(&site, death, "create", || site.system("crm").put("a", ANN));
    let daemon = site.start();
    site.wait_until_at_rest();
    let (_, made) = death;
    let (creates, copies, doubts) = if is_repeatable { (made + 1, 1, 0) } else { (made, made, 1) };
    assert_eq!((site.runs().count("billing", "create"), site.system("billing").documents().len()), (creates, copies));
    assert_eq!(ask(&site, OPEN), vec!["in-doubt t"; doubts]);
    assert_eq!(ask(&site, "select count(*) from record"), ["1"]);
    daemon.stop();
}

/// Counts the reads of billing that have ended well.
fn reads(site: &Site) -> usize {
    let is_read = |run: &&RunEvent| run.source == "billing" && run.operation == "read" && run.end == RunEnd::Ended(0);
    site.runs().0.iter().filter(is_read).count()
}

/// Takes a turn of billing that is not the daemon's, for as long as what is given is kept.
#[track_caller]
fn take_turn(site: &Site) -> File {
    let turn = File::open(site.path().join("state/locks/customer.billing.lock")).expect("it was locked before");
    until(|| flock(&turn, FlockOperation::NonBlockingLockExclusive).ok(), || "the read has it still");
    turn
}

#[test]
fn an_update_that_waits_for_its_turn_is_not_begun_and_a_copy_that_goes_meanwhile_was_deleted() {
    let site = Site::new(&[Sh.source("billing").with("recheck = \"1h\""), Sh.source("crm")]);
    let daemon = introduce(&site);
    site.system("crm").fault("read", STOP);
    site.system("crm").put("a", BEA);
    let before = reads(&site);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_stop(&site, &daemon, "crm");
    until(|| (reads(&site) > before).then_some(()), || format!("{:#?}", site.runs()));
    // Somebody has a turn of billing that is not the daemon.
    let turn = take_turn(&site);
    site.system("crm").set("go");
    until(|| (ask(&site, OPEN) == ["in-flight f"]).then_some(()), || ask(&site, OPEN).join(", "));
    site.system("billing").remove("sh-1");
    daemon.kill();
    drop(turn);
    site.system("crm").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    // It was deleted by somebody who had not seen the edit, and that is no doubt.
    assert_eq!(ask(&site, "select kind from conflict where closed_at is null"), ["edit-delete"]);
    assert_eq!(ask(&site, "select id from operation where state = 'in-doubt'"), [""; 0]);
    assert_eq!((site.runs().count("billing", "update"), site.system("crm").documents()), (0, vec![BEA.to_owned()]));
    daemon.stop();
}

#[test]
fn an_update_whose_turn_is_not_near_is_not_begun_beside_other_looks() {
    let site = Site::new(&[Sh.source("billing").with("recheck = \"1h\""), Sh.source("crm")]);
    let daemon = introduce(&site);
    site.system("crm").fault("read", STOP);
    // What takes so long every time is no matter of moments.
    site.system("billing").fault("read", "sleep 0.1\n");
    site.system("crm").put("a", BEA);
    let before = reads(&site);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_stop(&site, &daemon, "crm");
    site.retcon(&["notify", "customer", "crm", "unknown"]).exits(0);
    until(|| (reads(&site) > before).then_some(()), || format!("{:#?}", site.runs()));
    let turn = take_turn(&site);
    site.system("crm").set("go");
    until(|| (ask(&site, OPEN).len() == 1).then_some(()), || ask(&site, OPEN).join(", "));
    assert_eq!(ask(&site, OPEN), ["in-flight f"]);
    drop(turn);
    site.system("crm").heal();
    site.system("billing").heal();
    site.wait_until_at_rest();
    assert_eq!((site.system("billing").documents(), ask(&site, OPEN)), (vec![BEA.to_owned()], vec![]));
    daemon.stop();
}

#[test]
fn a_create_that_cannot_be_repeated_is_not_begun_while_it_waits_for_its_turn() {
    let site = Site::new(&["billing", "crm", "ldap"].map(|name| C.source(name)));
    let daemon = introduce(&site);
    // Another record is being looked at.
    site.system("ldap").fault("read", STOP);
    let before = reads(&site);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    wait_for_stop(&site, &daemon, "ldap");
    until(|| (reads(&site) > before).then_some(()), || format!("{:#?}", site.runs()));
    let turn = take_turn(&site);
    site.system("crm").put("b", BEA);
    site.retcon(&["notify", "customer", "crm", "b"]).exits(0);
    until(|| (!ask(&site, OPEN).is_empty()).then_some(()), || format!("{:#?}", site.runs()));
    assert_eq!(ask(&site, OPEN), ["in-flight f"; 2]);
    daemon.kill();
    drop(turn);
    site.system("ldap").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!((site.runs().count("billing", "create"), ask(&site, OPEN)), (2, vec![]));
    daemon.stop();
}

/// What a user does to many items.
#[derive(Clone, Copy)]
enum Change<'a> {
    Put(&'a str),
    Remove,
}

/// Keys of items that are changed at the same time.
fn keys() -> impl Iterator<Item = String> {
    (0..6).map(|number| format!("k{number}"))
}

/// Changes all of them in crm, and tells the daemon of it at once.
#[track_caller]
fn change_all(site: &Site, change: Change<'_>) {
    for key in keys() {
        match change {
            Change::Put(name) => site.system("crm").put(&key, &format!(r#"{{"email":"{key}","name":"{name}"}}"#)),
            Change::Remove => site.system("crm").remove(&key),
        }
    }
    let all: Vec<String> =
        keys().map(|key| format!(r#"{{"entity":"customer","source":"crm","key":"{key}"}}"#)).collect();
    site.http("POST", "/v1/notifications", Some(&format!(r#"{{"notifications":[{}]}}"#, all.join(","))))
        .has_status(202);
}

/// Makes a change while a daemon dies at a point, after which another one goes on.
#[track_caller]
fn change_all_and_die(site: &Site, change: Change<'_>, point: &str) {
    let mut daemon = Daemon::spawn_by(site, retcond_chaos(&[("RETCON_KILL_AT", point)]));
    daemon.wait_until_ready();
    change_all(site, change);
    daemon.wait();
    daemon.bury();
    let daemon = site.start();
    site.wait_until_at_rest();
    daemon.stop();
}

/// What both sources hold, which is the same.
#[track_caller]
fn documents(site: &Site) -> Vec<String> {
    let mut everywhere = [site.system("billing").documents(), site.system("crm").documents()];
    everywhere.iter_mut().for_each(|documents| documents.sort());
    let [ours, theirs] = everywhere;
    assert_eq!(ours, theirs);
    ours
}

#[rstest]
fn writes_of_many_records_at_once_are_all_made_wherever_the_daemon_dies(
    #[values("create", "update", "delete")] operation: &str,
    #[values("deciding:3", "decided:1", "decided:4", "started:2", "ran:3", "recorded:2")] point: &str,
) {
    let site = Site::new(&[C.source("billing").with("create_is_idempotent = true"), C.source("crm")]);
    site.system("billing").set("remember");
    let (change, left) = match operation {
        "create" => (Change::Put("Ann"), "Ann"),
        "update" => (Change::Put("Bea"), "Bea"),
        _ => (Change::Remove, ""),
    };
    if operation != "create" {
        let daemon = site.start();
        change_all(&site, Change::Put("Ann"));
        site.wait_until_at_rest();
        daemon.stop();
    }
    change_all_and_die(&site, change, point);
    let documents = documents(&site);
    assert_eq!(documents.len(), if operation == "delete" { 0 } else { keys().count() }, "{documents:?}");
    assert!(documents.iter().all(|document| document.contains(left)), "{documents:?}");
    // One of them may have been cut off. Creates that were made and not yet on record are repeated, each once.
    let again = if operation == "create" { keys().count() } else { 1 };
    let made = site.runs().count("billing", operation);
    assert!((keys().count()..=keys().count() + again).contains(&made), "{:#?}", site.runs());
    assert_eq!((site.runs().count("crm", operation), ask(&site, OPEN)), (0, vec![]));
    assert_eq!(ask(&site, "select count(*) from record"), [keys().count().to_string()]);
}
