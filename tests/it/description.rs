//! What the daemon says of itself: the description of its API, and the configuration in force.

use serde_json::json;

use crate::support::site::Site;
use crate::support::system::Language;

#[test]
fn the_description_is_served_by_the_daemon_that_it_describes() {
    let site = Site::new(&[Language::Sh.source("crm")]);
    let daemon = site.start();
    let described = site.get("/openapi.json");
    assert_eq!(described["openapi"], "3.1.0");
    assert_eq!(described["info"]["version"], env!("CARGO_PKG_VERSION"));
    let resolve = &described["paths"]["/v1/conflicts/{id}/resolve"]["post"];
    assert_eq!(resolve["security"], json!([{"token": ["operate"]}]), "{resolve}");
    daemon.stop();
}

#[test]
fn what_the_description_does_not_name_is_refused() {
    let site = Site::new(&[Language::Sh.source("crm")]);
    let daemon = site.start();
    for path in ["/v1/status?verbose=1", "/v1/records/customer/1?full=", "/healthz?x=1", "/openapi.json?v=2"] {
        site.http("GET", path, None).has_problem(400, "malformed");
    }
    daemon.stop();
}

#[test]
fn no_route_takes_a_parameter_that_it_does_not_name_whatever_it_does() {
    let site = Site::new(&[Language::Sh.source("crm")]);
    let daemon = site.start();
    let described = site.get("/openapi.json")["paths"].clone();
    let mut asked = 0;
    for (path, methods) in described.as_object().expect("it describes paths") {
        for method in methods.as_object().expect("each has methods").keys() {
            let names = ["entity", "source", "id", "name"].map(|name| format!("{{{name}}}"));
            let target = names.iter().fold(path.clone(), |path, name| path.replace(name, "1"));
            let refused = site.http(&method.to_uppercase(), &format!("{target}?nonsense=1"), None);
            assert!(refused.has_problem(400, "malformed").body.contains("nonsense"), "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked} routes");
    daemon.stop();
}

#[test]
fn the_configuration_is_shown_with_every_default_and_without_secrets() {
    let site = Site::with(
        "on_delete = \"hold\"",
        &[Language::Sh.source("crm").with("env = { CRM_TOKEN = \"canary\" }\nfields = [\"/name\"]")],
    );
    let daemon = site.start();
    let answer = site.http("GET", "/v1/config", None).has_status(200);
    assert!(!answer.body.contains("canary"), "{answer}");
    let shown = answer.json();
    assert_eq!(shown["server"]["listen"], "", "{shown}");
    assert_eq!(shown["retention"], json!({"work": "7d", "history": "forever", "events": "30d"}), "{shown}");
    let entity = &shown["entities"]["customer"];
    assert_eq!(entity["on_delete"], "hold", "{shown}");
    assert_eq!(entity["merge_policy"], "ignore-conflicts", "{shown}");
    assert_eq!(entity["max_deletes"], json!({"count": 100, "per": "1h"}), "{shown}");
    let source = &entity["sources"]["crm"];
    assert_eq!(source["env"], json!({"CRM_TOKEN": "(hidden)"}), "{shown}");
    assert_eq!(source["fields"], json!(["/name"]), "{shown}");
    assert_eq!((&source["timeout"], &source["read_back"]), (&json!("30s"), &json!("auto")), "{shown}");
    daemon.stop();
}
