//! Ten thousand notifications at once: all are accounted for, and nothing is done twice at the same time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::runs::{RunEnd, Runs};
use crate::support::site::Site;
use crate::support::system::Language::C;
use crate::support::wait::until;

const RECORDS: usize = 1_000;
const NOTIFICATIONS: usize = 10_000;
const BATCH: usize = 1_000;

/// Posts ten notifications for each record, in batches, from several clients at once; gives the work items named.
#[track_caller]
fn post_all(site: &Site) -> Vec<i64> {
    let keys: Vec<String> = (0..NOTIFICATIONS).map(|n| format!("k{}", n * 7 % RECORDS)).collect();
    let batches: Vec<String> = keys.chunks(BATCH).map(batch).collect();
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let clients: Vec<_> = batches
            .iter()
            .map(|body| scope.spawn(|| site.http("POST", "/v1/notifications", Some(body)).has_status(202).json()))
            .collect();
        clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect()
    });
    let items: Vec<&Value> =
        answers.iter().flat_map(|answer| answer["work_items"].as_array().expect("a list")).collect();
    assert_eq!(items.len(), NOTIFICATIONS, "one answer for each notification");
    items.iter().map(|item| item["id"].as_i64().expect("a number")).collect()
}

fn batch(keys: &[String]) -> String {
    let notifications: Vec<Value> =
        keys.iter().map(|key| json!({"entity": "customer", "source": "crm", "key": key})).collect();
    json!({"notifications": notifications}).to_string()
}

/// Expects every work item that was named to be done.
#[track_caller]
fn expect_all_done(site: &Site, items: &[i64]) {
    let done = listed(site, "done");
    let missing: Vec<_> = items.iter().filter(|item| !done.contains(item)).take(5).collect();
    assert!(missing.is_empty(), "not done: {missing:?} ...");
}

/// The numbers of all work items in a state.
#[track_caller]
fn listed(site: &Site, state: &str) -> BTreeSet<i64> {
    let mut found = BTreeSet::new();
    let mut after = String::new();
    loop {
        let page = site.get(&format!("/v1/work-items?state={state}&limit=1000{after}"));
        found.extend(page["items"].as_array().expect("a list").iter().filter_map(|item| item["id"].as_i64()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

/// Fails if a look at a record began before the one before it had ended: the n-th read of one source waits for the
/// (n-1)-th of the other.
#[track_caller]
fn assert_looks_do_not_overlap(runs: &Runs) {
    let mut reads: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    let records: BTreeSet<&str> = runs.0.iter().map(|run| run.internal_key.as_str()).collect();
    assert_eq!(records.len(), RECORDS);
    for run in &runs.0 {
        assert_eq!(run.operation, "read", "there was nothing to write: {run:?}");
        let other = if run.source == "crm" { "billing" } else { "crm" };
        let (_, ended_elsewhere) = reads.get(&(run.internal_key.as_str(), other)).copied().unwrap_or_default();
        let own = reads.entry((&run.internal_key, &run.source)).or_default();
        match run.end {
            RunEnd::Started => {
                assert!(own.0 <= ended_elsewhere, "a second look began within the first: {run:?}");
                own.0 += 1;
            }
            RunEnd::Ended(status) => {
                assert_eq!(status, 0, "{run:?}");
                own.1 += 1;
            }
            RunEnd::Met(other) => panic!("{other} was not over: {run:?}"),
        }
    }
}

#[test]
fn ten_thousand_notifications_are_all_accounted_for() {
    let site = Site::new(&[C.source("crm"), C.source("billing")]);
    let crm = site.system("crm");
    for n in 0..RECORDS {
        crm.put(&format!("k{n}"), &format!(r#"{{"number":{n}}}"#));
    }
    let daemon = site.start();

    // All are new: each is created once, however often it was named.
    let items = post_all(&site);
    wait_for_the_end(&site);
    expect_all_done(&site, &items);
    let runs = site.runs();
    runs.assert_none_meet();
    assert_eq!(runs.count("billing", "create"), RECORDS);
    assert_eq!(site.system("billing").items().len(), RECORDS);
    let asked: BTreeSet<&str> = runs
        .started()
        .filter(|run| run.source == "crm" && run.operation == "read")
        .map(|run| run.key.as_str())
        .collect();
    assert_eq!(asked.len(), RECORDS);

    // All are in step: each is looked at, one look after the other.
    let before = runs.0.len();
    let items = post_all(&site);
    wait_for_the_end(&site);
    expect_all_done(&site, &items);
    let runs = Runs(site.runs().0.split_off(before));
    runs.assert_none_meet();
    assert_looks_do_not_overlap(&runs);
    daemon.stop();
}

/// Waits as long as something moves: how long it takes depends on the machine, standing still does not.
#[track_caller]
fn wait_for_the_end(site: &Site) {
    loop {
        let runs = site.runs().0.len();
        let status = site.get("/v1/status");
        let queue = &status["entities"][0]["queue"];
        if ["ready", "running", "waiting"].iter().all(|state| queue[state] == 0) {
            assert_eq!(queue["parked"], 0, "{status}");
            return;
        }
        until(|| (site.runs().0.len() > runs || at_rest(site)).then_some(()), || site.get("/v1/status").to_string());
    }
}

fn at_rest(site: &Site) -> bool {
    let queue = &site.get("/v1/status")["entities"][0]["queue"];
    ["ready", "running", "waiting"].iter().all(|state| queue[state] == 0)
}
