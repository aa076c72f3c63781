//! The pages in a real browser: what is seen, by mouse and by keyboard, with scripts and without.

use fantoccini::key::Key;

use crate::support::browser::{Browser, Settings};
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::tcp::{self, token};

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
