//! Looks that are claimed before there is room for them: none begins that should not, and none is lost.

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use retcon::actor::supervisor::Notify;
use retcon::log::discard;
use rustix::process::Signal;

use crate::support::actors::{Actors, policy};
use crate::support::daemon::Daemon;
use crate::support::site::{Site, open_directory};
use crate::support::store::notification;
use crate::support::wait::until;
use crate::support::wire::{Moment, Wire};

/// The only source; quick until it comes to a certain key, from where on it stands still until the test lets it go, and once more when
/// it has been read as often as is written in a file. It tells which key was read, and how it was configured.
const PROGRAM: &str = r#"if [ -e armed ] && [ "$3" = "$(cat armed)" ]; then : > held; fi
if [ -e held ]; then until [ -e go ]; do sleep 0.01; done; fi
if [ -e enough ] && [ "$(wc -l < reads)" -ge "$(cat enough)" ]; then until [ -e on ]; do sleep 0.01; done; fi
echo "$1 $3" >> reads
echo '{"name":"Ann"}'
"#;

/// After what time a request is surely sent again to a database that was away.
const AGAIN: Duration = Duration::from_millis(500);

/// How many looks are made at a time.
const ROOM: i64 = 2;

/// How many are asked for.
const KEYS: usize = 60;

fn configure(site: &Site, mark: &str) {
    let common = fs::read_to_string(site.path().join("common.toml")).expect("it was written");
    let command = format!("[\"/bin/sh\", \"program.sh\", \"{mark}\"]");
    site.write("retcon.toml", &format!("{common}[entities.customer.sources.crm]\ncommand = {command}\n"));
}

fn site() -> Site {
    let site = Site::with(&format!("throttle = {{ in_flight = {ROOM} }}"), &[]);
    fs::rename(site.path().join("retcon.toml"), site.path().join("common.toml")).expect("it is there");
    site.write("program.sh", PROGRAM);
    configure(&site, "one");
    site
}

fn ask_for_all(site: &Site) {
    let mut all = String::new();
    for key in 0..KEYS {
        let comma = if key > 0 { "," } else { "" };
        write!(all, r#"{comma}{{"entity":"customer","source":"crm","key":"k{key}"}}"#).expect("a string takes it");
    }
    let answer = site.http("POST", "/v1/notifications", Some(&format!(r#"{{"notifications":[{all}]}}"#)));
    assert_eq!(answer.status, 202, "{answer:?}");
}

fn reads(site: &Site) -> Vec<String> {
    let text = fs::read_to_string(site.path().join("reads")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn items(site: &Site, state: &str) -> i64 {
    site.database().number(&format!("select count(*) from work_item where state = '{state}'"))
}

fn wait_for(site: &Site, what: &str, is_so: impl Fn() -> bool) {
    let trouble = || {
        let states = ["ready", "running", "waiting", "parked", "done"].map(|state| (state, items(site, state)));
        format!("waited for {what}; work items: {states:?}; reads: {}", reads(site).len())
    };
    until(|| is_so().then_some(()), trouble);
}

/// Has the source stand still in the middle of much work: what runs is in the hands of as many looks as there is room for, and more is
/// claimed.
fn held_up(site: &Site) -> Daemon<'_> {
    let daemon = site.start();
    ask_for_all(site);
    site.wait_until_at_rest();
    // They are known now, and there is much to be looked at that takes no time.
    site.write("armed", "k20");
    ask_for_all(site);
    wait_for(site, "the end of quick looks", || site.path().join("held").exists());
    wait_for(site, "claims ahead", || items(site, "running") > ROOM);
    daemon
}

fn let_go(site: &Site) {
    site.write("go", "");
}

#[track_caller]
fn all_are_looked_at_in_the_end(site: &Site) {
    site.wait_until_at_rest();
    assert_eq!((items(site, "done"), items(site, "parked")), (2 * KEYS as i64, 0));
    let failed = site.database().number("select count(*) from work_item where attempts > 0");
    assert_eq!(failed, 0, "what has not begun has not failed");
    assert_eq!(reads(site).len(), 2 * KEYS, "each was looked at once for each time that it was asked for");
}

#[test]
fn what_is_claimed_ahead_is_given_back_where_no_room_is_made() {
    let site = site();
    let daemon = held_up(&site);
    wait_for(&site, "their return", || items(&site, "running") == ROOM && items(&site, "ready") > 0);
    let_go(&site);
    all_are_looked_at_in_the_end(&site);
    daemon.stop();
}

#[test]
fn what_was_given_back_and_claimed_anew_is_not_given_back_once_more_though_nobody_heard_of_the_first_time() {
    let (site, directory) = (site(), open_directory());
    let wire = Wire::new(directory.path(), site.database(), "-- Puts running items back", Moment::AfterCommit, 1);
    let actors = Actors::start_on(wire.store(), &site, policy(), discard());
    let ask_for_all = || {
        let all = (0..KEYS).map(|key| notification("crm", &format!("k{key}"))).collect();
        actors.ask(Notify(all)).expect("it is stored");
    };
    ask_for_all();
    actors.wait_until_at_rest();
    // The last but two, in the order in which they are claimed.
    site.write("armed", "k7");
    ask_for_all();
    let hold = wire.hold();
    wait_for(&site, "claims ahead", || items(&site, "running") > ROOM);
    wait_for(&site, "their return", || wire.left() == 0);
    // The two looks end, and the one that was given back begins: before the database could be told of that once more.
    let done = items(&site, "done") + ROOM;
    site.write("enough", &(reads(&site).len() + ROOM as usize).to_string());
    let_go(&site);
    drop(hold);
    wait_for(&site, "the next claim", || items(&site, "done") == done && items(&site, "running") > 0);
    let began = Instant::now();
    wait_for(&site, "what would be told", || began.elapsed() > AGAIN);
    site.write("on", "");
    actors.wait_until_at_rest();
    // A look at what is done by then may still be under way.
    actors.stop();
    assert_eq!(reads(&site).len(), 2 * KEYS, "each was looked at once for each time that it was asked for");
}

#[test]
fn what_is_claimed_ahead_does_not_begin_at_an_entity_that_is_paused() {
    let site = site();
    let daemon = held_up(&site);
    site.retcon(&["pause", "customer"]).exits(0);
    let before = reads(&site).len();
    let_go(&site);
    wait_for(&site, "the end of what was under way", || items(&site, "running") == 0);
    assert!(reads(&site).len() <= before + ROOM as usize, "something has begun: {:?}", reads(&site));
    assert!(items(&site, "ready") > 0, "there was more to do");
    site.retcon(&["resume", "customer"]).exits(0);
    all_are_looked_at_in_the_end(&site);
    daemon.stop();
}

#[test]
fn what_is_claimed_ahead_goes_back_into_the_queue_when_the_daemon_stops() {
    let site = site();
    let mut daemon = held_up(&site);
    let before = reads(&site).len();
    daemon.signal(Signal::TERM);
    daemon.wait_for_event(|event| event["msg"] == "daemon stopping");
    let_go(&site);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log_text());
    assert_eq!(items(&site, "running"), 0, "nobody looks at them");
    assert!(reads(&site).len() <= before + ROOM as usize, "something has begun: {:?}", reads(&site));
    drop(daemon);
    let daemon = site.start();
    all_are_looked_at_in_the_end(&site);
    daemon.stop();
}

#[test]
fn what_is_claimed_ahead_is_looked_at_by_the_configuration_of_its_time() {
    let site = site();
    let daemon = held_up(&site);
    configure(&site, "two");
    site.retcon(&["reload"]).exits(0);
    let before = reads(&site).len();
    let_go(&site);
    all_are_looked_at_in_the_end(&site);
    let later = reads(&site).split_off(before + ROOM as usize);
    assert!(!later.is_empty() && later.iter().all(|read| read.starts_with("two ")), "{later:?}");
    daemon.stop();
}
