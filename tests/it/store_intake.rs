//! What is stored and claimed in one commit, and when nothing is.

use retcon::domain::record::{OpenOperation, OperationKind};
use retcon::store::Store;
use retcon::store::requests::look::Decide;
use retcon::store::requests::queue::{Claimed, Enqueued, Recover, Subject, TakeIn};
use retcon::store::requests::view::WorkState;
use tokio::sync::mpsc;
use tokio_postgres::NoTls;

use crate::support::postgres;
use crate::support::store::{
    again, ask, claim, claim_one, customer, decision, done, finish, first_claims, intent, item, items, later,
    notification, notify, order, parked, recall, receipts, record, rows, run, source, unknown,
};

const ITEMS: &str = "select count(*) from work_item where state <> 'done'";

async fn take_in(store: &Store, source_name: &str, foreign_key: &str) -> Option<(Enqueued, Claimed)> {
    run(store, TakeIn { notification: notification(source_name, foreign_key), ahead: None }).await
}

#[tokio::test]
async fn a_notification_that_is_alone_is_claimed_as_a_claim_after_it_would_have_claimed_it() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let known = recall(&store, one).await;
    let (ahead, mut told) = mpsc::unbounded_channel();
    let taken = run(&store, TakeIn { notification: notification("crm", "a"), ahead: Some(ahead) }).await;
    let (enqueued, claimed) = taken.expect("there is nothing else");
    assert_eq!(told.recv().await.as_ref(), Some(&claimed));
    assert!(!enqueued.coalesced && claimed.next_due.is_none());
    let [look] = &*claimed.looks else { panic!("{claimed:?}") };
    assert_eq!((&look.subject, items(look)), (&Subject::Record(one), vec![enqueued.id]));
    assert_eq!(look.known.as_ref().map(|known| &known.record), Some(&known.record));
    let shown = item(&store, enqueued.id).await;
    assert_eq!((shown.state, shown.record), (WorkState::Running, Some(one)));
    finish(&store, receipts(look), again()).await;
    let again = claim_one(&store).await;
    assert_eq!((&again.subject, items(&again)), (&look.subject, items(look)));
}

#[tokio::test]
async fn an_unknown_key_and_a_parked_item_are_taken_in_too() {
    let store = postgres::store();
    run(&store, Recover { entity: customer(), held: Vec::new() }).await;
    rows(&store, "insert into entity values ('customer', 0) on conflict do nothing").await;
    let (first, claimed) = take_in(&store, "crm", "a").await.expect("there is nothing else");
    assert_eq!(claimed.looks[0].subject, unknown("crm", "a"));
    finish(&store, first_claims(&[first.id]), parked()).await;
    let (second, claimed) = take_in(&store, "crm", "a").await.expect("what is parked waits for nothing");
    assert_eq!((second.id, second.coalesced, claimed.looks[0].items[0].attempts), (first.id, true, 0));
}

#[tokio::test]
async fn nothing_is_stored_where_there_is_more_to_be_considered() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let refused = async |what: &str| {
        let before = rows(&store, ITEMS).await;
        assert_eq!(take_in(&store, "crm", "z").await, None, "{what}");
        assert_eq!(rows(&store, ITEMS).await, before, "{what}");
    };
    let waiting = notify(&store, "crm", "a").await.id;
    refused("another item is due").await;
    let look = claim_one(&store).await;
    refused("an item is running").await;
    finish(&store, receipts(&look), later()).await;
    refused("another item waits").await;
    // It is the only one, and not due before its source answers.
    rows(&store, "update work_item set due_at = 'infinity', blocked_by = '{crm}' where state = 'waiting'").await;
    assert_eq!(take_in(&store, "crm", "a").await, None, "its source is down");
    rows(&store, "update work_item set due_at = now(), blocked_by = '{}' where state = 'waiting'").await;
    finish(&store, receipts(&claim_one(&store).await), done()).await;
    assert_eq!(item(&store, waiting).await.state, WorkState::Done);
    let ordered = order(&store, one).await;
    refused("a person has given an order").await;
    assert_eq!(items(&claim_one(&store).await), [ordered]);
    finish(&store, first_claims(&[ordered]), done()).await;
    let asked = ask(&store, one).await.id;
    refused("somebody asks for a record").await;
    finish(&store, receipts(&claim_one(&store).await), done()).await;
    assert_eq!(item(&store, asked).await.state, WorkState::Done);
    let operations = vec![(source("billing"), OpenOperation { ..intent(OperationKind::Create) })];
    assert!(run(&store, Decide { operations, ..decision(&recall(&store, one).await) }).await);
    refused("a copy may be in the making").await;
    assert!(claim(&store).await.is_empty(), "nothing was stored");
}

#[tokio::test]
async fn nothing_waits_for_whoever_has_the_entity_locked() {
    let store = postgres::store();
    record(&store, "crm", "a").await;
    let (client, connection) = store.config().connect(NoTls).await.expect("the server takes connections");
    tokio::spawn(connection);
    client
        .batch_execute("begin; select from entity where name = 'customer' for no key update")
        .await
        .expect("it is free");
    assert_eq!(take_in(&store, "crm", "a").await, None);
    assert!(!notify(&store, "crm", "a").await.coalesced, "nothing was stored");
    client.batch_execute("commit").await.expect("a commit");
    assert_eq!(take_in(&store, "crm", "a").await.map(|(enqueued, _)| enqueued.coalesced), Some(true));
    assert!(!notify(&store, "crm", "a").await.coalesced, "the one that is running had begun before it came");
}
