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

#[rstest]
fn an_update_that_was_decided_and_begun_in_one_commit_is_made_once_wherever_the_daemon_dies(
    #[values(("decided:1", 0), ("started:1", 0), ("ran:1", 1))] (point, made): (&str, usize),
) {
    let site = Site::new(&two());
    introduce(&site).stop();
    let mut daemon = Daemon::spawn_by(&site, retcond_chaos(&[("RETCON_KILL_AT", point)]));
    daemon.wait_until_ready();
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    daemon.wait();
    daemon.bury();
    assert_eq!(ask(&site, OPEN), ["in-flight t"]);
    assert_eq!(site.runs().count("billing", "update"), made);
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [BEA]);
    assert_eq!(site.system("crm").documents(), [BEA]);
    assert_eq!((site.runs().count("billing", "update"), site.runs().count("crm", "update")), (1, 0));
    assert_eq!(ask(&site, OPEN), [""; 0]);
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

#[rstest]
fn updates_of_many_records_at_once_are_all_made_wherever_the_daemon_dies(
    #[values("deciding:3", "decided:1", "decided:4", "started:2", "ran:3", "recorded:2")] point: &str,
) {
    let site = Site::new(&[C.source("billing"), C.source("crm")]);
    let mut daemon = site.start();
    let keys: Vec<String> = (0..6).map(|number| format!("k{number}")).collect();
    let put = |name: &str| {
        for key in &keys {
            site.system("crm").put(key, &format!(r#"{{"email":"{key}","name":"{name}"}}"#));
        }
        let one = |key: &String| format!(r#"{{"entity":"customer","source":"crm","key":"{key}"}}"#);
        let all: Vec<String> = keys.iter().map(one).collect();
        site.http("POST", "/v1/notifications", Some(&format!(r#"{{"notifications":[{}]}}"#, all.join(","))))
            .has_status(202);
    };
    put("Ann");
    site.wait_until_at_rest();
    daemon.stop();
    daemon = Daemon::spawn_by(&site, retcond_chaos(&[("RETCON_KILL_AT", point)]));
    daemon.wait_until_ready();
    put("Bea");
    daemon.wait();
    daemon.bury();
    let daemon = site.start();
    site.wait_until_at_rest();
    let mut everywhere = [site.system("billing").documents(), site.system("crm").documents()];
    everywhere.iter_mut().for_each(|documents| documents.sort());
    assert_eq!(everywhere[0], everywhere[1]);
    assert!(everywhere[0].iter().all(|document| document.contains("Bea")), "{everywhere:?}");
    // One of them may have been cut off.
    assert!((keys.len()..=keys.len() + 1).contains(&site.runs().count("billing", "update")), "{:#?}", site.runs());
    assert_eq!((site.runs().count("crm", "update"), ask(&site, OPEN)), (0, vec![]));
    daemon.stop();
}
