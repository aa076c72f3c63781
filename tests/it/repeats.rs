//! `Idempotency-Key`, and posts that come at the same time.

use std::thread;

use serde_json::{Value, json};

use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::socket::{Answer, call};
use crate::support::system::Language;
use crate::support::wait::until;

fn site() -> Site {
    Site::new(&[Language::Sh.source("crm")])
}

fn copy(key: &str) -> String {
    json!({"entity": "customer", "source": "crm", "key": key}).to_string()
}

#[track_caller]
fn post(site: &Site, request: &str, body: &str) -> Answer {
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", request)];
    site.http_with("POST", "/v1/notifications", &headers, Some(body))
}

fn is_replayed(answer: &Answer) -> bool {
    answer.head.to_lowercase().contains("idempotency-replayed: true")
}

#[test]
fn a_request_that_is_sent_once_more_is_answered_as_it_was() {
    let site = site();
    let daemon = site.start();
    let first = post(&site, "r-1", &copy("a")).has_status(202);
    site.wait_until_at_rest();
    let again = post(&site, "r-1", &copy("a")).has_status(202);
    assert_eq!((again.json(), is_replayed(&first), is_replayed(&again)), (first.json(), false, true), "{again}");
    assert_eq!(site.get("/v1/work-items")["items"].as_array().map(Vec::len), Some(1));
    daemon.kill();
    let daemon = site.start();
    let later = post(&site, "r-1", &copy("a")).has_status(202);
    assert_eq!(later.json(), first.json(), "{later}");
    post(&site, "r-1", &copy("b")).has_problem(422, "key-reused");
    assert_ne!(post(&site, "r-2", &copy("a")).has_status(202).json(), first.json());
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn a_refusal_is_kept_and_what_could_not_be_done_is_not() {
    let site = site();
    let daemon = site.start();
    let refused = post(&site, "r-1", &copy("a/b")).has_problem(422, "invalid-foreign-key");
    let again = post(&site, "r-1", &copy("a/b")).has_problem(422, "invalid-foreign-key");
    assert_eq!((again.body.as_str(), is_replayed(&again)), (refused.body.as_str(), true), "{again}");
    post(&site, "a b", &copy("a")).has_problem(400, "malformed");
    post(&site, &"k".repeat(256), &copy("a")).has_problem(400, "malformed");
    daemon.stop();
}

#[test]
fn a_request_that_is_under_way_is_not_begun_again() {
    let site = site();
    let daemon = site.start();
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    // A person's order waits for its look, five seconds at most, while nothing is begun.
    site.retcon(&["pause", "customer"]).exits(0);
    let socket = site.socket();
    let undo = |socket: &std::path::Path| {
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "undo-1")];
        crate::support::socket::call_with(
            socket,
            "POST",
            "/v1/records/customer/1/undo",
            &headers,
            Some(br#"{"version":1}"#),
        )
    };
    let first = thread::spawn(move || undo(&socket).expect("an answer"));
    until(
        || {
            let items = site.get("/v1/work-items?state=ready")["items"].as_array().cloned().unwrap_or_default();
            items.iter().any(|item| item["order"] == "undo").then_some(())
        },
        || site.get("/v1/work-items").to_string(),
    );
    undo(&site.socket()).expect("an answer").has_problem(409, "request-under-way");
    let first = first.join().expect("no panic").has_status(202);
    let again = undo(&site.socket()).expect("an answer").has_status(202);
    assert_eq!((again.json(), is_replayed(&again)), (first.json(), true), "{again}");
    site.retcon(&["resume", "customer"]).exits(0);
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn posts_at_the_same_time_are_each_answered_with_their_own_items() {
    let site = site();
    let daemon = site.start();
    site.retcon(&["pause", "customer"]).exits(0);
    let clients = (0..16).map(|client| {
        let socket = site.socket();
        thread::spawn(move || {
            (0..20)
                .map(|n| {
                    let (own, shared) = (format!("{client}-{n}"), format!("shared-{n}"));
                    let one = |key: &str| json!({"entity": "customer", "source": "crm", "key": key});
                    let body = json!({"notifications": [one(&own), one(&shared)]}).to_string();
                    let answer = call(&socket, "POST", "/v1/notifications", Some(body.as_bytes())).expect("an answer");
                    ([own, shared], answer.has_status(202).json())
                })
                .collect::<Vec<_>>()
        })
    });
    let answers: Vec<([String; 2], Value)> =
        clients.collect::<Vec<_>>().into_iter().flat_map(|client| client.join().expect("no panic")).collect();
    let mut items = std::collections::BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = site.get(&format!("/v1/work-items?limit=1000&after={after}"));
        for item in page["items"].as_array().into_iter().flatten() {
            items.insert(item["id"].to_string(), item["key"].as_str().unwrap_or_default().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(items.len(), 16 * 20 + 20, "one item for each copy");
    let mut first_of_shared = 0;
    for (keys, answer) in &answers {
        let accepted = answer["work_items"].as_array().expect("a list");
        let got: Vec<&String> = accepted.iter().filter_map(|item| items.get(&item["id"].to_string())).collect();
        assert_eq!(got, keys.iter().collect::<Vec<_>>(), "{answer}");
        assert_eq!(accepted[0]["coalesced"], false, "{answer}");
        first_of_shared += usize::from(accepted[1]["coalesced"] == false);
    }
    assert_eq!(first_of_shared, 20, "of those who ask for the same copy, one is the first");
    site.retcon(&["resume", "customer"]).exits(0);
    site.wait_until_at_rest();
    daemon.stop();
}

/// What a post is for: one that is right, and faults of every kind.
fn of_kind(client: usize, n: usize) -> (String, u16, &'static str) {
    let key = format!("{client}-{n}");
    let one = |entity: &str, source: &str, key: &str| json!({"entity": entity, "source": source, "key": key});
    let with = |fault: Value| json!({"notifications": [one("customer", "crm", &key), fault]}).to_string();
    match client % 8 {
        0 => (with(one("custmer", "crm", "1")), 404, "unknown-entity"),
        1 => (with(one("customer", "cmr", "1")), 404, "unknown-source"),
        2 => (with(one("customer", "crm", "a/b")), 422, "invalid-foreign-key"),
        3 => (" ".repeat((1 << 20) + 1), 413, "body-too-large"),
        // The database itself refuses this one, in the statement that it shares with others.
        4 => (with(one("customer", "crm", "poison")), 500, "internal"),
        _ => (copy(&key), 202, ""),
    }
}

#[test]
fn what_is_wrong_with_one_post_is_no_fault_of_those_that_come_with_it() {
    const CLIENTS: usize = 24;
    const POSTS: usize = 10;
    let site = site();
    let daemon = site.start();
    site.retcon(&["pause", "customer"]).exits(0);
    let config = site.database().config();
    block_on(async move {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("the server takes connections");
        tokio::spawn(connection);
        let poison = "alter table work_item add constraint no_poison check (foreign_key <> 'poison')";
        client.batch_execute(poison).await.expect("it is right");
    });
    let clients = (0..CLIENTS).map(|client| {
        let socket = site.socket();
        thread::spawn(move || {
            for n in 0..POSTS {
                let (body, status, code) = of_kind(client, n);
                let answer = call(&socket, "POST", "/v1/notifications", Some(body.as_bytes())).expect("an answer");
                if status == 202 { drop(answer.has_status(202)) } else { drop(answer.has_problem(status, code)) }
            }
        })
    });
    clients.collect::<Vec<_>>().into_iter().for_each(|client| client.join().expect("each has its own answer"));
    let mut stored: Vec<String> = site.get("/v1/work-items?limit=1000")["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["key"].as_str().unwrap_or_default().to_owned())
        .collect();
    let is_right = |client: &usize| of_kind(*client, 0).1 == 202;
    let mut right: Vec<String> =
        (0..CLIENTS).filter(is_right).flat_map(|client| (0..POSTS).map(move |n| format!("{client}-{n}"))).collect();
    stored.sort_unstable();
    right.sort_unstable();
    assert_eq!(stored, right, "what was right is stored, and nothing else");
    site.retcon(&["resume", "customer"]).exits(0);
    site.wait_until_at_rest();
    daemon.stop();
}
