//! Several daemons on one database: each entity is served by exactly one.

use std::time::{Duration, Instant};

use retcon::store::StoreError;
use retcon::store::requests::lease::{
    DaemonId, DatabaseTime, Enlist, Fence, GiveUp, ListServers, Resign, Serve, Served,
};
use retcon::store::requests::queue::{Claim, Recover};
use rustix::process::Signal;
use tokio_postgres::NoTls;

use crate::support::daemon::Daemon;
use crate::support::postgres::{self, TestStore};
use crate::support::site::Site;
use crate::support::socket::call;
use crate::support::store::{customer, entity, notify, rows, run};
use crate::support::system::Language::Sh;
use crate::support::wait::until;

const ANN: &str = r#"{"email":"x","name":"Ann"}"#;
const BEA: &str = r#"{"email":"x","name":"Bea"}"#;
const TERM: Duration = Duration::from_secs(3600);
/// A moment at which whoever is dead now is dead, however late it is.
const ANY_TIME: Option<DatabaseTime> = Some(DatabaseTime(253_000_000_000_000_000));

async fn enlist(store: &TestStore, term: Duration) -> DaemonId {
    let daemon = DaemonId::new();
    run(store, Enlist { daemon, name: "here:1".to_owned(), term, former: None }).await;
    daemon
}

async fn serve(store: &TestStore, daemon: DaemonId, wanted: &[&str]) -> Served {
    let wanted = wanted.iter().map(|name| entity(name)).collect();
    run(store, Serve { daemon, term: TERM, grace: Duration::ZERO, as_of: ANY_TIME, wanted }).await
}

/// The fencing number under which a daemon that has just asked for it serves the customers.
async fn number(store: &TestStore, daemon: DaemonId) -> Option<i64> {
    match serve(store, daemon, &["customer"]).await {
        Served::Listed { taken, .. } => taken.get(&customer()).copied(),
        Served::StruckOut => None,
    }
}

#[tokio::test]
async fn an_entity_is_served_by_one_daemon_until_that_gives_it_up_or_is_dead() {
    let store = postgres::store();
    let (one, other) = (enlist(&store, TERM).await, enlist(&store, TERM).await);
    assert_eq!(number(&store, one).await, Some(1));
    assert_eq!(number(&store, other).await, None);
    assert_eq!(number(&store, one).await, Some(1), "who has it is told so again");
    run(&store, GiveUp { daemon: one, entities: vec![customer()] }).await;
    assert_eq!(number(&store, other).await, Some(2));
    run(&store, Resign { daemon: other }).await;
    assert_eq!(serve(&store, other, &["customer"]).await, Served::StruckOut);
    assert_eq!(run(&store, ListServers).await.len(), 0);
    let dead = enlist(&store, Duration::ZERO).await;
    assert_eq!(number(&store, one).await, Some(3));
    assert_eq!(serve(&store, dead, &["customer"]).await, Served::StruckOut, "whoever asked first has struck it out");
    let servers = run(&store, ListServers).await;
    assert_eq!(servers.get(&customer()), Some(&(one, "here:1".to_owned())));
}

#[tokio::test]
async fn a_daemon_that_enlists_anew_gets_another_number_also_if_nobody_had_taken_its_place() {
    use retcon::store::Request as _;
    let store = postgres::store();
    let daemon = enlist(&store, TERM).await;
    let number_before = number(&store, daemon).await.expect("it is free");
    rows(&store, "delete from daemon").await;
    assert_eq!(serve(&store, daemon, &["customer"]).await, Served::StruckOut);
    run(&store, Enlist { daemon, name: "here:1".to_owned(), term: TERM, former: None }).await;
    assert_eq!(number(&store, daemon).await, Some(number_before + 1));
    let before = Fence { entity: customer(), number: number_before, holder: daemon };
    let refused = Recover { entity: customer(), held: Vec::new() }.run_under(before, &store).await;
    assert!(matches!(refused, Err(StoreError::Deposed { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_daemon_prolongs_its_time_whatever_another_one_that_is_silent_has_locked() {
    let store = postgres::store();
    let (ours, silent) = (enlist(&store, TERM).await, enlist(&store, Duration::ZERO).await);
    // It stands still in the middle of prolonging its own.
    let (mut client, connection) = store.config().connect(NoTls).await.expect("the server takes connections");
    tokio::spawn(connection);
    let standing = client.transaction().await.expect("it begins");
    let prolong = "update daemon set alive_until = alive_until where id = $1";
    assert_eq!(standing.execute(prolong, &[&silent.0]).await.expect("it is enlisted"), 1);
    let asked = async || match serve(&store, ours, &["customer"]).await {
        Served::Listed { taken, dead, others, .. } => (taken == [(customer(), 1)].into(), dead, others),
        Served::StruckOut => panic!("it prolongs its time"),
    };
    assert_eq!(asked().await, (true, vec![], true));
    standing.rollback().await.expect("it is undone");
    assert_eq!(asked().await, (true, vec!["here:1".to_owned()], true), "it was there until then");
    assert_eq!(asked().await, (true, vec![], false));
}

#[tokio::test]
async fn a_clock_of_the_database_that_is_set_forward_leaves_one_daemon_that_may_record() {
    use retcon::store::Request as _;
    let store = postgres::store();
    let (one, other) = (enlist(&store, TERM).await, enlist(&store, TERM).await);
    let old = Fence { entity: customer(), number: number(&store, one).await.expect("it is free"), holder: one };
    rows(&store, "update daemon set alive_until = alive_until - interval '10 hours'").await;
    assert_eq!(number(&store, other).await, Some(2), "whoever asks first is alive");
    assert_eq!(serve(&store, one, &["customer"]).await, Served::StruckOut);
    let refused = Recover { entity: customer(), held: Vec::new() }.run_under(old, &store).await;
    assert!(matches!(refused, Err(StoreError::Deposed { .. })), "{refused:?}");
}

#[tokio::test]
async fn nobody_is_struck_out_whose_time_was_not_over_when_the_clock_was_last_seen_to_keep_step() {
    let store = postgres::store();
    let (silent, other) = (enlist(&store, TERM).await, enlist(&store, Duration::ZERO).await);
    let ask = async |as_of| {
        let wanted = vec![customer()];
        match run(&store, Serve { daemon: other, term: TERM, grace: Duration::ZERO, as_of, wanted }).await {
            Served::Listed { taken, dead, now, .. } => (taken.len(), dead.len(), now),
            Served::StruckOut => panic!("nobody else asks"),
        }
    };
    let in_time = ask(None).await.2;
    assert_eq!(number(&store, silent).await, None, "the other one has it");
    run(&store, GiveUp { daemon: other, entities: vec![customer()] }).await;
    assert_eq!(number(&store, silent).await, Some(2));
    rows(&store, "update daemon set alive_until = clock_timestamp() where name = 'here:1'").await;
    assert_eq!(ask(None).await.1, 0);
    assert_eq!(ask(Some(in_time)).await.1, 0, "it was alive then");
    let (_, _, now) = ask(None).await;
    let (taken, dead, _) = ask(Some(now)).await;
    assert_eq!((taken, dead), (1, 1));
}

#[tokio::test]
async fn a_clock_of_the_database_that_is_set_back_keeps_no_dead_daemon_alive() {
    let store = postgres::store();
    let (dead, other) = (enlist(&store, TERM).await, enlist(&store, TERM).await);
    assert_eq!(number(&store, dead).await, Some(1));
    rows(&store, "update daemon set alive_until = alive_until + interval '10 hours'").await;
    assert_eq!(number(&store, other).await, None, "it may be alive");
    let left = "select count(*) from daemon where alive_until > clock_timestamp() + interval '1 hour'";
    assert_eq!(rows(&store, left).await, ["0"], "nobody has more than the hour that is the term here");
    rows(&store, "update daemon set alive_until = alive_until - interval '2 hours'").await;
    assert_eq!(number(&store, other).await, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_ask_at_once_each_entity_goes_to_one() {
    let store = postgres::store();
    let wanted: Vec<String> = (0..200).map(|n| format!("e{n}")).collect();
    let asked = (0..6).map(|_| {
        let (store, wanted) = (store.clone(), wanted.clone());
        tokio::spawn(async move {
            let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let daemon = DaemonId::new();
            let put = Enlist { daemon, name: "here".to_owned(), term: TERM, former: None };
            retcon::store::Request::run(put, &store).await.expect("it is enlisted");
            let wanted = names.iter().map(|name| entity(name)).collect();
            let put = Serve { daemon, term: TERM, grace: Duration::ZERO, as_of: ANY_TIME, wanted };
            match retcon::store::Request::run(put, &store).await.expect("it is answered") {
                Served::Listed { taken, .. } => taken.len(),
                Served::StruckOut => 0,
            }
        })
    });
    let mut taken = 0;
    for asked in asked.collect::<Vec<_>>() {
        taken += asked.await.expect("it does not panic");
    }
    assert_eq!(taken, 200);
}

#[tokio::test]
async fn what_a_daemon_records_that_lost_its_lease_is_refused() {
    use retcon::store::Request as _;
    let store = postgres::store();
    let (one, other) = (enlist(&store, TERM).await, enlist(&store, TERM).await);
    let old = Fence { entity: customer(), number: number(&store, one).await.expect("it is free"), holder: one };
    let claim = || Claim { entity: customer(), limit: 1, ahead: None };
    run(&store, Recover { entity: customer(), held: Vec::new() }).await;
    notify(&store, "crm", "a").await;
    run(&store, Resign { daemon: one }).await;
    let new = Fence { number: number(&store, other).await.expect("it is free"), holder: other, ..old.clone() };
    let refused = claim().run_under(old, &store).await;
    assert!(matches!(refused, Err(StoreError::Deposed { .. })), "{refused:?}");
    assert_eq!(claim().run_under(new, &store).await.expect("it serves the customers").looks.len(), 1);
}

/// A site whose systems agree on Ann, with the daemon that saw to it.
fn introduced(site: &Site) -> Daemon<'_> {
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon
}

fn two() -> [crate::support::system::SourceSpec; 2] {
    [Sh.source("billing"), Sh.source("crm")]
}

#[track_caller]
fn wait_for_state(daemon: &Daemon<'_>, state: &str) -> Duration {
    let began = Instant::now();
    let of = || daemon.get("/v1/status")["entities"][0]["state"].as_str().map(str::to_owned);
    until(|| (of().as_deref() == Some(state)).then_some(()), || daemon.log_text());
    began.elapsed()
}

/// Tells one daemon of an edit, and waits until the other system has it.
#[track_caller]
fn edit_and_see(site: &Site, told: &Daemon<'_>, document: &str) {
    site.system("crm").put("a", document);
    let body = br#"{"entity":"customer","source":"crm","key":"a"}"#;
    let answer = call(&told.socket(), "POST", "/v1/notifications", Some(body)).expect("it answers");
    answer.has_status(202);
    until(|| (site.system("billing").documents() == [document]).then_some(()), || told.log_text());
}

#[test]
fn of_two_daemons_one_serves_an_entity_and_does_what_the_other_is_told_of() {
    let site = Site::new(&two());
    let serving = introduced(&site);
    let standing_by = Daemon::start_in(&site, "state-2");
    let status = standing_by.get("/v1/status");
    let entity = &status["entities"][0];
    assert_eq!(entity["state"], "standby", "{status}");
    let server = entity["served_by"].as_str().expect("it is named");
    assert!(server.ends_with(&format!(":{}", serving.pid().as_raw_pid())), "{server}");
    let of_second = site.write("second.toml", "[server]\nstate_dir = \"state-2\"\n");
    let shown = site.retcon(&["--config", of_second.to_str().expect("it is UTF-8"), "status"]).exits(0);
    assert!(shown.stdout().contains(&format!("1 entity is served by {server}")), "{shown}");
    edit_and_see(&site, &standing_by, BEA);
    edit_and_see(&site, &serving, ANN);
    standing_by.signal(Signal::TERM);
    site.runs().assert_none_meet();
}

#[test]
fn a_daemon_that_stops_hands_over_at_once() {
    let site = Site::new(&two());
    let mut first = introduced(&site);
    let second = Daemon::start_in(&site, "state-2");
    first.signal(Signal::TERM);
    first.wait();
    println!("handed over after {:?}", wait_for_state(&second, "up"));
    edit_and_see(&site, &second, BEA);
    let third = Daemon::start(&site);
    assert_eq!(third.get("/v1/status")["entities"][0]["state"], "standby");
}

#[test]
fn a_daemon_that_is_killed_is_replaced_within_seconds() {
    let site = Site::new(&two());
    let first = introduced(&site);
    let second = Daemon::start_in(&site, "state-2");
    first.kill_alone();
    println!("taken over after {:?}", wait_for_state(&second, "up"));
    edit_and_see(&site, &second, BEA);
    site.runs().assert_none_meet();
}

#[test]
fn a_daemon_that_is_started_again_in_its_place_waits_for_nobody() {
    let site = Site::new(&two());
    let first = introduced(&site);
    first.kill_alone();
    let began = Instant::now();
    let second = site.start();
    println!("started again after {:?}", began.elapsed());
    let events = second.events();
    assert!(!events.iter().any(|event| event["msg"] == "daemon found dead"), "it knew whose place it took");
    edit_and_see(&site, &second, BEA);
    second.stop();
}

#[test]
fn a_daemon_that_slept_through_its_lease_records_nothing_and_stands_by() {
    let site = Site::new(&two());
    let first = introduced(&site);
    let second = Daemon::start_in(&site, "state-2");
    // It is stopped in the middle of an update, of whose end it will know when it wakes up.
    let billing = site.system("billing");
    billing.fault("update", ": > \"$system/begun\"; while [ -e \"$system/hold\" ]; do sleep 0.05; done\n");
    billing.set("hold");
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| billing.dir().join("begun").exists().then_some(()), || first.log_text());
    first.signal(Signal::STOP);
    println!("taken over after {:?}", wait_for_state(&second, "up"));
    billing.unset("hold");
    billing.heal();
    edit_and_see(&site, &second, BEA);
    first.signal(Signal::CONT);
    wait_for_state(&first, "standby");
    edit_and_see(&site, &first, ANN);
    assert_eq!(second.get("/v1/status")["entities"][0]["state"], "up");
    site.runs().assert_none_meet();
}

#[test]
fn a_write_that_was_decided_and_not_started_is_in_no_doubt_after_a_kill() {
    let site = Site::new(&[Sh.source("billing"), Sh.source("crm"), Sh.source("ldap")]);
    // While billing's create runs, that of ldap waits its turn: writes of a look are made one after the other.
    site.system("billing").fault("create", ": > \"$system/begun\"; sleep 1000\n");
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| site.system("billing").dir().join("begun").exists().then_some(()), || daemon.log_text());
    daemon.kill();
    site.system("billing").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    let record = site.get("/v1/records/customer/1");
    let states: Vec<_> = record["links"].as_array().expect("a list").iter().map(|link| &link["state"]).collect();
    assert_eq!(states, ["in-doubt", "linked", "linked"], "{record}");
    assert_eq!(site.system("ldap").documents(), [ANN]);
    daemon.stop();
}

/// How many rounds of two daemons that are struck in turn: minutes of them where there is time.
fn rounds() -> usize {
    if std::env::var_os("CI_LONG").is_some() { 24 } else { 3 }
}

/// Puts another name into one of five items, and tells a daemon of it.
#[track_caller]
fn rename(site: &Site, told: &Daemon<'_>, number: usize) {
    let key = format!("k{}", number % 5);
    site.system("crm").put(&key, &format!(r#"{{"email":"{key}","name":"{number}"}}"#));
    let body = format!(r#"{{"entity":"customer","source":"crm","key":"{key}"}}"#);
    let answer = call(&told.socket(), "POST", "/v1/notifications", Some(body.as_bytes())).expect("it answers");
    answer.has_status(202);
}

#[test]
fn two_daemons_that_are_killed_and_put_to_sleep_in_turns_never_run_at_the_same_time_and_lose_nothing() {
    let site = Site::new(&two());
    let start = |state| Daemon::start_in(&site, state);
    let mut serving = start("state");
    let mut other = start("state-2");
    // A create that is struck down would be in doubt, and this source cannot be asked.
    (0..5).for_each(|n| rename(&site, &serving, n));
    until(|| at_rest(&serving).then_some(()), || serving.get("/v1/status").to_string());
    let mut states = ("state", "state-2");
    let mut taken_over = Vec::new();
    for round in 0..rounds() {
        (0..5).for_each(|n| rename(&site, if n % 2 == 0 { &serving } else { &other }, 10 * (round + 1) + n));
        // Each of them is struck in both ways.
        let struck = if round % 4 < 2 {
            serving.kill_alone();
            None
        } else {
            serving.signal(Signal::STOP);
            Some(serving)
        };
        (5..10).for_each(|n| rename(&site, &other, 10 * (round + 1) + n));
        taken_over.push(wait_for_state(&other, "up"));
        let struck = match struck {
            Some(asleep) => {
                asleep.signal(Signal::CONT);
                asleep
            }
            None => start(states.0),
        };
        wait_for_state(&struck, "standby");
        (serving, other) = (other, struck);
        states = (states.1, states.0);
    }
    until(|| at_rest(&serving).then_some(()), || serving.get("/v1/status").to_string());
    site.runs().assert_none_meet();
    let (mut crm, mut billing) = (site.system("crm").documents(), site.system("billing").documents());
    crm.sort();
    billing.sort();
    assert_eq!(crm, billing);
    assert_eq!(crm.len(), 5);
    taken_over.sort();
    println!("taken over {} times, after {taken_over:?}", taken_over.len());
}

/// Tells whether a daemon has no work.
fn at_rest(daemon: &Daemon<'_>) -> bool {
    let queue = &daemon.get("/v1/status")["entities"][0]["queue"];
    ["ready", "running", "waiting"].iter().all(|state| queue[*state] == 0)
}
