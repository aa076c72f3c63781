//! Several windows of one browser: they are kept up to date together, and one that nobody sees rests.

use std::net::SocketAddr;

use crate::support::browser::Browser;
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, Call, token};
use crate::support::wait::until;

fn site() -> Site {
    Site::new(&[Sh.source("crm"), Sh.source("billing")])
}

/// Whether the page that is open is seen by anybody.
#[track_caller]
fn is_seen(browser: &Browser) -> bool {
    browser.script("return document.visibilityState", Vec::new()) == "visible"
}

/// How many follow the events.
#[track_caller]
fn followed(address: SocketAddr, token: &str) -> String {
    let told = Call::get("/metrics").bearing(token).send(address).has_status(200).body;
    let line = told.lines().find_map(|line| line.strip_prefix("retcon_event_followers ").map(str::to_owned));
    line.unwrap_or_else(|| panic!("it is not told: {told}"))
}

#[test]
fn eight_windows_side_by_side_load_and_are_all_kept_up_to_date() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let browser = Browser::start(address);
    let token = token(&site, "ann", "operate", &[]);
    browser.sign_in(&token, "/").sees("The one entity is in step.");
    let mut windows = vec![browser.window()];
    // A browser keeps six connections to a server; each of these would wait for ever if each of the others held one.
    for page in ["/conflicts", "/records/customer", "/work", "/doubts", "/sources", "/", "/"] {
        browser.open_window().open(page).sees("retcon");
        assert!(is_seen(&browser), "{page}");
        windows.push(browser.window());
    }
    site.disagree("1");
    let shows = ["1 conflict.", "1 conflict of customer", "customer 1", "Nothing is parked", "Nothing is in doubt"];
    let rest = ["customer", "1 conflict.", "1 conflict."];
    for (window, text) in windows.iter().zip(shows.into_iter().chain(rest)) {
        browser.to_window(window).sees(text);
    }
    assert_eq!(followed(address, &token), "1", "one stream is enough for all");
    // One that goes takes the stream from none of the others.
    browser.to_window(&windows[0]).close_window(&windows[7]).sees("1 conflict.");
    site.retcon(&["resolve", "1", "--take", "crm"]).exits(0);
    browser.sees("The one entity is in step.").to_window(&windows[6]).sees("The one entity is in step.");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn windows_that_cannot_share_a_stream_follow_each_with_its_own() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    let (followed, shares) =
        (|| followed(address, &token), || browser.script("return 'SharedWorker' in window", Vec::new()));
    browser.share_nothing().sign_in(&token, "/").sees("The one entity is in step.");
    assert_eq!(shares(), false);
    until(|| (followed() == "1").then_some(()), followed);
    let first = browser.window();
    browser.open_window().share_nothing().open("/conflicts").sees("Nothing waits for a decision");
    until(|| (followed() == "2").then_some(()), followed);
    site.disagree("1");
    browser.sees("1 conflict of customer").to_window(&first).sees("1 conflict.");
    browser.put_away(true);
    until(|| (followed() != "2").then_some(()), followed);
    browser.put_away(false);
    site.retcon(&["resolve", "1", "--take", "crm"]).exits(0);
    browser.sees("The one entity is in step.");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    daemon.stop();
}

#[test]
fn a_page_that_nobody_sees_follows_nothing_and_catches_up_when_it_is_seen_again() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/").sees("The one entity is in step.");
    let followed = || followed(address, &token);
    until(|| (followed() == "1").then_some(()), followed);
    browser.put_away(true);
    until(|| (!is_seen(&browser)).then_some(()), || "it is still seen".to_owned());
    until(|| (followed() == "0").then_some(()), followed);
    site.disagree("1");
    assert!(browser.text().contains("The one entity is in step."), "{}", browser.text());
    browser.put_away(false).sees("1 conflict.");
    until(|| (followed() == "1").then_some(()), followed);
    daemon.stop();
}
