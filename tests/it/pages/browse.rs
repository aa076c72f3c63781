//! Records, doubts, work, sources, the configuration and the audit trail, as the server gives them: by the unix socket, where whoever asks
//! may act, and over TCP with a token that may not.

use std::fs;

use crate::support::site::Site;
use crate::support::socket::Answer;
use crate::support::system::Language;
use crate::support::tcp::{self, Call, token};
use crate::support::wait::until;

pub(super) const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

pub(super) fn site() -> Site {
    Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")])
}

/// A page, in the form in which it is compared: lines and blanks do not count.
#[track_caller]
pub(super) fn page(site: &Site, path: &str) -> String {
    let answer = site.http("GET", path, None).has_status(200);
    assert!(answer.header("content-type").is_some_and(|media| media.starts_with("text/html")), "{answer}");
    answer.body.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
pub(super) fn shows(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text:?} is not shown:\n{page}");
    }
}

/// Sends a form that was not sent before.
#[track_caller]
pub(super) fn send(site: &Site, path: &str, fields: &str) -> Answer {
    let once = uuid::Uuid::new_v4();
    let body = format!("once={once}&{fields}");
    site.http_with("POST", path, &[FORM, ("Accept", "text/html")], Some(&body))
}

/// Sends a form that is carried out, and gives where it leads.
#[track_caller]
fn act(site: &Site, path: &str, fields: &str) -> String {
    let answer = send(site, path, fields).has_status(303);
    answer.header("location").unwrap_or_else(|| panic!("it leads nowhere: {answer}")).to_owned()
}

#[test]
fn a_record_is_found_by_its_number_and_by_every_key_and_it_is_said_which_that_is() {
    let site = site();
    let daemon = site.start();
    site.system("crm").put("c-1", r#"{"city": "Ulm", "name": "Ann"}"#);
    site.notify("crm", "c-1");
    let copy = site.system("billing").only_key();
    shows(&page(&site, "/records"), &["href=\"/records/customer\""]);
    let all = page(&site, "/records/customer");
    shows(&all, &["href=\"/records/customer/1\"", "customer 1", "&#34;Ulm&#34;", "c-1", ">live<"]);
    shows(&page(&site, "/records/customer?key=c-1"), &["its key in crm; recorded", "/records/customer/1"]);
    shows(&page(&site, &format!("/records/customer?key={copy}")), &["its key in billing; recorded"]);
    shows(&page(&site, "/records/customer?key=1"), &["internal key 1"]);
    for nothing in ["C-1", "c", "%3Cscript%3E", "2"] {
        shows(&page(&site, &format!("/records/customer?key={nothing}")), &["Nothing has the key"]);
    }
    // The copy is given another key, and is deleted at last: late letters still bear the first one.
    site.system("billing").set("rekey");
    site.system("crm").put("c-1", r#"{"city": "Ulm", "name": "Anne"}"#);
    site.notify("crm", "c-1");
    assert_ne!(site.system("billing").only_key(), copy);
    shows(&page(&site, &format!("/records/customer?key={copy}")), &["its key in billing before; replaced"]);
    site.system("crm").remove("c-1");
    site.notify("crm", "c-1");
    shows(&page(&site, "/records/customer?key=c-1"), &["the copy was deleted", ">deleted<"]);
    shows(&page(&site, "/records/customer?show=deleted"), &["customer 1"]);
    shows(&page(&site, "/records/customer?show=live"), &["No such records here"]);
    daemon.stop();
}

#[test]
fn blanks_belong_to_keys() {
    let site = site();
    let daemon = site.start();
    for (key, name) in [("7", "Ann"), (" 7", "Bob")] {
        site.system("crm").put(key, &format!(r#"{{"name": "{name}"}}"#));
        site.notify("crm", key);
    }
    let leads = |key: &str| {
        let shown = page(&site, &format!("/records/customer?key={key}"));
        ["customer/1\"", "customer/2\""].map(|record| shown.contains(&format!("/records/{record}")))
    };
    assert_eq!((leads("7"), leads("%207")), ([true, false], [false, true]));
    assert_eq!(leads("7%20"), [true, false], "no copy bears that, and a blank slips in with what is pasted");
    daemon.stop();
    let site = doubtful();
    let daemon = site.start();
    let id = doubt(&page(&site, "/doubts"));
    let path = format!("/doubts/{id}/settle");
    site.system("billing").put(" b7 ", r#"{"name": "Ann"}"#);
    let refused = send(&site, &path, "word=key&key=b7").has_status(422);
    shows(&refused.body, &["value=\"b7\"", "has nothing under the key"]);
    let refused = send(&site, &path, "word=key&key=+b8+").has_status(422);
    shows(&refused.body, &["value=\" b8 \""]);
    assert_eq!(act(&site, &path, "word=key&key=+b7+"), "/doubts?done=settled");
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["key"], " b7 ");
    daemon.stop();
}

/// The number of the only doubt that is shown.
#[track_caller]
pub(super) fn doubt(page: &str) -> String {
    page.split("id=\"doubt-").nth(1).and_then(|rest| rest.split('"').next()).expect("a doubt").to_owned()
}

#[test]
fn a_record_shows_its_copies_beside_each_other_and_marks_where_they_differ() {
    let site = site();
    let daemon = site.start();
    site.system("crm").put("1", r#"{"a": "x", "city": "Ulm", "empty": "", "name": "Ann", "none": null}"#);
    site.notify("crm", "1");
    let copy = site.system("billing").only_key();
    site.system("billing").put(&copy, r#"{"a": "x", "empty": "", "name": "Anna", "none": null}"#);
    site.system("crm").put("1", r#"{"a": "x", "city": "Bonn", "empty": "", "name": "Anne", "none": null}"#);
    site.notify("crm", "1");
    let shown = page(&site, "/records/customer/1");
    shows(&shown, &["&#34;Anne&#34;", "&#34;Anna&#34;", "&#34;Ann&#34;", "differs", "In conflict", "/conflicts/2"]);
    shows(&shown, &["<code class=\"value null\" dir=\"auto\">null</code>", "&#34;&#34;", "no such field"]);
    shows(
        &shown,
        &[">out of step<", "Version 1: the record came to be", "billing: create a copy", "Conflict opened: name"],
    );
    // What differs is marked, and what is equal is not.
    let row = |name: &str| {
        let from =
            shown.find(&format!("<bdi class=\"wrap\">{name}</bdi>")).unwrap_or_else(|| panic!("no {name}: {shown}"));
        shown[from..].split("</tr>").next().unwrap_or_default().to_owned()
    };
    assert!(row("name").contains("class=\"differs\"") && !row("a").contains("differs"), "{shown}");
    daemon.stop();
}

#[test]
fn whatever_stands_in_documents_keys_and_messages_is_text() {
    let site = site();
    let daemon = site.start();
    let evil = "<script>alert(1)</script><img src=x onerror=alert(2)>";
    let arabic = "\u{645}\u{631}\u{62d}\u{628}\u{627} \u{202e}abc";
    let long = "x".repeat(50_000);
    let document = format!(r#"{{"{evil}": "{evil}", "greeting": "{arabic}", "long": "{long}"}}"#);
    site.system("crm").put("1", &document);
    site.notify("crm", "1");
    site.system("billing").fault("update", "echo '<b>no</b>' >&2; exit 3");
    site.system("crm").put("1", &document.replace("greeting", "</td>greeting"));
    site.retcon(&["notify", "--wait", "customer", "crm", "1"]).exits(1);
    for path in [
        "/records/customer",
        "/records/customer/1",
        "/records/customer/1/origin",
        "/records/customer/1/now",
        "/work",
        "/work/parked",
        "/sources/customer/billing",
        "/audit",
        "/records/customer?key=%3Cscript%3E",
    ] {
        let shown = page(&site, path);
        for raw in ["<script>alert", "<img src=x", "<b>no</b>", "</td>greeting"] {
            assert!(!shown.contains(raw), "{raw} stands on {path} as it is");
        }
        assert!(shown.len() < 200_000, "{path} has {} bytes", shown.len());
    }
    shows(
        &page(&site, "/records/customer/1"),
        &[
            "the first 8,000 of 50,002 characters",
            "\u{645}\u{631}\u{62d}\u{628}\u{627} <span class=\"unseen\">\\u202E</span>abc",
        ],
    );
    assert!(!page(&site, "/records/customer/1").contains('\u{202e}'), "nothing is turned round");
    shows(&page(&site, "/sources/customer/billing"), &["&#60;b&#62;no&#60;/b&#62;"]);
    daemon.stop();
}

#[test]
fn a_look_is_asked_for_once_however_often_the_form_is_sent() {
    let site = site();
    let daemon = site.start();
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    site.system("crm").put("1", r#"{"name": "Anne"}"#);
    let body = format!("once={}", uuid::Uuid::new_v4());
    for _ in 0..2 {
        let answer = site.http_with("POST", "/records/customer/1/sync", &[FORM], Some(&body)).has_status(303);
        assert_eq!(answer.header("location"), Some("/records/customer/1?done=sync"), "{answer}");
    }
    site.wait_until_at_rest();
    let shown = page(&site, "/records/customer/1?done=sync");
    shows(&shown, &["A look at this record was asked for.", "Version 2: name changed", "sync", "read <time"]);
    site.http_with("POST", "/records/customer/1/sync", &[FORM], Some("")).has_problem(400, "malformed");
    daemon.stop();
}

#[test]
fn the_sources_are_read_now_and_nothing_is_recorded() {
    let site = site();
    let daemon = site.start();
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    site.system("crm").put("1", r#"{"name": "Anne"}"#);
    let shown = page(&site, "/records/customer/1/now");
    shows(&shown, &["&#34;Anne&#34;", "an update of 1 field", "differs"]);
    assert!(!page(&site, "/records/customer/1").contains("Version 2"), "it was recorded");
    site.system("billing").fault_everywhere("echo nobody home >&2; exit 1");
    shows(&page(&site, "/records/customer/1/now"), &[">unreachable<", "nobody home", "not read"]);
    daemon.stop();
}

#[test]
fn the_origin_of_each_value_is_explained() {
    let site = site();
    let daemon = site.start();
    site.disagree("1");
    site.retcon(&["resolve", "1", "--take", "billing"]).exits(0);
    let shown = page(&site, "/records/customer/1/origin");
    shows(&shown, &[">name<", "&#34;Anna&#34;", "a person&#39;s decision about conflict 1", "version 2"]);
    let past = page(&site, "/records/customer/1");
    shows(&past, &["· resolve", "Conflict closed: name", "undo?version=2"]);
    daemon.stop();
}

#[test]
fn what_happened_comes_in_parts() {
    let site = site();
    let daemon = site.start();
    for n in 0..12 {
        site.system("crm").put("1", &format!(r#"{{"n": {n}}}"#));
        site.notify("crm", "1");
    }
    let first = page(&site, "/records/customer/1");
    shows(&first, &["Version 12:", "What happened before"]);
    assert!(!first.contains("Version 1:"), "{first}");
    let link = first.split("href=\"/records/customer/1?below=").nth(1).and_then(|rest| rest.split('#').next());
    let second = page(&site, &format!("/records/customer/1?below={}", link.expect("a link")));
    shows(&second, &["Version 1:", "To the latest"]);
    assert!(!second.contains("Version 12:"), "{second}");
    daemon.stop();
}

/// A site with one write in doubt: a create of which nobody knows whether it took effect.
pub(super) fn doubtful() -> Site {
    let site = site();
    let daemon = site.start();
    site.system("billing").fault("create", "echo 'connection reset' >&2; exit 9");
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    daemon.stop();
    site.system("billing").heal();
    site
}

#[test]
fn a_doubt_is_settled_by_key_or_as_absent_and_a_wrong_key_comes_back_with_the_reason() {
    for settle in ["word=key&key=b7", "word=absent"] {
        let site = doubtful();
        let daemon = site.start();
        let shown = page(&site, "/doubts");
        shows(
            &shown,
            &["Was a copy of customer 1 made in billing?", "&#34;Ann&#34;", "connection reset", "exit status 9"],
        );
        let id = doubt(&shown);
        let path = format!("/doubts/{id}/settle");
        let again = send(&site, &path, "word=key&key=b9").has_status(422);
        shows(&again.body, &["value=\"b9\"", "has nothing under the key"]);
        send(&site, &path, "word=key&key=%3Cb%3E").has_status(422);
        send(&site, &path, "word=maybe").has_status(400);
        if settle.contains("b7") {
            site.system("billing").put("b7", r#"{"name": "Ann"}"#);
        }
        assert_eq!(act(&site, &path, settle), "/doubts?done=settled", "{settle}");
        shows(&page(&site, "/doubts?done=settled"), &["Settled.", "Nothing is in doubt"]);
        site.wait_until_at_rest();
        assert_eq!(site.system("billing").documents(), [r#"{"name":"Ann"}"#], "{settle}");
        daemon.stop();
    }
}

#[test]
fn parked_work_is_tried_again_and_dropped_alone_and_all_at_once() {
    let site = site();
    let daemon = site.start();
    site.system("billing").set("refuse");
    for key in ["1", "2", "3"] {
        site.system("crm").put(key, &format!(r#"{{"name": "{key}"}}"#));
        site.retcon(&["notify", "--wait", "customer", "crm", key]).exits(1);
    }
    let shown = page(&site, "/work");
    shows(&shown, &["parked <span class=\"count\">3</span>", "refused", "/records/customer?key=2", "Retry item"]);
    let item = shown.split("id=\"item-").nth(1).and_then(|rest| rest.split('"').next()).expect("an item").to_owned();
    let back = act(&site, &format!("/work/{item}/drop"), "state=parked&entity=customer&reason=refu%26");
    assert_eq!(back, "/work?state=parked&entity=customer&reason=refu%26&done=dropped");
    let late = send(&site, &format!("/work/{item}/drop"), "state=parked").has_status(409);
    shows(&late.body, &["is done by now"]);

    let path = "/work/parked?entity=customer&source=crm&reason=refused";
    let bulk = page(&site, path);
    shows(&bulk, &["2 parked items", "Retry all 2", "Drop all 2", "All of them"]);
    shows(&page(&site, "/work/parked?reason=something%20else"), &["0 parked items", "Nothing is parked"]);
    let last =
        bulk.split("name=\"last\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("it is there");
    let fields = format!("last={last}&entity=customer&source=crm&reason=refused");
    site.system("billing").unset("refuse");
    assert_eq!(act(&site, "/work/parked/retry", &fields), "/work?done=retried-2");
    shows(&page(&site, "/work?done=retried-2"), &["2 items were made ready"]);
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [r#"{"name":"2"}"#, r#"{"name":"3"}"#]);
    shows(&page(&site, "/work"), &["Nothing is parked"]);
    let trail = page(&site, "/audit?act=retry");
    shows(&trail, &["/work/parked/retry", "reason: refused", ">done<"]);
    daemon.stop();
}

#[test]
fn a_source_shows_its_latest_runs_and_hides_what_is_secret_also_after_its_actor_was_started_anew() {
    let secret = Language::Sh.source("billing").with("env = { PASSWORD = \"hunter22\" }");
    let site = Site::new(&[Language::Sh.source("crm"), secret]);
    let daemon = site.start();
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    site.system("billing").fault("update", "echo \"cannot log in with $PASSWORD\" >&2; exit 3");
    site.system("crm").put("1", r#"{"name": "Anne"}"#);
    site.retcon(&["notify", "--wait", "customer", "crm", "1"]).exits(1);
    let shown = page(&site, "/sources/customer/billing");
    shows(
        &shown,
        &[">create<", ">update<", ">read<", "exit status 3", "cannot log in with (hidden)", ">rejected<", ">done<"],
    );
    assert!(!shown.contains("hunter22") && !page(&site, "/configuration").contains("hunter22"), "{shown}");
    assert_eq!(
        shown.matches("<span class=\"muted wrap\">exit status").count(),
        shown.matches("<td data-label=\"When\">").count(),
        "{shown}"
    );
    // A source that is configured otherwise has another actor.
    let config = fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    site.write("retcon.toml", &config.replace("env = {", "timeout = \"17s\"\nenv = {"));
    assert_eq!(act(&site, "/configuration/reload", ""), "/configuration?done=applied");
    shows(&page(&site, "/sources/customer/billing"), &["cannot log in with (hidden)", ">create<"]);
    daemon.stop();
}

#[test]
fn a_source_is_paused_and_resumed_and_says_since_when_by_whom_and_what_waits_for_it() {
    let site = site();
    let daemon = site.start();
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    shows(&page(&site, "/sources"), &["/sources/customer/crm", "/sources/customer/billing", ">up<"]);
    assert_eq!(act(&site, "/sources/customer/billing/pause", ""), "/sources/customer/billing?done=paused");
    site.system("crm").put("1", r#"{"name": "Anne"}"#);
    site.retcon(&["notify", "customer", "crm", "1"]).exits(0);
    let path = "/sources/customer/billing";
    until(|| page(&site, path).contains("source=billing\">1</a>").then_some(()), || page(&site, path));
    let shown = page(&site, "/sources/customer/billing?done=paused");
    shows(&shown, &["Paused.", ">paused<", "paused by", "Resume"]);
    shows(&page(&site, "/work?state=waiting"), &["waits for", "when the source is back"]);
    assert_eq!(act(&site, "/sources/customer/billing/resume", ""), "/sources/customer/billing?done=resumed");
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Anne"}"#]);
    shows(&page(&site, "/sources/customer/billing"), &[">up<", "Pause billing"]);
    daemon.stop();
}

#[test]
fn a_configuration_that_is_rejected_is_shown_with_every_error() {
    let site = site();
    let daemon = site.start();
    shows(&page(&site, "/configuration"), &["[entities.customer]", "merge_policy", "nothing was wrong with it"]);
    assert_eq!(act(&site, "/configuration/reload", ""), "/configuration?done=unchanged");
    let good = fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    site.write(
        "retcon.toml",
        &good.replace("[entities.customer]", "[entities.customer]\nmrege_policy = \"x\"\non_delete = \"maybe\""),
    );
    assert_eq!(act(&site, "/configuration/reload", ""), "/configuration?done=rejected");
    let shown = page(&site, "/configuration?done=rejected");
    shows(&shown, &["The file was rejected", "mrege_policy", "on_delete", "line ", "merge_policy"]);
    site.write("retcon.toml", &good);
    assert_eq!(act(&site, "/configuration/reload", ""), "/configuration?done=unchanged");
    daemon.stop();
}

#[test]
fn whoever_may_not_act_sees_no_form_and_sends_none() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    site.system("billing").set("refuse");
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.retcon(&["notify", "--wait", "customer", "crm", "1"]).exits(1);
    let viewer = token(&site, "ben", "view", &[]);
    for path in ["/records/customer/1", "/work", "/work/parked", "/doubts", "/sources/customer/crm", "/configuration"] {
        let shown = Call::get(path).bearing(&viewer).send(address).has_status(200);
        let forms = shown.body.matches("method=\"post\"").count();
        assert_eq!(forms, shown.body.matches("action=\"/logout\"").count(), "{path}: {shown}");
    }
    Call::get("/records/customer/1/now").bearing(&viewer).send(address).has_problem(403, "forbidden");
    for path in [
        "/records/customer/1/sync",
        "/work/1/retry",
        "/work/1/drop",
        "/work/parked/retry",
        "/work/parked/drop",
        "/doubts/1/settle",
        "/sources/customer/crm/pause",
        "/configuration/reload",
    ] {
        let form = format!("once={}&last=9&word=absent", uuid::Uuid::new_v4());
        Call::new("POST", path).bearing(&viewer).form(&form).send(address).has_problem(403, "forbidden");
    }
    daemon.stop();
}

#[test]
fn a_page_is_as_large_as_what_it_shows_however_much_there_is() {
    let site = site();
    let daemon = site.start();
    let fill = "insert into record (entity, id, version, agreed) select 'customer', n, 1, '{\"name\":\"Ann\"}' from generate_series(1, 10000) as n;
        update entity set last_internal_key = 10000;
        insert into link (entity, record, source, state, foreign_key)
            select 'customer', n, 'crm', 'linked', 'c' || n from generate_series(1, 10000) as n;
        insert into foreign_key (entity, source, key, record, state) select entity, source, foreign_key, record, 'current' from link;
        insert into work_item (entity, subject, source, foreign_key, state, last_error)
            select 'customer', 'copy', 'crm', 'x' || n, 'parked', 'exit status 3' from generate_series(1, 10000) as n;
        insert into operation (id, entity, record, source, kind, state, carries, version)
            select gen_random_uuid(), 'customer', n, 'billing', 'create', 'in-doubt', '{\"unknown\":[],\"owed\":[]}', 1 from generate_series(1, 10000) as n;
        insert into audit (who, via, act, target) select 'ann', 'unix', 'retry', '/v1/work-items/1/retry' from generate_series(1, 10000) as n;
        insert into version (entity, record, version, cause, changes, state)
            select 'customer', 1, n, '{\"kind\":\"sync\"}', '[]', 'live' from generate_series(1, 10000) as n;";
    site.retcon(&["pause", "customer"]).exits(0);
    crate::support::postgres::block_on(crate::support::store::rows(site.database(), fill));
    for path in [
        "/records",
        "/records/customer",
        "/records/customer?key=c9999",
        "/records/customer/1",
        "/work",
        "/work/parked",
        "/doubts",
        "/sources",
        "/audit",
    ] {
        let shown = page(&site, path);
        assert!(shown.len() < 100_000, "{path} has {} bytes", shown.len());
    }
    shows(&page(&site, "/work/parked"), &["10,000 parked items", "There may be more."]);
    shows(&page(&site, "/records/customer?after=9990"), &["customer 10000", "To the beginning"]);
    daemon.stop();
}
