//! The inbox: which conflicts are alike, and many decided at once.

use retcon::domain::key::InternalKey;
use retcon::domain::merge::{Conflict, ConflictKind, Contender, Decision};
use retcon::store::Store;
use retcon::store::requests::inbox::{
    BatchId, BatchRow, CountInbox, FindBatch, FindGroup, Group, InboxRow, ListBatch, ListGroups, ListInbox, ListPicks,
    OrderAlike, Within,
};
use retcon::store::requests::look::Decide;
use retcon::store::requests::queue::{Finish, FinishItems, Order, Together, WorkEnd};
use uuid::Uuid;

use crate::support::postgres::{self, TestStore};
use crate::support::store::{
    claim_one, claim_up_to, customer, decision, done, finish, items, json, order, recall, receipts, record, rows, run,
    source,
};

/// What no text in PostgreSQL holds, and what looks like the beginning of a contender.
const HARD: &str = r#"{"sources":["never"],"nul\u0000":"\u0000","lone":"\ud800","list":[{"sources":["no"]}]}"#;

fn conflict(path: &str, contenders: &[(&[&str], Option<&str>)]) -> Conflict {
    let contender = |(names, value): &(&[&str], Option<&str>)| Contender {
        sources: names.iter().map(|name| source(name)).collect(),
        value: value.map(json),
    };
    Conflict {
        path: path.parse().expect("a pointer"),
        kind: ConflictKind::EditEdit,
        agreed: None,
        contenders: contenders.iter().map(contender).collect(),
    }
}

/// Makes a record that is in conflict at these places.
async fn in_conflict(store: &Store, key: &str, conflicts: Vec<Conflict>) -> InternalKey {
    let one = record(store, "crm", key).await;
    let known = recall(store, one).await;
    assert!(run(store, Decide { conflicts, ..decision(&known) }).await);
    one
}

/// Three that are alike at /x, one of other sources there, and one at /y.
async fn five() -> TestStore {
    let store = postgres::store();
    let alike = || conflict("/x", &[(&["hr", "crm"], Some(HARD)), (&["ad"], None)]);
    in_conflict(&store, "a", vec![alike()]).await;
    in_conflict(&store, "b", vec![conflict("/x", &[(&["crm"], Some("1")), (&["ad"], Some("2"))])]).await;
    in_conflict(&store, "c", vec![alike(), conflict("/y", &[(&["ad"], Some("1")), (&["crm"], Some(HARD))])]).await;
    in_conflict(&store, "d", vec![conflict("/x", &[(&["ad"], Some(HARD)), (&["crm"], None), (&["hr"], Some("3"))])])
        .await;
    store
}

async fn inbox(store: &Store, within: Within, after: i64, limit: i64) -> (Vec<InboxRow>, Option<i64>) {
    let page = run(store, ListInbox { entity: customer(), within, after, limit }).await;
    (page.items, page.next)
}

async fn group(store: &Store) -> Group {
    let mut groups = run(store, ListGroups { entity: customer(), limit: 10 }).await;
    assert_eq!(groups.len(), 1, "{groups:?}");
    groups.pop().expect("there is one")
}

async fn batch(store: &Store, id: BatchId) -> BatchRow {
    run(store, FindBatch { id }).await.expect("there is such a batch")
}

/// Orders the conflicts of a group to be decided alike, as they stand.
async fn take(store: &Store, group: &Group, form: Uuid) -> OrderAlike {
    let picks = run(store, ListPicks { entity: customer(), alike: group.alike.clone(), limit: 10 }).await;
    OrderAlike {
        form,
        who: "ann".to_owned(),
        entity: customer(),
        path: group.path.clone(),
        kind: group.kind,
        sources: group.sources.clone(),
        decision: Decision::Take(source("crm")),
        shown: picks.iter().map(|pick| (pick.conflict, pick.revision)).collect(),
    }
}

#[tokio::test]
async fn conflicts_are_alike_by_their_place_their_kind_and_who_contends_whatever_they_hold() {
    let store = five().await;
    let group = group(&store).await;
    let names: Vec<&str> = group.sources.iter().map(|name| name.as_str()).collect();
    assert_eq!((group.conflicts, group.path.to_string().as_str(), group.first), (3, "/x", 1));
    assert_eq!(names, ["ad", "crm", "hr"]);
    let (alike, _) = inbox(&store, Within::Alike(group.alike.clone()), 0, 10).await;
    assert_eq!(alike.iter().map(|row| row.row.record.0).collect::<Vec<_>>(), [1, 3, 4]);
    let found = run(&store, FindGroup { entity: customer(), alike: group.alike.clone() }).await;
    assert_eq!(found, Some(group));
}

#[tokio::test]
async fn the_inbox_is_narrowed_by_kind_place_source_and_record_and_comes_in_pages() {
    let store = five().await;
    let any = || Within::Entity { kind: None, path: None, source: None };
    let (first, next) = inbox(&store, any(), 0, 3).await;
    let (rest, end) = inbox(&store, any(), next.expect("there is more"), 3).await;
    assert_eq!((first.len(), rest.len(), end), (3, 2, None));
    let count = async |kind, path: Option<&str>, name: Option<&str>| {
        let path = path.map(|path| path.parse().expect("a pointer"));
        inbox(&store, Within::Entity { kind, path, source: name.map(source) }, 0, 10).await.0.len()
    };
    assert_eq!(count(Some(ConflictKind::Held), None, None).await, 0);
    assert_eq!(count(Some(ConflictKind::EditEdit), Some("/y"), None).await, 1);
    assert_eq!(count(None, None, Some("hr")).await, 3);
    assert_eq!(count(None, None, Some("h")).await, 0);
    let (of_one, _) = inbox(&store, Within::Record(InternalKey(3)), 0, 10).await;
    assert_eq!(of_one.iter().map(|row| row.row.conflict.path.to_string()).collect::<Vec<_>>(), ["/x", "/y"]);
    let counts = run(&store, CountInbox).await;
    assert_eq!(
        counts.iter().map(|count| (count.entity.as_str(), count.conflicts)).collect::<Vec<_>>(),
        [("customer", 5)]
    );
}

#[tokio::test]
async fn what_moves_or_closes_leaves_its_group() {
    let store = five().await;
    let before = group(&store).await;
    let known = recall(&store, InternalKey(1)).await;
    let moved = conflict("/x", &[(&["crm"], Some("1")), (&["ad"], None)]);
    assert!(run(&store, Decide { conflicts: vec![moved], ..decision(&known) }).await);
    let known = recall(&store, InternalKey(3)).await;
    assert!(run(&store, Decide { conflicts: Vec::new(), ..decision(&known) }).await);
    let found = run(&store, FindGroup { entity: customer(), alike: before.alike.clone() }).await.expect("one is left");
    assert_eq!((found.conflicts, found.first), (1, 5));
    let known = recall(&store, InternalKey(4)).await;
    assert!(run(&store, Decide { conflicts: Vec::new(), ..decision(&known) }).await);
    assert_eq!(run(&store, FindGroup { entity: customer(), alike: before.alike }).await, None);
}

#[tokio::test]
async fn a_batch_is_an_order_for_each_and_a_form_is_one_batch_however_often_it_is_sent() {
    let store = five().await;
    let group = group(&store).await;
    let order = take(&store, &group, Uuid::from_u128(7)).await;
    let id = run(&store, order.clone()).await;
    assert_eq!(run(&store, order.clone()).await, id);
    let row = batch(&store, id).await;
    assert_eq!((row.orders, row.coming, row.applied, row.refused), (3, 3, 0, 0));
    assert_eq!((&row.path, row.kind, &row.sources), (&group.path, group.kind, &group.sources));
    assert_eq!(row.decision, Decision::Take(source("crm")));
    let looks = claim_up_to(&store, 10).await.looks;
    let orders: Vec<_> = looks.iter().map(|look| look.items[0].order.clone().expect("an order")).collect();
    let expected = |conflict| Order::Resolve {
        conflict,
        revision: 1,
        decision: Decision::Take(source("crm")),
        together: Some(Together { batch: id.0, who: "ann".to_owned() }),
    };
    assert_eq!(orders, [expected(1), expected(3), expected(5)]);
    let another = run(&store, OrderAlike { form: Uuid::from_u128(8), ..order }).await;
    assert_ne!(another, id);
}

#[tokio::test]
async fn a_batch_tells_what_has_become_of_its_orders() {
    let store = five().await;
    let group = group(&store).await;
    let order = take(&store, &group, Uuid::from_u128(7)).await;
    let id = run(&store, order).await;
    let looks = claim_up_to(&store, 10).await.looks;
    let known = recall(&store, InternalKey(1)).await;
    let finished = Some(Finish { items: receipts(&looks[0]), end: done() });
    let decided = Decide { decided_items: items(&looks[0]), finish: finished, ..decision(&known) };
    assert!(run(&store, decided).await);
    finish(&store, receipts(&looks[1]), WorkEnd::Done { outcome: "refused" }).await;
    let parked = Finish { items: receipts(&looks[2]), end: WorkEnd::Parked { error: "no schema".to_owned() } };
    run(&store, FinishItems { entity: customer(), finish: parked }).await;
    let row = batch(&store, id).await;
    assert_eq!((row.orders, row.applied, row.refused, row.parked, row.coming), (3, 1, 1, 1, 0));
    let left = run(&store, ListBatch { id, after: 0, limit: 10 }).await.items;
    let told: Vec<_> =
        left.iter().map(|item| (item.record.0, item.outcome.as_deref(), item.last_error.as_deref())).collect();
    assert_eq!(told, [(3, Some("refused"), None), (4, None, Some("no schema"))]);
}

#[tokio::test]
async fn who_gives_a_single_order_waits_for_no_batch() {
    let store = five().await;
    let group = group(&store).await;
    let many = take(&store, &group, Uuid::from_u128(7)).await;
    run(&store, many).await;
    let single = order(&store, InternalKey(2)).await;
    let look = claim_up_to(&store, 1).await.looks;
    assert_eq!(items(&look[0]), [single]);
    finish(&store, receipts(&look[0]), done()).await;
    claim_up_to(&store, 2).await;
    claim_one(&store).await;
}

#[tokio::test]
async fn a_batch_is_forgotten_with_its_orders() {
    let store = five().await;
    let group = group(&store).await;
    let order = take(&store, &group, Uuid::from_u128(7)).await;
    run(&store, order).await;
    let purge = || retcon::store::requests::queue::PurgeFinished { older_than: std::time::Duration::ZERO };
    run(&store, purge()).await;
    assert_eq!(rows(&store, "select count(*) from batch").await, ["1"], "its orders are still to come");
    for look in claim_up_to(&store, 10).await.looks {
        finish(&store, receipts(&look), done()).await;
    }
    run(&store, purge()).await;
    assert_eq!(rows(&store, "select count(*) from batch").await, ["0"]);
}
