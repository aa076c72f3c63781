//! The queue as it is kept in PostgreSQL: how work comes in, how it ends, and how it goes back.

use std::time::Duration;

use retcon::domain::key::InternalKey;
use retcon::domain::merge::Decision;
use retcon::domain::name::EntityName;
use retcon::domain::record::{Link, OperationKind};
use retcon::store::requests::look::{Decide, Introduced, RecordResults};
use retcon::store::requests::queue::{
    Enqueue, EnqueueRecord, Finish, ListDue, Order, Ping, PurgeFinished, Recover, Release, Subject, WorkEnd, WorkItemId,
};
use retcon::store::requests::view::{DropWorkItem, Handled, RetryWorkItem, WorkState};

use crate::support::postgres;
use crate::support::store::{
    again, ask, blocked, claim, claim_one, claim_up_to, customer, decision, done, entity, finish, first_claims, intent,
    introduce_claimed, item, items, json, key, later, linked, notification, notify, nth_claims, order, parked, recall,
    receipts, record, results, rows, run, source, unknown,
};

#[tokio::test]
async fn the_database_answers() {
    run(&postgres::store(), Ping).await;
}

#[tokio::test]
async fn notifications_are_answered_in_their_order_and_each_copy_has_one_item() {
    let store = postgres::store();
    let wanted = ["b", "a", "b", "c", "a"];
    let notifications: Vec<_> = wanted.iter().map(|key| notification("crm", key)).collect();
    let first = run(&store, Enqueue { notifications: notifications.clone() }).await;
    assert_eq!(first.iter().map(|each| each.coalesced).collect::<Vec<_>>(), [false, false, true, false, true]);
    assert_eq!((first[0].id, first[1].id), (first[2].id, first[4].id));
    let second = run(&store, Enqueue { notifications }).await;
    assert!(second.iter().all(|each| each.coalesced));
    assert_eq!(
        first.iter().map(|each| each.id).collect::<Vec<_>>(),
        second.iter().map(|each| each.id).collect::<Vec<_>>()
    );
    for (answer, key) in first.iter().zip(wanted) {
        assert_eq!(item(&store, answer.id).await.copy.expect("a copy").1.as_str(), key);
    }
    assert!(run(&store, Enqueue { notifications: Vec::new() }).await.is_empty());
}

#[tokio::test]
async fn a_notification_never_coalesces_with_what_is_running() {
    let store = postgres::store();
    let first = notify(&store, "crm", "a").await;
    claim_one(&store).await;
    let second = notify(&store, "crm", "a").await;
    assert!(!second.coalesced);
    assert_ne!(first.id, second.id);
    assert_eq!(item(&store, second.id).await.state, WorkState::Ready);
}

#[tokio::test]
async fn a_notification_makes_what_waits_due_now() {
    let store = postgres::store();
    let first = notify(&store, "crm", "a").await;
    finish(&store, receipts(&claim_one(&store).await), later()).await;
    assert!(claim(&store).await.is_empty());
    let second = notify(&store, "crm", "a").await;
    assert!(second.coalesced);
    assert_eq!(first.id, second.id);
    let shown = item(&store, first.id).await;
    assert_eq!((shown.state, shown.attempts), (WorkState::Waiting, 1));
    assert_eq!(claim_one(&store).await.items[0].attempts, 1);
}

#[tokio::test]
async fn a_notification_leaves_what_waits_for_its_own_source() {
    let store = postgres::store();
    let first = notify(&store, "crm", "a").await;
    finish(&store, receipts(&claim_one(&store).await), blocked(&["crm", "billing"])).await;
    assert!(notify(&store, "crm", "a").await.coalesced);
    let shown = item(&store, first.id).await;
    assert_eq!((shown.due_at, shown.blocked_by), (None, vec![source("crm"), source("billing")]));
    let claimed = claim_up_to(&store, 8).await;
    assert_eq!((claimed.looks.len(), claimed.next_due), (0, None));
}

#[tokio::test]
async fn a_notification_does_not_wait_for_another_source() {
    let store = postgres::store();
    notify(&store, "crm", "a").await;
    finish(&store, receipts(&claim_one(&store).await), blocked(&["billing"])).await;
    assert!(notify(&store, "crm", "a").await.coalesced);
    claim_one(&store).await;
}

#[tokio::test]
async fn a_notification_gives_what_is_parked_fresh_attempts() {
    let store = postgres::store();
    let first = notify(&store, "crm", "a").await;
    finish(&store, receipts(&claim_one(&store).await), later()).await;
    run(&store, RetryWorkItem { id: first.id }).await;
    finish(&store, receipts(&claim_one(&store).await), parked()).await;
    let shown = item(&store, first.id).await;
    assert_eq!((shown.state, shown.attempts), (WorkState::Parked, 1));
    assert_eq!(shown.last_error.as_deref(), Some("rejected five times"));
    assert!(claim(&store).await.is_empty());
    assert!(notify(&store, "crm", "a").await.coalesced);
    assert_eq!(item(&store, first.id).await.state, WorkState::Ready);
    assert_eq!(claim_one(&store).await.items[0].attempts, 0);
}

#[tokio::test]
async fn a_record_is_asked_for_as_a_copy_is() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let missing = EnqueueRecord { entity: customer(), record: InternalKey(99), order: None };
    assert_eq!(run(&store, missing).await, None);
    let first = ask(&store, one).await;
    assert!(!first.coalesced);
    assert_eq!(ask(&store, one).await.id, first.id);
    assert_eq!(claim_one(&store).await.subject, Subject::Record(one));
    let second = ask(&store, one).await;
    assert!(!second.coalesced && second.id != first.id);
    finish(&store, first_claims(&[first.id]), done()).await;
    finish(&store, receipts(&claim_one(&store).await), blocked(&["crm"])).await;
    assert!(ask(&store, one).await.coalesced);
    finish(&store, receipts(&claim_one(&store).await), parked()).await;
    assert!(ask(&store, one).await.coalesced);
    assert_eq!(claim_one(&store).await.items[0].attempts, 0);
}

#[tokio::test]
async fn an_order_is_always_a_new_item_and_is_kept_until_it_is_decided() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    ask(&store, one).await;
    for said in
        [Decision::Take(source("crm")), Decision::Value(json(r#"["\u0000",null]"#)), Decision::Absent, Decision::Keep]
    {
        let wanted = Order::Resolve { conflict: 7, revision: 2, decision: said, together: None };
        let request = EnqueueRecord { entity: customer(), record: one, order: Some(wanted.clone()) };
        let stored = run(&store, request).await.expect("there is such a record");
        assert!(!stored.coalesced);
        assert_eq!(item(&store, stored.id).await.order, Some(wanted.clone()));
        let look = claim_one(&store).await;
        assert_eq!((items(&look), look.items[0].order.as_ref()), (vec![stored.id], Some(&wanted)));
        let known = recall(&store, one).await;
        assert!(run(&store, Decide { decided_items: items(&look), ..decision(&known) }).await);
        assert_eq!(item(&store, stored.id).await.order, None);
        finish(&store, receipts(&look), done()).await;
    }
}

#[tokio::test]
async fn work_ends_with_its_outcome_and_only_if_it_runs() {
    let store = postgres::store();
    let first = notify(&store, "crm", "a").await.id;
    finish(&store, nth_claims(0, &[first]), done()).await;
    assert_eq!(item(&store, first).await.state, WorkState::Ready);
    claim_one(&store).await;
    finish(&store, first_claims(&[first]), WorkEnd::Done { outcome: "nothing-there" }).await;
    finish(&store, first_claims(&[first]), done()).await;
    finish(&store, first_claims(&[first]), again()).await;
    let shown = item(&store, first).await;
    assert_eq!((shown.state, shown.outcome.as_deref()), (WorkState::Done, Some("nothing-there")));
}

#[tokio::test]
async fn what_waits_comes_again_when_it_is_due_and_counts_its_attempts() {
    let store = postgres::store();
    let first = notify(&store, "crm", "a").await.id;
    let soon = Duration::from_secs(100);
    for (spent, waiting, attempts, state) in
        [(true, true, 1, WorkState::Waiting), (false, false, 1, WorkState::Ready), (true, false, 2, WorkState::Ready)]
    {
        let look = claim_one(&store).await;
        let end =
            WorkEnd::Again { due_in: soon, error: Some("why\0".to_owned()), blocked_by: Vec::new(), spent, waiting };
        finish(&store, receipts(&look), end).await;
        let shown = item(&store, first).await;
        assert_eq!((shown.state, shown.attempts, shown.last_error.as_deref()), (state, attempts, Some("why\u{FFFD}")));
        let claimed = claim_up_to(&store, 8).await;
        assert!(claimed.looks.is_empty());
        let next = claimed.next_due.expect("it is due some time");
        assert!(next <= soon && next > soon - Duration::from_secs(60), "{next:?}");
        rows(&store, "update work_item set due_at = clock_timestamp()").await;
    }
}

#[tokio::test]
async fn the_longest_wait_is_no_error() {
    let store = postgres::store();
    notify(&store, "crm", "a").await;
    let look = claim_one(&store).await;
    let end =
        WorkEnd::Again { due_in: Duration::MAX, error: None, blocked_by: Vec::new(), spent: false, waiting: true };
    finish(&store, receipts(&look), end).await;
    assert!(claim_up_to(&store, 8).await.next_due > Some(Duration::from_secs(50 * 365 * 24 * 3600)));
    assert_eq!(run(&store, PurgeFinished { older_than: Duration::MAX }).await, 0);
}

#[tokio::test]
async fn what_comes_again_gives_way_to_another_that_was_asked_for_meanwhile() {
    let store = postgres::store();
    for end in [again(), later(), blocked(&["billing"]), parked()] {
        let first = notify(&store, "crm", "a").await.id;
        claim_one(&store).await;
        let second = notify(&store, "crm", "a").await.id;
        finish(&store, first_claims(&[first]), end).await;
        let shown = item(&store, first).await;
        assert_eq!((shown.state, shown.outcome.as_deref()), (WorkState::Done, Some("coalesced")));
        assert_eq!(shown.coalesced_into, Some(second));
        assert_eq!(items(&claim_one(&store).await), [second]);
        finish(&store, first_claims(&[second]), done()).await;
    }
}

#[tokio::test]
async fn the_other_is_due_no_later_than_what_it_stands_for() {
    let store = postgres::store();
    let first = notify(&store, "crm", "a").await.id;
    claim_one(&store).await;
    let second = notify(&store, "crm", "a").await.id;
    rows(
        &store,
        "update work_item set due_at = 'infinity', blocked_by = '{crm}', state = 'waiting' where state = 'ready'",
    )
    .await;
    finish(&store, first_claims(&[first]), again()).await;
    assert_eq!(items(&claim_one(&store).await), [second]);
}

#[tokio::test]
async fn the_item_of_a_copy_that_is_gone_stays_with_its_record() {
    let store = postgres::store();
    let (introduced, first) = introduce_claimed(&store, "crm", "a", None).await;
    let one = match introduced {
        Introduced::New(one) => one,
        other => panic!("{other:?}"),
    };
    let gone = RecordResults {
        retired: vec![(source("crm"), key("a"), None)],
        links: vec![(source("crm"), Link::unlinked())],
        finish: Finish { items: first_claims(&first), end: later() },
        ..results(one, &[])
    };
    run(&store, gone).await;
    let second = notify(&store, "crm", "a").await;
    assert!(!second.coalesced, "the key is nobody's now");
    let other = ask(&store, one).await;
    assert_eq!((other.coalesced, other.id), (true, first[0]), "what is owed to the record waits in its item");
    let mut looks = claim(&store).await;
    looks.sort_by_key(items);
    assert_eq!(
        looks.iter().map(|look| look.subject.clone()).collect::<Vec<_>>(),
        [Subject::Record(one), unknown("crm", "a")]
    );
    let shown = item(&store, first[0]).await;
    assert_eq!(shown.copy.map(|(_, key)| key.to_string()), Some("a".to_owned()));
}

#[tokio::test]
async fn items_that_come_to_be_about_one_record_become_one() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let known = recall(&store, one).await;
    let links = vec![(source("billing"), linked("b"))];
    assert!(run(&store, Decide { links, ..decision(&known) }).await);
    let (a, b) = (notify(&store, "crm", "a").await.id, notify(&store, "billing", "b").await.id);
    let both = items(&claim_one(&store).await);
    assert_eq!(both, [a, b]);
    rows(&store, "update foreign_key set state = 'retired'").await;
    finish(&store, first_claims(&both), later()).await;
    assert_eq!(item(&store, a).await.state, WorkState::Waiting);
    assert_eq!(item(&store, b).await.coalesced_into, Some(a));
}

#[tokio::test]
async fn what_is_parked_ends_with_a_look_that_is_done() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let by_key = notify(&store, "crm", "a").await.id;
    let by_record = ask(&store, one).await.id;
    let ordered = order(&store, one).await;
    for _ in 0..2 {
        finish(&store, receipts(&claim_one(&store).await), parked()).await;
    }
    let known = recall(&store, one).await;
    let links = vec![(source("billing"), linked("b"))];
    // Parked when nobody knew whose copy it is.
    let early = notify(&store, "billing", "b").await.id;
    finish(&store, receipts(&claim_one(&store).await), parked()).await;
    assert!(run(&store, Decide { links, ..decision(&known) }).await);
    let elsewhere = notify(&store, "crm", "z").await.id;
    finish(&store, receipts(&claim_one(&store).await), parked()).await;

    rows(&store, "update work_item set state = 'ready' where subject = 'record' and command is null").await;
    let look = claim_one(&store).await;
    assert_eq!(items(&look), [by_record]);
    finish(&store, receipts(&look), done()).await;
    for id in [by_key, by_record, early] {
        let shown = item(&store, id).await;
        assert_eq!((shown.state, shown.outcome.as_deref()), (WorkState::Done, Some("synced")), "{id:?}");
    }
    for id in [ordered, elsewhere] {
        assert_eq!(item(&store, id).await.state, WorkState::Parked, "{id:?}");
    }
}

#[tokio::test]
async fn entities_are_named_that_have_due_work() {
    let store = postgres::store();
    let nobody: Vec<EntityName> = Vec::new();
    assert_eq!(run(&store, ListDue).await, nobody);
    run(&store, Recover { entity: customer(), held: Vec::new() }).await;
    run(&store, Recover { entity: entity("idle"), held: Vec::new() }).await;
    let waiting = notify(&store, "crm", "a").await.id;
    assert_eq!(run(&store, ListDue).await, [customer()]);
    let claimed = receipts(&claim_one(&store).await);
    assert_eq!(run(&store, ListDue).await, nobody, "it is being looked at");
    finish(&store, claimed, blocked(&["billing"])).await;
    assert_eq!((run(&store, ListDue).await, item(&store, waiting).await.state), (nobody, WorkState::Waiting));
}

#[tokio::test]
async fn what_a_failed_look_has_left_in_flight_may_have_taken_effect() {
    let store = postgres::store();
    let (one, two) = (record(&store, "crm", "a").await, record(&store, "crm", "b").await);
    for record in [one, two] {
        ask(&store, record).await;
        let known = recall(&store, record).await;
        let operations = [("x", OperationKind::Create), ("y", OperationKind::Update)];
        let operations = operations.map(|(name, kind)| (source(name), intent(kind))).to_vec();
        assert!(run(&store, retcon::store::requests::look::Decide { operations, ..decision(&known) }).await);
    }
    let looks = claim(&store).await;
    let failed = looks.iter().find(|look| look.subject == Subject::Record(one)).expect("it is claimed");
    finish(&store, receipts(failed), later()).await;
    assert_eq!(
        rows(&store, "select record, source, state from operation order by record, source").await,
        ["1|x|in-doubt", "1|y|open", "2|x|in-flight", "2|y|in-flight"]
    );
}

#[tokio::test]
async fn a_source_that_is_back_releases_all_that_waits_for_it() {
    let store = postgres::store();
    for (key, sources) in [("a", vec!["crm"]), ("b", vec!["billing", "crm"]), ("c", vec!["billing"])] {
        notify(&store, "crm", key).await;
        finish(&store, receipts(&claim_one(&store).await), blocked(&sources)).await;
    }
    let release = |name: &str| Release { entity: customer(), source: source(name), probe: false };
    assert_eq!(run(&store, release("ldap")).await, 0);
    assert_eq!(run(&store, Release { entity: entity("other"), ..release("crm") }).await, 0);
    assert_eq!(run(&store, release("crm")).await, 2);
    let mut released: Vec<_> = claim(&store).await.into_iter().map(|look| look.subject).collect();
    released.sort_by_key(|subject| format!("{subject:?}"));
    assert_eq!(released, [unknown("crm", "a"), unknown("crm", "b")]);
}

#[tokio::test]
async fn many_are_released_in_one_request() {
    let store = postgres::store();
    rows(
        &store,
        "insert into work_item (entity, subject, source, foreign_key, state, due_at, blocked_by) \
         select 'customer', 'copy', 'crm', 'k' || n, 'waiting', 'infinity', '{crm}' from generate_series(1, 2500) as n",
    )
    .await;
    assert_eq!(run(&store, Release { entity: customer(), source: source("crm"), probe: false }).await, 2500);
    assert_eq!(rows(&store, "select count(*) from work_item where due_at <= clock_timestamp()").await, ["2500"]);
}

#[tokio::test]
async fn a_probe_releases_one_that_waits_and_not_always_the_same() {
    let store = postgres::store();
    for (key, sources) in [("a", vec!["billing"]), ("b", vec!["crm"]), ("c", vec!["crm"])] {
        notify(&store, "crm", key).await;
        finish(&store, receipts(&claim_one(&store).await), blocked(&sources)).await;
    }
    let probe = || Release { entity: customer(), source: source("crm"), probe: true };
    let (mut left, mut probes) = (vec![unknown("crm", "b"), unknown("crm", "c")], 0);
    while !left.is_empty() {
        assert_eq!(run(&store, probe()).await, 1);
        let probed = claim_one(&store).await;
        assert_ne!(probed.subject, unknown("crm", "a"));
        left.retain(|subject| *subject != probed.subject);
        finish(&store, receipts(&probed), blocked(&["crm"])).await;
        probes += 1;
        assert!(probes < 200, "{left:?} is never probed");
    }
    assert_eq!(run(&store, Release { entity: customer(), source: source("nobody"), probe: true }).await, 0);
}

#[tokio::test]
async fn finished_work_is_removed_when_it_is_old() {
    let store = postgres::store();
    rows(
        &store,
        "insert into work_item (entity, subject, source, foreign_key, state, finished_at) \
         select 'customer', 'copy', 'crm', 'k' || n, 'done', clock_timestamp() - interval '8 days' from generate_series(1, 2500) as n",
    )
    .await;
    let young = notify(&store, "crm", "a").await.id;
    finish(&store, receipts(&claim_one(&store).await), done()).await;
    let unfinished = notify(&store, "crm", "b").await.id;
    let week = Duration::from_secs(7 * 24 * 3600);
    assert_eq!(run(&store, PurgeFinished { older_than: week }).await, 2500);
    assert_eq!(run(&store, PurgeFinished { older_than: week }).await, 0);
    assert_eq!(item(&store, young).await.state, WorkState::Done);
    assert_eq!(item(&store, unfinished).await.state, WorkState::Ready);
}

#[tokio::test]
async fn a_person_can_retry_and_drop_what_is_not_running() {
    let store = postgres::store();
    for prepare in [None, Some(later()), Some(blocked(&["crm"])), Some(parked())] {
        let id = notify(&store, "crm", "a").await.id;
        if let Some(end) = prepare {
            claim_one(&store).await;
            finish(&store, first_claims(&[id]), end).await;
        }
        assert_eq!(run(&store, RetryWorkItem { id }).await, Handled::Done(customer()));
        let look = claim_one(&store).await;
        assert_eq!((items(&look), look.items[0].attempts), (vec![id], 0));
        finish(&store, receipts(&look), later()).await;
        assert_eq!(run(&store, DropWorkItem { id }).await, Handled::Done(customer()));
        let shown = item(&store, id).await;
        assert_eq!((shown.state, shown.outcome.as_deref()), (WorkState::Done, Some("dropped")));
    }
}

#[tokio::test]
async fn a_person_can_neither_retry_nor_drop_what_is_running_or_done() {
    let store = postgres::store();
    let id = notify(&store, "crm", "a").await.id;
    claim_one(&store).await;
    assert_eq!(run(&store, RetryWorkItem { id }).await, Handled::NotNow(WorkState::Running));
    assert_eq!(run(&store, DropWorkItem { id }).await, Handled::NotNow(WorkState::Running));
    finish(&store, first_claims(&[id]), done()).await;
    assert_eq!(run(&store, RetryWorkItem { id }).await, Handled::NotNow(WorkState::Done));
    assert_eq!(run(&store, DropWorkItem { id }).await, Handled::NotNow(WorkState::Done));
    assert_eq!(run(&store, RetryWorkItem { id: WorkItemId(99) }).await, Handled::NotFound);
    assert_eq!(run(&store, DropWorkItem { id: WorkItemId(99) }).await, Handled::NotFound);
}
