//! The two transactions of a look: what is recalled, decided and recorded, and that nothing of a document is lost on the way.

use std::collections::BTreeMap;

use retcon::domain::key::InternalKey;
use retcon::domain::merge::{Change, Conflict, ConflictKind, Contender, Overruled};
use retcon::domain::record::{
    Base, Link, LinkState, OpenOperation, OperationEnd, OperationId, OperationKind, OperationState, Record, RecordState,
};
use retcon::store::Store;
use retcon::store::requests::look::{Decide, Introduced, Recall, RecordResults};
use retcon::store::requests::queue::{Finish, WorkEnd};
use retcon::store::requests::view::{ListHistory, WorkState};

use crate::support::postgres;
use crate::support::store::{
    ask, claim_one, customer, decision, done, finish, first_claims, intent, introduce_claimed, item, items, json, key,
    later, linked, next_version, notify, order, recall, receipts, record, removal, results, rows, run, source,
};

/// What no other JSON library at hand carries unharmed.
const HARD: &str = r#"{"$serde_json::private::Number":"12","a/b~c":[1.0,{"\u0000":null}],"big":12345678901234567890.10,
    "e":1e400,"lone":"\ud800","nul":"\u0000","smile":"😀"}"#;

fn conflict(path: &str, contenders: &[(&str, Option<&str>)]) -> Conflict {
    let contender =
        |(name, value): &(&str, Option<&str>)| Contender { sources: vec![source(name)], value: value.map(json) };
    Conflict {
        path: path.parse().expect("a pointer"),
        kind: ConflictKind::EditEdit,
        agreed: Some(json("null")),
        contenders: contenders.iter().map(contender).collect(),
    }
}

#[tokio::test]
async fn a_record_that_never_was_is_not_recalled() {
    let store = postgres::store();
    assert_eq!(run(&store, Recall { entity: customer(), record: InternalKey(1) }).await, None);
}

#[tokio::test]
async fn all_that_is_decided_is_recalled() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let before = recall(&store, one).await;
    let base = Base {
        shadow: Some(json(HARD)),
        unknown: vec!["/a~1b~0c".parse().expect("a pointer")],
        ack: Some(json("null")),
        owed: vec!["".parse().expect("a pointer")],
    };
    let link = Link {
        base: base.clone(),
        last: Some(json(HARD)),
        missing_since: Some(1_234_567_890_123_456),
        in_step: true,
        last_error: Some("rejected: \0 is no name".to_owned()),
        ..linked("a")
    };
    let detached = Link { state: LinkState::Detached, ..Link::unlinked() };
    let update = OpenOperation { document: Some(json(HARD)), carries: base, ..intent(OperationKind::Update) };
    let create = OpenOperation { state: OperationState::Open, attempts: 3, ..intent(OperationKind::Create) };
    let found = conflict("/x", &[("crm", Some(HARD)), ("ldap", None)]);
    let decided = Decide {
        conflicts: vec![found.clone()],
        links: vec![(source("crm"), link.clone()), (source("ldap"), detached.clone())],
        operations: vec![(source("crm"), update.clone()), (source("shop"), create.clone())],
        ..next_version(&before, HARD)
    };
    assert!(run(&store, decided).await);
    let known = recall(&store, one).await;
    let agreed = Some(json(HARD));
    assert_eq!(known.record, Record { id: one, state: RecordState::Live, version: 1, agreed: agreed.clone() });
    assert_eq!(known.record.agreed.map(|document| document.to_string()), agreed.map(|document| document.to_string()));
    let last_error = Some("rejected: \u{FFFD} is no name".to_owned());
    let expected = BTreeMap::from([
        (source("crm"), Link { open: Some(update), last_error, ..link }),
        (source("ldap"), detached),
        // It was never linked.
        (source("shop"), Link { open: Some(create), ..Link::unlinked() }),
    ]);
    assert_eq!(known.links, expected);
    assert_eq!(known.conflicts.len(), 1);
    assert_eq!((known.conflicts[0].revision, &known.conflicts[0].conflict), (1, &found));
    assert!(known.now > before.now);
    assert_eq!(known.tidies, BTreeMap::new());
}

#[tokio::test]
async fn history_tells_what_was_decided_and_why() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let known = recall(&store, one).await;
    let changes = vec![Change {
        path: "".parse().expect("a pointer"),
        before: None,
        after: Some(json(HARD)),
        sources: vec![source("crm")],
    }];
    let overruled = vec![Overruled {
        path: "/a~1b".parse().expect("a pointer"),
        source: source("ldap"),
        value: Some(json("null")),
    }];
    let deepest = "[".repeat(128) + &"]".repeat(128);
    let cause = retcon::domain::json::Json::object([("kind", "resolution".into()), ("value", json(&deepest))]);
    let first = Decide {
        changes: changes.clone(),
        overruled: overruled.clone(),
        conflicts: vec![conflict("/x", &[("crm", Some(&deepest))])],
        cause: cause.clone(),
        ..next_version(&known, HARD)
    };
    assert!(run(&store, first).await);
    let known = recall(&store, one).await;
    assert!(run(&store, removal(&known)).await);
    let history = ListHistory { entity: customer(), record: one, after: 0, limit: 10 };
    let versions = run(&store, history).await.items;
    assert_eq!(versions.len(), 2);
    let version = &versions[0];
    assert_eq!((version.version, version.state, &version.cause), (1, RecordState::Live, &cause));
    assert_eq!((&version.changes, &version.overruled), (&changes, &overruled));
    assert_eq!(version.conflicts, [conflict("/x", &[("crm", Some(&deepest))])]);
    assert_eq!((versions[1].version, versions[1].state), (2, RecordState::Deleted));
    let removed = recall(&store, one).await.record;
    assert_eq!((removed.state, removed.agreed), (RecordState::Deleted, Some(json(HARD))), "its document is kept");
}

#[tokio::test]
async fn nothing_is_recorded_if_the_version_moved() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let known = recall(&store, one).await;
    assert!(run(&store, next_version(&known, "1")).await);
    let id = ask(&store, one).await.id;
    claim_one(&store).await;
    let late = Decide {
        conflicts: vec![conflict("/x", &[("crm", None)])],
        links: vec![(source("crm"), Link { in_step: true, ..linked("a") })],
        operations: vec![(source("billing"), intent(OperationKind::Create))],
        retired: vec![(source("crm"), key("a"), None)],
        match_value: Some("[1]".to_owned()),
        finish: Some(Finish { items: first_claims(&[id]), end: done() }),
        ..next_version(&known, "2")
    };
    let before = recall(&store, one).await;
    assert!(!run(&store, late.clone()).await);
    let same = Decide { record: known.record.clone(), ..late.clone() };
    assert!(!run(&store, same).await, "also where no new version is made");
    assert!(!run(&store, Decide { record: Record { id: InternalKey(9), ..known.record }, ..late }).await);
    let after = recall(&store, one).await;
    assert_eq!((after.record, after.links, after.conflicts), (before.record, before.links, before.conflicts));
    assert_eq!(rows(&store, "select state from foreign_key").await, ["current"]);
    assert_eq!(rows(&store, "select value from match_value").await, Vec::<String>::new());
    assert_eq!(item(&store, id).await.state, WorkState::Running);
}

#[tokio::test]
async fn conflicts_are_opened_revised_and_closed() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let decide = async |conflicts: Vec<Conflict>| {
        let known = recall(&store, one).await;
        assert!(run(&store, Decide { conflicts, ..decision(&known) }).await);
        let known = recall(&store, one).await;
        known.conflicts.into_iter().map(|open| (open.id, open.revision, open.conflict)).collect::<Vec<_>>()
    };
    let (x, y) = (conflict("/x", &[("crm", Some("1")), ("ldap", Some("2"))]), conflict("/y\u{0}/~0", &[("crm", None)]));
    let opened = decide(vec![x.clone(), y.clone()]).await;
    assert_eq!(opened.iter().map(|open| (open.1, &open.2)).collect::<Vec<_>>(), [(1, &x), (1, &y)]);
    let equal =
        Conflict { contenders: conflict("/x", &[("crm", Some("1.0")), ("ldap", Some("2"))]).contenders, ..x.clone() };
    assert_eq!(decide(vec![equal, y.clone()]).await, opened, "a spelling is no change");
    let moved = conflict("/x", &[("crm", Some("1")), ("ldap", Some("3"))]);
    let revised = decide(vec![moved.clone(), y.clone()]).await;
    assert_eq!(revised[0], (opened[0].0, 2, moved.clone()));
    assert_eq!(revised[1], opened[1]);
    let other_kind = Conflict { kind: ConflictKind::EditDelete, agreed: None, ..moved };
    assert_eq!(decide(vec![other_kind.clone(), y]).await[0], (opened[0].0, 3, other_kind.clone()));
    assert_eq!(decide(vec![other_kind]).await.len(), 1);
    assert_eq!(
        rows(&store, "select path, closed_by, contended from conflict order by id").await,
        [
            r#""/x"|null|[{"sources":["crm"],"value":1},{"sources":["ldap"],"value":2},{"sources":["ldap"],"value":3}]"#,
            r#""/y\u0000/~0"|{"kind":"agreement"}|[{"sources":["crm"],"absent":true}]"#,
        ]
    );
    assert_eq!(decide(Vec::new()).await, []);
    let reopened = decide(vec![x.clone()]).await;
    assert_eq!((reopened[0].1, &reopened[0].2), (1, &x));
    assert_ne!(reopened[0].0, opened[0].0, "what was closed stays closed");
}

#[tokio::test]
async fn a_conflict_may_stand_at_a_place_with_a_very_long_name() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let name: String =
        (0..20_000_u32).map(|n| char::from_u32(0x4E00 + n * 7919 % 20_000).expect("a character")).collect();
    let long = conflict(&format!("/{name}"), &[("crm", None)]);
    let known = recall(&store, one).await;
    assert!(run(&store, Decide { conflicts: vec![long.clone()], ..decision(&known) }).await);
    assert_eq!(recall(&store, one).await.conflicts[0].conflict, long);
}

#[tokio::test]
async fn a_link_that_is_not_linked_has_no_key() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let known = recall(&store, one).await;
    let detached = Link { state: LinkState::Detached, ..linked("a") };
    assert!(run(&store, Decide { links: vec![(source("crm"), detached.clone())], ..decision(&known) }).await);
    assert_eq!(recall(&store, one).await.links[&source("crm")], Link { key: None, ..detached });
    assert_eq!(rows(&store, "select key, state from foreign_key").await, ["a|former"], "a late notification finds it");
}

#[tokio::test]
async fn a_copy_that_is_gone_keeps_its_key_with_its_last_document() {
    let store = postgres::store();
    for by_decision in [true, false] {
        let name = format!("k{by_decision}");
        let one = record(&store, "crm", &name).await;
        let known = recall(&store, one).await;
        let links = vec![(source("crm"), Link::unlinked())];
        let retired = vec![(source("crm"), key(&name), Some(json(HARD))), (source("ldap"), key(&name), None)];
        if by_decision {
            assert!(run(&store, Decide { links, retired, ..decision(&known) }).await);
        } else {
            run(&store, RecordResults { links, retired, ..results(one, &[]) }).await;
        }
        let sql = format!(
            "select source, state, document is null, document from foreign_key where key = '{name}' order by 1"
        );
        let found = rows(&store, &sql).await;
        assert_eq!(found[0], format!("crm|retired|f|{}", json(HARD)));
        assert_eq!(found[1], "ldap|retired|t|null", "also a key that was not known before");
    }
}

#[tokio::test]
async fn operations_are_stored_updated_and_settled_once() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let known = recall(&store, one).await;
    let first = OpenOperation { may_have_taken_effect: false, ..intent(OperationKind::Update) };
    let put = |operation: &OpenOperation| vec![(source("crm"), operation.clone())];
    assert!(run(&store, Decide { operations: put(&first), ..decision(&known) }).await);
    let tried =
        OpenOperation { state: OperationState::Open, attempts: 1, may_have_taken_effect: true, ..first.clone() };
    let operations = vec![(source("crm"), tried.clone(), "exit 1: no\0 route".to_owned())];
    run(&store, RecordResults { operations, ..results(one, &[]) }).await;
    assert_eq!(recall(&store, one).await.links[&source("crm")].open, Some(tried.clone()));
    assert_eq!(rows(&store, "select last_end from operation").await, ["exit 1: no\u{FFFD} route"]);
    // Another attempt at the same document.
    let again = OpenOperation { state: OperationState::InFlight, attempts: 2, ..first.clone() };
    assert!(run(&store, Decide { operations: put(&again), ..decision(&known) }).await);
    assert_eq!(recall(&store, one).await.links[&source("crm")].open, Some(again.clone()));
    assert_eq!(rows(&store, "select last_end is null from operation").await, ["t"], "of this attempt nothing is known");
    // Another document takes its place.
    let second = intent(OperationKind::Update);
    let ended = vec![(first.id, OperationEnd::Superseded)];
    assert!(run(&store, Decide { operations: put(&second), ended, ..decision(&known) }).await);
    assert_eq!(recall(&store, one).await.links[&source("crm")].open, Some(second.clone()));
    let ended = vec![(second.id, OperationEnd::Done { key: Some(key("a2")) })];
    run(&store, RecordResults { ended, ..results(one, &[]) }).await;
    assert_eq!(recall(&store, one).await.links[&source("crm")].open, None);
    let settled = ["superseded|t|null", "done|t|a2"];
    let sql = "select state, ended_at is not null, new_key from operation order by created_at";
    assert_eq!(rows(&store, sql).await, settled);
    // What is settled stays so.
    assert!(run(&store, Decide { operations: put(&again), ..decision(&known) }).await);
    let ended = vec![(first.id, OperationEnd::Done { key: None }), (second.id, OperationEnd::Superseded)];
    run(&store, RecordResults { ended, ..results(one, &[]) }).await;
    assert_eq!(rows(&store, sql).await, settled);
}

#[tokio::test]
async fn two_writes_for_one_copy_are_refused() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let known = recall(&store, one).await;
    let two = vec![(source("crm"), intent(OperationKind::Update)), (source("crm"), intent(OperationKind::Update))];
    let refused = retcon::store::Request::run(Decide { operations: two, ..next_version(&known, "1") }, &store).await;
    let error = refused.expect_err("a copy has one write at most");
    assert!(format!("{error:?}").contains("operation_unsettled"), "{error:?}");
    assert_eq!(recall(&store, one).await.record.version, 0, "nothing of it was recorded");
}

#[tokio::test]
async fn a_look_without_writes_ends_its_items_with_its_decision() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let ordered = order(&store, one).await;
    let look = claim_one(&store).await;
    let known = recall(&store, one).await;
    let finish = Some(Finish { items: receipts(&look), end: WorkEnd::Done { outcome: "in-step" } });
    let decided = Decide { decided_items: items(&look), finish, ..next_version(&known, "1") };
    assert!(run(&store, decided).await);
    let shown = item(&store, ordered).await;
    assert_eq!((shown.state, shown.outcome.as_deref(), shown.order), (WorkState::Done, Some("in-step"), None));
}

#[tokio::test]
async fn a_decision_that_was_recorded_before_is_not_recorded_again() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let id = ask(&store, one).await.id;
    claim_one(&store).await;
    let known = recall(&store, one).await;
    let finish_with = |link: Link| Decide {
        links: vec![(source("crm"), link)],
        finish: Some(Finish { items: first_claims(&[id]), end: done() }),
        ..next_version(&known, "1")
    };
    let request = finish_with(Link { in_step: true, ..linked("a") });
    assert!(run(&store, request.clone()).await);
    // Another look has gone on from there.
    let known = recall(&store, one).await;
    let links = vec![(source("crm"), Link { in_step: false, ..linked("a") })];
    assert!(run(&store, Decide { links, ..next_version(&known, "2") }).await);
    assert!(run(&store, request).await, "it is on record");
    let known = recall(&store, one).await;
    assert_eq!((known.record.version, known.links[&source("crm")].in_step), (2, false));
}

#[tokio::test]
async fn results_give_copies_their_keys_and_end_the_items() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let id = ask(&store, one).await.id;
    claim_one(&store).await;
    let link = Link { in_step: true, base: Base { shadow: Some(json(HARD)), ..Base::default() }, ..linked("a") };
    let recorded = RecordResults {
        links: vec![(source("crm"), link.clone()), (source("billing"), Link::unlinked())],
        keys: vec![(source("crm"), key("a2")), (source("billing"), key("b")), (source("shop"), key("s"))],
        tidies: vec![source("crm"), source("billing")],
        ..results(one, &first_claims(&[id]))
    };
    run(&store, recorded).await;
    let known = recall(&store, one).await;
    let expected = BTreeMap::from([
        (source("crm"), Link { key: Some(key("a2")), ..link }),
        (source("billing"), linked("b")),
        (source("shop"), linked("s")),
    ]);
    assert_eq!(known.links, expected);
    assert_eq!(known.tidies, BTreeMap::from([(source("crm"), true), (source("billing"), true)]));
    assert_eq!(item(&store, id).await.state, WorkState::Done);
    let keys = ["a|former", "a2|current", "b|current", "s|current"];
    let sql = "select key, state from foreign_key order by key";
    assert_eq!(rows(&store, sql).await, keys);
    // Back to a key that it had before.
    let back =
        RecordResults { keys: vec![(source("crm"), key("a"))], tidies: vec![source("crm")], ..results(one, &[]) };
    run(&store, back).await;
    assert_eq!(rows(&store, sql).await, ["a|current", "a2|former", "b|current", "s|current"]);
    assert_eq!(recall(&store, one).await.links[&source("crm")].key, Some(key("a")));
}

#[tokio::test]
async fn results_that_were_recorded_before_are_not_recorded_again() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let id = ask(&store, one).await.id;
    claim_one(&store).await;
    let request = RecordResults { keys: vec![(source("billing"), key("b"))], ..results(one, &first_claims(&[id])) };
    run(&store, request.clone()).await;
    run(&store, RecordResults { keys: vec![(source("billing"), key("b2"))], ..results(one, &[]) }).await;
    run(&store, request).await;
    assert_eq!(recall(&store, one).await.links[&source("billing")].key, Some(key("b2")));
}

#[tokio::test]
async fn results_may_leave_work_to_be_made_up_for() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let id = notify(&store, "crm", "a").await.id;
    claim_one(&store).await;
    run(&store, RecordResults { finish: Finish { items: first_claims(&[id]), end: later() }, ..results(one, &[]) })
        .await;
    let shown = item(&store, id).await;
    assert_eq!((shown.state, shown.attempts, shown.last_error.as_deref()), (WorkState::Waiting, 1, Some("rejected")));
}

/// A record that is linked in `crm` as `a`, and another one, under a look, with this write in flight to `crm`.
async fn two_records(
    store: &Store,
    write: &OpenOperation,
) -> (InternalKey, InternalKey, Vec<retcon::store::requests::queue::WorkItemId>) {
    let one = record(store, "crm", "a").await;
    let (introduced, items) = introduce_claimed(store, "billing", "b", None).await;
    let Introduced::New(two) = introduced else { panic!("{introduced:?}") };
    let known = recall(store, two).await;
    assert!(run(store, Decide { operations: vec![(source("crm"), write.clone())], ..decision(&known) }).await);
    (one, two, items)
}

#[tokio::test]
async fn a_create_that_gives_another_records_key_is_in_doubt() {
    let store = postgres::store();
    let write = intent(OperationKind::Create);
    let (one, two, ids) = two_records(&store, &write).await;
    let done = RecordResults {
        links: vec![(source("crm"), Link { in_step: true, ..linked("a") })],
        keys: vec![(source("crm"), key("a"))],
        ended: vec![(write.id, OperationEnd::Done { key: Some(key("a")) })],
        ..results(two, &first_claims(&ids))
    };
    run(&store, done).await;
    assert_eq!(recall(&store, one).await.links[&source("crm")], linked("a"));
    let link = recall(&store, two).await.links.remove(&source("crm")).expect("it has a link");
    assert_eq!((link.state, link.key, link.in_step), (LinkState::Unlinked, None, false));
    assert_eq!(link.last_error.as_deref(), Some("its key a is that of record 1"));
    let open = link.open.expect("its end is not settled");
    assert_eq!((open.id, open.state), (write.id, OperationState::InDoubt));
    assert_eq!(rows(&store, "select new_key, last_end from operation").await, ["a|its key a is that of record 1"]);
    assert_eq!(rows(&store, "select record from foreign_key where key = 'a'").await, ["1"]);
    assert_eq!(item(&store, ids[0]).await.outcome.as_deref(), Some("in-doubt"));
}

#[tokio::test]
async fn an_update_that_gives_another_records_key_keeps_its_own() {
    let store = postgres::store();
    let write = intent(OperationKind::Update);
    let (_, two, ids) = two_records(&store, &write).await;
    run(&store, RecordResults { keys: vec![(source("crm"), key("c"))], ..results(two, &[]) }).await;
    let done = RecordResults {
        keys: vec![(source("crm"), key("a"))],
        ended: vec![(write.id, OperationEnd::Done { key: Some(key("a")) })],
        ..results(two, &first_claims(&ids))
    };
    run(&store, done).await;
    let link = recall(&store, two).await.links.remove(&source("crm")).expect("it has a link");
    assert_eq!((link.state, link.key), (LinkState::Linked, Some(key("c"))));
    assert_eq!(link.open.map(|open| open.state), Some(OperationState::InDoubt));
}

#[tokio::test]
async fn a_decision_that_links_another_records_copy_is_stale() {
    let store = postgres::store();
    let (_, two, ids) = two_records(&store, &intent(OperationKind::Create)).await;
    let known = recall(&store, two).await;
    let links = vec![(source("crm"), linked("a"))];
    assert!(!run(&store, Decide { links, ..next_version(&known, "1") }).await);
    assert_eq!(recall(&store, two).await.record.version, 0);
    finish(&store, first_claims(&ids), done()).await;
}

#[tokio::test]
async fn another_records_former_key_may_be_taken() {
    let store = postgres::store();
    let (one, two, ids) = two_records(&store, &intent(OperationKind::Create)).await;
    run(&store, RecordResults { keys: vec![(source("crm"), key("a2"))], ..results(one, &[]) }).await;
    run(&store, RecordResults { keys: vec![(source("crm"), key("a"))], ..results(two, &first_claims(&ids)) }).await;
    let sql = "select key, record, state from foreign_key where source = 'crm' order by key";
    assert_eq!(rows(&store, sql).await, ["a|2|current", "a2|1|current"]);
}

#[tokio::test]
async fn an_operations_name_is_kept() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let known = recall(&store, one).await;
    let id = OperationId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
    let operations = vec![(source("crm"), OpenOperation { id, ..intent(OperationKind::Delete) })];
    assert!(run(&store, Decide { operations, ..decision(&known) }).await);
    assert_eq!(rows(&store, "select id from operation").await, ["01900000-0000-7000-8000-000000000001"]);
    assert_eq!(recall(&store, one).await.links[&source("crm")].open.as_ref().map(|open| open.id), Some(id));
}
