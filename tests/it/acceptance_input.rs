//! Bad input to a running daemon: every command and every route says what is wrong, in the one form of all errors.

use crate::support::program::Run;
use crate::support::site::Site;
use crate::support::socket::call;
use crate::support::system::Language::Sh;

/// A site with one customer, in step.
fn site() -> Site {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    site.system("crm").put("1", r#"{"name":"Ann"}"#);
    site
}

/// Expects the form that all errors have.
#[track_caller]
fn fails(run: &Run, status: i32) {
    let stderr = run.stderr();
    assert_eq!(run.status, Some(status), "{run}");
    assert!(stderr.starts_with("error: cannot ") && stderr.contains("\nhint: "), "{run}");
    assert_eq!(run.stdout(), "", "{run}");
}

#[test]
fn commands_that_a_daemon_refuses_end_with_1_an_error_and_a_hint() {
    let site = site();
    let daemon = site.start();
    site.notify("crm", "1");
    for (command, word) in [
        ("notify custmer crm 1", "custmer"),
        ("notify customer crn 1", "crn"),
        ("notify customer crm a;b", "a;b"),
        ("records custmer", "custmer"),
        ("records customer --source crn --key 1", "crn"),
        ("show customer 99", "99"),
        ("show customer crm:99", "crm:99"),
        ("show customer crn:1", "crn"),
        ("show custmer 1", "custmer"),
        ("history customer 99", "99"),
        ("explain customer 99", "99"),
        ("undo customer 1 99", "99"),
        ("undo customer 99 1", "99"),
        ("conflicts custmer", "custmer"),
        ("resolve 99 --keep", "99"),
        ("retry 999999", "999999"),
        ("drop 999999", "999999"),
        ("drop 1", "1"),
    ] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let run = site.retcon(&arguments);
        fails(&run, 1);
        assert!(run.stderr().contains(word), "no word of {word:?}: {run}");
        let run = site.retcon(&[&["--format", "json"], arguments.as_slice()].concat());
        assert_eq!(run.status, Some(1), "{run}");
    }
    daemon.stop();
}

#[test]
fn routes_answer_bad_requests_with_problems() {
    let site = site();
    let daemon = site.start();
    site.notify("crm", "1");
    let notifications = "/v1/notifications";
    let too_many = format!(r#"{{"notifications":[{}]}}"#, vec![notification("1"); 1001].join(","));
    for (method, path, body, status, code) in [
        ("GET", "/nonsense", None, 404, "unknown-route"),
        ("GET", "/v1/nonsense", None, 404, "unknown-route"),
        ("PUT", notifications, None, 405, "method-not-allowed"),
        ("DELETE", "/v1/status", None, 405, "method-not-allowed"),
        ("POST", notifications, Some(""), 400, "malformed"),
        ("POST", notifications, Some("nonsense"), 400, "malformed"),
        ("POST", notifications, Some("[]"), 400, "malformed"),
        ("POST", notifications, Some("{}"), 400, "malformed"),
        ("POST", notifications, Some(r#"{"notifications":{}}"#), 400, "malformed"),
        ("POST", notifications, Some(r#"{"entity":"customer","source":"crm"}"#), 400, "malformed"),
        ("POST", notifications, Some(r#"{"entity":"customer","source":"crm","key":1}"#), 400, "malformed"),
        ("POST", notifications, Some(r#"{"entity":"customer","source":"crm","key":"1","x":1}"#), 400, "malformed"),
        ("POST", notifications, Some(r#"{"entity":"custmer","source":"crm","key":"1"}"#), 404, "unknown-entity"),
        ("POST", notifications, Some(r#"{"entity":"customer","source":"crn","key":"1"}"#), 404, "unknown-source"),
        (
            "POST",
            notifications,
            Some(r#"{"entity":"customer","source":"crm","key":"a/b"}"#),
            422,
            "invalid-foreign-key",
        ),
        ("POST", notifications, Some(too_many.as_str()), 400, "malformed"),
        ("GET", "/v1/work-items?state=lost", None, 400, "malformed"),
        ("GET", "/v1/work-items?limit=none", None, 400, "malformed"),
        ("GET", "/v1/work-items?entity=custmer", None, 404, "unknown-entity"),
        ("GET", "/v1/work-items/one", None, 400, "malformed"),
        ("GET", "/v1/work-items/999999", None, 404, "unknown-work-item"),
        ("POST", "/v1/work-items/999999/retry", None, 404, "unknown-work-item"),
        ("DELETE", "/v1/work-items/999999", None, 404, "unknown-work-item"),
        ("GET", "/v1/records/custmer", None, 404, "unknown-entity"),
        ("GET", "/v1/records/customer?after=nonsense", None, 400, "malformed"),
        ("GET", "/v1/records/customer/one", None, 400, "malformed"),
        ("GET", "/v1/records/customer/99", None, 404, "unknown-record"),
        ("GET", "/v1/records/customer/99/history", None, 404, "unknown-record"),
        ("GET", "/v1/records/customer/99/provenance", None, 404, "unknown-record"),
        ("POST", "/v1/records/customer/99/sync", None, 404, "unknown-record"),
        ("POST", "/v1/records/customer/1/undo", Some("{}"), 400, "malformed"),
        ("POST", "/v1/records/customer/1/undo", Some(r#"{"version":99}"#), 404, "unknown-version"),
        ("GET", "/v1/conflicts?entity=custmer", None, 404, "unknown-entity"),
        ("POST", "/v1/conflicts/99/resolve", Some(r#"{"keep":true}"#), 404, "unknown-conflict"),
        ("POST", "/v1/conflicts/1/resolve", Some(r#"{"keep":true,"absent":true}"#), 400, "malformed"),
        ("POST", "/v1/conflicts/1/resolve", Some(r#"{"keep":false}"#), 400, "malformed"),
    ] {
        site.http(method, path, body).has_problem(status, code);
    }
    let stored = site.get("/v1/work-items?limit=1000");
    let items = stored["items"].as_array().expect("a list");
    let notified = items.iter().filter(|item| !item["source"].is_null()).count();
    assert_eq!(notified, 1, "a notification that was refused was stored: {stored}");
    assert!(items.iter().all(|item| item["state"] == "done"), "something is left to do: {stored}");
    daemon.stop();
}

#[test]
fn a_batch_with_one_bad_notification_is_refused_whole() {
    let site = site();
    let daemon = site.start();
    for bad in [notification("a/b"), notification("1").replace("crm", "crn"), "7".to_owned()] {
        let body = format!(r#"{{"notifications":[{},{bad}]}}"#, notification("1"));
        let refused = site.http("POST", "/v1/notifications", Some(&body));
        assert!((400..500).contains(&refused.status), "{refused}");
        assert_eq!(
            refused.json()["place"].as_str().map(|place| place.starts_with("/notifications/1")),
            Some(true),
            "{refused}"
        );
    }
    assert_eq!(site.get("/v1/work-items")["items"].as_array().map(Vec::len), Some(0));
    assert!(site.runs().0.is_empty());
    daemon.stop();
}

#[test]
fn a_body_beyond_the_limit_is_refused_and_the_daemon_lives() {
    let site = site();
    let daemon = site.start();
    let body = vec![b' '; 2 * 1024 * 1024];
    let refused = call(&site.socket(), "POST", "/v1/notifications", Some(&body)).expect("an answer");
    refused.has_problem(413, "body-too-large");
    site.notify("crm", "1");
    daemon.stop();
}

fn notification(key: &str) -> String {
    format!(r#"{{"entity":"customer","source":"crm","key":"{key}"}}"#)
}
