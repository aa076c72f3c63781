//! How a newly seen item gets its record, exactly once.

use std::time::Duration;

use retcon::domain::key::InternalKey;
use retcon::domain::record::{
    Base, DoubtId, Link, LinkState, OpenOperation, OperationEnd, OperationKind, OperationState,
};
use retcon::store::Store;
use retcon::store::requests::look::{
    Decide, FindRival, Introduce, Introduced, Moment, RecallUnknown, RecordResults, UnknownKey,
};
use retcon::store::requests::queue::WorkItemId;

use crate::support::postgres;
use crate::support::store::{
    again, claim_one, customer, decision, done, finish, first_claims, intent, introduce, introduce_claimed, item,
    items, json, key, linked, next_version, notify, recall, record, removal, results, rows, run, source, unknown,
};

const ANN: Option<&str> = Some(r#"["ann@example.com"]"#);

/// Notifies of an unknown copy and claims it.
async fn claimed(store: &Store, source_name: &str, foreign_key: &str) -> Vec<WorkItemId> {
    notify(store, source_name, foreign_key).await;
    let look = claim_one(store).await;
    assert_eq!(look.subject, unknown(source_name, foreign_key));
    items(&look)
}

async fn recalled(store: &Store, source_name: &str, foreign_key: &str, items: &[WorkItemId]) -> UnknownKey {
    let (source, key) = (source(source_name), key(foreign_key));
    run(store, RecallUnknown { entity: customer(), source, key, items: items.to_vec() }).await
}

fn introduction(foreign_key: &str, items: &[WorkItemId], recalled_at: Moment) -> Introduce {
    let (source, key) = (source("crm"), key(foreign_key));
    Introduce { entity: customer(), source, key, match_value: None, items: items.to_vec(), recalled_at }
}

#[tokio::test]
async fn a_new_item_becomes_a_record_with_the_next_key() {
    let store = postgres::store();
    let (introduced, items) = introduce_claimed(&store, "crm", "a", ANN).await;
    assert_eq!(introduced, Introduced::New(InternalKey(1)));
    assert_eq!(item(&store, items[0]).await.record, Some(InternalKey(1)));
    let known = recall(&store, InternalKey(1)).await;
    assert_eq!((known.record.version, &known.record.agreed), (0, &None));
    assert_eq!(known.links.into_iter().collect::<Vec<_>>(), [(source("crm"), linked("a"))]);
    assert_eq!(rows(&store, "select key, record, state from foreign_key").await, ["a|1|current"]);
    assert_eq!(rows(&store, "select value, record from match_value").await, [r#"["ann@example.com"]|1"#]);
    assert_eq!(introduce_claimed(&store, "crm", "b", None).await.0, Introduced::New(InternalKey(2)));
}

#[tokio::test]
async fn a_new_item_that_cannot_be_read_a_second_time_is_still_the_item_that_it_was() {
    let store = postgres::store();
    assert_eq!(introduce_claimed(&store, "crm", "a", ANN).await.0, Introduced::New(InternalKey(1)));
    let known = recall(&store, InternalKey(1)).await;
    assert!(run(&store, Decide { match_value: None, ..decision(&known) }).await);
    assert_eq!(introduce_claimed(&store, "billing", "b", ANN).await.0, Introduced::Joined(InternalKey(1)));
}

#[tokio::test]
async fn internal_keys_have_no_gaps() {
    let store = postgres::store();
    for (foreign_key, match_value, expected) in [
        ("a", ANN, Introduced::New(InternalKey(1))),
        ("b", ANN, Introduced::Rival { record: InternalKey(2), of: InternalKey(1) }),
        ("c", None, Introduced::New(InternalKey(3))),
    ] {
        let (introduced, items) = introduce_claimed(&store, "crm", foreign_key, match_value).await;
        assert_eq!(introduced, expected);
        let again = introduce(&store, "crm", foreign_key, match_value, &items).await;
        assert_eq!(again, Introduced::LookAgain);
        finish(&store, first_claims(&items), done()).await;
    }
    assert_eq!(rows(&store, "select last_internal_key from entity").await, ["3"]);
    assert_eq!(rows(&store, "select record from match_value").await, ["1"]);
}

#[tokio::test]
async fn a_match_joins_where_the_record_has_no_copy() {
    for link in [None, Some(Link::unlinked()), Some(Link { state: LinkState::Detached, ..Link::unlinked() })] {
        let store = postgres::store();
        let (_, first) = introduce_claimed(&store, "crm", "a", ANN).await;
        if let Some(link) = link {
            let shadow = Some(json("1"));
            let link = Link { base: Base { shadow, ..Base::default() }, ..link };
            let known = recall(&store, InternalKey(1)).await;
            let links = vec![(source("billing"), link)];
            let match_value = ANN.map(str::to_owned);
            assert!(run(&store, Decide { links, match_value, ..decision(&known) }).await);
        }
        finish(&store, first_claims(&first), done()).await;
        let (introduced, items) = introduce_claimed(&store, "billing", "b", ANN).await;
        assert_eq!(introduced, Introduced::Joined(InternalKey(1)));
        assert_eq!(item(&store, items[0]).await.record, Some(InternalKey(1)));
        let known = recall(&store, InternalKey(1)).await;
        assert_eq!(known.links.get(&source("billing")), Some(&linked("b")), "with an empty base");
        assert_eq!(rows(&store, "select key, state from foreign_key order by key").await, ["a|current", "b|current"]);
        assert_eq!(rows(&store, "select last_internal_key from entity").await, ["1"]);
    }
}

#[tokio::test]
async fn a_match_with_a_live_copy_in_the_same_source_is_a_rival() {
    let store = postgres::store();
    let (_, first) = introduce_claimed(&store, "crm", "a", ANN).await;
    // Whether or not another look is at that record.
    let (introduced, second) = introduce_claimed(&store, "crm", "b", ANN).await;
    assert_eq!(introduced, Introduced::Rival { record: InternalKey(2), of: InternalKey(1) });
    assert_eq!(item(&store, second[0]).await.record, Some(InternalKey(2)));
    finish(&store, first_claims(&first), done()).await;
    let rival = |record: i64, name: &str, value: &str| FindRival {
        entity: customer(),
        record: InternalKey(record),
        source: source(name),
        match_value: value.to_owned(),
    };
    let ann = ANN.expect("a value");
    assert!(run(&store, rival(2, "crm", ann)).await);
    assert!(!run(&store, rival(1, "crm", ann)).await, "a record is no rival of itself");
    assert!(!run(&store, rival(2, "billing", ann)).await);
    assert!(!run(&store, rival(2, "crm", "[]")).await);
    let known = recall(&store, InternalKey(1)).await;
    assert!(run(&store, removal(&known)).await);
    assert!(!run(&store, rival(2, "crm", ann)).await);
}

#[tokio::test]
async fn a_match_joins_a_record_under_another_look_which_then_creates_no_copy_of_its_own() {
    let store = postgres::store();
    let (_, first) = introduce_claimed(&store, "crm", "a", ANN).await;
    let known = recall(&store, InternalKey(1)).await;
    let (introduced, _) = introduce_claimed(&store, "billing", "b", ANN).await;
    assert_eq!(introduced, Introduced::Joined(InternalKey(1)));
    let create = vec![(source("billing"), intent(OperationKind::Create))];
    let decide = Decide { operations: create, decided_items: first, ..decision(&known) };
    assert!(!run(&store, decide).await, "it must look again");
    assert_eq!(recall(&store, InternalKey(1)).await.links.len(), 2);
}

#[tokio::test]
async fn a_match_with_a_record_whose_copy_is_being_created_waits() {
    let store = postgres::store();
    let (_, first) = introduce_claimed(&store, "crm", "a", ANN).await;
    let known = recall(&store, InternalKey(1)).await;
    let second = claimed(&store, "billing", "b").await;
    let create = vec![(source("billing"), intent(OperationKind::Create))];
    let match_value = ANN.map(str::to_owned);
    assert!(run(&store, Decide { operations: create, decided_items: first, match_value, ..decision(&known) }).await);
    let waits = Introduced::Unsettled { by: DoubtId(1), state: OperationState::InFlight };
    assert_eq!(introduce(&store, "billing", "b", ANN, &second).await, waits);
    assert_eq!(rows(&store, "select key from foreign_key").await, ["a"]);
}

#[tokio::test]
async fn a_removed_record_matches_nothing() {
    let store = postgres::store();
    let (_, first) = introduce_claimed(&store, "crm", "a", ANN).await;
    let known = recall(&store, InternalKey(1)).await;
    let match_value = ANN.map(str::to_owned);
    assert!(run(&store, Decide { match_value, ..removal(&known) }).await);
    finish(&store, first_claims(&first), done()).await;
    assert_eq!(introduce_claimed(&store, "billing", "b", ANN).await.0, Introduced::New(InternalKey(2)));
}

#[tokio::test]
async fn a_key_that_is_linked_by_now_is_looked_at_again() {
    let store = postgres::store();
    let items = claimed(&store, "crm", "a").await;
    let unknown = recalled(&store, "crm", "a", &items).await;
    let one = record(&store, "billing", "b").await;
    let rekeyed =
        |foreign_key: &str| RecordResults { keys: vec![(source("crm"), key(foreign_key))], ..results(one, &[]) };
    run(&store, rekeyed("a")).await;
    let introduced = run(&store, introduction("a", &items, unknown.now.clone())).await;
    assert_eq!(introduced, Introduced::LookAgain);
    run(&store, rekeyed("a2")).await;
    let introduced = run(&store, introduction("a", &items, unknown.now)).await;
    assert_eq!(introduced, Introduced::LookAgain, "a former key is linked too");
    assert_eq!(rows(&store, "select last_internal_key from entity").await, ["1"]);
}

#[tokio::test]
async fn a_deleted_copys_key_is_recalled_and_becomes_current_for_a_new_record() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let gone = |document: &str| RecordResults {
        links: vec![(source("crm"), Link::unlinked())],
        retired: vec![(source("crm"), key("a"), Some(json(document)))],
        ..results(one, &[])
    };
    run(&store, gone(r#"{"n":1.0}"#)).await;
    let items = claimed(&store, "crm", "a").await;
    let unknown = recalled(&store, "crm", "a", &items).await;
    let (document, age) = unknown.retired.clone().expect("it was deleted");
    assert_eq!(document, Some(json(r#"{"n":1}"#)));
    assert!(age < Duration::from_secs(600), "{age:?}");
    run(&store, gone("{}")).await;
    let introduced = run(&store, introduction("a", &items, unknown.now)).await;
    assert_eq!(introduced, Introduced::LookAgain, "it was deleted again");
    assert_eq!(introduce(&store, "crm", "a", None, &items).await, Introduced::New(InternalKey(2)));
    assert_eq!(rows(&store, "select record, state, document from foreign_key").await, ["2|current|null"]);
    // The former owner's word counts no more.
    run(&store, gone("{}")).await;
    assert_eq!(rows(&store, "select record, state from foreign_key").await, ["2|current"]);
}

/// Makes record 1, known in `billing`, of which an operation at `crm` stands as given.
async fn with_operation(store: &Store, operation: &OpenOperation) -> InternalKey {
    let one = record(store, "billing", "b").await;
    let known = recall(store, one).await;
    let operations = vec![(source("crm"), operation.clone())];
    assert!(run(store, Decide { operations, ..decision(&known) }).await);
    one
}

fn doubt(kind: OperationKind) -> OpenOperation {
    OpenOperation { state: OperationState::InDoubt, ..intent(kind) }
}

#[tokio::test]
async fn creates_and_updates_of_unknown_end_are_recalled_with_an_unknown_key() {
    let open = OpenOperation { state: OperationState::Open, ..intent(OperationKind::Create) };
    let without_effect = OpenOperation { may_have_taken_effect: false, ..open.clone() };
    for (operation, counts) in [
        (doubt(OperationKind::Create), true),
        (doubt(OperationKind::Update), true),
        (doubt(OperationKind::Delete), false),
        (open, true),
        (without_effect, false),
    ] {
        let store = postgres::store();
        let one = with_operation(&store, &operation).await;
        let items = claimed(&store, "crm", "a").await;
        let expected = if counts { vec![(one, operation)] } else { Vec::new() };
        let doubts = recalled(&store, "crm", "a", &items).await.doubts;
        assert_eq!(doubts.into_iter().map(|doubt| (doubt.record, doubt.open)).collect::<Vec<_>>(), expected);
        finish(&store, first_claims(&items), done()).await;
        let items = claimed(&store, "ldap", "a").await;
        assert_eq!(recalled(&store, "ldap", "a", &items).await.doubts, []);
    }
}

#[tokio::test]
async fn only_doubts_from_before_the_key_was_asked_for_count() {
    let store = postgres::store();
    let items = claimed(&store, "crm", "a").await;
    with_operation(&store, &doubt(OperationKind::Create)).await;
    assert_eq!(recalled(&store, "crm", "a", &items).await.doubts, []);
    finish(&store, first_claims(&items), again()).await;
    assert!(notify(&store, "crm", "a").await.coalesced);
    claim_one(&store).await;
    assert_eq!(recalled(&store, "crm", "a", &items).await.doubts.len(), 1);
}

#[tokio::test]
async fn a_doubt_that_was_settled_meanwhile_means_to_look_again() {
    let store = postgres::store();
    let operation = doubt(OperationKind::Create);
    let one = with_operation(&store, &operation).await;
    let items = claimed(&store, "crm", "a").await;
    let unknown = recalled(&store, "crm", "a", &items).await;
    let ended = vec![(operation.id, OperationEnd::Superseded)];
    run(&store, RecordResults { ended, ..results(one, &[]) }).await;
    assert_eq!(run(&store, introduction("a", &items, unknown.now)).await, Introduced::LookAgain);
    assert_eq!(introduce(&store, "crm", "a", None, &items).await, Introduced::New(InternalKey(2)));
}

#[tokio::test]
async fn a_create_that_is_tried_again_meanwhile_means_to_look_again() {
    let store = postgres::store();
    let operation = doubt(OperationKind::Create);
    let one = with_operation(&store, &operation).await;
    let items = claimed(&store, "crm", "a").await;
    let unknown = recalled(&store, "crm", "a", &items).await;
    let known = recall(&store, one).await;
    let again = OpenOperation { state: OperationState::InFlight, attempts: 2, ..operation };
    assert!(run(&store, Decide { operations: vec![(source("crm"), again)], ..decision(&known) }).await);
    assert_eq!(run(&store, introduction("a", &items, unknown.now)).await, Introduced::LookAgain);
}

#[tokio::test]
async fn a_record_keeps_its_match_value_only_where_that_is_free() {
    let store = postgres::store();
    let (_, first) = introduce_claimed(&store, "crm", "a", Some("[1]")).await;
    let (_, second) = introduce_claimed(&store, "crm", "b", Some("[2]")).await;
    finish(&store, first_claims(&[first, second].concat()), done()).await;
    let wants = async |record: i64, value: Option<&str>| {
        let known = recall(&store, InternalKey(record)).await;
        let request = Decide { match_value: value.map(str::to_owned), ..next_version(&known, "{}") };
        assert!(run(&store, request).await);
    };
    let values = async || rows(&store, "select record, value from match_value order by record").await;
    wants(2, Some("[1]")).await;
    assert_eq!(values().await, ["1|[1]"]);
    wants(1, Some("[3]")).await;
    assert_eq!(values().await, ["1|[3]"]);
    wants(2, Some("[1]")).await;
    assert_eq!(values().await, ["1|[3]", "2|[1]"]);
    wants(1, None).await;
    assert_eq!(values().await, ["2|[1]"]);
}
