//! The trail of what people did.

use serde_json::Value;

use crate::support::cable::Cable;
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, Call, token};

/// The entries, the earliest first, as `who act target outcome code`.
fn entries(site: &Site) -> Vec<String> {
    let listed = site.ask(&["audit"]);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let items = listed["items"].as_array().expect("a list").iter().rev();
    items.map(|act| ["via", "act", "target", "outcome", "code"].map(|name| text(&act[name])).join(" ")).collect()
}

#[test]
fn every_act_of_a_person_is_entered_with_who_from_where_what_and_what_came_of_it() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    let operate = token(&site, "ann", "operate", &[]);
    let view = token(&site, "bob", "view", &[]);
    let over_tcp = |method: &str, path: &str, body: &str| {
        Call::new(method, path).bearing(&operate).with("X-Forwarded-For", "192.0.2.1").body(body).send(address)
    };
    over_tcp("POST", "/v1/records/customer/1/sync", "").has_status(202);
    over_tcp("POST", "/v1/conflicts/7/resolve", r#"{"take":"crm"}"#).has_problem(404, "unknown-conflict");
    over_tcp("POST", "/v1/records/customer/1/undo", "{").has_problem(400, "malformed");
    over_tcp("DELETE", "/v1/work-items/1", "").has_problem(409, "wrong-state");
    site.retcon(&["reload"]).exits(0);
    site.retcon(&["token", "revoke", "bob"]).exits(0);
    // None of these is an act: they change nothing, or were not let in.
    Call::get("/v1/status").bearing(&operate).send(address).has_status(200);
    Call::new("POST", "/v1/reload").bearing(&view).send(address).has_problem(401, "unauthorized");
    over_tcp("POST", "/v1/notifications", r#"{"entity":"customer","source":"crm","key":"1"}"#).has_status(202);
    assert_eq!(
        entries(&site),
        [
            "unix create-token /v1/tokens done null",
            "unix create-token /v1/tokens done null",
            "token sync /v1/records/customer/1/sync done null",
            "token resolve /v1/conflicts/7/resolve refused unknown-conflict",
            "token undo /v1/records/customer/1/undo refused malformed",
            "token drop /v1/work-items/1 refused wrong-state",
            "unix reload /v1/reload done null",
            "unix revoke-token /v1/tokens/bob done null",
        ]
    );
    let listed = site.ask(&["audit"]);
    let of = |act: &str| {
        listed["items"].as_array().into_iter().flatten().find(|item| item["act"] == act).expect(act).clone()
    };
    let (resolve, undo, reload) = (of("resolve"), of("undo"), of("reload"));
    assert_eq!(
        (&resolve["who"], &resolve["request"]["take"], &resolve["status"]),
        (&"ann".into(), &"crm".into(), &404.into())
    );
    assert!(resolve["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{resolve}");
    assert_eq!((&undo["request"], &undo["uid"]), (&"{".into(), &Value::Null));
    let uid = rustix::process::getuid().as_raw();
    assert_eq!((&reload["uid"], reload["pid"].is_u64(), &reload["peer"]), (&uid.into(), true, &Value::Null));
    assert!(reload["at"].as_str() <= reload["ended_at"].as_str(), "{reload}");
    if uid == 0 {
        assert_eq!(reload["who"], "root");
    }
    // Part by part, the latest first, and nobody's secret in it.
    let part = site.get("/v1/audit?limit=3");
    let next = part["next"].as_str().expect("there is more");
    let rest = site.get(&format!("/v1/audit?after={next}"));
    assert_eq!(rest["items"][0]["act"], "undo");
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(5));
    assert!(!listed.to_string().contains("retcon_"), "{listed}");
    assert!(site.retcon(&["audit"]).exits(0).stdout().contains("refused: wrong-state"));
    daemon.wait_for_event(|event| event["msg"] == "act done" && event["act"] == "resolve" && event["who"] == "ann");
    daemon.stop();
}

#[test]
fn what_cannot_be_entered_is_not_done_but_a_reload_is_and_is_logged() {
    let cable = Cable::new();
    let site = &cable.site;
    let (daemon, _) = tcp::start(site);
    cable.pull();
    site.http("POST", "/v1/tokens", Some(r#"{"name":"a","role":"view"}"#)).has_problem(503, "store-unavailable");
    site.retcon(&["reload"]).exits(0);
    daemon.wait_for_event(|event| event["msg"] == "act not in the audit trail" && event["act"] == "reload");
    cable.plug();
    crate::support::wait::until(
        || (site.http("GET", "/v1/tokens", None).status == 200).then_some(()),
        || site.http("GET", "/v1/tokens", None).to_string(),
    );
    assert_eq!(site.get("/v1/tokens")["items"], Value::Array(Vec::new()));
    assert_eq!(entries(site), Vec::<String>::new());
    daemon.stop();
}
