//! The end of a look takes effect on the claim that it ends, and on no later one: however often it is sent, and however late.

use std::time::Duration;

use retcon::domain::key::InternalKey;
use retcon::domain::record::{DoubtId, OperationEnd, OperationKind};
use retcon::store::requests::lease::Fence;
use retcon::store::requests::look::{Decide, RecordResults};
use retcon::store::requests::queue::{ClaimedLook, Finish, FinishItems, GiveBack, Hold, Recover, Recovered};
use retcon::store::{Request, Store, StoreError};
use rstest::rstest;

use crate::support::postgres::{self, TestStore};
use crate::support::site::open_directory;
use crate::support::store::{
    again, claim_one, customer, decision, intent, items, key, notify, recall, receipts, record, results, rows, run,
    serve, source,
};
use crate::support::wire::{Moment, Wire};

/// Of what is not done its state, and that of a write.
const STATES: &str =
    "select work_item.state, operation.state from work_item cross join operation where work_item.state <> 'done'";

/// What puts the items of a look back.
#[derive(Debug, Clone, Copy)]
enum End {
    WithoutResults,
    WithResults,
    Unbegun,
    Held,
}

impl End {
    async fn send(self, store: &Store, fence: &Fence, look: &ClaimedLook) -> Result<(), StoreError> {
        let (entity, items) = (customer(), receipts(look));
        match self {
            Self::WithoutResults => {
                FinishItems { entity, finish: Finish { items, end: again() } }.run_under(fence.clone(), store).await
            }
            Self::WithResults => {
                let finish = Finish { items, end: again() };
                RecordResults { finish, ..results(InternalKey(1), &[]) }.run_under(fence.clone(), store).await
            }
            Self::Unbegun => GiveBack { entity, items }.run_under(fence.clone(), store).await,
            Self::Held => {
                let (due_in, error) = (Duration::ZERO, "it waits for 1".to_owned());
                Hold { entity, items, by: DoubtId(1), due_in, error, spent: false }
                    .run_under(fence.clone(), store)
                    .await
            }
        }
    }
}

/// A database with a record under its second look; the first one has put its item back and does not know it.
async fn put_back_unawares(store: &TestStore, wire: &Wire, fence: &Fence, end: End) -> (ClaimedLook, ClaimedLook) {
    record(store, "crm", "a").await;
    let item = notify(store, "crm", "a").await.id;
    let first = claim_one(store).await;
    let lost = end.send(&wire.store(), fence, &first).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    assert_eq!(wire.left(), 0);
    let second = claim_one(store).await;
    assert_eq!(items(&second), [item], "it is claimed anew");
    (first, second)
}

#[rstest]
#[tokio::test]
async fn what_puts_work_back_and_is_sent_again_does_not_end_the_next_look(
    #[values(End::WithoutResults, End::WithResults, End::Unbegun, End::Held)] end: End,
) {
    let (store, directory) = (postgres::store(), open_directory());
    let wire = Wire::new(directory.path(), &store, "-- Puts running items back", Moment::AfterCommit, 1);
    let (_, fence) = serve(&store).await;
    let (first, second) = put_back_unawares(&store, &wire, &fence, end).await;
    let create = intent(OperationKind::Create);
    let known = recall(&store, InternalKey(1)).await;
    let operations = vec![(source("billing"), create.clone())];
    assert!(run(&store, Decide { operations, ..decision(&known) }).await);
    end.send(&store, &fence, &first).await.expect("it was recorded before");
    assert_eq!(rows(&store, STATES).await, ["running|in-flight"]);

    let done = RecordResults {
        keys: vec![(source("billing"), key("b"))],
        ended: vec![(create.id, OperationEnd::Done { key: Some(key("b")) })],
        ..results(InternalKey(1), &receipts(&second))
    };
    run(&store, done).await;
    assert_eq!(recall(&store, InternalKey(1)).await.links[&source("billing")].key, Some(key("b")));
    assert_eq!(rows(&store, "select state from operation").await, ["done"]);
    assert_eq!(rows(&store, STATES).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_look_does_not_know_it_has_put_back_is_recovered_where_nobody_knows_of_the_next_claim() {
    let (store, directory) = (postgres::store(), open_directory());
    let wire = Wire::new(directory.path(), &store, "-- Puts running items back", Moment::AfterCommit, 1);
    let (_, fence) = serve(&store).await;
    let (first, second) = put_back_unawares(&store, &wire, &fence, End::WithoutResults).await;
    let recover = |look| Recover { entity: customer(), held: receipts(look) };
    assert_eq!(run(&store, recover(&second)).await, Recovered { put_back: 0, has_work: false });
    assert_eq!(run(&store, recover(&first)).await, Recovered { put_back: 1, has_work: true });
    End::WithoutResults.send(&store, &fence, &first).await.expect("it was recorded before");
    assert_eq!(items(&claim_one(&store).await), items(&second));
}
