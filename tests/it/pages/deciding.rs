//! Conflicts are decided on their pages: from an edit in two systems to copies that agree, by mouse, by keyboard and without scripts.

use fantoccini::key::Key;

use crate::support::browser::{Browser, Settings};
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::tcp::{self, Call, token};
use crate::support::wait::until;

fn site() -> Site {
    Site::new(&[Language::C.source("crm"), Language::C.source("billing")])
}

/// Has users edit an item in both systems, each in their own way.
pub(super) fn edit(site: &Site, key: &str, crm: &str, billing: &str) {
    site.system("crm").put(key, r#"{"mail":"ann@x","name":"Ann","note":"n"}"#);
    site.notify("crm", key);
    let copy = site.get(&format!("/v1/records/customer?source=crm&key={key}"))["items"][0]["links"]
        .as_array()
        .and_then(|links| links.iter().find(|link| link["source"] == "billing"))
        .and_then(|link| link["key"].as_str().map(str::to_owned))
        .expect("it has a copy in billing");
    site.system("crm").put(key, crm);
    site.system("billing").put(&copy, billing);
    site.notify("crm", key);
}

const CRM: &str = r#"{"mail":"anne@x","name":"Anne","note":"n"}"#;
const BILLING: &str = r#"{"mail":"anna@x","name":"Anna","note":"n"}"#;

fn documents(site: &Site) -> [Vec<String>; 2] {
    ["crm", "billing"].map(|source| site.system(source).documents())
}

/// Waits until both systems hold this.
#[track_caller]
fn both_hold(site: &Site, document: &str) {
    let expected = [vec![document.to_owned()], vec![document.to_owned()]];
    until(|| (documents(site) == expected).then_some(()), || format!("{:?}", documents(site)));
}

#[test]
fn a_person_decides_field_by_field_with_the_mouse_sees_what_is_written_and_takes_it_back() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    edit(&site, "a", CRM, BILLING);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/conflicts").sees("2 conflicts of customer wait for a decision.");
    browser.click("customer 1, mail").sees("the systems disagree").sees("2 fields are contested");
    browser.sees("billing and crm have changed this field, each to something else");
    browser.click("crm, name").click("billing, mail").click("Preview");
    browser.sees("what it comes to").sees("It makes version 2 of the record, and 2 systems are written to.");
    assert_eq!(documents(&site), [vec![CRM.to_owned()], vec![BILLING.to_owned()]], "nothing is written yet");
    browser.click("Apply").sees("Applied: it is decided and recorded.").sees("not contested any more");
    both_hold(&site, r#"{"mail":"anna@x","name":"Anne","note":"n"}"#);
    assert_eq!(site.get("/v1/records/customer/1")["version"], 2, "it is one version");
    browser.click("Undo").sees("undo version 2").sees("What is written where");
    browser.click("Undo version 2").sees("It is undone");
    both_hold(&site, r#"{"mail":"ann@x","name":"Ann","note":"n"}"#);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn the_keyboard_alone_suffices() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    edit(&site, "a", CRM, BILLING);
    let browser = Browser::start(address);
    browser.open("/conflicts").sees("Your token");
    browser.type_keys(&token).press(Key::Enter).sees("2 conflicts of customer wait for a decision.");
    browser.tab_to("customer 1, mail").press(Key::Enter).sees("2 fields are contested");
    browser.tab_to("Agreed until now, mail").press(Key::Down);
    assert_eq!(browser.focused(), "billing, mail");
    // Typed as text, which it is where texts contend.
    browser.tab_to("Another value of name").type_keys("Annika");
    browser.tab_to("Preview").press(Key::Enter).sees("what it comes to").sees("mail: take what billing holds");
    browser.tab_to("Change the choices").press(Key::Enter).sees("2 fields are contested");
    browser.tab_to("Agreed until now, name").press(Key::Up).press(Key::Up);
    let picked = browser.script("return document.querySelectorAll('input[type=radio]:checked').length", Vec::new());
    assert_eq!(picked, 2);
    browser.script("document.getElementById('typed-pick-2').focus(); return null", Vec::new());
    browser.press(Key::Space).tab_to("Preview").press(Key::Enter).sees("name: take \"Annika\"");
    browser.tab_to("Apply").press(Key::Enter).sees("not contested any more");
    both_hold(&site, r#"{"mail":"anna@x","name":"Annika","note":"n"}"#);
    daemon.stop();
}

#[test]
fn where_a_value_moved_after_the_preview_nothing_is_applied_and_the_choices_are_kept() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    edit(&site, "a", CRM, BILLING);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/conflicts/1").sees("2 fields are contested");
    browser.click("crm, name").click("crm, mail").click("Preview").sees("what it comes to");
    let copy = site.system("billing").only_key();
    let moved = r#"{"mail":"anna@x","name":"Annika","note":"n"}"#;
    site.system("billing").put(&copy, moved);
    browser.click("Apply").sees("The values moved meanwhile").sees("Another answer came from billing.");
    browser.sees("name: billing says \"Annika\" now, and said \"Anna\" when you chose.");
    assert_eq!(documents(&site), [vec![CRM.to_owned()], vec![moved.to_owned()]], "nothing is applied");
    assert_eq!(site.get("/v1/records/customer/1")["version"], 1);
    let kept = "return [...document.querySelectorAll('input[type=radio]:checked')].map(e => e.value).join(' ')";
    assert_eq!(browser.script(kept, Vec::new()), "take:crm take:crm");
    browser.click("Preview").sees("what it comes to").click("Apply").sees("not contested any more");
    both_hold(&site, CRM);
    daemon.stop();
}

#[test]
fn of_two_people_who_decide_at_once_the_second_is_told_what_the_first_decided_and_applies_nothing() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let tokens = ["ann", "bob"].map(|name| token(&site, name, "operate", &[]));
    edit(&site, "a", CRM, BILLING);
    let [ann, bob, cid] = [&tokens[0], &tokens[1], &tokens[1]].map(|token| {
        let browser = Browser::start(address);
        browser.sign_in(token, "/conflicts/1").sees("2 fields are contested");
        browser
    });
    ann.click("crm, name").click("crm, mail").click("Preview").sees("what it comes to");
    bob.click("billing, name").click("billing, mail").click("Preview").sees("what it comes to");
    cid.click("billing, name");
    ann.click("Apply").sees("Applied: it is decided and recorded.");
    bob.click("Apply").sees("It was decided meanwhile").sees("nothing of what you chose was applied");
    bob.sees("What was decided").sees("\"Anne\"");
    cid.click("Preview").sees("It was decided meanwhile").sees("\"Anne\"");
    both_hold(&site, CRM);
    assert_eq!(site.get("/v1/records/customer/1")["version"], 2, "the second decided nothing");
    daemon.stop();
}

#[test]
fn without_scripts_on_the_whole_way_and_a_value_that_moved_before_the_preview_is_told() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    edit(&site, "a", CRM, BILLING);
    let browser = Browser::start_with(address, Settings { runs_scripts: false, ..Settings::default() });
    browser.sign_in(&token, "/conflicts").click("customer 1, mail").sees("2 fields are contested");
    browser.click("billing, name").click("Agreed until now, mail");
    site.system("crm").put("a", r#"{"mail":"anne@x","name":"Änne","note":"n"}"#);
    browser.click("Preview").sees("The values moved meanwhile");
    browser.sees("name: crm says \"Änne\" now, and said \"Anne\" when you chose.");
    browser.click("Preview").sees("what it comes to").click("Apply").sees("not contested any more");
    both_hold(&site, r#"{"mail":"ann@x","name":"Anna","note":"n"}"#);
    daemon.stop();
}

#[test]
fn where_the_session_is_over_nothing_that_was_chosen_is_lost() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    edit(&site, "a", r#"{"mail":"ann@x","name":"Anne","note":"n"}"#, r#"{"mail":"ann@x","name":"Anna","note":"n"}"#);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/conflicts/1").sees("Another value");
    browser.fill("Another value of name", "Annette").click("Another value, name");
    site.database().run("delete from session");
    // What was looked up counts for a second.
    until(
        || (Call::get("/v1/status").with("Cookie", &browser.cookie()).send(address).status == 401).then_some(()),
        || "the session goes on".to_owned(),
    );
    browser.click("Preview").sees("You are not signed in any more").sees("is not lost");
    let first = browser.window();
    browser.click("Sign in, in another window").other_window(&first).sees("Your token");
    browser.fill("Your token", &token).click("Sign in").sees("Entities and their sources");
    browser.to_window(&first).reload().sees("What is written where").sees("Annette");
    browser.click("Apply").sees("Applied");
    both_hold(&site, r#"{"mail":"ann@x","name":"Annette","note":"n"}"#);
    daemon.stop();
}

#[test]
fn what_is_typed_wrong_is_told_at_its_field_and_the_rest_is_kept() {
    let schema = r#"{"properties": {"name": {"type": "string", "maxLength": 8}}}"#;
    let site = Site::with("schema = \"schema.json\"", &[Language::C.source("crm"), Language::C.source("billing")]);
    site.write("schema.json", schema);
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    edit(&site, "a", CRM, BILLING);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/conflicts/2").sees("2 fields are contested");
    browser.click("Preview").sees("Nothing is chosen yet");
    browser.click("crm, mail").click("Another value, name").fill("Another value of name", "far too long a name");
    browser.click("Preview").sees("The schema of this entity does not allow that");
    assert_eq!(browser.script("return document.getElementById('typed-2').value", Vec::new()), "far too long a name");
    browser.script("document.getElementById('as-2').value = 'json'; return null", Vec::new());
    browser.fill("Another value of name", "Annika").click("Preview").sees("This is no JSON");
    browser.script("document.getElementById('as-2').value = 'text'; return null", Vec::new());
    browser.click("Preview").sees("what it comes to").click("Apply").sees("not contested any more");
    both_hold(&site, r#"{"mail":"anne@x","name":"Annika","note":"n"}"#);
    daemon.stop();
}

#[test]
fn who_may_only_look_sees_it_and_has_nothing_to_press() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "vera", "view", &[]);
    edit(&site, "a", CRM, BILLING);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/conflicts/1").sees("You may look, not decide").sees("anna@x");
    let controls =
        "return document.querySelectorAll('main input:not([type=hidden]), main button, main textarea').length";
    assert_eq!(browser.script(controls, Vec::new()), 0);
    let send = "const done = arguments[arguments.length - 1];
        fetch(arguments[0], {method: 'POST', headers: {'Content-Type': 'application/x-www-form-urlencoded', 'Accept': 'text/html'},
            body: 'pick-1=keep&revision-1=1&once=67e55044-10b1-426f-9247-bb680e5fe0c8&shown=x'}).then(answer => done(answer.status));";
    for path in ["/conflicts/1/preview", "/conflicts/1/resolve", "/conflicts/alike/resolve", "/records/customer/1/undo"]
    {
        assert_eq!(browser.script_to_its_end(send, vec![path.into()]), 403, "{path}");
    }
    browser.open("/records/customer/1/undo?version=1").sees("takes a token with the role operate");
    assert_eq!(documents(&site), [vec![CRM.to_owned()], vec![BILLING.to_owned()]]);
    daemon.stop();
}

#[test]
fn values_are_text_whatever_they_hold() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let hostile = r#"{"<img src=x onerror=alert(1)>":"<script>alert(1)</script>","mail":"\"><svg onload=alert(2)>","name":"\u202egnirts"}"#;
    let long = format!(
        r#"{{"<img src=x onerror=alert(1)>":"{}","mail":"مرحبا","name":"</textarea><b>"}}"#,
        "long ".repeat(4_000)
    );
    edit(&site, "a", hostile, &long);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/conflicts").sees("alert(1)");
    browser.open("/conflicts/1").sees("<svg onload=alert(2)>").sees("مرحبا");
    let injected = "return document.querySelectorAll('main img, main svg, main script, main b').length";
    assert_eq!(browser.script(injected, Vec::new()), 0);
    let wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
    browser.resize(crate::support::browser::Size::Phone);
    assert_eq!(browser.script(wide, Vec::new()), true, "it is wider than the window");
    for name in ["billing, mail", "crm, name"] {
        browser.click(name);
    }
    browser.click("Preview").sees("what it comes to");
    assert_eq!(browser.script(injected, Vec::new()), 0);
    assert_eq!(browser.script(wide, Vec::new()), true, "it is wider than the window");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn many_that_are_alike_are_decided_at_once_and_what_moved_meanwhile_is_listed() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    for key in ["a", "b", "c"] {
        edit(
            &site,
            key,
            r#"{"mail":"ann@x","name":"Anne","note":"n"}"#,
            r#"{"mail":"ann@x","name":"Anna","note":"n"}"#,
        );
    }
    let browser = Browser::start(address);
    browser.sign_in(&token, "/conflicts").sees("3 conflicts of customer wait for a decision.");
    browser.click("Decide all 3 of name between billing and crm").sees("The first of them");
    browser.click("Take what crm says").click("Preview").sees("To take what crm holds, for all 3");
    // One moves between the preview and the order, and retcon has noticed.
    site.system("crm").put("b", r#"{"mail":"ann@x","name":"Änne","note":"n"}"#);
    site.notify("crm", "b");
    browser.click("Apply to all 3").sees("Decided at once: 3 of customer").sees("All are dealt with");
    browser.sees("customer 2").sees("nothing was applied");
    let names = || {
        let mut names: Vec<String> = site.system("billing").documents();
        names.sort_unstable();
        names
    };
    let expected: Vec<String> =
        ["Anna", "Anne", "Anne"].map(|name| format!(r#"{{"mail":"ann@x","name":"{name}","note":"n"}}"#)).to_vec();
    until(|| (names() == expected).then_some(()), || format!("{:?}", names()));
    let batch = browser.path();
    // Each record tells who it was, and that it was one of many.
    browser.open("/records/customer/1").sees("by ann's decision about many conflicts at once");
    daemon.stop();
    // It is remembered by the database alone.
    let daemon = site.start();
    let page = site.http("GET", &batch, None).has_status(200);
    assert!(page.body.contains("All are dealt with") && page.body.contains("customer 2"), "{page}");
    let page = site.http("GET", "/conflicts", None).has_status(200);
    assert!(page.body.contains("1 conflict of customer waits for a decision."), "{page}");
    daemon.stop();
}
