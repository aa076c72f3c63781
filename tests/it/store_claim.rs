//! What is claimed, in which order, together with what, and what is passed over.

use std::time::Duration;

use retcon::domain::key::InternalKey;
use retcon::domain::record::{OpenOperation, OperationEnd, OperationKind, OperationState};
use retcon::store::Store;
use retcon::store::requests::look::{Decide, RecordResults};
use retcon::store::requests::queue::{Claim, Enqueue, Finish, Notification, Subject};
use retcon::store::requests::view::WorkState;

use crate::support::postgres;
use crate::support::store::{
    again, ask, blocked, claim, claim_one, claim_up_to, decision, done, entity, finish, first_claims, intent,
    introduce_claimed, item, items, key, later, linked, notification, notify, nth_claims, order, recall, receipts,
    record, results, rows, run, source, unknown,
};

/// Makes a record with a copy in each of two sources.
async fn record_in_two(store: &Store) -> InternalKey {
    let one = record(store, "crm", "a").await;
    let known = recall(store, one).await;
    assert!(run(store, Decide { links: vec![(source("billing"), linked("b"))], ..decision(&known) }).await);
    one
}

#[tokio::test]
async fn the_longest_due_come_first_and_no_more_than_wanted() {
    let store = postgres::store();
    let notifications = ["a", "b", "c", "d"].map(|key| notification("crm", key)).to_vec();
    run(&store, Enqueue { notifications }).await;
    rows(&store, "update work_item set due_at = due_at - interval '1 hour' where foreign_key = 'c'").await;
    let claimed = claim_up_to(&store, 2).await;
    let subjects: Vec<_> = claimed.looks.into_iter().map(|look| look.subject).collect();
    assert_eq!(subjects, [unknown("crm", "c"), unknown("crm", "a")]);
    assert_eq!(claimed.next_due, Some(Duration::ZERO));
    assert_eq!(claim_up_to(&store, 0).await.looks.len(), 0);
    let claimed = claim_up_to(&store, 9).await;
    assert_eq!((claimed.looks.len(), claimed.next_due), (2, None));
}

#[tokio::test]
async fn only_the_entitys_own_work_is_claimed() {
    let store = postgres::store();
    let elsewhere = Notification { entity: entity("product"), ..notification("crm", "a") };
    run(&store, Enqueue { notifications: vec![elsewhere] }).await;
    let claimed = claim_up_to(&store, 8).await;
    assert_eq!((claimed.looks.len(), claimed.next_due), (0, None));
    assert_eq!(run(&store, Claim { entity: entity("product"), limit: 8, ahead: None }).await.looks.len(), 1);
}

#[tokio::test]
async fn one_look_serves_all_that_waits_for_a_record_due_or_not() {
    let store = postgres::store();
    let one = record_in_two(&store).await;
    let waiting = notify(&store, "billing", "b").await.id;
    finish(&store, receipts(&claim_one(&store).await), later()).await;
    let blocked_one = ask(&store, one).await.id;
    // Claimed together with the one that waits, and put back apart from it.
    assert_eq!(items(&claim_one(&store).await), [waiting, blocked_one]);
    finish(&store, nth_claims(2, &[waiting]), later()).await;
    finish(&store, first_claims(&[blocked_one]), blocked(&["crm"])).await;
    assert!(claim(&store).await.is_empty());
    let due = notify(&store, "crm", "a").await.id;
    let look = claim_one(&store).await;
    assert_eq!(look.subject, Subject::Record(one));
    assert_eq!(items(&look), [waiting, blocked_one, due]);
    assert_eq!(look.items.iter().map(|item| item.attempts).collect::<Vec<_>>(), [2, 0, 0]);
    for id in [waiting, blocked_one, due] {
        let shown = item(&store, id).await;
        assert_eq!((shown.state, shown.record, shown.blocked_by), (WorkState::Running, Some(one), vec![]));
    }
}

#[tokio::test]
async fn a_record_under_a_look_is_passed_over() {
    let store = postgres::store();
    let one = record_in_two(&store).await;
    notify(&store, "crm", "a").await;
    let running = receipts(&claim_one(&store).await);
    let other = notify(&store, "billing", "b").await.id;
    let asked = ask(&store, one).await.id;
    let ordered = order(&store, one).await;
    let claimed = claim_up_to(&store, 8).await;
    assert_eq!((claimed.looks.len(), claimed.next_due), (0, None), "what is passed over is not announced");
    finish(&store, running, done()).await;
    assert_eq!(items(&claim_one(&store).await), [ordered]);
    finish(&store, first_claims(&[ordered]), done()).await;
    assert_eq!(items(&claim_one(&store).await), [other, asked]);
}

#[tokio::test]
async fn an_unknown_key_under_a_look_is_passed_over() {
    let store = postgres::store();
    notify(&store, "crm", "a").await;
    let running = receipts(&claim_one(&store).await);
    notify(&store, "crm", "a").await;
    let same_key_elsewhere = notify(&store, "billing", "a").await.id;
    assert_eq!(items(&claim_one(&store).await), [same_key_elsewhere]);
    finish(&store, running, done()).await;
    assert_eq!(claim_one(&store).await.subject, unknown("crm", "a"));
}

#[tokio::test]
async fn a_key_under_a_look_is_passed_over_also_when_its_record_is_known_by_now() {
    let store = postgres::store();
    let (_, running) = introduce_claimed(&store, "crm", "a", None).await;
    rows(&store, "update work_item set record = null").await;
    notify(&store, "crm", "a").await;
    let record_item = ask(&store, InternalKey(1)).await.id;
    assert_eq!(items(&claim_one(&store).await), [record_item]);
    finish(&store, first_claims(&[running, vec![record_item]].concat()), done()).await;
    assert_eq!(claim_one(&store).await.subject, Subject::Record(InternalKey(1)));
}

#[tokio::test]
async fn orders_come_first_one_to_a_look_and_alone() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let early = notify(&store, "crm", "z").await.id;
    let asked = ask(&store, one).await.id;
    let (first, second) = (order(&store, one).await, order(&store, one).await);
    let claimed = claim_up_to(&store, 1).await;
    assert_eq!(items(&claimed.looks[0]), [first]);
    assert_eq!(items(&claim_one(&store).await), [early]);
    finish(&store, first_claims(&[first]), done()).await;
    assert_eq!(items(&claim_one(&store).await), [second]);
    finish(&store, first_claims(&[second]), later()).await;
    assert_eq!(items(&claim_one(&store).await), [asked], "an order that waits is not served by another look");
}

#[tokio::test]
async fn a_former_key_finds_its_record_and_a_retired_one_does_not() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    run(&store, RecordResults { keys: vec![(source("crm"), key("a2"))], ..results(one, &[]) }).await;
    notify(&store, "crm", "a").await;
    let look = claim_one(&store).await;
    assert_eq!(look.subject, Subject::Record(one));
    finish(&store, receipts(&look), done()).await;
    run(&store, RecordResults { retired: vec![(source("crm"), key("a"), None)], ..results(one, &[]) }).await;
    notify(&store, "crm", "a").await;
    assert_eq!(claim_one(&store).await.subject, unknown("crm", "a"));
    assert_eq!(item(&store, items(&look)[0]).await.record, Some(one));
}

#[tokio::test]
async fn the_next_that_is_due_is_announced() {
    let store = postgres::store();
    assert_eq!(claim_up_to(&store, 8).await.next_due, None);
    notify(&store, "crm", "a").await;
    finish(&store, receipts(&claim_one(&store).await), later()).await;
    let next_due = claim_up_to(&store, 8).await.next_due.expect("it is due in an hour");
    assert!(next_due > Duration::from_secs(3000) && next_due <= Duration::from_secs(3600), "{next_due:?}");
    notify(&store, "crm", "b").await;
    notify(&store, "crm", "c").await;
    assert_eq!(claim_up_to(&store, 1).await.next_due, Some(Duration::ZERO));
    assert!(claim_up_to(&store, 1).await.next_due > Some(Duration::from_secs(3000)));
    notify(&store, "crm", "d").await;
    finish(&store, receipts(&claim_one(&store).await), blocked(&["crm"])).await;
    rows(&store, "delete from work_item where foreign_key = 'a'").await;
    assert_eq!(claim_up_to(&store, 1).await.next_due, None, "nobody knows when a source will be back");
}

/// A record of which a write is in flight at a source.
struct InFlight {
    record: InternalKey,
    operation: OpenOperation,
}

impl InFlight {
    /// Starts a write at `crm` to a record that is known in `billing`.
    async fn start(store: &Store, kind: OperationKind) -> Self {
        let record = record(store, "billing", "b").await;
        let operation = intent(kind);
        let known = recall(store, record).await;
        let operations = vec![(source("crm"), operation.clone())];
        assert!(run(store, Decide { operations, ..decision(&known) }).await);
        Self { record, operation }
    }

    async fn end(self, store: &Store, end: RecordResults) {
        let finish = Finish { items: Vec::new(), end: done() };
        run(store, RecordResults { finish, ..end }).await;
    }

    fn done(&self, foreign_key: &str) -> RecordResults {
        let end = OperationEnd::Done { key: Some(key(foreign_key)) };
        let ended = vec![(self.operation.id, end)];
        RecordResults { ended, keys: vec![(source("crm"), key(foreign_key))], ..results(self.record, &[]) }
    }

    fn now(&self, state: OperationState) -> RecordResults {
        let operation = OpenOperation { state, ..self.operation.clone() };
        let operations = vec![(source("crm"), operation, "it died".to_owned())];
        RecordResults { operations, ..results(self.record, &[]) }
    }
}

#[tokio::test]
async fn the_key_of_a_create_in_flight_waits_and_then_is_known() {
    for kind in [OperationKind::Create, OperationKind::Update] {
        let store = postgres::store();
        let write = InFlight::start(&store, kind).await;
        let created = notify(&store, "crm", "new").await.id;
        let claimed = claim_up_to(&store, 8).await;
        assert_eq!((claimed.looks.len(), claimed.next_due), (0, None), "{kind:?}");
        let (results, record) = (write.done("new"), write.record);
        write.end(&store, results).await;
        let look = claim_one(&store).await;
        assert_eq!((look.subject.clone(), items(&look)), (Subject::Record(record), vec![created]));
    }
}

#[tokio::test]
async fn an_unknown_key_waits_only_as_long_as_the_write_is_in_flight() {
    for state in [OperationState::Open, OperationState::InDoubt] {
        let store = postgres::store();
        let write = InFlight::start(&store, OperationKind::Create).await;
        notify(&store, "crm", "other").await;
        assert!(claim(&store).await.is_empty());
        let results = write.now(state);
        write.end(&store, results).await;
        assert_eq!(claim_one(&store).await.subject, unknown("crm", "other"));
    }
}

#[tokio::test]
async fn an_unknown_key_waits_for_nothing_that_began_after_it_arrived() {
    let store = postgres::store();
    // Claimed and put back, so that it is in the queue when the write starts.
    notify(&store, "crm", "early").await;
    let early = items(&claim_one(&store).await);
    let _write = InFlight::start(&store, OperationKind::Create).await;
    finish(&store, first_claims(&early), again()).await;
    let look = claim_one(&store).await;
    assert_eq!((look.subject.clone(), items(&look)), (unknown("crm", "early"), early));
    finish(&store, receipts(&look), again()).await;
    // Asked for once more, it may be that write's key.
    assert!(notify(&store, "crm", "early").await.coalesced);
    assert!(claim(&store).await.is_empty());
}

#[tokio::test]
async fn nothing_else_waits_for_a_write_in_flight() {
    let store = postgres::store();
    let write = InFlight::start(&store, OperationKind::Create).await;
    let known = notify(&store, "billing", "b").await.id;
    let other_source = notify(&store, "ldap", "new").await.id;
    let mut claimed: Vec<_> = claim(&store).await.iter().flat_map(items).collect();
    claimed.sort();
    assert_eq!(claimed, [known, other_source]);
    finish(&store, first_claims(&claimed), done()).await;
    let results = write.done("new");
    write.end(&store, results).await;
    rows(&store, "update operation set state = 'in-flight', kind = 'delete', ended_at = null").await;
    notify(&store, "crm", "another").await;
    assert_eq!(claim_one(&store).await.subject, unknown("crm", "another"), "a delete makes no key");
}
