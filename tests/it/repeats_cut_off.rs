//! `Idempotency-Key`, where the daemon or the database goes away before the answer is recorded.

use std::path::Path;
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::support::cable::Cable;
use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::socket::{Answer, call_with};
use crate::support::store::rows;
use crate::support::system::Language::{C, Sh};
use crate::support::wait::until;

/// Has the recording of an answer wait for as long as somebody has the lock.
const HOLD: &str = "
    create function hold() returns trigger language plpgsql as
        'begin perform pg_advisory_xact_lock_shared(77); return new; end';
    create trigger hold before update on repeatable for each row when (new.status is not null) execute function hold()";

fn ask(socket: &Path, method: &str, path: &str, name: &str, body: &str) -> std::io::Result<Answer> {
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", name)];
    call_with(socket, method, path, &headers, Some(body.as_bytes()))
}

#[track_caller]
fn again(site: &Site, method: &str, path: &str, name: &str, body: &str) -> Answer {
    ask(&site.socket(), method, path, name, body).expect("an answer")
}

fn is_replayed(answer: &Answer) -> bool {
    answer.head.to_lowercase().contains("idempotency-replayed: true")
}

/// Has a daemon carry a request out, and killed before the answer is recorded.
#[track_caller]
fn cut_off(site: &Site, method: &str, path: &str, name: &str, body: &str) {
    let daemon = site.start();
    let config = site.database().config();
    block_on(async move {
        let (client, connection) = config.connect(NoTls).await.expect("the server takes connections");
        let held = tokio::spawn(connection);
        client.batch_execute("select pg_advisory_lock(77)").await.expect("a lock");
        let (socket, request) = (site.socket(), [method, path, name, body].map(str::to_owned));
        let first = thread::spawn(move || {
            let [method, path, name, body] = &request;
            ask(&socket, method, path, name, body)
        });
        let waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event = 'advisory'";
        while client.query(waiting, &[]).await.expect("a list").is_empty() {
            assert!(!first.is_finished(), "{:?}", first.join());
            tokio::task::yield_now().await;
        }
        daemon.kill();
        // What the dead daemon has sent is not carried on by the server.
        let end = format!("select pg_terminate_backend(pid, 30000) from ({waiting}) as waiting");
        client.batch_execute(&end).await.expect("sessions can be ended");
        client.batch_execute("select pg_advisory_unlock(77)").await.expect("the lock");
        drop(first.join());
        held.abort();
    });
}

fn held(site: &Site) {
    block_on(async {
        let (client, connection) = site.database().config().connect(NoTls).await.expect("the server takes connections");
        tokio::spawn(connection);
        client.batch_execute(HOLD).await.expect("a trigger");
    });
}

fn count(site: &Site, sql: &str) -> Vec<String> {
    block_on(rows(site.database(), sql))
}

/// A site with a customer whose name was changed once.
fn changed() -> Site {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let daemon = site.start();
    for name in ["Ann", "Anne"] {
        site.system("crm").put("1", &json!({ "name": name }).to_string());
        site.notify("crm", "1");
        site.wait_until_at_rest();
    }
    daemon.stop();
    held(&site);
    site
}

#[test]
fn an_order_whose_daemon_was_killed_is_told_of_and_not_given_again() {
    const UNDO: &str = "/v1/records/customer/1/undo";
    let site = changed();
    cut_off(&site, "POST", UNDO, "undo-1", r#"{"version":2}"#);
    let daemon = site.start();
    let told = again(&site, "POST", UNDO, "undo-1", r#"{"version":2}"#).has_status(202);
    assert_eq!(told.json()["state"], "pending", "{told}");
    let later = again(&site, "POST", UNDO, "undo-1", r#"{"version":2}"#).has_status(202);
    assert_eq!((later.json(), is_replayed(&later)), (told.json(), true), "{later}");
    again(&site, "POST", UNDO, "undo-1", r#"{"version":1}"#).has_problem(422, "key-reused");
    site.wait_until_at_rest();
    let item = site.get(&format!("/v1/work-items/{}", told.json()["work_item"]));
    assert_eq!((&item["state"], &item["outcome"]), (&"done".into(), &"synced".into()), "{item}");
    let history = site.get("/v1/records/customer/1/history");
    assert_eq!(history["items"].as_array().map(Vec::len), Some(3), "undone once: {history}");
    daemon.stop();
}

#[test]
fn an_approval_whose_daemon_was_killed_approves_nothing_that_is_held_later() {
    let site = Site::with("max_deletes = { count = 1, per = \"1h\" }", &[C.source("billing"), C.source("crm")]);
    let daemon = site.start();
    for key in ["a", "b", "c"] {
        site.system("crm").put(key, &json!({ "name": key }).to_string());
        site.notify("crm", key);
    }
    site.wait_until_at_rest();
    // The first one is within the limit.
    for key in ["a", "b"] {
        site.system("crm").remove(key);
        site.notify("crm", key);
    }
    site.wait_until_at_rest();
    daemon.stop();
    held(&site);
    let body = r#"{"entity":"customer"}"#;
    cut_off(&site, "POST", "/v1/deletes/approve", "approve-1", body);
    let daemon = site.start();
    site.wait_until_at_rest();
    site.system("crm").remove("c");
    site.notify("crm", "c");
    site.wait_until_at_rest();
    let told = again(&site, "POST", "/v1/deletes/approve", "approve-1", body).has_status(200);
    assert_eq!((&told.json()["approved"], told.json()["work_items"].as_array().map(Vec::len)), (&1.into(), Some(1)));
    site.wait_until_at_rest();
    let left = site.get("/v1/deletes");
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "the other one is still held: {left}");
    daemon.stop();
}

#[test]
fn what_is_done_once_is_done_though_its_daemon_was_killed() {
    let site = changed();
    let daemon = site.start();
    site.retcon(&["token", "create", "bob", "--role", "view"]).exits(0);
    site.http("POST", "/v1/webhooks", Some(r#"{"name":"shop"}"#)).has_status(201);
    daemon.stop();
    for (path, name) in [("/v1/tokens/bob", "revoke-1"), ("/v1/webhooks/shop", "remove-1")] {
        cut_off(&site, "DELETE", path, name, "");
        let daemon = site.start();
        again(&site, "DELETE", path, name, "").has_status(200);
        assert_eq!(again(&site, "DELETE", path, &format!("{name}-more"), "").status, 404, "it is gone");
        daemon.stop();
    }
    // To look once more does no harm: what was notified is answered at once, and by the items of now.
    let body = r#"{"entity":"customer","source":"crm","key":"1"}"#;
    cut_off(&site, "POST", "/v1/notifications", "hint-1", body);
    let daemon = site.start();
    let told = again(&site, "POST", "/v1/notifications", "hint-1", body).has_status(202);
    let later = again(&site, "POST", "/v1/notifications", "hint-1", body).has_status(202);
    assert_eq!((later.json(), is_replayed(&told), is_replayed(&later)), (told.json(), false, true), "{later}");
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn what_comes_of_an_act_is_recorded_once_the_database_is_back() {
    const UNDO: &str = "/v1/records/customer/1/undo";
    let cable = Cable::new();
    let site = &cable.site;
    let daemon = site.start();
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    site.wait_until_at_rest();
    // An order waits for its look, five seconds at most, while nothing is begun.
    site.retcon(&["pause", "customer"]).exits(0);
    let socket = site.socket();
    let first: JoinHandle<_> = thread::spawn(move || ask(&socket, "POST", UNDO, "undo-1", r#"{"version":1}"#));
    until(
        || (count(site, "select command::text from work_item where command is not null").len() == 1).then_some(()),
        || site.get("/v1/work-items").to_string(),
    );
    cable.pull();
    let first = first.join().expect("no panic").expect("an answer").has_status(202);
    cable.plug();
    let outcome = || -> Option<Value> {
        let listed = site.http("GET", "/v1/audit?limit=1", None);
        (listed.status == 200).then(|| listed.json()["items"][0].clone()).filter(|act| !act["outcome"].is_null())
    };
    let act = until(outcome, || daemon.log_text());
    assert_eq!((&act["act"], &act["outcome"], &act["status"]), (&"undo".into(), &"done".into(), &202.into()), "{act}");
    let later = again(site, "POST", UNDO, "undo-1", r#"{"version":1}"#).has_status(202);
    assert_eq!((later.json(), is_replayed(&later)), (first.json(), true), "{later}");
    assert_eq!(count(site, "select command::text from work_item where command is not null").len(), 1);
    site.retcon(&["resume", "customer"]).exits(0);
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn a_key_is_there_once_and_where_it_counts() {
    let site = Site::new(&[Sh.source("crm")]);
    let daemon = site.start();
    let body = r#"{"entity":"customer","source":"crm","key":"1"}"#;
    let twice = [("Content-Type", "application/json"), ("Idempotency-Key", "a"), ("Idempotency-Key", "a")];
    site.http_with("POST", "/v1/notifications", &twice, Some(body)).has_problem(400, "malformed");
    for (path, body) in [
        ("/v1/tokens", r#"{"name":"bob","role":"view"}"#),
        ("/v1/webhooks", r#"{"name":"shop"}"#),
        ("/v1/webhooks/shop/rotate", ""),
    ] {
        let refused = again(&site, "POST", path, "secret-1", body).has_problem(400, "malformed");
        assert!(refused.body.contains("Idempotency-Key"), "{refused}");
    }
    assert_eq!(site.get("/v1/tokens")["items"], json!([]));
    assert_eq!(site.get("/v1/webhooks")["items"], json!([]));
    daemon.stop();
}
