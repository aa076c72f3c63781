//! A database whose primary is lost, and whose standby takes its place: under load, and with what was not replicated.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use retcon::store::requests::queue::{Confirm, Enqueue, Ping};
use retcon::store::{Request, Store, StoreError};
use serde_json::Value;

use crate::support::cluster::Node;
use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::socket::call;
use crate::support::store::{notification, notify};
use crate::support::system::Language;
use crate::support::wait::until;

/// Who edits items of his own, all at the same time.
const USERS: [&str; 4] = ["a", "b", "c", "d"];
const WAITS_FOR_STANDBY: &str = "synchronous_standby_names=standby";
/// The standby is one of those that commits wait for, and has all that was committed.
const IN_STEP: &str = "select sync_state from pg_stat_replication where state = 'streaming' and sync_state = 'sync'";
const CAUGHT_UP: &str = "select sync_state from pg_stat_replication where replay_lsn = pg_current_wal_lsn()";

const LEFT_BEHIND: &str = "timeline 1, and timeline 2 was seen";

/// A primary with a standby that follows it.
struct Pair {
    primary: Node,
    standby: Node,
}

impl Pair {
    /// Commits wait for the standby from the first one that counts.
    fn synchronous() -> Self {
        let pair = Self::start(&[WAITS_FOR_STANDBY]);
        pair.primary.wait_for(IN_STEP, &["sync"]);
        pair
    }

    /// Commits wait for nobody.
    fn asynchronous() -> Self {
        Self::start(&[])
    }

    fn start(settings: &[&str]) -> Self {
        let mut primary = Node::new();
        primary.start(settings);
        let mut standby = Node::standby_of(&primary);
        standby.start(&[]);
        Self { primary, standby }
    }

    /// A site whose daemon knows both, the primary first.
    fn site(&self, settings: &str, sources: &[&str]) -> Site {
        let sources: Vec<_> = sources.iter().map(|name| Language::C.source(name)).collect();
        let site = Site::with(settings, &sources);
        let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
        site.write("retcon.toml", &config.replace(&site.database().url(), &self.url()));
        site
    }

    fn url(&self) -> String {
        format!("{}?connect_timeout=5", self.database())
    }

    fn database(&self) -> String {
        format!("postgres://retcon@{},{}/postgres", self.primary.host(), self.standby.host())
    }

    fn store(&self, pool_size: usize) -> Store {
        let store = Store::connect_to(&self.url(), pool_size).expect("the URL is one");
        block_on(store.migrate()).expect("it takes writes");
        store
    }
}

/// Users who edit as fast as their notifications are acknowledged.
#[derive(Default)]
struct Load {
    ends: AtomicBool,
    putting: Mutex<()>,
    acknowledged: AtomicUsize,
    work_items: Mutex<BTreeSet<String>>,
}

impl Load {
    fn edit(&self, site: &Site, user: &str) {
        for round in 0.. {
            for item in 0..4 {
                let key = format!("{user}{item}");
                let document = format!("{{\"email\":{key:?},\"name\":\"{round}\"}}");
                self.put(site, &key, &document);
                self.notify(site, &key);
                if self.ends.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }

    /// One at a time: a system has one place for what is being put.
    fn put(&self, site: &Site, key: &str, document: &str) {
        let _alone = self.putting.lock().expect("nobody panicked");
        site.system("crm").put(key, document);
    }

    /// Tells the daemon until it acknowledges.
    fn notify(&self, site: &Site, key: &str) {
        let body = format!("{{\"entity\":\"customer\",\"source\":\"crm\",\"key\":{key:?}}}");
        let answer = || call(&site.socket(), "POST", "/v1/notifications", Some(body.as_bytes()));
        let taken = until(
            || answer().ok().filter(|answer| answer.status == 202),
            || format!("{:?}", answer().map(|answer| answer.to_string())),
        );
        let id = taken.json()["work_items"][0]["id"].to_string();
        self.work_items.lock().expect("nobody panicked").insert(id);
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until so many more notifications were acknowledged.
    fn wait_for(&self, more: usize) {
        let before = self.acknowledged.load(Ordering::SeqCst);
        let now = || self.acknowledged.load(Ordering::SeqCst);
        until(|| (now() >= before + more).then_some(()), || format!("{before} acknowledged, {} now", now()));
    }

    /// Every row that was acknowledged is in this database.
    #[track_caller]
    fn assert_kept(&self, node: &Node) {
        let kept: BTreeSet<_> = node.ask("select id from work_item").into_iter().collect();
        let lost: Vec<_> = self.work_items.lock().expect("nobody panicked").difference(&kept).cloned().collect();
        assert_eq!(lost, [""; 0], "acknowledged, and not there");
    }
}

/// Every item is in all systems as it is in the first, once.
#[track_caller]
fn assert_in_step(site: &Site, others: &[&str]) {
    let sorted = |source: &str| {
        let mut documents = site.system(source).documents();
        documents.sort_unstable();
        documents
    };
    for other in others {
        assert_eq!(sorted(other), sorted("crm"), "{other}");
    }
    site.runs().assert_none_meet();
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_when_a_synchronous_standby_takes_over_under_load() {
    let mut pair = Pair::synchronous();
    let site = pair.site("", &["crm", "billing", "ldap"]);
    let daemon = site.start();
    let load = Load::default();
    std::thread::scope(|scope| {
        USERS.iter().for_each(|user| drop(scope.spawn(|| load.edit(&site, user))));
        load.wait_for(40);
        let lost = Instant::now();
        pair.primary.kill();
        let before = load.acknowledged.load(Ordering::SeqCst);
        pair.standby.promote();
        load.wait_for(1);
        println!("acknowledged {before} before; the first after {} ms", lost.elapsed().as_millis());
        load.wait_for(40);
        load.ends.store(true, Ordering::SeqCst);
    });
    site.wait_until_at_rest();
    load.assert_kept(&pair.standby);
    assert_in_step(&site, &["billing", "ldap"]);
    for source in ["billing", "ldap"] {
        assert_eq!(site.system(source).documents().len(), 16, "{source}");
    }
    let acknowledged = load.acknowledged.into_inner();
    println!("acknowledged {acknowledged}, lost 0; 32 copies made, doubled 0");

    // The old primary comes back as it was; it takes writes, and is the first in the URL.
    pair.primary.start(&[]);
    assert_eq!(pair.primary.ask("show transaction_read_only"), ["off"]);
    let end_all = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'retcon'";
    pair.standby.ask(end_all);
    site.system("crm").put("late", r#"{"email":"late","name":"Ann"}"#);
    load_again(&site, "late");
    let refused = daemon.wait_for_event(|event| event["msg"] == "database host refused");
    assert!(refused["error"].as_str().is_some_and(|error| error.contains(LEFT_BEHIND)), "{refused}");
    daemon.stop();

    // A daemon that begins anew has not forgotten it, also while there is no other host.
    pair.standby.stop();
    let daemon = crate::support::daemon::Daemon::spawn(&site);
    let is_left_behind = |event: &Value| event["error"].as_str().is_some_and(|error| error.contains(LEFT_BEHIND));
    daemon.wait_for_event(|event| event["msg"] == "database away" && is_left_behind(event));
    pair.standby.start(&[]);
    until(
        || call(&site.socket(), "GET", "/readyz", None).ok().filter(|answer| answer.status == 200),
        || daemon.log_text(),
    );
    site.system("crm").put("later", r#"{"email":"later","name":"Bob"}"#);
    load_again(&site, "later");
    assert_in_step(&site, &["billing", "ldap"]);
    assert_eq!(pair.primary.ask("select count(*) from work_item where foreign_key like 'late%'"), ["0"]);
    daemon.stop();
}

/// Notifies of a copy, however often that must be tried, and waits until all is done.
#[track_caller]
fn load_again(site: &Site, key: &str) {
    Load::default().notify(site, key);
    site.wait_until_at_rest();
}

#[test]
fn copies_that_an_asynchronous_standby_has_never_heard_of_are_joined_by_their_match_value() {
    let mut pair = Pair::asynchronous();
    let site = pair.site("match = [\"/email\"]", &["crm", "billing"]);
    let daemon = site.start();
    let put = |key: &str, name: &str| {
        site.system("crm").put(key, &format!("{{\"email\":{key:?},\"name\":{name:?}}}"));
        load_again(&site, key);
    };
    put("known", "Ann");
    pair.primary.wait_for(CAUGHT_UP, &["async"]);
    pair.standby.stop();
    let forgotten = ["x", "y", "z"];
    forgotten.iter().for_each(|key| put(key, "Bob"));
    pair.primary.kill();
    pair.standby.start(&[]);
    pair.standby.promote();
    assert_eq!(pair.standby.ask("select count(*) from record"), ["1"]);
    until(
        || (site.http("GET", "/readyz", None).status == 200).then_some(()),
        || site.http("GET", "/readyz", None).to_string(),
    );

    // As docs/operations.md has it: all copies, together.
    let told = |source: &str| -> Vec<String> {
        let keys = site.system(source).items().into_keys();
        keys.map(|key| format!("{{\"entity\":\"customer\",\"source\":{source:?},\"key\":{key:?}}}")).collect()
    };
    let all = [told("crm"), told("billing")].concat();
    let body = format!("{{\"notifications\":[{}]}}", all.join(","));
    site.http("POST", "/v1/notifications", Some(&body)).has_status(202);
    site.wait_until_at_rest();
    assert_eq!(pair.standby.ask("select count(*) from record"), ["4"]);
    assert_eq!(site.system("billing").items().len(), 4);
    assert_eq!(site.runs().count("billing", "create"), 4);
    put("x", "Carl");
    assert_in_step(&site, &["billing"]);
    assert_eq!(site.system("billing").items().len(), 4);
    daemon.stop();
}

#[test]
fn a_commit_whose_wait_for_its_standby_was_cancelled_is_not_acknowledged() {
    let mut pair = Pair::synchronous();
    let store = pair.store(4);
    block_on(notify(&store, "crm", "before"));
    pair.standby.stop();
    let asked = std::thread::spawn({
        let store = store.clone();
        move || block_on(Enqueue { notifications: vec![notification("crm", "a")] }.run(&store))
    });
    let waiting = "select pid from pg_stat_activity where wait_event = 'SyncRep'";
    let pid = until(|| pair.primary.ask(waiting).pop(), || format!("{:?}", pair.primary.ask(waiting)));
    pair.primary.ask(&format!("select pg_cancel_backend({pid})"));
    let answer = asked.join().expect("it does not panic");
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    // It is there, on the primary alone.
    assert_eq!(pair.primary.ask("select count(*) from work_item where foreign_key = 'a'"), ["1"]);
    // Nobody is told so before the standby has it: neither those who ask again, nor those who only look.
    let error = block_on(Ping.run(&store)).expect_err("nothing can be confirmed");
    assert!(format!("{error:?}").contains("Unreplicated"), "{error:?}");
    pair.standby.start(&[]);
    until(|| block_on(Confirm.run(&store)).ok(), || format!("{:?}", block_on(Confirm.run(&store))));
    block_on(notify(&store, "crm", "a"));
    assert_eq!(pair.primary.ask("select count(*) from work_item where foreign_key = 'a'"), ["1"]);
    pair.standby.wait_for("select count(*) from work_item where foreign_key = 'a'", &["1"]);
}

#[test]
fn a_commit_that_waits_for_its_standby_holds_no_place_once_nobody_waits_for_it() {
    let mut pair = Pair::synchronous();
    pair.standby.stop();
    let store = Store::connect_to(&format!("{}?connect_timeout=1", pair.database()), 2).expect("the URL is one");
    // Each is given up after its time, and its server told to let go.
    for _ in 0..3 {
        let error = block_on(Ping.run(&store)).expect_err("nothing can be confirmed");
        assert!(format!("{error:?}").contains("Unreplicated"), "{error:?}");
    }
    pair.primary.wait_for("select count(*) from pg_stat_activity where wait_event = 'SyncRep'", &["0"]);
}

#[test]
fn a_server_that_turned_read_only_serves_no_reads_either() {
    let mut node = Node::new();
    node.start(&[]);
    let url = format!("postgres://retcon@{}/postgres", node.host());
    let store = Store::connect_to(&url, 2).expect("the URL is one");
    block_on(store.migrate()).expect("it takes writes");
    block_on(Ping.run(&store)).expect("it answers");
    node.ask("alter system set default_transaction_read_only = on");
    node.ask("select pg_reload_conf()");
    // Reads alone find out, within the time for which a session is trusted.
    let answer = || block_on(Ping.run(&store));
    let error = until(|| answer().err(), || "it serves reads".to_owned());
    assert!(format!("{error:?}").contains("ReadOnly"), "{error:?}");
    node.ask("alter system reset default_transaction_read_only");
    node.ask("select pg_reload_conf()");
    until(|| answer().ok(), || format!("{:?}", answer()));
}
