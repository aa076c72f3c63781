//! Each role at each route.

use std::net::SocketAddr;

use serde_json::Value;

use crate::support::site::Site;
use crate::support::socket::Answer;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, Call, token};

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Nothing,
    Notify,
    View,
    Operate,
}
use Needs::{Nothing, Notify, Operate, View};

/// Every route: what it takes, with a body that changes nothing, and what it needs.
const ROUTES: &[(&str, &str, Option<&str>, Needs)] = &[
    ("GET", "/healthz", None, Nothing),
    ("GET", "/readyz", None, Nothing),
    ("HEAD", "/healthz", None, Nothing),
    ("POST", "/v1/notifications", Some(r#"{"notifications":[]}"#), Notify),
    ("GET", "/v1/work-items", None, View),
    ("HEAD", "/v1/work-items", None, View),
    ("GET", "/v1/work-items/4711", None, View),
    ("POST", "/v1/work-items/4711/retry", None, Operate),
    ("DELETE", "/v1/work-items/4711", None, Operate),
    ("GET", "/v1/status", None, View),
    ("GET", "/v1/supervision", None, View),
    ("GET", "/v1/records/customer", None, View),
    ("GET", "/v1/records/customer/4711", None, View),
    ("GET", "/v1/records/customer/4711/history", None, View),
    ("GET", "/v1/records/customer/4711/provenance", None, View),
    ("POST", "/v1/records/customer/4711/undo", Some(r#"{"version":1}"#), Operate),
    ("POST", "/v1/records/customer/4711/sync", None, Operate),
    ("GET", "/v1/conflicts", None, View),
    ("POST", "/v1/conflicts/4711/resolve", Some(r#"{"keep":true}"#), Operate),
    ("GET", "/v1/doubts", None, View),
    ("POST", "/v1/doubts/4711/settle", Some(r#"{"absent":true}"#), Operate),
    ("GET", "/v1/deletes", None, View),
    ("POST", "/v1/deletes/approve", Some("{}"), Operate),
    ("POST", "/v1/reload", None, Operate),
    ("GET", "/v1/tokens", None, View),
    ("POST", "/v1/tokens", Some("{}"), Operate),
    ("DELETE", "/v1/tokens/nobody", None, Operate),
    ("GET", "/v1/webhooks", None, View),
    ("POST", "/v1/webhooks", Some("{}"), Operate),
    ("POST", "/v1/webhooks/nobody/rotate", None, Operate),
    ("DELETE", "/v1/webhooks/nobody", None, Operate),
    ("GET", "/v1/audit", None, View),
    ("POST", "/v1/entities/custmer/pause", None, Operate),
    ("POST", "/v1/entities/custmer/resume", None, Operate),
    ("POST", "/v1/entities/customer/sources/cmr/pause", None, Operate),
    ("POST", "/v1/entities/customer/sources/cmr/resume", None, Operate),
    ("GET", "/v1/config", None, View),
    ("GET", "/metrics", None, View),
    // A stream would not end.
    ("GET", "/v1/events?kind=nothing", None, View),
    ("GET", "/openapi.json", None, View),
    // What nobody serves is told to nobody whose name is not known.
    ("GET", "/v1/nothing", None, Notify),
    ("PUT", "/v1/status", None, Notify),
    ("OPTIONS", "/v1/status", None, Notify),
    ("TRACE", "/", None, Notify),
];

/// What comes with a request, and how far it goes; `None`: nowhere.
struct Party {
    name: &'static str,
    header: Option<String>,
    reach: Option<Needs>,
}

fn call(address: SocketAddr, party: &Party, method: &str, path: &str, body: Option<&str>) -> Answer {
    let mut call = Call::new(method, path);
    if let Some(header) = &party.header {
        call = call.with("Authorization", header);
    }
    if let Some(body) = body {
        call = call.body(body);
    }
    call.send(address)
}

#[track_caller]
fn check(answer: &Answer, party: &str, needs: Needs, reach: Option<Needs>) {
    let refused = match reach {
        _ if needs == Nothing => None,
        None => Some(401),
        Some(reach) if reach < needs => Some(403),
        Some(_) => None,
    };
    match refused {
        Some(status) => assert_eq!(answer.status, status, "{party}: {answer}"),
        None => assert!(![401, 403, 421, 429].contains(&answer.status), "{party}: {answer}"),
    }
    if refused == Some(401) {
        assert!(answer.head.to_lowercase().contains("\r\nwww-authenticate: bearer"), "{party}: {answer}");
    }
    // What is refused says why, and to HEAD says nothing.
    if let (Some(status), false) = (refused, answer.request.starts_with("HEAD")) {
        let code = if status == 401 { "unauthorized" } else { "forbidden" };
        answer.clone().has_problem(status, code);
    }
}

/// Every route that the daemon describes is one of those that are tried here.
#[track_caller]
fn check_all_are_named(described: &Value) {
    let is_at = |path: &str, pattern: &str| {
        let path = path.split('?').next().unwrap_or(path);
        let (path, pattern): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), pattern.split('/').collect());
        path.len() == pattern.len() && path.iter().zip(&pattern).all(|(a, b)| a == b || b.starts_with('{'))
    };
    for (pattern, methods) in described["paths"].as_object().expect("there are paths") {
        for method in methods.as_object().expect("there are methods").keys() {
            let is_tried =
                ROUTES.iter().any(|(tried, path, ..)| tried.eq_ignore_ascii_case(method) && is_at(path, pattern));
            assert!(is_tried, "{method} {pattern} is not tried with every role");
        }
    }
}

#[test]
fn each_role_at_each_route_goes_as_far_as_it_reaches() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    let bearer = |name: &'static str, role: &str, limits: &[&str], reach| {
        let header = Some(format!("Bearer {}", token(&site, name, role, limits)));
        Party { name, header, reach: Some(reach) }
    };
    let revoked = Party { reach: None, ..bearer("revoked", "operate", &[], Operate) };
    site.retcon(&["token", "revoke", "revoked"]).exits(0);
    let view = bearer("view", "view", &[], View);
    let nobody = |name, header: Option<String>| Party { name, header, reach: None };
    let well_known = view.header.clone().expect("a token");
    let parties = [
        nobody("none", None),
        nobody("empty", Some("Bearer".to_owned())),
        nobody("bad", Some(format!("Bearer retcon_{}", "0".repeat(64)))),
        nobody("short", Some(well_known[..well_known.len() - 1].to_owned())),
        nobody("long", Some(format!("{well_known}0"))),
        nobody("upper case", Some(format!("Bearer {}", well_known["Bearer ".len()..].to_uppercase()))),
        nobody("basic", Some(well_known.replace("Bearer", "Basic"))),
        revoked,
        bearer("notify", "notify", &[], Notify),
        bearer("limited", "notify", &["--entity", "customer", "--source", "crm"], Notify),
        Party { header: Some(well_known.replace("Bearer", "bearer")), ..view },
        bearer("operate", "operate", &[], Operate),
    ];
    check_all_are_named(&site.get("/openapi.json"));
    for (method, path, body, needs) in ROUTES {
        for party in &parties {
            let answer = call(address, party, method, path, *body);
            check(&answer, party.name, *needs, party.reach);
        }
        // At the socket nobody asks.
        let answer = site.http(method, path, *body);
        check(&answer, "unix", *needs, Some(Operate));
    }
    daemon.stop();
}

#[test]
fn a_limited_token_tells_of_what_it_is_limited_to_and_of_nothing_else() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    let limited = token(&site, "crm", "notify", &["--entity", "customer", "--source", "crm"]);
    let notify = |body: &str| Call::new("POST", "/v1/notifications").bearing(&limited).body(body).send(address);
    let one = |source: &str| format!(r#"{{"entity":"customer","source":"{source}","key":"1"}}"#);
    notify(&one("crm")).has_status(202);
    let refused = notify(&one("billing")).has_problem(403, "forbidden");
    assert!(refused.body.contains("billing"), "{refused}");
    // All or none.
    let both = format!(r#"{{"notifications":[{},{}]}}"#, one("crm").replace("\"1\"", "\"2\""), one("billing"));
    notify(&both).has_problem(403, "forbidden");
    site.wait_until_at_rest();
    let keys: Vec<String> = site.ask(&["work"])["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| format!("{}:{}", item["source"], item["key"]))
        .collect();
    assert_eq!(keys, ["\"crm\":\"1\""]);
    for (limits, code) in [
        (["--entity", "custmer"], "unknown-entity"),
        (["--source", "cmr"], "unknown-source"),
        (["--rate", "2000000"], "malformed"),
    ] {
        site.retcon(&[&["token", "create", "other", "--role", "notify"], &limits[..]].concat())
            .exits(1)
            .complains_of(code);
    }
    site.retcon(&["token", "create", "other", "--role", "view", "--source", "crm"]).exits(1).complains_of("malformed");
    daemon.stop();
}
