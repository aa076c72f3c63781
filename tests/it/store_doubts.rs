//! What waits for a write that is not settled, and what remains of one that is.

use std::time::Duration;

use retcon::domain::key::InternalKey;
use retcon::domain::record::{DoubtId, OpenOperation, OperationEnd, OperationKind, OperationState, Output};
use retcon::store::Store;
use retcon::store::requests::look::{
    Decide, Introduce, Introduced, ListUnlinked, RecallUnknown, RecordResults, Unlinked,
};
use retcon::store::requests::queue::{Hold, PurgeFinished, Recover, WorkItemId};
use retcon::store::requests::view::{FindDoubt, ListDoubts, WorkState};
use tokio_postgres::NoTls;

use crate::support::postgres;
use crate::support::store::{
    ask, claim, claim_one, claim_up_to, customer, decision, finish, first_claims, intent, item, items, key, later,
    notify, recall, receipts, record, results, rows, run, source, unknown,
};

/// A record known in `billing` with a create at `crm` in this state, as number 1.
async fn created(store: &Store, state: OperationState) -> (InternalKey, OpenOperation) {
    let record = record(store, "billing", "b").await;
    let operation = OpenOperation { state, ..intent(OperationKind::Create) };
    let known = recall(store, record).await;
    let operations = vec![(source("crm"), operation.clone())];
    assert!(run(store, Decide { operations, ..decision(&known) }).await);
    (record, operation)
}

/// Has a key that was told of wait for write 1.
async fn held(store: &Store, foreign_key: &str) -> Vec<WorkItemId> {
    notify(store, "crm", foreign_key).await;
    let items = items(&claim_one(store).await);
    run(store, hold(&items)).await;
    items
}

fn hold(items: &[WorkItemId]) -> Hold {
    let (due_in, error) = (Duration::from_secs(3600), "it waits for 1".to_owned());
    Hold { entity: customer(), items: first_claims(items), by: DoubtId(1), due_in, error, spent: false }
}

async fn end(store: &Store, (record, operation): &(InternalKey, OpenOperation), end: OperationEnd) {
    run(store, RecordResults { ended: vec![(operation.id, end)], ..results(*record, &[]) }).await;
}

#[tokio::test]
async fn what_waits_for_a_doubt_is_due_when_it_is_settled_and_not_before() {
    for settled in [OperationEnd::Superseded, OperationEnd::Done { key: Some(key("k")) }] {
        let store = postgres::store();
        let doubt = created(&store, OperationState::InDoubt).await;
        let waiting = held(&store, "new").await;
        assert!(claim(&store).await.is_empty());
        let row = item(&store, waiting[0]).await;
        assert_eq!(
            (row.state, row.due_at, row.last_error),
            (WorkState::Waiting, None, Some("it waits for 1".to_owned()))
        );
        assert_eq!(run(&store, FindDoubt { id: DoubtId(1) }).await.map(|doubt| doubt.waiting), Some(vec![key("new")]));
        // It is tried again, and is in doubt once more: nothing is known that was not known before.
        let (record, operation) = &doubt;
        let again = OpenOperation { state: OperationState::InFlight, attempts: 2, ..operation.clone() };
        let known = recall(&store, *record).await;
        assert!(run(&store, Decide { operations: vec![(source("crm"), again)], ..decision(&known) }).await);
        let operations = vec![(source("crm"), operation.clone(), "it died again".to_owned())];
        run(&store, RecordResults { operations, ..results(*record, &[]) }).await;
        assert!(claim(&store).await.is_empty());
        end(&store, &doubt, settled).await;
        let look = claim_one(&store).await;
        assert_eq!((look.subject.clone(), items(&look)), (unknown("crm", "new"), waiting));
    }
}

#[tokio::test]
async fn what_begins_to_wait_for_a_write_that_was_just_settled_is_due_at_once() {
    let store = postgres::store();
    let doubt = created(&store, OperationState::InDoubt).await;
    notify(&store, "crm", "new").await;
    let items = items(&claim_one(&store).await);
    end(&store, &doubt, OperationEnd::Superseded).await;
    run(&store, hold(&items)).await;
    assert_eq!(claim_one(&store).await.subject, unknown("crm", "new"));
}

#[tokio::test]
async fn what_begins_to_wait_while_its_write_is_being_settled_is_due_when_that_is_done() {
    let store = postgres::store();
    created(&store, OperationState::InDoubt).await;
    notify(&store, "crm", "new").await;
    let items = items(&claim_one(&store).await);
    // Settled, and not yet committed.
    let (mut client, connection) = store.config().connect(NoTls).await.expect("the server takes connections");
    tokio::spawn(connection);
    let settling = client.transaction().await.expect("it begins");
    settling.batch_execute("update operation set state = 'done', ended_at = now()").await.expect("it is settled");
    let (holding, of_task) = (hold(&items), (*store).clone());
    let holding = tokio::spawn(async move { run(&of_task, holding).await });
    let blocked =
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    while rows(&store, blocked).await != ["1"] {
        tokio::task::yield_now().await;
    }
    settling.commit().await.expect("it commits");
    holding.await.expect("it does not panic");
    assert_eq!(claim_one(&store).await.subject, unknown("crm", "new"));
}

#[tokio::test]
async fn what_is_passed_over_for_a_write_in_flight_is_passed_over_once() {
    let store = postgres::store();
    let write = created(&store, OperationState::InFlight).await;
    let new = notify(&store, "crm", "new").await.id;
    assert!(claim(&store).await.is_empty());
    assert_eq!(
        rows(&store, "select held_by, due_at > now() + interval '5 s' from work_item where state = 'ready'").await,
        ["1|t"]
    );
    let due = claim_up_to(&store, 8).await.next_due.expect("should its end be missed, it is due all the same");
    assert!(due < Duration::from_secs(11), "{due:?}");
    end(&store, &write, OperationEnd::Done { key: Some(key("other")) }).await;
    assert_eq!(items(&claim_one(&store).await), [new]);
}

#[tokio::test]
async fn what_waits_is_due_when_the_look_at_its_write_ends_without_results() {
    for (may_have_taken_effect, state) in [(false, "open"), (true, "in-doubt")] {
        let store = postgres::store();
        let (record, operation) = created(&store, OperationState::InDoubt).await;
        let waiting = held(&store, "new").await;
        ask(&store, record).await;
        let look = claim_one(&store).await;
        let again = OpenOperation { state: OperationState::InFlight, may_have_taken_effect, attempts: 2, ..operation };
        let known = recall(&store, record).await;
        assert!(run(&store, Decide { operations: vec![(source("crm"), again)], ..decision(&known) }).await);
        let later_told = notify(&store, "crm", "newer").await.id;
        assert!(claim(&store).await.is_empty(), "both wait");
        finish(&store, receipts(&look), later()).await;
        assert_eq!(rows(&store, "select state from operation").await, [state]);
        let due: Vec<_> = claim(&store).await.iter().flat_map(items).collect();
        // What is no doubt any more holds nobody; one that is a doubt again holds those that have seen it.
        let expected = if may_have_taken_effect { vec![later_told] } else { vec![waiting[0], later_told] };
        assert_eq!(due, expected, "{state}");
    }
}

#[tokio::test]
async fn what_waits_for_a_doubt_is_due_when_that_is_refused() {
    let store = postgres::store();
    let (record, operation) = created(&store, OperationState::InDoubt).await;
    held(&store, "new").await;
    let refused = OpenOperation { state: OperationState::Open, may_have_taken_effect: false, ..operation };
    let operations = vec![(source("crm"), refused, "rejected".to_owned())];
    run(&store, RecordResults { operations, ..results(record, &[]) }).await;
    assert_eq!(claim_one(&store).await.subject, unknown("crm", "new"));
}

#[tokio::test]
async fn a_take_over_finds_out_anew_what_must_wait() {
    let store = postgres::store();
    created(&store, OperationState::InDoubt).await;
    held(&store, "new").await;
    assert!(claim(&store).await.is_empty());
    assert!(run(&store, Recover { entity: customer(), held: Vec::new() }).await.has_work);
    assert_eq!(claim_one(&store).await.subject, unknown("crm", "new"));
}

#[tokio::test]
async fn a_notification_or_a_retry_has_what_waits_looked_at_again() {
    let store = postgres::store();
    created(&store, OperationState::InDoubt).await;
    held(&store, "new").await;
    assert!(notify(&store, "crm", "new").await.coalesced);
    assert_eq!(claim_one(&store).await.subject, unknown("crm", "new"));
}

#[tokio::test]
async fn what_a_program_said_is_kept_until_it_is_tried_again_or_settled() {
    let store = postgres::store();
    let (record, operation) = created(&store, OperationState::InFlight).await;
    assert_eq!(run(&store, ListDoubts { entity: None, after: 0, limit: 9 }).await.items.len(), 0, "it is not in doubt");
    let in_doubt = OpenOperation { state: OperationState::InDoubt, ..operation.clone() };
    let said = Output { exit: "signal 9".to_owned(), stdout: "half".to_owned(), stderr: "a\0b".to_owned() };
    let ended = RecordResults {
        operations: vec![(source("crm"), in_doubt, "signal 9: b".to_owned())],
        outputs: vec![(operation.id, said)],
        ..results(record, &[])
    };
    run(&store, ended).await;
    let page = run(&store, ListDoubts { entity: Some(customer()), after: 0, limit: 1 }).await;
    let doubt = page.items.first().cloned().expect("one is in doubt");
    let kept = doubt.output.map(|output| (output.exit, output.stdout, output.stderr));
    assert_eq!(kept, Some(("signal 9".to_owned(), "half".to_owned(), "a\u{FFFD}b".to_owned())));
    assert_eq!(
        (doubt.id, doubt.operation, doubt.last_end.as_deref(), page.next),
        (DoubtId(1), operation.id, Some("signal 9: b"), None)
    );
    assert_eq!(run(&store, ListDoubts { entity: None, after: 1, limit: 1 }).await.items, []);
    let known = recall(&store, record).await;
    assert!(run(&store, Decide { operations: vec![(source("crm"), operation)], ..decision(&known) }).await);
    let again = run(&store, FindDoubt { id: DoubtId(1) }).await.expect("it is there");
    assert_eq!((again.output, again.last_end, again.settled), (None, None, true));
}

#[tokio::test]
async fn settled_writes_are_removed_with_the_work_and_others_are_kept() {
    let store = postgres::store();
    let doubt = created(&store, OperationState::InDoubt).await;
    let copies = "insert into operation (id, entity, record, source, kind, state, carries, version, ended_at)
        select gen_random_uuid(), 'customer', 1, 'ldap', 'update', state, '{}', 1, now() - age * interval '1 day'
        from (values ('done'), ('superseded')) as of_state (state), (values (6), (8)) as of_age (age), generate_series(1, 700)";
    rows(&store, copies).await;
    let week = Duration::from_secs(7 * 24 * 3600);
    assert_eq!(run(&store, PurgeFinished { older_than: week }).await, 1400);
    let left = "select state, count(*) from operation group by state order by state";
    assert_eq!(rows(&store, left).await, ["done|700", "in-doubt|1", "superseded|700"]);
    end(&store, &doubt, OperationEnd::Superseded).await;
    assert_eq!(run(&store, PurgeFinished { older_than: Duration::ZERO }).await, 1402, "its work item with it");
}

#[tokio::test]
async fn a_doubt_that_was_settled_and_removed_since_it_was_recalled_means_to_look_again() {
    let store = postgres::store();
    let doubt = created(&store, OperationState::InDoubt).await;
    notify(&store, "crm", "new").await;
    let items = items(&claim_one(&store).await);
    let (entity, source, key) = (customer(), source("crm"), key("new"));
    let recall =
        RecallUnknown { entity: entity.clone(), source: source.clone(), key: key.clone(), items: items.clone() };
    let recalled_at = run(&store, recall).await.now;
    end(&store, &doubt, OperationEnd::Superseded).await;
    assert_eq!(
        run(&store, PurgeFinished { older_than: Duration::ZERO }).await,
        2,
        "the write, and the item of its record"
    );
    let introduction = Introduce { entity, source, key, match_value: None, items, recalled_at };
    assert_eq!(run(&store, introduction).await, Introduced::LookAgain);
}

#[tokio::test]
async fn a_key_told_of_before_a_create_is_older_than_it() {
    let store = postgres::store();
    notify(&store, "crm", "old").await;
    let old = receipts(&claim_one(&store).await);
    let (_, operation) = created(&store, OperationState::InDoubt).await;
    finish(&store, old, later()).await;
    notify(&store, "crm", "new").await;
    let unlinked = async |keys: &[&str], most_told| {
        let keys = keys.iter().map(|name| key(name)).collect();
        let (entity, source, operation) = (customer(), source("crm"), operation.id);
        run(&store, ListUnlinked { entity, source, keys, most_told, operation }).await
    };
    let expected = |keys: &[(&str, bool)]| -> Vec<Unlinked> {
        keys.iter().map(|(name, is_older)| Unlinked { key: key(name), is_older: *is_older }).collect()
    };
    let asked = unlinked(&["new", "old", "nobody", "b"], 0).await;
    assert_eq!(asked, expected(&[("new", false), ("old", true), ("nobody", false), ("b", false)]));
    let with_those_told_of = unlinked(&["nobody", "old"], 10).await;
    assert_eq!(with_those_told_of, expected(&[("nobody", false), ("old", true), ("new", false)]));
}
