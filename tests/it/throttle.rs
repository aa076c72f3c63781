//! The throttle of a running daemon: what is started at the sources never exceeds it, and nobody else feels it.

use std::collections::BTreeMap;

use rstest::rstest;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::runs::{Runs, Ticks};
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::system::{SourceSpec, json};
use crate::support::wait::until;

const ANN: &str = r#"{"name":"Ann"}"#;
const ANNE: &str = r#"{"name":"Anne"}"#;

/// What may lie between passing the throttle and the moment that the kernel notes for the process, in seconds: a few system
/// calls of one thread, which take a millisecond, and which a busy machine may interrupt for some tenths of a second. Two
/// starts can be noted that much closer together than they were allowed, so a window counts as that much longer. It hides no
/// burst: at the rates below it stands for two starts or three.
const SKEW: f64 = 0.25;

fn three() -> [SourceSpec; 3] {
    ["billing", "crm", "shop"].map(|name| Sh.source(name))
}

/// A user of crm puts items there, and each is notified, all at once.
#[track_caller]
fn flood(site: &Site, items: usize, document: &str) {
    let notifications: Vec<String> = (0..items)
        .map(|item| {
            site.system("crm").put(&item.to_string(), document);
            format!(r#"{{"entity":"customer","source":"crm","key":"{item}"}}"#)
        })
        .collect();
    let body = format!(r#"{{"notifications":[{}]}}"#, notifications.join(","));
    site.http("POST", "/v1/notifications", Some(&body)).has_status(202);
}

/// When the runs of a log were started, in order.
fn starts(runs: &Runs) -> Vec<Ticks> {
    let mut starts: Vec<Ticks> = runs.started().map(|run| run.began).collect();
    starts.sort();
    starts
}

/// Fails if any window has more starts than the throttle allows.
#[track_caller]
fn assert_throttled(starts: &[Ticks], rate: f64, burst: u32) {
    for (at, first) in starts.iter().enumerate() {
        for (later, last) in starts[at..].iter().enumerate() {
            let (number, length) = (later + 1, last.since(*first));
            let allowed = rate * (length + SKEW) + f64::from(burst);
            assert!(number as f64 <= allowed, "{number} starts in {length} s, of {allowed:.1} allowed: {starts:?}");
        }
    }
}

/// Fails if a daemon started more than has come in since it was itself started; as nothing can be noted sooner than it was
/// allowed, this is exact but for the grain of the clock.
#[track_caller]
fn assert_nothing_saved_up(starts: &[Ticks], daemon: Ticks, rate: f64) {
    for (before, start) in starts.iter().enumerate() {
        let allowed = rate * (start.since(daemon) + Ticks::SECONDS);
        assert!((before + 1) as f64 <= allowed, "{} starts of {allowed:.1}, {starts:?} since {daemon:?}", before + 1);
    }
}

fn entity<'a>(status: &'a Value, name: &str) -> &'a Value {
    let entities = status["entities"].as_array().expect("a list");
    entities.iter().find(|entity| entity["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}"))
}

/// Waits until so many runs of `customer` wait for its throttle; gives its part of the status.
#[track_caller]
fn wait_for_waiting(site: &Site, number: u64) -> Value {
    let customer = || entity(&site.get("/v1/status"), "customer").clone();
    until(
        || Some(customer()).filter(|customer| customer["throttle"]["waiting"] == number),
        || format!("{number} should wait: {}", customer()),
    )
}

#[track_caller]
fn wait_for_starts(site: &Site, number: usize) {
    until(|| (site.runs().started().count() >= number).then_some(()), || format!("{:#?}", site.runs()));
}

#[test]
fn no_window_of_a_flood_has_more_starts_than_the_rate_and_the_burst_allow() {
    let site = Site::with("throttle = { rate = 10, burst = 4 }", &three());
    let daemon = site.start();
    flood(&site, 6, ANN);
    site.wait_until_at_rest();
    flood(&site, 4, ANNE);
    site.wait_until_at_rest();
    for source in ["billing", "shop"] {
        assert_eq!(site.system(source).items().len(), 6);
        assert_eq!(site.system(source).documents().iter().filter(|document| **document == json(ANNE)).count(), 4);
    }
    let starts = starts(&site.runs());
    assert_nothing_saved_up(&starts, daemon.began(), 10.0);
    assert_throttled(&starts, 10.0, 4);
    daemon.stop();
}

#[rstest]
#[case::kill(false)]
#[case::term(true)]
fn a_restart_brings_no_burst(#[case] in_order: bool) {
    let site = Site::with("throttle = { rate = 5, burst = 12, in_flight = 2 }", &three());
    let daemon = site.start();
    flood(&site, 12, ANN);
    wait_for_starts(&site, 6);
    let first = daemon.began();
    if in_order {
        daemon.stop();
    } else {
        daemon.kill();
    }
    let before = starts(&site.runs());
    assert_nothing_saved_up(&before, first, 5.0);

    let daemon = site.start();
    wait_for_starts(&site, before.len() + 14);
    let all = starts(&site.runs());
    assert_nothing_saved_up(&all[before.len()..], daemon.began(), 5.0);
    assert_throttled(&all, 5.0, 12);
    daemon.kill();
}

#[rstest]
#[case::a_larger_burst((5.0, 1), (5.0, 40), 1)]
#[case::a_higher_rate((2.0, 2), (8.0, 30), 2)]
#[case::a_lower_rate((20.0, 3), (4.0, 30), 3)]
#[case::where_there_was_no_limit((0.0, 1), (5.0, 40), 0)]
fn a_reload_brings_no_burst(#[case] old: (f64, u32), #[case] new: (f64, u32), #[case] carried: u32) {
    let throttle = |(rate, burst): (f64, u32)| format!("throttle = {{ rate = {rate}, burst = {burst} }}");
    let site = Site::with(&throttle(old), &three());
    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    site.write("retcon.toml", &format!("reload.watch = false\n{config}"));
    let daemon = site.start();
    flood(&site, 40, ANN);
    wait_for_starts(&site, 6);
    let changed = config.replace(&throttle(old), &throttle(new));
    site.write("retcon.toml", &format!("reload.watch = false\n{changed}"));
    let before = Ticks::now();
    site.retcon(&["reload"]).exits(0);
    let after = Ticks::now();
    assert_eq!(entity(&site.get("/v1/status"), "customer")["throttle"]["burst"], new.1);

    let since = || starts(&site.runs()).into_iter().filter(|start| *start > after).collect::<Vec<_>>();
    until(|| (since().len() >= 14).then_some(()), || format!("{:#?}", site.runs()));
    // What was in the bucket, what came in since the change, and in each source one run that had passed already.
    for (number, start) in since().iter().enumerate() {
        let allowed = f64::from(carried + 3) + new.0 * (start.since(before) + Ticks::SECONDS);
        assert!((number + 1) as f64 <= allowed, "{} of {allowed:.1}: {:?} since {before:?}", number + 1, since());
    }
    if old.0 > 0.0 {
        assert_throttled(&starts(&site.runs()), old.0.max(new.0), old.1.max(new.1));
    }
    daemon.kill();
}

#[test]
fn an_entity_that_waits_for_its_throttle_makes_no_other_wait() {
    let site = Site::with("throttle = { rate = 0.01 }", &three());
    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    let invoices = ["books", "ledger"].map(|name| {
        site.system(name);
        Sh.source(name).table("invoice")
    });
    site.write("retcon.toml", &format!("{config}[entities.invoice]\n{}", invoices.concat()));
    let daemon = site.start();
    flood(&site, 20, ANN);
    let customer = wait_for_waiting(&site, 1);
    assert!(customer["throttle"]["wait_ms"].as_u64() > Some(100_000), "{customer}");
    for number in ["1", "2", "3"] {
        site.system("ledger").put(number, ANN);
        site.retcon(&["notify", "--wait", "invoice", "ledger", number]).exits(0);
    }
    assert_eq!(site.system("books").items().len(), 3);
    let runs = site.runs();
    assert!(runs.started().all(|run| run.source == "books" || run.source == "ledger"), "{runs:#?}");
    wait_for_waiting(&site, 1);
    // What waits for the throttle would use all of the grace; a second signal ends it.
    daemon.signal(Signal::TERM);
    daemon.wait_for_event(|event| event["msg"] == "daemon stopping");
    daemon.stop();
    assert!(site.runs().started().all(|run| run.source == "books" || run.source == "ledger"), "nothing is started");
}

#[test]
fn no_more_records_are_in_sync_than_may_be() {
    let site = Site::with("throttle = { rate = 40, burst = 3, in_flight = 2 }", &three());
    let daemon = site.start();
    flood(&site, 8, ANN);
    site.wait_until_at_rest();
    let before = site.runs().started().count();
    flood(&site, 8, ANNE);
    until(
        || {
            let customer = entity(&site.get("/v1/status"), "customer").clone();
            assert!(customer["syncing"].as_u64() <= Some(2), "{customer}");
            let queue = &customer["queue"];
            (queue["ready"] == 0 && queue["running"] == 0).then_some(())
        },
        || site.get("/v1/status").to_string(),
    );
    // Each record is looked at from its first run to its last, and no three of these spans have a moment in common.
    let runs = site.runs();
    let mut spans: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (at, run) in runs.started().enumerate().skip(before) {
        spans.entry(&run.internal_key).or_insert((at, at)).1 = at;
    }
    assert_eq!(spans.len(), 8, "{spans:?}");
    for (begun, _) in spans.values() {
        let in_sync = spans.values().filter(|(first, last)| first <= begun && begun <= last).count();
        assert!(in_sync <= 2, "{in_sync} at once: {spans:?}");
    }
    daemon.stop();
}

#[test]
fn status_tells_who_waits_for_a_throttle_and_is_silent_where_there_is_none() {
    let site = Site::with("throttle = { rate = 0.001, burst = 3 }", &three());
    let daemon = site.start();
    flood(&site, 1, ANN);
    let customer = wait_for_waiting(&site, 1);
    assert_eq!((&customer["throttle"]["rate"], &customer["throttle"]["burst"]), (&Value::from(0.001), &Value::from(3)));
    let status = site.retcon(&["status"]).exits(0);
    let told = status.stdout();
    let row = told.lines().find(|line| line.starts_with("customer") && line.contains("0.001/s"));
    let words: Vec<&str> = row.unwrap_or_else(|| panic!("no row: {status}")).split_whitespace().collect();
    assert_eq!(words[..4], ["customer", "0.001/s", "3", "1"], "{status}");
    daemon.kill();

    let site = Site::new(&three());
    let daemon = site.start();
    let status = site.retcon(&["status"]).exits(0);
    assert!(!status.stdout().contains("THROTTLED"), "{status}");
    daemon.stop();
}

/// A source that hangs costs the looks one time-out, and each probe of it another; never each look one.
#[rstest]
#[case::reads("read")]
#[case::writes("update")]
fn a_source_that_does_not_answer_in_time_delays_no_look_but_the_first(#[case] hanging: &str) {
    const ITEMS: usize = 24;
    let sources = three().map(|source| source.with("timeout = \"2s\""));
    let site = Site::new(&sources);
    let daemon = site.start();
    flood(&site, ITEMS, ANN);
    site.wait_until_at_rest();
    let before = site.runs().count("billing", hanging);
    site.system("billing").fault(hanging, "sleep 600");
    flood(&site, ITEMS, ANNE);
    until(
        || (site.system("shop").documents() == vec![json(ANNE); ITEMS]).then_some(()),
        || format!("{:#?}", site.runs()),
    );
    let hung = site.runs().count("billing", hanging) - before;
    assert!(
        (1..ITEMS / 2).contains(&hung),
        "{hung} runs hung until {ITEMS} records were in the shop: {:#?}",
        site.runs()
    );
    daemon.wait_for_event(|event| event["msg"] == "source down" && event["source"] == "billing");

    site.system("billing").heal();
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), vec![json(ANNE); ITEMS]);
    daemon.stop();
}
