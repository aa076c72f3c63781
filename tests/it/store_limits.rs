//! What counts against the limits of an entity, exactly, whoever asks at the same time.

use std::time::Duration;

use futures_util::future::join_all;
use retcon::config::model::Limit;
use retcon::domain::key::InternalKey;
use retcon::store::Store;
use retcon::store::requests::look::{AskHeld, Counted, DecideWithin, Decided, Limits};
use retcon::store::requests::queue::WorkEnd;
use retcon::store::requests::view::{ApproveDeletes, Approved, DeleteRow, ListDeletes, RetryWorkItem};

use crate::support::postgres;
use crate::support::store::{
    ask, claim_one, customer, decision, finish, item, items, key, next_version, notify, parked, recall, receipts,
    record, removal, rows, run, source,
};

const HOUR: Duration = Duration::from_secs(3_600);

fn counted(sources: &[&str], count: u64, per: Duration) -> Option<Counted> {
    Some(Counted { sources: sources.iter().map(|name| source(name)).collect(), limit: Limit { count, per } })
}

/// A removal of a record because its copy in crm is missing.
async fn removing(store: &Store, record: InternalKey, count: u64) -> DecideWithin {
    let limits = Limits { removal: counted(&["crm"], count, HOUR), ..Limits::default() };
    DecideWithin { decision: removal(&recall(store, record).await), limits }
}

/// A change of a record that comes from these sources.
async fn changing(store: &Store, record: InternalKey, sources: &[&str], limit: u64, per: Duration) -> DecideWithin {
    let known = recall(store, record).await;
    let agreed = format!("{{\"n\":{}}}", known.record.version);
    let limits = Limits { changes: counted(sources, limit, per), ..Limits::default() };
    DecideWithin { decision: next_version(&known, &agreed), limits }
}

async fn holding(store: &Store, record: InternalKey, held: &[(&str, &str)]) {
    let held = held.iter().map(|(name, foreign_key)| (source(name), key(foreign_key))).collect();
    let decision = decision(&recall(store, record).await);
    let limits = Limits { held, ..Limits::default() };
    assert_eq!(run(store, DecideWithin { decision, limits }).await, Decided::Recorded);
}

async fn records(store: &Store, count: usize) -> Vec<InternalKey> {
    let mut all = Vec::new();
    for n in 0..count {
        all.push(record(store, "crm", &format!("k{n}")).await);
    }
    all
}

async fn held(store: &Store) -> Vec<DeleteRow> {
    run(store, ListDeletes { entity: None, after: 0, limit: 100 }).await.items
}

fn over(sources: &[&str]) -> Decided {
    Decided::Over(sources.iter().map(|name| source(name)).collect())
}

#[tokio::test]
async fn of_many_removals_at_the_same_time_exactly_as_many_pass_as_the_limit_lets() {
    let store = postgres::store();
    let all = records(&store, 24).await;
    // Two daemons have two pools.
    let other = Store::connect(store.config(), 8).expect("no TLS is asked for");
    let decisions = all.iter().enumerate().map(async |(n, record)| {
        let store: &Store = if n % 2 == 0 { &store } else { &other };
        run(store, removing(store, *record, 7).await).await
    });
    let decided = join_all(decisions).await;
    let passed = decided.iter().filter(|decided| **decided == Decided::Recorded).count();
    assert_eq!(passed, 7, "{decided:?}");
    assert!(decided.iter().all(|decided| *decided == Decided::Recorded || *decided == over(&["crm"])), "{decided:?}");
    assert_eq!(rows(&store, "select count(*) from counted_removal").await, ["7"]);
    assert_eq!(rows(&store, "select count(*) from record where state = 'deleted'").await, ["7"]);
}

#[tokio::test]
async fn a_decision_that_is_sent_twice_counts_once_and_one_that_is_not_recorded_counts_for_nothing() {
    let store = postgres::store();
    let all = records(&store, 2).await;
    let first = removing(&store, all[0], 2).await;
    assert_eq!(run(&store, first.clone()).await, Decided::Recorded);
    assert_eq!(run(&store, first).await, Decided::Moved, "the record has moved");
    assert_eq!(rows(&store, "select count(*) from counted_removal").await, ["1"]);
    assert_eq!(run(&store, removing(&store, all[1], 2).await).await, Decided::Recorded);
}

#[tokio::test]
async fn a_window_slides_on_the_databases_clock_and_forgets() {
    let store = postgres::store();
    let all = records(&store, 3).await;
    for record in &all[..2] {
        assert_eq!(run(&store, changing(&store, *record, &["crm"], 2, HOUR).await).await, Decided::Recorded);
    }
    assert_eq!(run(&store, changing(&store, all[2], &["crm"], 2, HOUR).await).await, over(&["crm"]));
    rows(&store, "update counted_change set at = at - interval '1 hour' where record = 1").await;
    assert_eq!(run(&store, changing(&store, all[2], &["crm"], 2, HOUR).await).await, Decided::Recorded);
    assert_eq!(rows(&store, "select record from counted_change order by record").await, ["2", "3"]);
    assert_eq!(run(&store, changing(&store, all[2], &["crm"], 2, HOUR).await).await, over(&["crm"]));
}

#[tokio::test]
async fn changes_count_for_each_source_and_only_those_that_are_over_are_named() {
    let store = postgres::store();
    let all = records(&store, 2).await;
    let change = async |record, sources: &[&str]| run(&store, changing(&store, record, sources, 1, HOUR).await).await;
    assert_eq!(change(all[0], &["crm"]).await, Decided::Recorded);
    assert_eq!(change(all[1], &["billing", "crm"]).await, over(&["crm"]));
    assert_eq!(change(all[1], &["billing"]).await, Decided::Recorded, "what was refused did not count");
    assert_eq!(change(all[1], &["billing", "crm"]).await, over(&["billing", "crm"]));
    let elsewhere = rows(&store, "update counted_change set entity = 'product'").await;
    assert_eq!(elsewhere, Vec::<String>::new());
    assert_eq!(change(all[1], &["billing", "crm"]).await, Decided::Recorded, "each entity counts for itself");
}

#[tokio::test]
async fn a_deletion_that_is_held_stays_held_while_there_is_room_until_a_person_approves_it() {
    let store = postgres::store();
    let all = records(&store, 2).await;
    holding(&store, all[0], &[("crm", "k0")]).await;
    let first = held(&store).await;
    holding(&store, all[0], &[("crm", "k0")]).await;
    assert_eq!(held(&store).await, first, "it is one row, however often it is found");
    assert_eq!(run(&store, removing(&store, all[0], 9).await).await, over(&["crm"]));
    let approve = ApproveDeletes { entity: customer(), counted: None };
    let Approved { deletes, items: asked } = run(&store, approve.clone()).await;
    assert_eq!((deletes, asked.len()), (1, 1));
    assert_eq!(items(&claim_one(&store).await), asked);
    assert_eq!(held(&store).await, []);
    // What is held after that is not what was approved.
    holding(&store, all[1], &[("crm", "k1")]).await;
    assert_eq!(run(&store, removing(&store, all[1], 9).await).await, over(&["crm"]));
    let limits = Limits { removal: counted(&["crm"], 0, HOUR), over: vec![source("crm")], ..Limits::default() };
    let approved = DecideWithin { limits, ..removing(&store, all[0], 0).await };
    assert_eq!(run(&store, approved).await, Decided::Recorded, "whatever the limit");
    assert_eq!(rows(&store, "select count(*) from counted_removal").await, ["0"], "a person's word does not count");
    assert_eq!(rows(&store, "select record from held_delete").await, ["2"]);
}

#[tokio::test]
async fn held_deletions_are_listed_in_parts_and_by_entity() {
    let store = postgres::store();
    let all = records(&store, 3).await;
    for (record, name) in all.iter().zip(["k0", "k1", "k2"]) {
        holding(&store, *record, &[("crm", name)]).await;
    }
    let part = run(&store, ListDeletes { entity: Some(customer()), after: 0, limit: 2 }).await;
    assert_eq!(
        part.items.iter().map(|row| (row.record, row.key.clone())).collect::<Vec<_>>(),
        [(all[0], key("k0")), (all[1], key("k1"))]
    );
    let next = ListDeletes { entity: None, after: part.next.expect("there is more"), limit: 2 };
    let rest = run(&store, next).await;
    assert_eq!((rest.items.len(), rest.items[0].record, rest.next), (1, all[2], None));
    let elsewhere = ListDeletes { entity: Some(crate::support::store::entity("product")), after: 0, limit: 2 };
    assert_eq!(run(&store, elsewhere).await.items, []);
}

#[tokio::test]
async fn looks_at_other_held_deletions_are_asked_for_once_until_they_are_made() {
    let store = postgres::store();
    let all = records(&store, 2).await;
    holding(&store, all[0], &[("crm", "k0")]).await;
    holding(&store, all[1], &[("billing", "b1"), ("crm", "k1")]).await;
    let third = record(&store, "crm", "k2").await;
    holding(&store, third, &[("crm", "k2")]).await;
    let ask_held = |name: &str| AskHeld { entity: customer(), sources: vec![source(name)], except: third };
    assert_eq!(run(&store, ask_held("shop")).await, 0);
    assert_eq!(run(&store, ask_held("crm")).await, 2);
    assert_eq!(run(&store, ask_held("crm")).await, 0, "they are asked for");
    holding(&store, all[1], &[("crm", "k1")]).await;
    assert_eq!(run(&store, ask_held("crm")).await, 1);
}

#[tokio::test]
async fn to_retry_what_a_limit_has_parked_is_consent_and_to_retry_anything_else_is_not() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let held = || WorkEnd::Held { error: "crm: over".to_owned() };
    for (end, consents) in [(held(), true), (parked(), false)] {
        let id = notify(&store, "crm", "a").await.id;
        let look = claim_one(&store).await;
        assert!(!look.items[0].consents);
        finish(&store, receipts(&look), end).await;
        assert_eq!(item(&store, id).await.state, retcon::store::requests::view::WorkState::Parked);
        run(&store, RetryWorkItem { id }).await;
        let look = claim_one(&store).await;
        assert_eq!(look.items[0].consents, consents);
        // What has to be made again, for a reason of its own, is consented to still.
        finish(&store, receipts(&look), crate::support::store::again()).await;
        let look = claim_one(&store).await;
        assert_eq!(look.items[0].consents, consents);
        let limits = Limits { consented: items(&look), ..Limits::default() };
        let decision = decision(&recall(&store, one).await);
        assert_eq!(run(&store, DecideWithin { decision, limits }).await, Decided::Recorded);
        finish(&store, receipts(&look), crate::support::store::again()).await;
        let look = claim_one(&store).await;
        assert!(!look.items[0].consents, "it is used up");
        finish(&store, receipts(&look), crate::support::store::done()).await;
    }
    // A notification makes parked work ready too, and is nobody's consent.
    let id = notify(&store, "crm", "a").await.id;
    finish(&store, receipts(&claim_one(&store).await), held()).await;
    assert_eq!(notify(&store, "crm", "a").await.id, id);
    assert!(!claim_one(&store).await.items[0].consents);
    let _ = ask(&store, one).await;
}
