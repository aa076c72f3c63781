//! What the pages say was done is what is on record, and what is still owed is said, too, with its reason.

use super::browse::{doubt, doubtful, page, send, shows};
use crate::support::site::Site;
use crate::support::socket::Answer;
use crate::support::system::Language;
use crate::support::wait::until;

const ORDER: &str = "pick-1=take%3Acrm&revision-1=1";

fn site() -> Site {
    Site::new(&[Language::C.source("crm"), Language::C.source("billing")])
}

/// What a form of a page carries by which it is known what was shown.
#[track_caller]
fn shown(page: &str) -> String {
    let value = page.split_once("name=\"shown\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    value.map(|(value, _)| value.to_owned()).unwrap_or_else(|| panic!("nothing to apply: {page}"))
}

/// A decision about the first conflict, as the page of its preview sends it.
#[track_caller]
fn decision(site: &Site) -> String {
    let preview = send(site, "/conflicts/1/preview", ORDER).has_status(200);
    format!("{ORDER}&shown={}", shown(&preview.body))
}

#[test]
fn a_decision_that_a_system_refuses_is_decided_and_recorded_and_not_said_to_be_written() {
    let site = site();
    let daemon = site.start();
    site.disagree("1");
    let decision = decision(&site);
    site.system("billing").fault("update", "echo 'the period is closed' >&2; exit 3");
    let answer = send(&site, "/conflicts/1/resolve", &decision).has_status(303);
    let place = answer.header("location").expect("it leads somewhere").to_owned();
    assert_eq!(place, "/conflicts/1?version=2&done=applied");
    let told = || Some(page(&site, &place)).filter(|page| page.contains("work item "));
    let told = until(told, || page(&site, &place));
    shows(
        &told,
        &[
            "Applied: it is decided and recorded.",
            "Not in step yet",
            "<a href=\"/sources/customer/billing\">billing</a>",
            "the period is closed",
            "entity=customer#item-",
        ],
    );
    assert!(!told.contains("/sources/customer/crm"), "crm holds what was taken: {told}");
    site.system("billing").heal();
    site.notify("crm", "1");
    site.wait_until_at_rest();
    let told = page(&site, &place);
    assert!(told.contains("Applied:") && !told.contains("Not in step yet"), "{told}");
    daemon.stop();
}

#[test]
fn what_keeps_an_order_from_being_carried_out_is_shown() {
    let site = doubtful();
    let daemon = site.start();
    let path = format!("/doubts/{}/settle", doubt(&page(&site, "/doubts")));
    site.system("billing").put("b7", r#"{"name": "Ann"}"#);
    site.system("billing").fault("read", "echo 'it is <b>closed</b>' >&2; exit 1");
    let answer = send(&site, &path, "word=key&key=b7").has_status(202);
    shows(
        &answer.body,
        &["not carried out yet", "What kept it so far: billing: ", "it is &#60;b&#62;closed", "value=\"b7\""],
    );
    let item = answer.body.split_once("as work item ").and_then(|(_, rest)| rest.split_once(',')).expect("an item").0;
    let place = format!("/doubts?item={item}&done=pending");
    shows(&page(&site, &place), &["not carried out yet", &format!("as work item {item}")]);
    site.system("billing").heal();
    site.wait_until_at_rest();
    let told = page(&site, &place);
    assert!(told.contains("Nothing is in doubt") && !told.contains("not carried out yet"), "{told}");
    daemon.stop();
}

#[test]
fn a_link_does_not_make_a_page_say_what_did_not_happen() {
    let site = site();
    let daemon = site.start();
    site.disagree("1");
    let forged = [
        "/conflicts/1?done=applied&version=1",
        "/conflicts/1?done=applied&version=9",
        "/conflicts/1?done=pending&item=1",
        "/conflicts/1?done=pending&item=9000",
        "/conflicts/1?done=pending&item=call+0900+1234",
        "/records/customer/1/undo?version=1&done=undone",
        "/records/customer/1/undo?version=1&done=pending&item=1",
        "/doubts?done=pending&item=1",
        "/deletes?done=approved",
    ];
    for path in forged {
        let shown = get(&site, path);
        assert!(shown.status < 500, "{shown}");
        for said in ["Applied", "Approved", "It is undone", "work item", "Work item", "0900"] {
            assert!(!shown.body.contains(said), "{path} says {said}: {shown}");
        }
    }
    get(&site, "/records/customer/1/undo?version=7&done=undone").has_status(404);
    let decision = decision(&site);
    send(&site, "/conflicts/1/resolve", &decision).has_status(303);
    let shown = page(&site, "/conflicts/1?done=applied&version=1");
    assert!(!shown.contains("Applied:") && shown.contains("version 2"), "it is told which it was: {shown}");
    let undo = "/records/customer/1/undo";
    let preview = page(&site, &format!("{undo}?version=2"));
    let answer = send(&site, undo, &format!("version=2&shown={}", self::shown(&preview))).has_status(303);
    shows(&page(&site, answer.header("location").expect("it leads somewhere")), &["It is undone, as version 3."]);
    daemon.stop();
}

fn get(site: &Site, path: &str) -> Answer {
    site.http_with("GET", path, &[("Accept", "text/html")], None)
}

#[test]
fn which_record_it_is_stands_beside_its_number() {
    let site = site();
    let daemon = site.start();
    site.disagree("1");
    for path in ["/conflicts", "/conflicts/1", "/"] {
        let shown = page(&site, path);
        shows(&shown, &["<bdi class=\"value\">&#34;Ann&#34;</bdi>"]);
    }
    shows(&page(&site, "/"), &["customer 1: name"]);
    daemon.stop();
}
