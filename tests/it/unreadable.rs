//! Documents that could not be read again: none is stored, and where there is one all the same, its record fails alone.

use crate::support::site::Site;
use crate::support::system::Language::C;

/// A value in which this many arrays stand in each other.
fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn a_value_with_which_the_document_would_be_nested_too_deeply_is_no_resolution() {
    let site = Site::new(&[C.source("billing"), C.source("crm")]);
    let daemon = site.start();
    let (crm, billing) = (site.system("crm"), site.system("billing"));
    crm.put("a", r#"{"o":{"n":"Ann"}}"#);
    site.notify("crm", "a");
    crm.put("a", r#"{"o":{"n":"Anne"}}"#);
    billing.put(&billing.only_key(), r#"{"o":{"n":"Anna"}}"#);
    site.notify("crm", "a");

    let conflict = site.get("/v1/conflicts")["items"][0].clone();
    assert_eq!(conflict["path"], "/o/n", "{conflict}");
    let path = format!("/v1/conflicts/{}/resolve", conflict["id"]);
    let resolve = |depth| site.http("POST", &path, Some(&format!(r#"{{"value":{}}}"#, nested(depth))));
    let refused = resolve(127).has_problem(422, "senseless-resolution");
    let detail = refused.json()["detail"].to_string();
    assert!(detail.contains("nested deeper than 128"), "{detail}");
    assert_eq!(site.get("/v1/conflicts")["items"][0], conflict);

    resolve(126).has_status(200);
    let agreed = format!(r#"{{"o":{{"n":{}}}}}"#, nested(126));
    assert_eq!(crm.get("a").as_deref().map(str::trim_end), Some(agreed.as_str()));
    site.http("GET", "/v1/records/customer/1", None).has_status(200);
    site.notify("crm", "a");
    daemon.stop();
}

#[test]
fn a_record_that_cannot_be_read_keeps_no_other_from_being_looked_at() {
    let site = Site::new(&[C.source("billing"), C.source("crm")]);
    let daemon = site.start();
    let crm = site.system("crm");
    for key in ["a", "b"] {
        crm.put(key, r#"{"name":"Ann"}"#);
        site.notify("crm", key);
        crm.put(key, r#"{"name":"Anne"}"#);
    }
    site.database().run(r#"update record set agreed = '{"a":1,"a":2}' where id = 1"#);

    let failed = site.retcon(&["notify", "--wait", "customer", "crm", "a"]);
    assert_eq!(failed.status, Some(1), "{failed}");
    assert!(format!("{failed}").contains("cannot read agreed from the database"), "{failed}");
    site.notify("crm", "b");
    assert_eq!(site.get("/v1/records/customer/2")["agreed"]["name"], "Anne");

    site.database().run(r#"update record set agreed = '{"name":"Ann"}' where id = 1"#);
    site.notify("crm", "a");
    assert_eq!(site.get("/v1/records/customer/1")["agreed"]["name"], "Anne");
    daemon.stop();
}
