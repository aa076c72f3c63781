//! A system that cannot be reached for a long time: nothing is deleted, nothing is given up, and afterwards all is in step by itself.
//!
//! By default the outage lasts until more programs have failed than an item has attempts; with `CI_LONG=1` it takes ten
//! whole minutes, with the retries of an ordinary configuration.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::store::rows;
use crate::support::system::Language::C;
use crate::support::wait::until;

const KEYS: [&str; 3] = ["a", "b", "c"];
/// An item has three attempts.
const FAILURES: usize = 5;

fn document(key: &str, name: &str) -> String {
    format!(r#"{{"email":"{key}","name":"{name}"}}"#)
}

/// Waits until the outage has been long enough.
#[track_caller]
fn sit_it_out(site: &Site, is_long: bool) {
    let began = Instant::now();
    let failed = || site.runs().started().filter(|run| run.source == "billing").count();
    let before = failed();
    if !is_long {
        return until(|| (failed() >= before + FAILURES).then_some(()), || format!("{:#?}", site.runs()));
    }
    for part in 1..=20 {
        until(|| (began.elapsed() > Duration::from_secs(30) * part).then_some(()), || "time stands still");
    }
}

#[test]
fn an_outage_of_ten_minutes_deletes_nothing_and_gives_nothing_up() {
    let is_long = std::env::var_os("CI_LONG").is_some_and(|value| value == "1");
    let settings = if is_long { "# Every retry is as it is by default." } else { "" };
    let site = Site::with(settings, &[C.source("crm"), C.source("billing"), C.source("ldap")]);
    let daemon = site.start();
    let crm = site.system("crm");
    for key in &KEYS[..2] {
        crm.put(key, &document(key, "Ann"));
        site.notify("crm", key);
    }
    let billing = site.system("billing");
    billing.fault_everywhere("exit 1\n");
    // An edit, a new item, and one at which nothing has happened.
    for (key, name) in [("a", "Bea"), ("c", "Cid"), ("b", "Ann")] {
        crm.put(key, &document(key, name));
        site.retcon(&["notify", "customer", "crm", key]).exits(0);
    }
    sit_it_out(&site, is_long);
    let queue = site.get("/v1/status")["entities"][0]["queue"].clone();
    assert_eq!(queue["parked"], 0, "{queue}");
    let spent = block_on(rows(site.database(), "select max(attempts) from work_item where state <> 'done'"));
    assert_eq!(spent, ["0"], "no attempt is spent on it");
    let mut reached = site.system("ldap").documents();
    reached.sort();
    let wanted = [document("a", "Bea"), document("b", "Ann"), document("c", "Cid")];
    assert_eq!(reached, wanted, "the others go on meanwhile");
    billing.heal();
    until(|| (billing.items().len() == KEYS.len()).then_some(()), || daemon.log_text());
    site.wait_until_at_rest();
    let mut caught_up = billing.documents();
    caught_up.sort();
    assert_eq!(caught_up, wanted);
    let runs = site.runs();
    let deletes = ["crm", "billing", "ldap"].map(|source| runs.count(source, "delete"));
    assert_eq!(deletes, [0, 0, 0], "{runs:#?}");
    let status: Value = site.get("/v1/status");
    assert_eq!(status["entities"][0]["queue"]["parked"], 0, "{status}");
    runs.assert_none_meet();
    daemon.stop();
}
