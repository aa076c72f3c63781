//! Records, doubts, work, sources, the configuration and the audit trail in a real browser: the way that a person goes, by mouse and by
//! keyboard, with scripts and without.

use fantoccini::key::Key;

use crate::support::browser::{Browser, Settings};
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::tcp::{self, token};

fn site() -> Site {
    Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")])
}

/// A site in which something waits for a person: a conflict at record 1, a doubt at record 2, and an item that is parked.
fn busy() -> Site {
    let site = site();
    let daemon = site.start();
    site.disagree("1");
    site.system("billing").fault("create", "echo 'connection reset' >&2; exit 9");
    site.system("crm").put("2", r#"{"name": "Ben"}"#);
    site.notify("crm", "2");
    site.system("billing").fault("create", "echo 'no such city' >&2; exit 3");
    site.system("crm").put("3", r#"{"name": "Cem"}"#);
    site.retcon(&["notify", "--wait", "customer", "crm", "3"]).exits(1);
    site.system("billing").heal();
    daemon.stop();
    site
}

#[test]
fn a_record_is_found_by_a_key_looked_at_and_synced_and_the_page_follows() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    site.system("crm").put("c-17", r#"{"name": "Ann"}"#);
    site.notify("crm", "c-17");
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/").click("Records").click("customer");
    browser.fill("Key", "c-17").click("Search").sees("its key in crm; recorded");
    browser.click("customer 1").sees("Version 1: the record came to be");
    site.system("crm").put("c-17", r#"{"name": "Anne"}"#);
    browser.click("Read the sources now").sees("an update of 1 field").sees("\"Anne\"");
    browser.click("Sync now").sees("A look at this record was asked for.");
    // It is over some time later, and seen without loading the page.
    browser.sees("Version 2: name changed").sees("billing: update the copy");
    browser.click("Explain the values").sees("by a look at the copies");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn a_doubt_is_settled_by_the_keyboard_alone() {
    let site = busy();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/").tab_to("In doubt").press(Key::Enter);
    browser.sees("Was a copy of customer 2 made in billing?").sees("connection reset");
    browser.tab_to("It is there, under the key").type_keys("b9").press(Key::Enter);
    browser.sees("has nothing under the key");
    browser.tab_to("No copy was made").press(Key::Enter).sees("Settled.").sees("Nothing is in doubt");
    daemon.stop();
}

#[test]
fn parked_work_is_tried_again_all_at_once_after_its_count_was_seen() {
    let site = busy();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/work").sees("no such city");
    browser.fill("In its reason", "no such city").click("Show");
    browser
        .click("All parked items like these at once …")
        .sees("1 parked item")
        .sees("with no such city in the reason");
    browser.click("Retry it").sees("The item was made ready");
    browser.sees("Nothing is parked");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn a_source_is_paused_after_a_question_and_resumed() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/").click("Sources").click("billing").sees("No runs yet");
    browser.click("Pause …").sees("nothing more is started here").click("Pause billing");
    browser.sees("Paused.").sees("paused by ann").click("Resume").sees("Resumed.");
    browser.click("Audit").sees("pause").sees("resume").sees("/sources/customer/billing/pause");
    browser.click("Configuration").click("Read the file again").sees("The file says what is in force already.");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn without_scripts_and_on_a_phone_all_of_it_works_too() {
    use crate::support::browser::Size;
    let site = busy();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let settings = Settings { runs_scripts: false, size: Size::Phone, ..Settings::default() };
    let browser = Browser::start_with(address, settings);
    browser.sign_in(&token, "/records/customer?show=conflict").click("customer 1").sees("\"Anna\"").sees("differs");
    browser.open("/doubts").click("No copy was made").sees("Settled.");
    browser.open("/work").click("Drop …").sees("A later notification asks for a look again.");
    browser.click_at("//button[starts-with(., 'Drop item')]", "Drop item").sees("The item was dropped.");
    browser.open("/sources/customer/crm").click("Pause …").click("Pause crm").sees("Paused.");
    daemon.stop();
}

#[test]
fn whoever_may_only_look_is_offered_nothing_else() {
    let site = busy();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ben", "view", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/records/customer/1").sees("Version 1").sees("see what contends");
    for (path, sees, buttons) in [
        ("/records/customer/1", "What happened", ["Sync now", "Read the sources now", "Take version 1 back …"]),
        ("/doubts", "Was a copy", ["This is it", "No copy was made", "Settle"]),
        ("/work", "no such city", ["Retry", "Drop …", "All parked items like these at once …"]),
        ("/work/parked", "1 parked item", ["Retry it", "Drop it", "Retry"]),
        ("/sources/customer/crm", "Last runs", ["Pause …", "Pause crm", "Resume"]),
        ("/configuration", "In force", ["Read the file again", "Reload", "Read again"]),
    ] {
        browser.open(path).sees(sees);
        let shown = browser.text();
        assert!(buttons.iter().all(|button| !shown.lines().any(|line| line == *button)), "{path}: {shown}");
        let forms = browser.script("return document.querySelectorAll('main form[method=post]').length;", Vec::new());
        assert_eq!(forms, 0, "{path}");
    }
    daemon.stop();
}
