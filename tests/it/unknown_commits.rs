//! Every kind of request whose answer was lost at its commit may be sent again: ARCHITECTURE.md, "An answer that is lost".
//!
//! Those of looks are shown with whole daemons (`lost_sessions`), the others here.

use std::time::Duration;

use retcon::domain::key::InternalKey;
use retcon::domain::merge::{ConflictKind, Decision};
use retcon::store::migrate::{MIGRATIONS, MigrateError};
use retcon::store::requests::inbox::OrderAlike;
use retcon::store::requests::lease::{DaemonId, Enlist, GiveUp, Resign, Serve};
use retcon::store::requests::queue::{EnqueueRecord, Finish, FinishItems, Order, PurgeFinished, Release, WorkItemId};
use retcon::store::requests::view::{DropWorkItem, RetryWorkItem};
use retcon::store::{Request, StoreError};
use rstest::rstest;

use crate::support::postgres::{self, TestStore, block_on};
use crate::support::site::open_directory;
use crate::support::store::{
    blocked, claim, claim_one, customer, done, finish, first_claims, notify, parked, receipts, record, rows, source,
};
use crate::support::wire::{Moment, Wire};

const TERM: Duration = Duration::from_secs(60);
/// Of each item its state, and what it came to.
const WORK: &str = "select concat_ws(' ', state, outcome, attempts) from work_item order by id";
const DAEMONS: &str =
    "select concat_ws(' ', daemon.name, lease.entity) from daemon left join lease on lease.holder = daemon.id";

/// Sends a request whose answer is lost, and then sends it again; all is as if it had been sent once.
#[track_caller]
fn check<R: Request + Clone>(
    database: &TestStore,
    (statement, moment): (&'static str, Moment),
    request: R,
    (sql, expected): (&str, &[&str]),
) {
    let directory = open_directory();
    let wire = Wire::new(directory.path(), database, statement, moment, 1);
    let store = wire.store();
    let lost = block_on(request.clone().run(&store));
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{statement}: the wire was not cut");
    assert_eq!(wire.left(), 0);
    block_on(request.run(&store)).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    assert_eq!(block_on(rows(database, sql)), expected, "{statement}, {moment:?}");
}

/// A database with one item, which ended like this.
fn with_item(end: Option<retcon::store::requests::queue::WorkEnd>) -> (TestStore, WorkItemId) {
    let database = postgres::store();
    let id = block_on(async {
        let id = notify(&database, "crm", "a").await.id;
        if let Some(end) = end {
            claim_one(&database).await;
            finish(&database, first_claims(&[id]), end).await;
        }
        id
    });
    (database, id)
}

#[rstest]
fn a_person_may_ask_again(#[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment) {
    let database = postgres::store();
    block_on(record(&database, "crm", "a"));
    let ask = |order| EnqueueRecord { entity: customer(), record: InternalKey(1), order };
    let before = block_on(rows(&database, WORK));
    let expected = |more: usize| [before.clone(), vec!["ready 0".to_owned(); more]].concat();
    let check = |statement, order, expected: Vec<String>| {
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(&database, (statement, moment), ask(order), (WORK, &expected));
    };
    check("-- Asks for a look at a record", None, expected(1));
    // An order is carried out as often as it is given; a second one finds that nothing is left to do.
    let orders = match moment {
        Moment::BeforeCommit => 1,
        Moment::AfterCommit => 2,
    };
    check("-- Stores what a person has ordered", Some(Order::Undo { version: 1 }), expected(1 + orders));
}

#[rstest]
fn many_are_ordered_once(#[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment) {
    let database = postgres::store();
    for key in ["a", "b"] {
        block_on(record(&database, "crm", key));
    }
    let conflicts = "insert into conflict (entity, record, path, path_hash, kind, contenders, contended)
        select 'customer', n, '\"/x\"', '', 'held', '[]', '[]' from generate_series(1, 2) as n";
    block_on(rows(&database, conflicts));
    let order = OrderAlike {
        form: uuid::Uuid::from_u128(7),
        who: "ann".to_owned(),
        entity: customer(),
        path: "/x".parse().expect("a pointer"),
        kind: ConflictKind::Held,
        sources: vec![source("crm")],
        decision: Decision::Keep,
        shown: vec![(1, 1), (2, 1)],
    };
    let ordered = "select concat_ws(' ', batch, record, state) from work_item where batch is not null order by id";
    // A number that a transaction took that was undone is gone.
    let number = match moment {
        Moment::BeforeCommit => 2,
        Moment::AfterCommit => 1,
    };
    let expected = [1, 2].map(|record| format!("{number} {record} ready"));
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&database, ("-- Enters a batch of orders", moment), order, (ordered, &expected));
}

#[rstest]
fn an_end_is_recorded_once(#[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment) {
    let (database, _) = with_item(None);
    let claimed = block_on(claim_one(&database));
    let end = |end| FinishItems { entity: customer(), finish: Finish { items: receipts(&claimed), end } };
    check(&database, ("-- Puts running items back", moment), end(parked()), (WORK, &["parked 1"]));
    let (database, _) = with_item(None);
    let claimed = block_on(claim_one(&database));
    let end = |end| FinishItems { entity: customer(), finish: Finish { items: receipts(&claimed), end } };
    check(&database, ("-- Ends running items as done", moment), end(done()), (WORK, &["done synced 0"]));
}

#[rstest]
fn what_waits_is_released_once(
    #[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment,
    #[values(("-- Makes items due that wait", false), ("-- Makes one item due that waits", true))] way: (
        &'static str,
        bool,
    ),
) {
    let (database, _) = with_item(Some(blocked(&["crm"])));
    let (statement, probe) = way;
    let release = Release { entity: customer(), source: source("crm"), probe };
    let due = "select due_at <= now() from work_item";
    check(&database, (statement, moment), release, (due, &["t"]));
    assert_eq!(block_on(claim(&database)).len(), 1);
}

#[rstest]
fn what_a_person_says_of_an_item_is_done_once(#[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment) {
    let (database, id) = with_item(Some(parked()));
    check(&database, ("-- Makes items ready", moment), RetryWorkItem { id }, (WORK, &["ready 0"]));
    let (database, id) = with_item(Some(parked()));
    let work = "select concat_ws(' ', state, outcome) from work_item";
    check(&database, ("-- Ends items as dropped", moment), DropWorkItem { id }, (work, &["done dropped"]));
}

#[rstest]
fn old_items_are_removed_once(#[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment) {
    let (database, _) = with_item(Some(done()));
    check(&database, ("-- Removes items", moment), PurgeFinished { older_than: Duration::ZERO }, (WORK, &[]));
}

#[rstest]
fn a_lease_is_taken_and_given_up_once(#[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment) {
    let database = postgres::store();
    let daemon = DaemonId::new();
    let enlist = Enlist { daemon, name: "us".to_owned(), term: TERM, former: None };
    check(&database, ("-- Enlists a daemon", moment), enlist, (DAEMONS, &["us"]));
    let serve = Serve { daemon, term: TERM, grace: TERM, as_of: None, wanted: vec![customer()] };
    check(&database, ("-- Gives a daemon those", moment), serve, (DAEMONS, &["us customer"]));
    let give_up = GiveUp { daemon, entities: vec![customer()] };
    check(&database, ("-- Gives up entities", moment), give_up, (DAEMONS, &["us"]));
    check(&database, ("-- Strikes out a daemon", moment), Resign { daemon }, (DAEMONS, &[]));
}

#[rstest]
fn a_migration_is_made_once(#[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment) {
    let database = postgres::empty();
    let directory = open_directory();
    let wire = Wire::new(directory.path(), &database, "-- Remembers that a migration was applied", moment, 1);
    let store = wire.store();
    let lost = block_on(store.migrate());
    assert!(matches!(lost, Err(MigrateError::Store(StoreError::Unavailable(_)))), "{lost:?}");
    block_on(store.migrate()).expect("the wire is whole");
    let applied = block_on(rows(&database, "select number from schema_migration order by number"));
    assert_eq!(applied.len(), MIGRATIONS.len());
}
