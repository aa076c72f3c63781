//! The pages in a real browser: what is seen, by mouse and by keyboard, with scripts and without.

use fantoccini::key::Key;

use crate::support::browser::{Browser, Settings};
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::tcp::{self, token};
use crate::support::wait::until;

fn site() -> Site {
    Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")])
}

#[test]
fn somebody_signs_in_looks_and_signs_out_without_a_complaint_of_the_browser() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.open("/").sees("Your token");
    browser.fill("Your token", "retcon_wrong").click("Sign in").sees("unknown or revoked");
    browser.complaints();
    browser.fill("Your token", &token).click("Sign in").sees("customer");
    assert_eq!(browser.path(), "/");
    browser.click("Sign out").sees("You are signed out.");
    browser.open("/").sees("Your token");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn the_keyboard_alone_leads_from_the_sign_in_to_every_page() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.open("/").sees("Your token");
    assert_eq!(browser.focused(), "Your token");
    browser.type_keys(&token).press(Key::Enter).sees("customer");
    browser.press(Key::Tab);
    assert_eq!(browser.focused(), "Skip to the content", "it is what comes first");
    for page in
        ["Overview", "Records", "Conflicts", "In doubt", "Work", "Sources", "Configuration", "Audit", "Sign out"]
    {
        browser.tab_to(page);
    }
    browser.press(Key::Enter).sees("You are signed out.");
    daemon.stop();
}

#[test]
fn a_page_that_is_looked_at_shows_what_happens_without_being_loaded_anew() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "view", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/").sees("customer");
    browser.script("window.isTheSame = true; return null;", Vec::new());
    site.disagree("1");
    browser.sees("1 conflict.");
    assert_eq!(browser.script("return window.isTheSame === true;", Vec::new()), true, "it was loaded anew");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn without_scripts_everything_is_there_too() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    site.disagree("1");
    let token = token(&site, "ann", "view", &[]);
    let browser = Browser::start_with(address, Settings { runs_scripts: false, ..Settings::default() });
    browser.sign_in(&token, "/").sees("1 conflict.");
    browser.click("Sign out").sees("You are signed out.");
    daemon.stop();
}

#[test]
fn what_somebody_is_typing_is_not_taken_from_them_and_the_rest_is_kept_up_to_date() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "view", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/").sees("customer");
    let add = "const field = document.createElement('input'); field.id = 'typed';
        document.getElementById('entities').append(field); field.focus(); return null;";
    browser.script(add, Vec::new());
    browser.type_keys("half a wo");
    site.disagree("1");
    browser.sees("1 conflict.");
    browser.type_keys("rd");
    assert_eq!(browser.script("return document.getElementById('typed').value", Vec::new()), "half a word");
    // Also when the focus is elsewhere: what was typed is there still.
    browser.script("document.getElementById('typed').blur(); return null;", Vec::new());
    site.system("crm").put("2", r#"{"name": "Bob"}"#);
    site.notify("crm", "2");
    browser.sees("customer 2 was created in billing");
    assert_eq!(browser.script("return document.getElementById('typed').value", Vec::new()), "half a word");
    daemon.stop();
}

#[test]
fn a_page_says_that_its_token_was_revoked() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "view", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/").sees("customer");
    site.retcon(&["token", "revoke", "ann"]).exits(0);
    site.disagree("1");
    browser.sees("load it anew").open("/").sees("Your token");
    daemon.stop();
}

/// Has an item parked: billing takes no new copies.
fn park(site: &Site, key: &str) {
    site.system("crm").put(key, r#"{"name": "Cem"}"#);
    site.retcon(&["notify", "--wait", "customer", "crm", key]).exits(1);
}

/// A site with two parked items.
fn parked() -> Site {
    let site = site();
    let daemon = site.start();
    site.system("billing").fault("create", "echo 'no such city' >&2; exit 3");
    park(&site, "1");
    park(&site, "2");
    daemon.stop();
    site
}

/// Waits until a script gives `true`.
#[track_caller]
fn comes_true(browser: &Browser, script: &str) {
    let given = || browser.script(script, Vec::new());
    until(|| (given() == true).then_some(()), || format!("{script}: {}", browser.text()));
}

#[test]
fn the_focus_stays_on_what_it_was_on_and_goes_to_nothing_of_another_row() {
    let site = parked();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/work?state=parked").sees("no such city");
    let focus = "const all = document.querySelectorAll('[aria-label^=\"Retry item\"]'), last = all[all.length - 1];
        last.focus(); return last.getAttribute('aria-label');";
    let label = browser.script(focus, Vec::new()).as_str().expect("a label").to_owned();
    let counts =
        |items: u32| format!("return document.querySelectorAll('[aria-label^=\"Retry item\"]').length === {items};");
    park(&site, "3");
    comes_true(&browser, &counts(3));
    assert_eq!(browser.focused(), label);
    let number = label.rsplit(' ').next().expect("a number");
    site.http("DELETE", &format!("/v1/work-items/{number}"), None).has_status(200);
    park(&site, "4");
    park(&site, "5");
    comes_true(&browser, &counts(4));
    assert_eq!(browser.focused(), "", "it was on {label}, which is gone");
    daemon.stop();
}

#[test]
fn what_says_the_same_is_not_replaced_and_what_is_marked_only_when_it_is_no_more() {
    let site = parked();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/work?state=parked").sees("no such city");
    let watch = "window.looks = 0; document.addEventListener('retcon-live', () => { window.looks += 1; });
        document.getElementById('items').isTheSame = true; return null;";
    browser.script(watch, Vec::new());
    let same = || browser.script("return document.getElementById('items').isTheSame === true;", Vec::new());
    site.system("billing").heal();
    site.disagree("9");
    comes_true(&browser, "return window.looks > 0;");
    assert_eq!(same(), true, "its forms are others, and nothing else");
    browser.script("getSelection().selectAllChildren(document.getElementById('items')); return null;", Vec::new());
    site.system("billing").fault("create", "echo 'no such city' >&2; exit 3");
    park(&site, "3");
    comes_true(&browser, "return document.querySelector('#states [aria-current] .count').textContent === '3';");
    assert_eq!(same(), true, "something in it is marked");
    browser.script("getSelection().removeAllRanges(); return null;", Vec::new());
    comes_true(&browser, "return document.querySelectorAll('#items tbody tr').length === 3;");
    daemon.stop();
}

#[test]
fn what_is_unfolded_stays_so() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let document = |city: &str| format!(r#"{{"city": "{city}", "note": "{}"}}"#, "a long note. ".repeat(60));
    site.system("crm").put("1", &document("Ulm"));
    site.notify("crm", "1");
    let token = token(&site, "ann", "view", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/records/customer/1").sees("Ulm");
    let unfold = "const all = document.querySelectorAll('#fields details'); all[1].open = true; return all.length;";
    let folded = browser.script(unfold, Vec::new());
    site.system("crm").put("1", &document("Bonn"));
    site.notify("crm", "1");
    comes_true(&browser, "return document.getElementById('fields').textContent.includes('Bonn');");
    let open = "return Array.from(document.querySelectorAll('#fields details'), each => each.open);";
    let mut expected = vec![false; folded.as_u64().and_then(|folded| folded.try_into().ok()).expect("a number")];
    expected[1] = true;
    assert_eq!(browser.script(open, Vec::new()), serde_json::json!(expected));
    daemon.stop();
}
