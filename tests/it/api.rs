//! What the API answers: to bad input of every route, and how its lists, batches and bounds behave.

use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::socket::Answer;
use crate::support::system::Language;

fn site() -> Site {
    Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")])
}

/// Makes one record, with the internal key 1, and waits for the end of the look.
#[track_caller]
fn make_record(site: &Site, key: &str) {
    site.system("crm").put(key, r#"{"name": "Ann"}"#);
    site.notify("crm", key);
}

/// A request (method, path, body) and its refusal: status, code, and a word of the detail.
type Refusal<'a> = (&'a str, &'a str, Option<&'a str>, u16, &'a str, &'a str);

#[test]
fn bad_input_of_every_route_is_refused_with_its_status_and_code() {
    let site = site();
    let daemon = site.start();
    make_record(&site, "1");
    let long = format!(r#"{{"entity":"customer","source":"crm","key":"{}"}}"#, "k".repeat(1025));
    let deep = format!(r#"{{"value":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let many = json!({ "notifications": vec![json!({"entity": "customer", "source": "crm", "key": "1"}); 1001] });
    let many = many.to_string();
    let large = "x".repeat((1 << 20) + 1);
    let bad: &[Refusal<'_>] = &[
        ("GET", "/v1/deletes?entity=customers", None, 404, "unknown-entity", "customers"),
        ("GET", "/v1/deletes?entity=customer&state=held", None, 400, "malformed", "state"),
        ("POST", "/v1/deletes/approve", Some("{}"), 400, "malformed", "entity"),
        ("POST", "/v1/deletes/approve", Some(r#"{"entity":"customers"}"#), 404, "unknown-entity", "customers"),
        ("POST", "/v1/deletes/approve", Some(r#"{"entity":"customer","id":1}"#), 400, "malformed", "id"),
        ("GET", "/nonsense", None, 404, "unknown-route", "/"),
        ("GET", "/v1", None, 404, "unknown-route", "/v1"),
        ("GET", "/v1/status/", None, 404, "unknown-route", "/v1/status/"),
        ("POST", "/v1/frob", Some("{}"), 404, "unknown-route", "/v1/frob"),
        ("PUT", "/v1/status", None, 405, "method-not-allowed", "GET"),
        ("POST", "/v1/notifications", None, 400, "malformed", "empty"),
        ("POST", "/v1/notifications", Some("{"), 400, "malformed", "line 1"),
        ("POST", "/v1/notifications", Some("{} {}"), 400, "malformed", "column"),
        ("POST", "/v1/notifications", Some("[]"), 400, "malformed", "an array"),
        ("POST", "/v1/notifications", Some("{}"), 400, "malformed", "entity"),
        ("POST", "/v1/notifications", Some(&large), 413, "body-too-large", "1048576"),
        ("POST", "/v1/notifications", Some(&many), 400, "malformed", "1000"),
        ("POST", "/v1/notifications", Some(&long), 422, "invalid-foreign-key", "1025"),
        ("POST", "/v1/notifications", Some(r#"{"entity":"customer","source":"crm"}"#), 400, "malformed", "key"),
        (
            "POST",
            "/v1/notifications",
            Some(r#"{"entity":"customer","source":"crm","key":"1","hurry":true}"#),
            400,
            "malformed",
            "hurry",
        ),
        (
            "POST",
            "/v1/notifications",
            Some(r#"{"entity":"customer","source":"crm","key":"1","key":"2"}"#),
            400,
            "malformed",
            "key",
        ),
        (
            "POST",
            "/v1/notifications",
            Some(r#"{"entity":"customer","source":"crm","key":1}"#),
            400,
            "malformed",
            "/key",
        ),
        (
            "POST",
            "/v1/notifications",
            Some(r#"{"entity":"customer","source":"crm","key":"\ud800"}"#),
            400,
            "malformed",
            "surrogate",
        ),
        (
            "POST",
            "/v1/notifications",
            Some(r#"{"entity":"customer","source":"crm","key":"a/b"}"#),
            422,
            "invalid-foreign-key",
            "/",
        ),
        (
            "POST",
            "/v1/notifications",
            Some(r#"{"entity":"customer","source":"crm","key":""}"#),
            422,
            "invalid-foreign-key",
            "empty",
        ),
        (
            "POST",
            "/v1/notifications",
            Some(r#"{"entity":"custmer","source":"crm","key":"1"}"#),
            404,
            "unknown-entity",
            "custmer",
        ),
        (
            "POST",
            "/v1/notifications",
            Some(r#"{"entity":"no name","source":"crm","key":"1"}"#),
            404,
            "unknown-entity",
            "no name",
        ),
        (
            "POST",
            "/v1/notifications",
            Some(r#"{"entity":"customer","source":"cmr","key":"1"}"#),
            404,
            "unknown-source",
            "cmr",
        ),
        ("POST", "/v1/notifications", Some(r#"{"notifications":{}}"#), 400, "malformed", "an object"),
        ("POST", "/v1/notifications", Some(r#"{"notifications":[1]}"#), 400, "malformed", "/notifications/0"),
        ("POST", "/v1/notifications", Some(r#"{"notifications":[],"key":"1"}"#), 400, "malformed", "key"),
        ("GET", "/v1/work-items?state=lost", None, 400, "malformed", "lost"),
        ("GET", "/v1/work-items?entity=custmer", None, 404, "unknown-entity", "custmer"),
        ("GET", "/v1/work-items?limit=0", None, 400, "malformed", "limit"),
        ("GET", "/v1/work-items?limit=1.5", None, 400, "malformed", "limit"),
        ("GET", "/v1/work-items?after=there", None, 400, "malformed", "after"),
        ("GET", "/v1/work-items?status=done", None, 400, "malformed", "status"),
        ("GET", "/v1/work-items?state=done&state=ready", None, 400, "malformed", "twice"),
        ("GET", "/v1/work-items/one", None, 400, "malformed", "one"),
        ("GET", "/v1/work-items/-1", None, 400, "malformed", "-1"),
        ("GET", "/v1/work-items/99999999999999999999", None, 400, "malformed", "99999999999999999999"),
        ("GET", "/v1/work-items/4711", None, 404, "unknown-work-item", "4711"),
        ("DELETE", "/v1/work-items/4711", None, 404, "unknown-work-item", "4711"),
        ("DELETE", "/v1/work-items/one", None, 400, "malformed", "one"),
        ("DELETE", "/v1/work-items/1", None, 409, "wrong-state", "done"),
        ("POST", "/v1/work-items/4711/retry", None, 404, "unknown-work-item", "4711"),
        ("POST", "/v1/work-items/one/retry", None, 400, "malformed", "one"),
        ("POST", "/v1/work-items/1/retry", None, 409, "wrong-state", "done"),
        ("GET", "/v1/records/custmer", None, 404, "unknown-entity", "custmer"),
        ("GET", "/v1/records/%ff", None, 404, "unknown-entity", ""),
        ("GET", "/v1/records/no%20name", None, 404, "unknown-entity", "no name"),
        ("GET", "/v1/records/customer?key=1", None, 400, "malformed", "source"),
        ("GET", "/v1/records/customer?source=cmr", None, 404, "unknown-source", "cmr"),
        ("GET", "/v1/records/customer?source=crm&key=a%2Fb", None, 422, "invalid-foreign-key", "/"),
        ("GET", "/v1/records/customer?limit=ten", None, 400, "malformed", "limit"),
        ("GET", "/v1/records/customer/one", None, 400, "malformed", "one"),
        ("GET", "/v1/records/customer/4711", None, 404, "unknown-record", "4711"),
        ("GET", "/v1/records/custmer/1", None, 404, "unknown-entity", "custmer"),
        ("GET", "/v1/records/customer/one/history", None, 400, "malformed", "one"),
        ("GET", "/v1/records/customer/4711/history", None, 404, "unknown-record", "4711"),
        ("GET", "/v1/records/customer/1/history?limit=-1", None, 400, "malformed", "limit"),
        ("GET", "/v1/records/customer/4711/provenance", None, 404, "unknown-record", "4711"),
        ("POST", "/v1/records/customer/4711/sync", None, 404, "unknown-record", "4711"),
        ("POST", "/v1/records/customer/one/sync", None, 400, "malformed", "one"),
        ("POST", "/v1/records/customer/1/undo", None, 400, "malformed", "empty"),
        ("POST", "/v1/records/customer/1/undo", Some("{}"), 400, "malformed", "version"),
        ("POST", "/v1/records/customer/1/undo", Some(r#"{"version":"1"}"#), 400, "malformed", "/version"),
        ("POST", "/v1/records/customer/1/undo", Some(r#"{"version":1.5}"#), 400, "malformed", "1.5"),
        ("POST", "/v1/records/customer/1/undo", Some(r#"{"version":7}"#), 404, "unknown-version", "7"),
        ("POST", "/v1/records/customer/4711/undo", Some(r#"{"version":1}"#), 404, "unknown-record", "4711"),
        ("GET", "/v1/conflicts?entity=custmer", None, 404, "unknown-entity", "custmer"),
        ("GET", "/v1/conflicts?record=1", None, 400, "malformed", "record"),
        ("POST", "/v1/conflicts/4711/resolve", Some(r#"{"keep":true}"#), 404, "unknown-conflict", "4711"),
        ("POST", "/v1/conflicts/one/resolve", Some(r#"{"keep":true}"#), 400, "malformed", "one"),
        ("POST", "/v1/conflicts/1/resolve", None, 400, "malformed", "empty"),
        ("POST", "/v1/conflicts/1/resolve", Some("{}"), 400, "malformed", "exactly one"),
        ("POST", "/v1/conflicts/1/resolve", Some(r#"{"keep":true,"absent":true}"#), 400, "malformed", "exactly one"),
        ("POST", "/v1/conflicts/1/resolve", Some(r#"{"keep":false}"#), 400, "malformed", "/keep"),
        ("POST", "/v1/conflicts/1/resolve", Some(r#"{"take":7}"#), 400, "malformed", "/take"),
        ("POST", "/v1/conflicts/1/resolve", Some(r#"{"take":"no name"}"#), 422, "senseless-resolution", "no name"),
        ("POST", "/v1/conflicts/1/resolve", Some(r#"{"keep":true,"revision":"1"}"#), 400, "malformed", "/revision"),
        ("POST", "/v1/conflicts/1/resolve", Some(&deep), 400, "malformed", "deeper"),
    ];
    for (method, path, body, status, code, word) in bad {
        let answer = site.http(method, path, *body).has_problem(*status, code);
        let problem = answer.json();
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains(word)),
            "no word of {word:?}: {answer}"
        );
        assert_eq!(problem["status"], json!(status), "{answer}");
        assert!(problem["type"].is_string() && problem["title"].is_string(), "{answer}");
    }
    daemon.stop();
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let site = site();
    let daemon = site.start();
    let routes = [
        ("/v1/notifications", "POST"),
        ("/v1/work-items", "GET, HEAD"),
        ("/v1/work-items/1", "GET, HEAD, DELETE"),
        ("/v1/work-items/1/retry", "POST"),
        ("/v1/status", "GET, HEAD"),
        ("/v1/supervision", "GET, HEAD"),
        ("/v1/records/customer", "GET, HEAD"),
        ("/v1/records/customer/1", "GET, HEAD"),
        ("/v1/records/customer/1/history", "GET, HEAD"),
        ("/v1/records/customer/1/provenance", "GET, HEAD"),
        ("/v1/records/customer/1/undo", "POST"),
        ("/v1/records/customer/1/sync", "POST"),
        ("/v1/conflicts", "GET, HEAD"),
        ("/v1/conflicts/1/resolve", "POST"),
        ("/v1/deletes", "GET, HEAD"),
        ("/v1/deletes/approve", "POST"),
        ("/v1/entities/customer/pause", "POST"),
        ("/v1/entities/customer/sources/crm/resume", "POST"),
        ("/v1/webhooks", "GET, HEAD, POST"),
        ("/v1/webhooks/crm", "DELETE"),
        ("/v1/config", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
    ];
    for (path, allowed) in routes {
        let answer = site.http("PATCH", path, Some("{}")).has_problem(405, "method-not-allowed");
        let allow = format!("\r\nallow: {}\r\n", allowed.to_lowercase());
        assert!(format!("{}\r\n", answer.head).to_lowercase().contains(&allow), "{path}: {answer}");
    }
    for path in ["/v1/status", "/healthz", "/readyz", "/v1/conflicts"] {
        let answer = site.http("HEAD", path, None).has_status(200);
        assert_eq!(answer.body, "", "{answer}");
    }
    daemon.stop();
}

/// A batch of notifications for these keys of `crm`.
fn batch<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> String {
    let one = |key: K| json!({"entity": "customer", "source": "crm", "key": key.as_ref()});
    json!({ "notifications": keys.into_iter().map(one).collect::<Vec<_>>() }).to_string()
}

#[track_caller]
fn items(answer: &Answer) -> Vec<Value> {
    answer.json()["items"].as_array().cloned().unwrap_or_else(|| panic!("no list: {answer}"))
}

#[test]
fn a_batch_is_answered_in_its_order_and_stored_whole_or_not_at_all() {
    let site = site();
    let daemon = site.start();
    let keys: Vec<String> = (0..1000).map(|n| format!("k{n}")).collect();
    let mut bad = keys.clone();
    bad[999] = "k/999".to_owned();
    let refused = site.http("POST", "/v1/notifications", Some(&batch(&bad))).has_problem(422, "invalid-foreign-key");
    assert_eq!(refused.json()["place"], "/notifications/999/key", "{refused}");
    assert_eq!(items(&site.http("GET", "/v1/work-items", None)), Vec::<Value>::new());

    let answer = site.http("POST", "/v1/notifications", Some(&batch(&keys))).has_status(202);
    let accepted = answer.json()["work_items"].as_array().cloned().expect("a list");
    assert_eq!(accepted.len(), 1000, "{answer}");
    for (accepted, key) in accepted.iter().zip(&keys) {
        assert_eq!(accepted["coalesced"], false, "{key}: {accepted}");
        let item = site.get(&format!("/v1/work-items/{}", accepted["id"]));
        assert_eq!((&item["entity"], &item["source"], &item["key"]), (&json!("customer"), &json!("crm"), &json!(key)));
    }
    let empty = site.http("POST", "/v1/notifications", Some(r#"{"notifications":[]}"#)).has_status(202);
    assert_eq!(empty.json(), json!({"work_items": []}));
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn a_problem_says_its_type_and_what_is_wrong_with_this_request() {
    let site = site();
    let daemon = site.start();
    let problem = site.http("GET", "/v1/records/customers", None).has_problem(404, "unknown-entity").json();
    let expected = json!({
        "type": "urn:retcon:problem:unknown-entity",
        "title": "No entity of this name is configured",
        "status": 404,
        "detail": "no entity is named customers",
        "code": "unknown-entity",
    });
    assert_eq!(problem, expected);
    daemon.stop();
}

#[test]
fn a_body_of_exactly_1_mib_is_read() {
    let site = site();
    let daemon = site.start();
    let body = batch(["a"]);
    let body = format!("{body}{}", " ".repeat((1 << 20) - body.len()));
    site.http("POST", "/v1/notifications", Some(&body)).has_status(202);
    site.http("POST", "/v1/notifications", Some(&format!("{body} "))).has_problem(413, "body-too-large");
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn a_copy_that_stands_twice_in_a_batch_is_one_item() {
    let site = site();
    let daemon = site.start();
    let answer = site.http("POST", "/v1/notifications", Some(&batch(["a", "b", "a"]))).has_status(202);
    let accepted = &answer.json()["work_items"];
    assert_eq!(accepted[0]["id"], accepted[2]["id"], "{answer}");
    assert_ne!(accepted[0]["id"], accepted[1]["id"], "{answer}");
    assert_eq!(accepted[2]["coalesced"], true, "{answer}");
    site.wait_until_at_rest();
    daemon.stop();
}

#[test]
fn a_list_comes_in_parts_that_make_the_whole() {
    let site = site();
    let daemon = site.start();
    site.http("POST", "/v1/notifications", Some(&batch(["a", "b", "c", "d", "e"]))).has_status(202);
    site.wait_until_at_rest();
    let whole = site.http("GET", "/v1/work-items?limit=1000000", None).has_status(200);
    assert_eq!((items(&whole).len(), &whole.json()["next"]), (5, &Value::Null), "{whole}");
    let mut parts = Vec::new();
    let mut path = "/v1/work-items?limit=2".to_owned();
    loop {
        let part = site.http("GET", &path, None).has_status(200);
        parts.extend(items(&part));
        match part.json()["next"].as_str() {
            Some(next) => path = format!("/v1/work-items?limit=2&after={next}"),
            None => break,
        }
    }
    assert_eq!(parts, items(&whole));
    let none = site.http("GET", "/v1/work-items?state=parked&entity=customer", None).has_status(200);
    assert_eq!(none.json(), json!({"items": [], "next": null}));
    daemon.stop();
}

#[test]
fn the_status_says_what_the_documentation_says() {
    let site = Site::with("throttle = { rate = 2.5, burst = 3, in_flight = 4 }", &[Language::Sh.source("crm")]);
    let daemon: Daemon<'_> = site.start();
    let status = site.get("/v1/status");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["uptime_s"].is_u64(), "{status}");
    assert_eq!(status["database"]["state"], "up");
    assert_eq!(status["config"]["path"], json!(site.path().join("retcon.toml")));
    let entity = &status["entities"][0];
    assert_eq!((&entity["name"], &entity["state"]), (&json!("customer"), &json!("up")), "{status}");
    assert_eq!(
        entity["queue"],
        json!({"ready": 0, "running": 0, "waiting": 0, "parked": 0, "oldest_s": 0}),
        "{status}"
    );
    let throttle = &entity["throttle"];
    assert_eq!((&throttle["rate"], &throttle["burst"], &throttle["in_flight"]), (&json!(2.5), &json!(3), &json!(4)));
    assert_eq!(throttle["waiting"], 0, "{status}");
    assert!(throttle["wait_ms"].as_u64().is_some_and(|ms| ms <= 400), "{status}");
    for count in ["records", "conflicts", "in_doubt", "deletes_held"] {
        assert_eq!(entity[count], 0, "{count}: {status}");
    }
    let source = &entity["sources"][0];
    assert_eq!((&source["name"], &source["state"], &source["restarts"]), (&json!("crm"), &json!("up"), &json!(0)));
    daemon.stop();
}

#[test]
fn the_daemon_says_that_it_lives_and_that_it_is_ready() {
    let site = site();
    let daemon = site.start();
    assert_eq!(site.get("/healthz"), json!({"status": "ok"}));
    let ready = site.http("GET", "/readyz", None);
    assert_eq!(ready.status, 200, "{}\n{}\n{}", site.get("/v1/status"), site.get("/v1/supervision"), daemon.log_text());
    daemon.stop();
}
