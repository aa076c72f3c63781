//! What of a request is kept in the trail, and what is refused before it came to its route.

use serde_json::{Value, json};

use crate::support::site::Site;
use crate::support::system::Language::Sh;

const MIB: usize = 1 << 20;

fn latest(site: &Site) -> Value {
    site.get("/v1/audit?limit=1")["items"][0].clone()
}

#[test]
fn of_a_long_request_the_trail_keeps_the_beginning() {
    let site = Site::new(&[Sh.source("crm")]);
    let daemon = site.start();
    let body = json!({ "name": "n".repeat(MIB - 100) }).to_string();
    site.http("POST", &format!("/v1/records/{}/1/undo", "e".repeat(2_000)), Some(&body)).has_status(404);
    let act = latest(&site);
    let (request, target) = (act["request"].as_str().expect("a text"), act["target"].as_str().expect("a text"));
    assert!(request.starts_with(r#"{"name":"nnn"#) && request.len() < 5_000, "{}", request.len());
    assert!(request.ends_with(&format!("(cut: {} bytes in all)", body.len())), "{request}");
    assert!(target.starts_with("/v1/records/eee") && target.len() < 1_100, "{target}");
    // Nor does it fill the screen.
    let shown = site.retcon(&["audit"]).exits(0).stdout();
    assert!(shown.lines().all(|line| line.chars().count() < 600), "{shown}");
    daemon.stop();
}

#[test]
fn an_act_is_entered_also_if_its_body_is_refused() {
    let site = Site::new(&[Sh.source("crm")]);
    let daemon = site.start();
    let ended = |status: u64, code: &str| {
        let act = latest(&site);
        assert_eq!((&act["act"], &act["outcome"]), (&"resolve".into(), &"refused".into()), "{act}");
        assert_eq!((&act["status"], &act["code"]), (&status.into(), &code.into()), "{act}");
    };
    let resolve =
        |media, body: &str| site.http_with("POST", "/v1/conflicts/1/resolve", &[("Content-Type", media)], Some(body));
    resolve("application/json", &"x".repeat(MIB + 1)).has_problem(413, "body-too-large");
    ended(413, "body-too-large");
    assert_eq!(latest(&site)["request"], Value::Null);
    resolve("text/plain", "take crm").has_problem(415, "unsupported-media-type");
    ended(415, "unsupported-media-type");
    // What is no act is not entered, whatever its body.
    let hint = "x".repeat(MIB + 1);
    site.http("POST", "/v1/notifications", Some(&hint)).has_problem(413, "body-too-large");
    ended(415, "unsupported-media-type");
    daemon.stop();
}

#[test]
fn a_request_that_takes_no_body_takes_an_empty_one() {
    let site = Site::new(&[Sh.source("crm")]);
    let daemon = site.start();
    let post = |path: &str, media, body: &str| site.http_with("POST", path, &[("Content-Type", media)], Some(body));
    for path in ["/v1/reload", "/v1/entities/customer/pause", "/v1/entities/customer/resume"] {
        site.http("POST", path, None).has_status(200);
        post(path, "application/json", "{}").has_status(200);
        post(path, "application/x-www-form-urlencoded", "").has_status(200);
        let refused = post(path, "application/json", r#"{"dry_run":true}"#).has_problem(400, "malformed");
        assert!(refused.body.contains("dry_run"), "{refused}");
        post(path, "application/json", "{").has_problem(400, "malformed");
        post(path, "text/plain", "{}").has_problem(415, "unsupported-media-type");
    }
    site.http_with("DELETE", "/v1/tokens/bob", &[], Some(r#"{"force":true}"#)).has_problem(400, "malformed");
    daemon.stop();
}

#[test]
fn a_page_of_large_items_ends_early_and_the_next_one_goes_on() {
    const CUSTOMERS: usize = 40;
    let site = Site::new(&[Sh.source("crm")]);
    let daemon = site.start();
    for n in 0..CUSTOMERS {
        let copy = json!({ "name": n.to_string(), "notes": "x".repeat(400_000) });
        site.system("crm").put(&n.to_string(), &copy.to_string());
    }
    let one = |n: usize| json!({"entity": "customer", "source": "crm", "key": n.to_string()});
    let batch = json!({ "notifications": (0..CUSTOMERS).map(one).collect::<Vec<_>>() });
    site.http("POST", "/v1/notifications", Some(&batch.to_string())).has_status(202);
    site.wait_until_at_rest();
    let (mut seen, mut pages, mut after) = (Vec::new(), 0, String::new());
    loop {
        let answer = site.http("GET", &format!("/v1/records/customer?limit=1000&after={after}"), None).has_status(200);
        assert!(answer.body.len() < 6 << 20, "{} bytes", answer.body.len());
        let page = answer.json();
        seen.extend(page["items"].as_array().expect("a list").iter().map(|item| item["id"].to_string()));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    let mut distinct = seen.clone();
    distinct.dedup();
    assert_eq!((seen.len(), distinct.len()), (CUSTOMERS, CUSTOMERS), "{seen:?}");
    assert!(pages > 3, "{pages}");
    assert_eq!(site.get("/v1/records/customer?limit=3")["items"].as_array().map(Vec::len), Some(3));
    daemon.stop();
}
