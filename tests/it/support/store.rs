//! Short names for what the store is asked, and a look at its rows.

use std::time::Duration;

use retcon::domain::json::Json;
use retcon::domain::key::{ForeignKey, InternalKey};
use retcon::domain::name::{EntityName, SourceName};
use retcon::domain::record::{
    Base, Known, Link, LinkState, OpenOperation, OperationId, OperationKind, OperationState, Record, RecordState,
};
use retcon::store::requests::lease::{DaemonId, Enlist, Fence, Serve, Served};
use retcon::store::requests::look::{Decide, Introduce, Introduced, Recall, RecallUnknown, RecordResults};
use retcon::store::requests::queue::{
    Claim, Claimed, ClaimedLook, Enqueue, EnqueueRecord, Enqueued, Finish, FinishItems, Notification, Order, Receipt,
    Subject, WorkEnd, WorkItemId,
};
use retcon::store::requests::view::{FindWorkItem, WorkItemRow};
use retcon::store::{Request, Store};
use tokio_postgres::NoTls;

use super::postgres::TestStore;

/// The entity of most tests.
pub(crate) fn customer() -> EntityName {
    entity("customer")
}

pub(crate) fn entity(name: &str) -> EntityName {
    name.parse().expect("a name")
}

pub(crate) fn source(name: &str) -> SourceName {
    name.parse().expect("a name")
}

pub(crate) fn key(key: &str) -> ForeignKey {
    key.parse().expect("a key")
}

pub(crate) fn json(text: &str) -> Json {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn notification(source_name: &str, foreign_key: &str) -> Notification {
    Notification { entity: customer(), source: source(source_name), key: key(foreign_key) }
}

/// Runs a request that must succeed.
pub(crate) async fn run<R: Request>(store: &Store, request: R) -> R::Reply {
    request.run(store).await.unwrap_or_else(|error| panic!("{}: {error:?}", R::ACTION))
}

/// Notifies of one copy.
pub(crate) async fn notify(store: &Store, source_name: &str, foreign_key: &str) -> Enqueued {
    let notifications = vec![notification(source_name, foreign_key)];
    run(store, Enqueue { notifications }).await.pop().expect("an answer for the one notification")
}

/// Asks for a look at a record.
pub(crate) async fn ask(store: &Store, record: InternalKey) -> Enqueued {
    run(store, EnqueueRecord { entity: customer(), record, order: None }).await.expect("there is such a record")
}

/// Gives a person's order for a record.
pub(crate) async fn order(store: &Store, record: InternalKey) -> WorkItemId {
    let order = Some(Order::Undo { version: 1 });
    run(store, EnqueueRecord { entity: customer(), record, order }).await.expect("there is such a record").id
}

pub(crate) async fn claim_up_to(store: &Store, limit: i64) -> Claimed {
    run(store, Claim { entity: customer(), limit, ahead: None }).await
}

/// Claims all that can be claimed.
pub(crate) async fn claim(store: &Store) -> Vec<ClaimedLook> {
    claim_up_to(store, 100).await.looks
}

/// Claims the one look that can be claimed.
pub(crate) async fn claim_one(store: &Store) -> ClaimedLook {
    let mut looks = claim(store).await;
    assert_eq!(looks.len(), 1, "{looks:?}");
    looks.pop().expect("there is one")
}

pub(crate) fn items(look: &ClaimedLook) -> Vec<WorkItemId> {
    look.items.iter().map(|item| item.receipt.item).collect()
}

pub(crate) fn receipts(look: &ClaimedLook) -> Vec<Receipt> {
    look.items.iter().map(|item| item.receipt).collect()
}

/// Gives what the first claim of each item has given.
pub(crate) fn first_claims(items: &[WorkItemId]) -> Vec<Receipt> {
    nth_claims(1, items)
}

pub(crate) fn nth_claims(claim: i64, items: &[WorkItemId]) -> Vec<Receipt> {
    items.iter().map(|item| Receipt { item: *item, claim }).collect()
}

pub(crate) fn unknown(source_name: &str, foreign_key: &str) -> Subject {
    Subject::UnknownKey { source: source(source_name), key: key(foreign_key) }
}

pub(crate) async fn finish(store: &Store, items: Vec<Receipt>, end: WorkEnd) {
    run(store, FinishItems { entity: customer(), finish: Finish { items, end } }).await;
}

pub(crate) fn done() -> WorkEnd {
    WorkEnd::Done { outcome: "synced" }
}

/// Ready again at once, without an attempt that counts.
pub(crate) fn again() -> WorkEnd {
    WorkEnd::Again { due_in: Duration::ZERO, error: None, blocked_by: Vec::new(), spent: false, waiting: false }
}

/// Waiting for another attempt, an hour from now.
pub(crate) fn later() -> WorkEnd {
    WorkEnd::Again {
        due_in: Duration::from_secs(3600),
        error: Some("rejected".to_owned()),
        blocked_by: Vec::new(),
        spent: true,
        waiting: true,
    }
}

pub(crate) fn blocked(sources: &[&str]) -> WorkEnd {
    WorkEnd::Again {
        due_in: Duration::ZERO,
        error: Some("down".to_owned()),
        blocked_by: sources.iter().map(|name| source(name)).collect(),
        spent: false,
        waiting: true,
    }
}

pub(crate) fn parked() -> WorkEnd {
    WorkEnd::Parked { error: "rejected five times".to_owned() }
}

pub(crate) async fn item(store: &Store, id: WorkItemId) -> WorkItemRow {
    run(store, FindWorkItem { id }).await.unwrap_or_else(|| panic!("{id:?} is gone"))
}

/// Introduces a copy that was just notified and claimed, and gives its record; its items stay claimed.
pub(crate) async fn introduce_claimed(
    store: &Store,
    source_name: &str,
    foreign_key: &str,
    match_value: Option<&str>,
) -> (Introduced, Vec<WorkItemId>) {
    notify(store, source_name, foreign_key).await;
    let look = claim(store).await.into_iter().find(|look| look.subject == unknown(source_name, foreign_key));
    let items = items(&look.expect("the key is unknown"));
    (introduce(store, source_name, foreign_key, match_value, &items).await, items)
}

/// Introduces a copy on behalf of items, as it is recalled now.
pub(crate) async fn introduce(
    store: &Store,
    source_name: &str,
    foreign_key: &str,
    match_value: Option<&str>,
    items: &[WorkItemId],
) -> Introduced {
    let (source, key) = (source(source_name), key(foreign_key));
    let recall = RecallUnknown { entity: customer(), source: source.clone(), key: key.clone(), items: items.to_vec() };
    let recalled_at = run(store, recall).await.now;
    let match_value = match_value.map(str::to_owned);
    run(store, Introduce { entity: customer(), source, key, match_value, items: items.to_vec(), recalled_at }).await
}

/// Makes a record with one copy, and nothing left in the queue for it.
pub(crate) async fn record(store: &Store, source_name: &str, foreign_key: &str) -> InternalKey {
    match introduce_claimed(store, source_name, foreign_key, None).await {
        (Introduced::New(record), items) => {
            finish(store, first_claims(&items), done()).await;
            record
        }
        other => panic!("{source_name}:{foreign_key} is not new: {other:?}"),
    }
}

pub(crate) async fn recall(store: &Store, record: InternalKey) -> Known {
    run(store, Recall { entity: customer(), record }).await.expect("there is such a record")
}

/// A decision that changes nothing.
pub(crate) fn decision(known: &Known) -> Decide {
    Decide {
        entity: customer(),
        expected_version: known.record.version,
        record: known.record.clone(),
        cause: json(r#"{"kind":"sync"}"#),
        changes: Vec::new(),
        overruled: Vec::new(),
        conflicts: known.conflicts.iter().map(|open| open.conflict.clone()).collect(),
        closed_by: json(r#"{"kind":"agreement"}"#),
        links: Vec::new(),
        retired: Vec::new(),
        match_value: None,
        ended: Vec::new(),
        operations: Vec::new(),
        decided_items: Vec::new(),
        finish: None,
    }
}

/// A decision that makes the next version, with this agreed document.
pub(crate) fn next_version(known: &Known, agreed: &str) -> Decide {
    let record = Record { version: known.record.version + 1, agreed: Some(json(agreed)), ..known.record.clone() };
    Decide { record, ..decision(known) }
}

/// A decision that removes the record.
pub(crate) fn removal(known: &Known) -> Decide {
    let record = Record { version: known.record.version + 1, state: RecordState::Deleted, ..known.record.clone() };
    Decide { record, ..decision(known) }
}

/// Results that change nothing, for items that are done.
pub(crate) fn results(record: InternalKey, items: &[Receipt]) -> RecordResults {
    RecordResults {
        entity: customer(),
        record,
        links: Vec::new(),
        keys: Vec::new(),
        retired: Vec::new(),
        ended: Vec::new(),
        operations: Vec::new(),
        outputs: Vec::new(),
        decided_items: Vec::new(),
        tidies: Vec::new(),
        finish: Finish { items: items.to_vec(), end: done() },
    }
}

pub(crate) fn linked(foreign_key: &str) -> Link {
    Link { state: LinkState::Linked, key: Some(key(foreign_key)), ..Link::unlinked() }
}

/// A write that is about to start.
pub(crate) fn intent(kind: OperationKind) -> OpenOperation {
    let (key, document) = match kind {
        OperationKind::Create => (None, Some(json(r#"{"name":"Ann"}"#))),
        OperationKind::Update => (Some(key("old")), Some(json(r#"{"name":"Ann"}"#))),
        OperationKind::Delete => (Some(key("old")), None),
    };
    OpenOperation {
        id: OperationId(uuid::Uuid::now_v7()),
        kind,
        state: OperationState::InFlight,
        key,
        document,
        carries: Base::default(),
        version: 1,
        attempts: 1,
        may_have_taken_effect: true,
    }
}

/// Enlists a daemon, and gives it the entity.
pub(crate) async fn serve(store: &Store) -> (DaemonId, Fence) {
    let (daemon, term, wanted) = (DaemonId::new(), Duration::from_secs(3600), vec![customer()]);
    run(store, Enlist { daemon, name: "here".to_owned(), term, former: None }).await;
    let served = run(store, Serve { daemon, term, grace: term, as_of: None, wanted }).await;
    let Served::Listed { taken, .. } = served else { panic!("{served:?}") };
    let number = *taken.get(&customer()).expect("it is free");
    (daemon, Fence { entity: customer(), number, holder: daemon })
}

/// Asks the database itself, and gives each row with its columns between bars.
pub(crate) async fn rows(database: &TestStore, sql: &str) -> Vec<String> {
    let (client, connection) = database.config().connect(NoTls).await.expect("the server takes connections");
    tokio::spawn(connection);
    let answer = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let mut rows = Vec::new();
    for message in answer {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            let columns: Vec<_> = (0..row.len()).map(|column| row.get(column).unwrap_or("null")).collect();
            rows.push(columns.join("|"));
        }
    }
    rows
}
