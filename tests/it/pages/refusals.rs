//! What pages refuse, and how they say so.

use super::browse::{FORM, send, site};
use crate::support::site::Site;
use crate::support::socket::Answer;

#[test]
fn what_a_filter_cannot_mean_is_refused_in_words() {
    let site = site();
    let daemon = site.start();
    site.http("GET", "/records/customer?show=sideways", None).has_problem(400, "malformed");
    site.http("GET", "/records/customer?source=ldap", None).has_problem(404, "unknown-source");
    site.http("GET", "/records/custmer", None).has_problem(404, "unknown-entity");
    site.http("GET", "/records/customer/1", None).has_problem(404, "unknown-record");
    site.http("GET", "/records/customer/one", None).has_problem(400, "malformed");
    site.http("GET", "/work?state=lost", None).has_problem(400, "malformed");
    site.http("GET", "/audit?outcome=maybe", None).has_problem(400, "malformed");
    site.http("GET", "/sources/customer/ldap", None).has_problem(404, "unknown-source");
    site.http("GET", "/records/customer/1?below=1.2", None).has_problem(400, "malformed");
    daemon.stop();
}

/// What a person is shown who asks for something.
#[track_caller]
fn looks(site: &Site, path: &str) -> Answer {
    site.http_with("GET", path, &[("Accept", "text/html")], None)
}

#[test]
fn a_name_of_nothing_is_not_found_on_any_page_and_what_there_is_is_shown() {
    let site = site();
    let daemon = site.start();
    for path in [
        "/records/ghost",
        "/records/ghost/1",
        "/sources/ghost",
        "/sources/ghost/crm",
        "/conflicts?entity=ghost",
        "/conflicts/alike?entity=ghost&alike=00000000000000000000000000000000",
        "/doubts?entity=ghost",
        "/deletes?entity=ghost",
        "/work?entity=ghost",
        "/work/parked?entity=ghost",
    ] {
        let page = looks(&site, path).has_status(404);
        assert!(page.body.contains("<a href=\"/records/customer\">customer</a>"), "{path}: {page}");
    }
    for path in ["/sources/customer/ghost", "/records/customer?source=ghost"] {
        let page = looks(&site, path).has_status(404);
        assert!(page.body.contains("<a href=\"/sources/customer/billing\">billing</a>"), "{path}: {page}");
    }
    for path in ["/work?source=ghost", "/work?entity=customer&source=ghost", "/conflicts?entity=customer&source=ghost"]
    {
        let page = looks(&site, path).has_status(404);
        assert!(page.body.contains("<a href=\"/sources\">"), "{path}: {page}");
    }
    let page = looks(&site, "/records/customer/9").has_status(404);
    assert!(page.body.contains("<a href=\"/records/customer\">The records of customer"), "{page}");
    looks(&site, "/conflicts/9").has_status(404);
    daemon.stop();
}

#[test]
fn a_parameter_that_a_page_does_not_know_is_refused_on_all_of_them() {
    let site = site();
    let daemon = site.start();
    site.disagree("1");
    for path in [
        "/",
        "/records",
        "/records/customer",
        "/records/customer/1",
        "/records/customer/1/now",
        "/records/customer/1/origin",
        "/records/customer/1/undo",
        "/conflicts",
        "/conflicts/1",
        "/conflicts/alike",
        "/conflicts/batches/1",
        "/doubts",
        "/deletes",
        "/work",
        "/work/parked",
        "/sources",
        "/sources/customer",
        "/sources/customer/crm",
        "/configuration",
        "/audit",
        "/login",
    ] {
        let refused = site.http("GET", &format!("{path}?nonsense=1"), None).has_problem(400, "malformed");
        assert!(refused.body.contains("nonsense"), "{path}: {refused}");
    }
    site.http("GET", "/?entities=many", None).has_problem(400, "malformed");
    daemon.stop();
}

#[test]
fn a_field_or_a_parameter_that_a_form_does_not_have_is_refused_on_all_of_them() {
    let site = site();
    let daemon = site.start();
    for path in [
        "/login",
        "/logout",
        "/records/customer/1/sync",
        "/records/customer/1/undo",
        "/conflicts/1/preview",
        "/conflicts/1/resolve",
        "/conflicts/alike/resolve",
        "/doubts/1/settle",
        "/deletes/approve",
        "/work/1/retry",
        "/work/1/drop",
        "/work/parked/retry",
        "/work/parked/drop",
        "/sources/customer/crm/pause",
        "/sources/customer/crm/resume",
        "/configuration/reload",
    ] {
        let post = |path: &str, fields: &str| site.http_with("POST", path, &[FORM], Some(fields));
        let refused = post(path, "nonsense=1").has_problem(400, "malformed");
        assert!(refused.body.contains("unknown form field \\\"nonsense\\\"; known here: "), "{path}: {refused}");
        let refused = post(&format!("{path}?nonsense=1"), "").has_problem(400, "malformed");
        assert!(refused.body.contains("unknown query parameter \\\"nonsense\\\""), "{path}: {refused}");
    }
    assert_eq!(site.ask(&["audit"])["items"][0]["outcome"], "refused", "what was refused is no secret");
    daemon.stop();
}

#[test]
fn a_character_that_no_text_here_holds_is_refused_by_the_name_of_what_holds_it() {
    let site = site();
    let daemon = site.start();
    for (path, name) in [
        ("/work?reason=%00", "reason"),
        ("/work/parked?reason=a%00", "reason"),
        ("/audit?who=%00", "who"),
        ("/audit?act=%00", "act"),
        ("/conflicts?path=%00", "path"),
        ("/records?name=%00", "name"),
        ("/records/customer?key=%00", "key"),
        ("/v1/records/customer?source=crm&key=%00", "key"),
    ] {
        let refused = site.http("GET", path, None).has_problem(400, "malformed");
        assert!(refused.body.contains(name) && refused.body.contains("NUL"), "{refused}");
    }
    for (path, fields) in [
        ("/work/parked/retry", "last=1&reason=%00"),
        ("/work/parked/drop", "last=1&reason=x%00y"),
        ("/deletes/approve", "entity=%00"),
        ("/work/1/retry", "reason=%00"),
    ] {
        let refused = send(&site, path, fields).has_status(400);
        assert!(refused.body.contains("holds the character NUL"), "{refused}");
    }
    daemon.stop();
}

#[test]
fn a_page_that_answers_a_form_once_more_forbids_the_browser_what_the_first_did() {
    let site = site();
    let daemon = site.start();
    let body = format!("once={}&word=absent", uuid::Uuid::new_v4());
    let send = || site.http_with("POST", "/doubts/1/settle", &[FORM, ("Accept", "text/html")], Some(&body));
    let [first, again] = [send(), send()].map(|answer| answer.has_status(404));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), (None, Some("true")));
    assert_eq!(first.body, again.body);
    for name in [
        "content-type",
        "content-security-policy",
        "referrer-policy",
        "x-content-type-options",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "cache-control",
    ] {
        assert!(first.header(name).is_some(), "{name}: {first}");
        assert_eq!(first.header(name), again.header(name), "{name}: {again}");
    }
    daemon.stop();
}
