//! `GET /v1/events`: what happens is told once, in one order, to whoever follows, across restarts and from every daemon.

mod follower;
mod stalled;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_postgres::{Client, Config, NoTls};

use crate::support::cable::Cable;
use crate::support::daemon::Daemon;
use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::wait::{DEADLINE, until};
use follower::Follower;

fn site() -> Site {
    Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")])
}

/// Opens a session on the site's own database.
async fn connect(config: Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the server takes connections");
    tokio::spawn(connection);
    client
}

/// Runs a statement on the site's own database.
fn execute(site: &Site, statement: &'static str) {
    let config = site.database().config();
    block_on(async move { connect(config).await.batch_execute(statement).await.expect("it is right") });
}

/// Counts the events that have a number.
fn numbered(site: &Site) -> i64 {
    let config = site.database().config();
    block_on(async move {
        let count = "select count(*) from event where number is not null";
        connect(config).await.query_one(count, &[]).await.expect("a count").get(0)
    })
}

#[test]
fn what_happens_to_a_record_is_told_in_its_order() {
    let site = site();
    let daemon = site.start();
    let mut follower = Follower::open(&site, "/v1/events", None);
    site.disagree("1");
    let conflict = site.get("/v1/conflicts")["items"][0]["id"].clone();
    site.retcon(&["resolve", &conflict.to_string(), "--take", "billing"]).exits(0);
    let told: Vec<Value> = (0..5).map(|_| follower.next().data).collect();
    let kinds: Vec<&str> = told.iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds[..3], ["sync", "written", "conflict"], "{told:#?}");
    assert_eq!(told[0]["details"], json!({"version": 1, "state": "live"}));
    assert_eq!(told[1]["details"]["operation"], "create");
    assert_eq!((&told[1]["source"], &told[1]["record"]), (&json!("billing"), &json!(1)));
    assert_eq!(told[2]["details"], json!({"conflict": conflict, "revision": 1, "kind": "edit-edit"}));
    // Of one transaction: in which order is not said.
    let mut last = kinds[3..].to_vec();
    last.sort_unstable();
    assert_eq!(last, ["conflict-closed", "sync"], "{told:#?}");
    assert!(told.iter().all(|event| event["entity"] == "customer" && event["at"].is_string()), "{told:#?}");
    daemon.stop();
    follower.expect_end();
}

#[test]
fn who_comes_again_misses_nothing_and_hears_nothing_twice_also_across_a_restart() {
    let site = site();
    let daemon = site.start();
    let mut follower = Follower::open(&site, "/v1/events?after=0", None);
    site.disagree("1");
    let seen = follower.until("conflict");
    daemon.stop();
    let daemon = site.start();
    site.system("crm").put("2", r#"{"name": "Bea"}"#);
    site.notify("crm", "2");
    let mut again = Follower::open(&site, "/v1/events", Some(seen.last().expect("one was told").id));
    let rest = again.until("written");
    let all = Follower::open(&site, "/v1/events?after=0", None).take(seen.len() + rest.len());
    let told: Vec<_> = seen.into_iter().chain(rest).collect();
    assert_eq!(told, all);
    let numbers: Vec<i64> = told.iter().map(|event| event.id).collect();
    assert_eq!(numbers, (1..=told.len() as i64).collect::<Vec<_>>());
    daemon.stop();
}

#[test]
fn an_event_that_is_committed_late_is_told_after_those_before_it() {
    let site = site();
    let _daemon = site.start();
    let mut follower = Follower::open(&site, "/v1/events", None);
    let config = site.database().config();
    let (first, second) = block_on(async move {
        let (mut one, other) = (connect(config.clone()).await, connect(config).await);
        let late = one.transaction().await.expect("a transaction");
        late.batch_execute("insert into event (kind, entity) values ('parked', 'late')").await.expect("it is told");
        other.batch_execute("insert into event (kind, entity) values ('parked', 'early')").await.expect("it is told");
        let first = follower.next();
        late.commit().await.expect("it is committed");
        (first, follower.next())
    });
    assert_eq!((&first.data["entity"], &second.data["entity"]), (&json!("early"), &json!("late")));
    assert_eq!(second.id, first.id + 1);
}

#[test]
fn only_what_is_wanted_is_told() {
    let site = site();
    let _daemon = site.start();
    site.disagree("1");
    let wanted = Follower::open(&site, "/v1/events?after=0&kind=conflict,parked&entity=customer", None).take(1);
    assert_eq!(wanted[0].kind, "conflict");
    let bad =
        [("kind=frob", 400, "malformed"), ("entity=custmer", 404, "unknown-entity"), ("after=x", 400, "malformed")];
    for (query, status, code) in bad {
        site.http("GET", &format!("/v1/events?{query}"), None).has_problem(status, code);
    }
}

#[test]
fn a_daemon_tells_of_itself() {
    let site = site();
    let daemon = site.start();
    let mut follower =
        Follower::open(&site, "/v1/events?kind=source-down,source-up,config-applied,config-rejected", None);
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.system("crm").fault_everywhere("exit 1");
    site.retcon(&["notify", "customer", "crm", "1"]).exits(0);
    let down = follower.next();
    assert_eq!((down.kind.as_str(), &down.data["source"]), ("source-down", &json!("crm")), "{down:?}");
    site.system("crm").heal();
    assert_eq!(follower.next().kind, "source-up");
    let path = site.path().join("retcon.toml");
    let good = std::fs::read_to_string(&path).expect("a configuration");
    site.write("retcon.toml", &good.replace("[entities.customer]", "[entities.customer]\ndescription = \"new\""));
    site.retcon(&["reload"]).exits(0);
    let applied = follower.next();
    assert_eq!(applied.kind, "config-applied");
    assert!(applied.data["details"]["changes"].to_string().contains("description"), "{applied:?}");
    site.write("retcon.toml", "[entities.customer]\nfrob = 1\n");
    site.retcon(&["reload"]).exits(1);
    let rejected = follower.next();
    assert_eq!(rejected.kind, "config-rejected");
    assert!(rejected.data["details"]["errors"].to_string().contains("frob"), "{rejected:?}");
    site.write("retcon.toml", &good);
    daemon.stop();
}

#[test]
fn whoever_asks_for_the_head_alone_is_answered_and_follows_nothing() {
    let site = site();
    let daemon = site.start();
    let mut stream = UnixStream::connect(site.socket()).expect("it is served");
    stream.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
    let head = "HEAD /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(3);
    let last = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all((head + last).as_bytes()).expect("it is read");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("all of them are answered");
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 4, "{answers}");
    assert_eq!(answers.matches("content-type: text/event-stream\r\n").count(), 3, "{answers}");
    assert!(answers.contains("\nretcon_event_followers 0\n"), "{answers}");
    let wrong = "HEAD /v1/events?kind=frob HTTP/1.0\r\nHost: localhost\r\n\r\n";
    let mut stream = UnixStream::connect(site.socket()).expect("it is served");
    stream.write_all(wrong.as_bytes()).expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.0 400 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    daemon.stop();
}

#[test]
fn an_event_that_was_seen_last_is_named_once_and_by_its_number() {
    let site = site();
    let daemon = site.start();
    for bad in [&["abc"][..], &["\u{664}"], &["1\u{e9}"], &["-1"], &["1", "1"]] {
        let headers: Vec<_> = bad.iter().map(|seen| ("Last-Event-ID", *seen)).collect();
        site.http_with("GET", "/v1/events", &headers, None).has_problem(400, "malformed");
    }
    daemon.stop();
}

#[test]
fn an_outage_of_the_database_ends_no_stream_and_is_told_when_it_is_over() {
    let cable = Cable::new();
    let site = &cable.site;
    let daemon = site.start();
    let mut follower = Follower::open(site, "/v1/events", None);
    cable.pull();
    let is_store_down = |actor: &Value| actor["path"] == "store" && actor["state"] == "down";
    let actors = || site.get("/v1/supervision")["actors"].as_array().cloned().unwrap_or_default();
    until(|| actors().iter().any(is_store_down).then_some(()), || format!("{:#?}", actors()));
    cable.plug();
    let (down, up) = (follower.next(), follower.next());
    assert_eq!((down.kind.as_str(), up.kind.as_str()), ("database-down", "database-up"));
    assert!(down.data["details"]["error"].is_string() && down.data["at"].as_str() < up.data["at"].as_str(), "{down:?}");
    daemon.stop();
}

#[test]
fn who_follows_one_daemon_hears_of_all() {
    let site = site();
    let serving = site.start();
    let other = Daemon::start_in(&site, "other");
    let mut follower = Follower::open_at(&other.socket(), "/v1/events?kind=written", None);
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    assert_eq!(follower.next().data["source"], "billing");
    for mut daemon in [other, serving] {
        daemon.signal(Signal::TERM);
        assert!(daemon.wait().success(), "{}", daemon.log_text());
        daemon.bury();
    }
}

#[test]
fn what_was_removed_is_said_to_be_missing() {
    let site = site();
    let daemon = site.start();
    site.disagree("1");
    let told = Follower::open(&site, "/v1/events?after=0", None).until("conflict");
    let last = told.last().expect("one was told").id;
    daemon.stop();
    let path = site.path().join("retcon.toml");
    let config = std::fs::read_to_string(&path).expect("a configuration");
    site.write("retcon.toml", &format!("{config}\n[retention]\nevents = \"1s\"\n"));
    execute(&site, "update event set at = at - interval '1 minute'");
    let daemon = site.start();
    until(|| (numbered(&site) == 0).then_some(()), || format!("{} events are left", numbered(&site)));
    let missed = Follower::open(&site, "/v1/events?after=0", None).next();
    assert_eq!((missed.kind.as_str(), missed.id), ("missed", last));
    assert_eq!(missed.data, json!({"from": 1, "to": last}));
    daemon.stop();
}

/// Returns the daemon's memory, in KiB.
fn memory(daemon: &Daemon<'_>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid().as_raw_nonzero())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("proc(5)")
}

#[test]
fn who_does_not_read_costs_nothing_and_is_told_all_when_he_does() {
    const MANY: i64 = 40_000;
    let site = site();
    let daemon = site.start();
    let mut follower = Follower::open(&site, "/v1/events", None);
    let before = memory(&daemon);
    execute(
        &site,
        "insert into event (kind, entity, details)
            select 'parked', 'customer', json_build_object('place', n, 'error', repeat('x', 1000))
            from generate_series(1, 40000) as n",
    );
    until(|| (numbered(&site) >= MANY).then_some(()), || format!("{} have numbers", numbered(&site)));
    // The daemon answers meanwhile, and its memory has not taken in forty megabytes.
    site.get("/v1/status");
    let grown = memory(&daemon).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more");
    for place in 1..=MANY {
        assert_eq!(follower.next().data["details"]["place"], place);
    }
    daemon.stop();
}

#[test]
fn who_follows_notices_that_the_daemon_is_there_though_nothing_happens() {
    let site = site();
    let daemon = site.start();
    let mut follower = Follower::open(&site, "/v1/events", None);
    follower.expect_comment();
    daemon.stop();
    follower.expect_end();
}
