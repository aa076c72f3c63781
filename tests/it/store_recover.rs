//! Work that nobody has under way any more: what becomes of it when its entity is taken over.

use retcon::domain::record::{OpenOperation, OperationKind};
use retcon::store::requests::lease::StartWrite;
use retcon::store::requests::look::Decide;
use retcon::store::requests::queue::{Recover, Recovered, WorkItemId};
use retcon::store::requests::view::WorkState;

use crate::support::postgres;
use crate::support::store::{
    blocked, claim, claim_one, customer, decision, entity, finish, first_claims, intent, item, items, notify, recall,
    receipts, record, rows, run, source,
};

#[tokio::test]
async fn a_dead_daemons_work_is_put_back() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let running = notify(&store, "crm", "a").await.id;
    claim_one(&store).await;
    let waiting = notify(&store, "crm", "b").await.id;
    finish(&store, receipts(&claim_one(&store).await), blocked(&["billing"])).await;
    let doubled = notify(&store, "crm", "c").await.id;
    claim_one(&store).await;
    let other = notify(&store, "crm", "c").await.id;
    let known = recall(&store, one).await;
    let intents = [("x", OperationKind::Create), ("y", OperationKind::Update), ("z", OperationKind::Delete)];
    let operations =
        intents.map(|(name, kind)| (source(name), OpenOperation { may_have_taken_effect: false, ..intent(kind) }));
    assert!(run(&store, Decide { operations: operations.to_vec(), ..decision(&known) }).await);
    let never_started = record(&store, "crm", "d").await;
    let known = recall(&store, never_started).await;
    let decided = intents.map(|(name, kind)| {
        let operation = OpenOperation { may_have_taken_effect: false, ..intent(kind) };
        (source(&format!("{name}-decided")), operation)
    });
    assert!(run(&store, Decide { operations: decided.to_vec(), ..decision(&known) }).await);
    for (_, operation) in &operations {
        assert!(run(&store, StartWrite { operation: operation.id }).await);
    }

    let elsewhere = run(&store, Recover { entity: entity("other"), held: Vec::new() }).await;
    assert_eq!(elsewhere, Recovered { put_back: 0, has_work: false });
    assert_eq!(item(&store, running).await.state, WorkState::Running);
    assert_eq!(run(&store, Recover { entity: customer(), held: Vec::new() }).await.put_back, 2);
    assert_eq!(
        rows(&store, "select source, state, may_have_taken_effect from operation order by source").await,
        ["x|in-doubt|t", "x-decided|open|f", "y|open|t", "y-decided|open|f", "z|open|t", "z-decided|open|f"]
    );
    assert_eq!(item(&store, doubled).await.coalesced_into, Some(other));
    let mut claimed: Vec<WorkItemId> = claim(&store).await.iter().flat_map(items).collect();
    claimed.sort();
    assert_eq!(claimed, [running, waiting, other]);
    assert_eq!(run(&store, Recover { entity: customer(), held: Vec::new() }).await.put_back, 3);
    assert_eq!(claim(&store).await.iter().map(|look| look.items[0].attempts).max(), Some(0));
}

#[tokio::test]
async fn what_looks_under_way_hold_is_not_put_back() {
    let store = postgres::store();
    let (one, two) = (record(&store, "crm", "a").await, record(&store, "crm", "b").await);
    let mut ids = Vec::new();
    for (record, key) in [(one, "a"), (two, "b")] {
        ids.push(notify(&store, "crm", key).await.id);
        claim_one(&store).await;
        let known = recall(&store, record).await;
        let operations = vec![(source("x"), intent(OperationKind::Create))];
        assert!(run(&store, Decide { operations, ..decision(&known) }).await);
    }
    assert_eq!(run(&store, Recover { entity: customer(), held: first_claims(&ids[1..]) }).await.put_back, 1);
    let states = [item(&store, ids[0]).await.state, item(&store, ids[1]).await.state];
    assert_eq!(states, [WorkState::Ready, WorkState::Running]);
    assert_eq!(
        rows(&store, "select record, state from operation order by record").await,
        ["1|in-doubt", "2|in-flight"]
    );
}
