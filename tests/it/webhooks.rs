//! Notifications that are signed by Standard Webhooks.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::site::Site;
use crate::support::socket::{Answer, call_with};
use crate::support::system::Language;
use crate::support::tcp::{self, Call};

fn site() -> Site {
    Site::new(&[Language::Sh.source("crm")])
}

/// A message as a sender signs it.
struct Message {
    id: String,
    seconds: i64,
    body: String,
    signatures: String,
}

/// Signs as the specification says, on its own.
fn sign(secret: &str, id: &str, seconds: i64, body: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn message(secret: &str, id: &str, seconds: i64, key: &str) -> Message {
    let body = json!({"entity": "customer", "source": "crm", "key": key}).to_string();
    Message { id: id.to_owned(), seconds, signatures: sign(secret, id, seconds, &body), body }
}

#[track_caller]
fn send(site: &Site, message: &Message) -> Answer {
    send_to(&site.socket(), message)
}

#[track_caller]
fn send_to(socket: &Path, message: &Message) -> Answer {
    let seconds = message.seconds.to_string();
    let headers = [
        ("Content-Type", "application/json"),
        ("webhook-id", message.id.as_str()),
        ("webhook-timestamp", seconds.as_str()),
        ("webhook-signature", message.signatures.as_str()),
    ];
    let sent = call_with(socket, "POST", "/v1/notifications", &headers, Some(message.body.as_bytes()));
    sent.expect("the daemon answers")
}

#[track_caller]
fn create(site: &Site, name: &str) -> String {
    site.retcon(&["webhook", "create", name]).exits(0).stdout().trim_end().to_owned()
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

#[test]
fn a_signed_notification_is_taken_once() {
    let site = site();
    let daemon = site.start();
    let secret = create(&site, "crm");
    let first = message(&secret, "msg_1", now(), "a");
    send(&site, &first).has_status(202);
    send(&site, &first).has_problem(409, "replayed-webhook");
    // A sender who tries again signs anew.
    send(&site, &message(&secret, "msg_1", first.seconds + 1, "a")).has_status(202);
    send(&site, &message(&secret, "msg_2", first.seconds, "a")).has_status(202);
    daemon.kill();
    let daemon = site.start();
    send(&site, &first).has_problem(409, "replayed-webhook");
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn a_good_signature_stands_for_a_token_and_for_nothing_but_notifications() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let secret = create(&site, "crm");
    let signed = |method: &str, path: &str, message: &Message| {
        Call::new(method, path)
            .with("webhook-id", &message.id)
            .with("webhook-timestamp", &message.seconds.to_string())
            .with("webhook-signature", &message.signatures)
            .body(&message.body)
            .send(address)
    };
    let good = message(&secret, "msg_1", now(), "a");
    signed("POST", "/v1/notifications", &good).has_status(202);
    signed("POST", "/v1/notifications", &good).has_problem(409, "replayed-webhook");
    let forged = Message { signatures: "v1,AAAA".to_owned(), ..message(&secret, "msg_2", now(), "a") };
    signed("POST", "/v1/notifications", &forged).has_problem(401, "invalid-signature");
    signed("POST", "/v1/reload", &message(&secret, "msg_3", now(), "a")).has_problem(401, "unauthorized");
    signed("GET", "/v1/status", &message(&secret, "msg_4", now(), "a")).has_problem(401, "unauthorized");
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn what_is_not_signed_well_is_refused() {
    let site = site();
    let daemon = site.start();
    let secret = create(&site, "crm");
    let other = create(&site, "billing");
    let now = now();
    for seconds in [now - 301, now + 330] {
        send(&site, &message(&secret, "msg_1", seconds, "a")).has_problem(401, "invalid-signature");
    }
    send(&site, &message(&secret, "msg_2", now - 250, "a")).has_status(202);
    let mut bent = message(&secret, "msg_3", now, "a");
    bent.body = bent.body.replace("\"a\"", "\"b\"");
    send(&site, &bent).has_problem(401, "invalid-signature");
    site.retcon(&["webhook", "remove", "billing"]).exits(0);
    send(&site, &message(&other, "msg_4", now, "a")).has_problem(401, "invalid-signature");
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn a_message_that_was_not_stored_may_come_again() {
    let site = site();
    let daemon = site.start();
    let secret = create(&site, "crm");
    let bad = message(&secret, "msg_1", now(), "a/b");
    for _ in 0..2 {
        send(&site, &bad).has_problem(422, "invalid-foreign-key");
    }
    daemon.stop();
}

#[test]
fn a_webhook_is_given_another_secret_and_the_one_before_stays_good_for_a_while() {
    let site = site();
    let daemon = site.start();
    let former = create(&site, "crm");
    let present = site.retcon(&["webhook", "rotate", "crm"]).exits(0).stdout().trim_end().to_owned();
    assert_ne!(former, present);
    send(&site, &message(&former, "msg_1", now(), "a")).has_status(202);
    send(&site, &message(&present, "msg_2", now(), "a")).has_status(202);
    let listed = site.ask(&["webhook", "list"]);
    assert_eq!(listed["items"][0]["name"], "crm", "{listed}");
    assert!(listed["items"][0]["former_till"].is_string(), "{listed}");
    assert!(!listed.to_string().contains("whsec_"), "{listed}");
    // The one before that is not good any more.
    site.retcon(&["webhook", "rotate", "crm"]).exits(0);
    send(&site, &message(&former, "msg_3", now(), "a")).has_problem(401, "invalid-signature");
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn webhooks_are_made_listed_and_removed_by_name() {
    let site = site();
    let daemon = site.start();
    let answer = site.http("POST", "/v1/webhooks", Some(r#"{"name":"crm"}"#)).has_status(201);
    assert!(answer.head.to_lowercase().contains("cache-control: no-store"), "{answer}");
    let secret = answer.json()["secret"].as_str().map(str::to_owned).expect("a secret");
    let bytes = STANDARD.decode(secret.strip_prefix("whsec_").expect("its prefix")).expect("base64");
    assert_eq!(bytes.len(), 32);
    site.http("POST", "/v1/webhooks", Some(r#"{"name":"crm"}"#)).has_problem(409, "webhook-exists");
    site.http("POST", "/v1/webhooks", Some(r#"{"name":"c r m"}"#)).has_problem(400, "malformed");
    site.http("POST", "/v1/webhooks/ldap/rotate", None).has_problem(404, "unknown-webhook");
    site.http("DELETE", "/v1/webhooks/crm", None).has_status(200);
    site.http("DELETE", "/v1/webhooks/crm", None).has_problem(404, "unknown-webhook");
    assert_eq!(site.get("/v1/webhooks"), json!({"items": Value::Array(Vec::new()), "next": null}));
    assert!(!daemon.log_text().contains(&secret), "a secret is in no log");
    daemon.stop();
}

/// Two sources, and a webhook with limits of its own.
fn limited(limits: &[&str]) -> (Site, impl Fn(&Site) -> String) {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let arguments: Vec<String> = ["webhook", "create", "crm"].iter().chain(limits).map(ToString::to_string).collect();
    let create = move |site: &Site| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        site.retcon(&arguments).exits(0).stdout().trim_end().to_owned()
    };
    (site, create)
}

#[test]
fn a_limited_webhook_tells_of_what_it_is_limited_to_and_of_nothing_else() {
    let (site, create) = limited(&["--entity", "customer", "--source", "crm"]);
    let daemon = site.start();
    let secret = create(&site);
    let of = |source: &str, id: &str| {
        let Message { body, seconds, .. } = message(&secret, id, now(), "a");
        let body = body.replace("\"crm\"", &format!("{source:?}"));
        Message { id: id.to_owned(), seconds, signatures: sign(&secret, id, seconds, &body), body }
    };
    send(&site, &of("crm", "msg_1")).has_status(202);
    // Also at the socket, where nobody is asked for a token: whoever hands it on may do more than the sender.
    let refused = of("billing", "msg_2");
    for _ in 0..2 {
        assert!(send(&site, &refused).has_problem(403, "forbidden").body.contains("billing"));
    }
    let present = site.retcon(&["webhook", "rotate", "crm"]).exits(0).stdout().trim_end().to_owned();
    let Message { body, seconds, .. } = of("billing", "msg_3");
    let signatures = sign(&present, "msg_3", seconds, &body);
    send(&site, &Message { id: "msg_3".to_owned(), seconds, signatures, body }).has_problem(403, "forbidden");
    let listed = site.ask(&["webhook", "list"])["items"][0].clone();
    assert_eq!(
        (&listed["entities"], &listed["sources"], &listed["rate"]),
        (&json!(["customer"]), &json!(["crm"]), &json!(10_000)),
        "{listed}"
    );
    for (limit, code) in [
        (["--entity", "custmer"], "unknown-entity"),
        (["--source", "cmr"], "unknown-source"),
        (["--rate", "2000000"], "malformed"),
    ] {
        site.retcon(&[&["webhook", "create", "other"], &limit[..]].concat()).exits(1).complains_of(code);
    }
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn a_webhook_is_good_for_so_many_requests_a_second_and_nobody_else_uses_them_up() {
    let (site, create) = limited(&["--rate", "1"]);
    let daemon = site.start();
    let secret = create(&site);
    let forged = Message { signatures: "v1,AAAA".to_owned(), ..message(&secret, "msg_0", now(), "a") };
    for _ in 0..20 {
        send(&site, &forged).has_problem(401, "invalid-signature");
    }
    let first = send(&site, &message(&secret, "msg_1", now(), "a"));
    first.has_status(202);
    // However slow this machine is: of those that come at once, one a second passes.
    let clients: Vec<_> = (0..20)
        .map(|n| {
            let (socket, message) = (site.socket(), message(&secret, &format!("msg_at_once_{n}"), now(), "a"));
            std::thread::spawn(move || send_to(&socket, &message))
        })
        .collect();
    let answers: Vec<Answer> = clients.into_iter().map(|client| client.join().expect("an answer")).collect();
    let refused = answers.into_iter().find(|answer| answer.status != 202).expect("one too many is refused");
    let refused = refused.has_problem(429, "too-many-requests");
    assert!(refused.body.contains("webhook") && refused.head.to_lowercase().contains("retry-after"), "{refused}");
    site.wait_until_at_rest();
    daemon.stop();
}
