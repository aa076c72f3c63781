//! The forms in which notifications come, each of which says that one copy may have changed.

use serde_json::{Value, json};

use crate::support::site::Site;
use crate::support::socket::Answer;
use crate::support::system::Language;

const EVENT: &str = "application/cloudevents+json";
const EVENTS: &str = "application/cloudevents-batch+json";

fn site() -> Site {
    Site::new(&[Language::Sh.source("crm")])
}

/// The copies that the accepted work items are for.
#[track_caller]
fn copies(site: &Site, answer: Answer) -> Vec<(Value, Value, Value)> {
    let accepted = answer.has_status(202).json()["work_items"].as_array().cloned().expect("a list");
    let copy = |accepted: &Value| {
        let item = site.get(&format!("/v1/work-items/{}", accepted["id"]));
        (item["entity"].clone(), item["source"].clone(), item["key"].clone())
    };
    accepted.iter().map(copy).collect()
}

/// Posts a body of a type, with other headers, and expects these keys of crm to be looked at.
#[track_caller]
fn check(site: &Site, media: &str, headers: &[(&str, &str)], body: &Value, keys: &[&str]) {
    let mut headers = headers.to_vec();
    headers.push(("Content-Type", media));
    let answer = site.http_with("POST", "/v1/notifications", &headers, Some(&body.to_string()));
    let expected: Vec<_> = keys.iter().map(|key| (json!("customer"), json!("crm"), json!(key))).collect();
    assert_eq!(copies(site, answer), expected, "{body}");
}

#[track_caller]
fn refuse(site: &Site, media: &str, headers: &[(&str, &str)], body: &Value, status: u16, code: &str) {
    let mut headers = headers.to_vec();
    headers.push(("Content-Type", media));
    site.http_with("POST", "/v1/notifications", &headers, Some(&body.to_string())).has_problem(status, code);
    assert_eq!(site.get("/v1/work-items")["items"], json!([]), "{body}");
}

fn event(more: Value) -> Value {
    let mut event = json!({"specversion": "1.0", "id": "e-1", "type": "com.example.changed", "source": "/crm",
        "time": "2026-11-05T10:00:00Z", "comexampletrace": "x"});
    let event_members = event.as_object_mut().expect("an object");
    event_members.extend(more.as_object().cloned().expect("an object"));
    event
}

#[test]
fn an_event_names_a_copy_in_its_data_or_by_its_attributes() {
    let site = site();
    let daemon = site.start();
    let copy = json!({"entity": "customer", "source": "crm", "key": "in-data", "name": "Ann"});
    check(&site, EVENT, &[], &event(json!({"data": copy, "subject": "other"})), &["in-data"]);
    check(&site, EVENT, &[], &event(json!({"source": "/customer/crm", "subject": "a"})), &["a"]);
    let far = json!({"source": "https://crm.example.com/x/customer/crm/", "subject": "b", "data": {"id": 5}});
    check(&site, EVENT, &[], &event(far), &["b"]);
    check(&site, "application/cloudevents+json; charset=utf-8", &[], &event(json!({"data": copy})), &["in-data"]);
    let asked = json!({"source": "https://crm.example.com/customer/crm?to=/x/y#/z", "subject": "q"});
    check(&site, EVENT, &[], &event(asked), &["q"]);
    let own = json!({"source": "/customer/crm", "subject": "o", "data": {"source": "web", "key": 3}});
    check(&site, EVENT, &[], &event(own), &["o"]);
    let unread = json!({"source": "/customer/crm", "subject": "u", "data_base64": "eyJlbnRpdHkiOiJ4In0="});
    check(&site, EVENT, &[], &event(unread), &["u"]);
    let both = json!([event(json!({"source": "customer/crm", "subject": "c"})), event(json!({"data": copy}))]);
    check(&site, EVENTS, &[], &both, &["c", "in-data"]);
    check(&site, EVENTS, &[], &json!([]), &[]);
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn an_event_may_come_with_its_attributes_in_headers() {
    let site = site();
    let daemon = site.start();
    let headers = |source: &'static str, subject: &'static str| {
        [
            ("ce-specversion", "1.0"),
            ("ce-id", "e-1"),
            ("ce-type", "com.example.changed"),
            ("ce-source", source),
            ("ce-subject", subject),
        ]
    };
    let json = "application/json";
    let copy = json!({"entity": "customer", "source": "crm", "key": "in-data"});
    check(&site, json, &headers("/crm", "x"), &copy, &["in-data"]);
    check(&site, json, &headers("/customer/crm", "a"), &json!({"id": 5}), &["a"]);
    check(&site, json, &headers("/customer/crm", "with%20space"), &json!(null), &["with space"]);
    let bare = site.http_with("POST", "/v1/notifications", &headers("/customer/crm", "bare"), None);
    assert_eq!(copies(&site, bare), [(json!("customer"), json!("crm"), json!("bare"))]);
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn the_payload_of_a_standard_webhook_names_a_copy_in_its_data() {
    let site = site();
    let daemon = site.start();
    let copy = json!({"entity": "customer", "source": "crm", "key": "a", "name": "Ann"});
    let payload = json!({"type": "customer.changed", "timestamp": "2026-11-05T10:00:00Z", "data": copy});
    check(&site, "application/json", &[], &payload, &["a"]);
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn an_event_that_names_no_copy_is_refused_and_nothing_of_its_batch_is_stored() {
    let site = site();
    let daemon = site.start();
    let good = event(json!({"source": "/customer/crm", "subject": "a"}));
    let cases: [(&str, Value, u16, &str); 9] = [
        (EVENT, event(json!({"source": "/customer/crm", "subject": "a", "type": ""})), 400, "malformed"),
        (EVENT, event(json!({"subject": "a"})), 400, "malformed"),
        (EVENT, event(json!({"source": "/customer/crm"})), 400, "malformed"),
        (EVENT, event(json!({"specversion": "0.3", "source": "/customer/crm", "subject": "a"})), 400, "malformed"),
        (EVENT, json!({"specversion": "1.0", "source": "/customer/crm", "subject": "a"}), 400, "malformed"),
        (EVENTS, json!([good, event(json!({"source": "/custmer/crm", "subject": "a"}))]), 404, "unknown-entity"),
        (EVENTS, json!([good, event(json!({"source": "/customer/ldap", "subject": "a"}))]), 404, "unknown-source"),
        (
            EVENTS,
            json!([good, event(json!({"source": "/customer/crm", "subject": "a/b"}))]),
            422,
            "invalid-foreign-key",
        ),
        (EVENTS, json!(vec![&good; 1001]), 400, "malformed"),
    ];
    for (media, body, status, code) in cases {
        refuse(&site, media, &[], &body, status, code);
    }
    let version = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-type", "t")];
    refuse(&site, "application/json", &version, &json!({}), 400, "malformed");
    daemon.stop();
}

#[test]
fn data_that_begins_to_name_a_copy_is_refused_by_what_is_wrong_in_it() {
    let site = site();
    let daemon = site.start();
    let whole = json!({"entity": "customer", "source": "crm", "key": "a"});
    for (member, value) in [("source", json!(null)), ("key", json!(3)), ("entity", json!({})), ("key", json!(null))] {
        let mut wrong = whole.clone();
        match value {
            Value::Null => drop(wrong.as_object_mut().expect("an object").remove(member)),
            value => wrong[member] = value,
        }
        let attributes = json!({"source": "/customer/crm", "subject": "b", "data": wrong});
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-type", "t"),
            ("ce-source", "/customer/crm"),
            ("ce-subject", "b"),
        ];
        for (media, headers, body) in
            [(EVENT, &[][..], event(attributes)), ("application/json", &headers[..], wrong.clone())]
        {
            let headers = [headers, &[("Content-Type", media)]].concat();
            let answer = site.http_with("POST", "/v1/notifications", &headers, Some(&body.to_string()));
            let problem = answer.has_problem(400, "malformed").json();
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(member)), "{wrong}: {problem}");
        }
    }
    assert_eq!(site.get("/v1/work-items")["items"], json!([]));
    daemon.stop();
}

#[test]
fn a_body_of_another_type_is_refused_by_its_type() {
    let site = site();
    let daemon = site.start();
    let copy = json!({"entity": "customer", "source": "crm", "key": "a"});
    for media in ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=iso-8859-1"] {
        refuse(&site, media, &[], &copy, 415, "unsupported-media-type");
    }
    let twice = [("Content-Type", "application/json")];
    refuse(&site, "application/json", &twice, &copy, 400, "malformed");
    check(&site, "application/json; charset=UTF-8", &[], &copy, &["a"]);
    site.wait_until_at_rest();
    daemon.stop();
}
