//! Every page on which something is decided, with nothing, with little and with ten thousand conflicts: fit for everybody, and bounded.
//!
//! `RETCON_PICTURES=1` writes each to target/screenshots.

use std::fs;

use super::deciding::edit;
use super::every::{axe, pictures, violations};
use crate::support::browser::{Browser, Size};
use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::store::rows;
use crate::support::system::Language;
use crate::support::tcp::{self, token};

/// Ten thousand records in conflict at one place, in three groups.
const MANY: &str = "
    insert into record (entity, id, version, agreed)
        select 'customer', n, 1, '{\"mail\":\"x@example.com\"}' from generate_series(101, 10100) as n;
    insert into conflict (entity, record, path, path_hash, kind, agreed, contenders, contended)
        select 'customer', n, '\"/phone\"', sha256('\"/phone\"'), case n % 4 when 0 then 'edit-delete' else 'edit-edit' end,
            '\"x@example.com\"', case n % 4
                when 1 then '[{\"sources\":[\"crm\"],\"value\":\"b@example.com\"},{\"sources\":[\"ldap\"],\"value\":\"c@example.com\"}]'
                else '[{\"sources\":[\"billing\"],\"value\":\"a@example.com\"},{\"sources\":[\"crm\"],\"absent\":true}]'
            end::json, '[]'
        from generate_series(101, 10100) as n";

/// Looks at a page in a window and on a phone, in light and in dark, and gathers what keeps people from using it.
struct Eye<'a> {
    browser: &'a Browser,
    axe: String,
    found: Vec<String>,
}

impl Eye<'_> {
    fn looks(&mut self, name: &str) {
        for (size, is_dark, how) in [
            (Size::Desktop, false, "desktop-light"),
            (Size::Desktop, true, "desktop-dark"),
            (Size::Phone, false, "phone-light"),
            (Size::Phone, true, "phone-dark"),
        ] {
            self.browser.resize(size);
            self.browser.darken(is_dark);
            let wrong = violations(self.browser, &self.axe);
            self.found.extend(wrong.into_iter().map(|wrong| format!("{name}, {how}: {wrong}")));
            let fits = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
            if self.browser.script(fits, Vec::new()) != true {
                self.found.push(format!("{name}, {how}: it is wider than the window"));
            }
            if let Some(pictures) = pictures() {
                fs::create_dir_all(&pictures).expect("a directory");
                fs::write(pictures.join(format!("{name}-{how}.png")), self.browser.picture()).expect("a picture");
            }
        }
    }
}

#[test]
fn what_is_decided_on_is_fit_for_everybody_however_much_there_is_of_it() {
    let names = ["crm", "billing", "ldap"];
    let site = Site::new(&names.map(|name| Language::C.source(name)));
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let browser = Browser::start(address);
    browser.sign_in(&token, "/conflicts").sees("Nothing waits for a decision");
    let mut eye = Eye { browser: &browser, axe: axe(), found: Vec::new() };
    eye.looks("inbox-0");
    few(&site);
    browser.open("/conflicts").sees("wait for a decision");
    eye.looks("inbox-few");
    browser.open("/conflicts/1").sees("fields are contested");
    eye.looks("decide");
    browser.click("crm, name").click("Preview").sees("what it comes to");
    eye.looks("preview");
    browser.click("Apply").sees("Applied as version");
    eye.looks("applied-in-part");
    browser.click("Undo it").sees("What is written where");
    eye.looks("undo");
    browser.open("/conflicts/3").sees("is not contested any more");
    eye.looks("decided");
    browser.open("/conflicts/5").sees("fields are contested").click("Preview").sees("Nothing is chosen yet");
    eye.looks("decide-long");
    block_on(rows(site.database(), MANY));
    let inbox = site.http("GET", "/conflicts", None).has_status(200);
    assert!(inbox.body.len() < 100_000, "{} bytes", inbox.body.len());
    browser.open("/conflicts").sees("Decide all 5,000");
    eye.looks("inbox-10000");
    browser.click("Decide all 5,000 of phone between billing and crm").sees("The first of them");
    eye.looks("alike");
    browser.click("Take what crm says").click("Preview").sees("for all 5,000");
    eye.looks("alike-preview");
    browser.click("Apply to all 5,000").sees("Decided at once: 5,000");
    eye.looks("batch");
    assert_eq!(eye.found, Vec::<String>::new());
    daemon.stop();
}

/// Three records in conflict, one of them with values that are long, that run from right to left, and that are HTML.
fn few(site: &Site) {
    let address = |street: &str, city: &str| format!(r#""address":{{"street":"{street}","city":"{city}"}}"#);
    let (here, there) = (address("Main Street 1", "Berlin"), address("Main Street 1", "Bonn"));
    edit(
        site,
        "a",
        &format!(r#"{{"mail":"anne@example.com","name":"Anne",{here}}}"#),
        &format!(r#"{{"mail":"anna@example.com","name":"Anna Maria",{there}}}"#),
    );
    let far = address("مرحبا بالعالم שלום", &"Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch".repeat(3));
    let long = "very-long-".repeat(90);
    edit(
        site,
        "b",
        &format!(r#"{{"mail":"bob@example.com","name":"Bob",{here}}}"#),
        &format!(r#"{{"mail":"{long}","name":"<script>alert(1)</script>",{far}}}"#),
    );
    edit(site, "c", r#"{"mail":"cid@example.com","name":"Cid"}"#, r#"{"mail":"cyd@example.com","name":"Cid"}"#);
}
