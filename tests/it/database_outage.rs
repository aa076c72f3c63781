//! What is answered while the database is away, and afterwards.

use crate::support::cable::Cable;
use crate::support::wait::until;

const NOTIFICATION: &str = r#"{"entity":"customer","source":"crm","key":"c1"}"#;

#[test]
fn nothing_is_acknowledged_without_the_database_and_all_is_well_again_with_it() {
    let cable = Cable::new();
    let site = &cable.site;
    let daemon = site.start();
    site.system("crm").put("c1", r#"{"name": "Ann"}"#);
    site.notify("crm", "c1");

    cable.pull();
    let requests = [
        ("POST", "/v1/notifications", Some(NOTIFICATION)),
        ("POST", "/v1/records/customer/1/sync", None),
        ("POST", "/v1/records/customer/1/undo", Some(r#"{"version":1}"#)),
        ("POST", "/v1/conflicts/1/resolve", Some(r#"{"keep":true}"#)),
        ("POST", "/v1/work-items/1/retry", None),
        ("DELETE", "/v1/work-items/1", None),
        ("GET", "/v1/work-items", None),
        ("GET", "/v1/records/customer", None),
        ("GET", "/v1/records/customer/1", None),
        ("GET", "/v1/records/customer/1/history", None),
        ("GET", "/v1/records/customer/1/provenance", None),
        ("GET", "/v1/conflicts", None),
    ];
    for (method, path, body) in requests {
        let answer = site.http(method, path, body).has_problem(503, "store-unavailable");
        assert!(answer.head.to_lowercase().contains("\r\nretry-after: "), "{answer}");
    }
    site.http("GET", "/readyz", None).has_problem(503, "not-ready");
    site.http("GET", "/healthz", None).has_status(200);
    site.retcon(&["notify", "customer", "crm", "c1"]).exits(1).complains_of("store-unavailable").complains_of("hint: ");

    site.system("crm").put("c1", r#"{"name": "Anne"}"#);
    cable.plug();
    let plugged = || site.http("POST", "/v1/notifications", Some(NOTIFICATION));
    until(|| (plugged().status == 202).then_some(()), || plugged().to_string());
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Anne"}"#]);
    daemon.stop();
}
