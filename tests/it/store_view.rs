//! What people are shown: pages, single things and counts.

use std::collections::BTreeMap;

use retcon::domain::key::InternalKey;
use retcon::domain::merge::{Conflict, ConflictKind, Contender};
use retcon::domain::record::{Link, OpenOperation, OperationKind, OperationState};
use retcon::store::Store;
use retcon::store::requests::look::{Decide, RecordResults};
use retcon::store::requests::queue::{Enqueue, Notification, Recover, WorkItemId};
use retcon::store::requests::view::{
    ConflictRow, CountAll, Counts, FindConflict, FindWorkItem, ListConflicts, ListHistory, ListRecords, ListWorkItems,
    Page, RecordRow, ShowRecord, WorkState,
};

use crate::support::postgres;
use crate::support::store::{
    ask, blocked, claim_one, customer, decision, done, entity, finish, intent, item, json, key, later, linked,
    next_version, notification, notify, order, parked, recall, receipts, record, removal, results, rows, run, source,
};

/// A time as it is shown.
fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000000Z"
}

fn all_records() -> ListRecords {
    ListRecords { entity: customer(), source: None, key: None, after: 0, limit: 100 }
}

async fn conflicting(store: &Store, record: InternalKey, paths: &[&str]) {
    let known = recall(store, record).await;
    let conflicts = paths.iter().map(|path| Conflict {
        path: path.parse().expect("a pointer"),
        kind: ConflictKind::Held,
        agreed: None,
        contenders: vec![Contender { sources: vec![source("crm")], value: Some(json("1")) }],
    });
    assert!(run(store, Decide { conflicts: conflicts.collect(), ..decision(&known) }).await);
}

fn ids(page: &Page<RecordRow>) -> Vec<i64> {
    page.items.iter().map(|row| row.record.id.0).collect()
}

#[tokio::test]
async fn records_are_listed_with_their_links_and_conflicts() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let two = record(&store, "crm", "b").await;
    let known = recall(&store, one).await;
    let links = vec![(source("billing"), linked("x")), (source("shop"), Link::unlinked())];
    assert!(run(&store, Decide { links, ..next_version(&known, r#"{"n":1.10}"#) }).await);
    conflicting(&store, two, &["/a", "/b"]).await;
    let page = run(&store, all_records()).await;
    assert_eq!((ids(&page), page.next), (vec![1, 2], None));
    assert_eq!(page.items[0].links, [(source("billing"), key("x")), (source("crm"), key("a"))]);
    assert_eq!(page.items[0].record, recall(&store, one).await.record);
    assert_eq!((page.items[0].conflicts, page.items[1].conflicts), (0, 2));
    let known = recall(&store, two).await;
    let removed = Decide { links: vec![(source("crm"), Link::unlinked())], conflicts: Vec::new(), ..removal(&known) };
    assert!(run(&store, removed).await);
    let page = run(&store, all_records()).await;
    assert_eq!((&page.items[1].links, page.items[1].conflicts), (&Vec::new(), 0));
    assert_eq!(page.items[1].record.state, retcon::domain::record::RecordState::Deleted);
}

#[tokio::test]
async fn records_come_in_pages() {
    let store = postgres::store();
    for name in ["a", "b", "c", "d", "e"] {
        record(&store, "crm", name).await;
    }
    for source_name in [None, Some(source("crm"))] {
        let page = |after, limit| ListRecords { source: source_name.clone(), after, limit, ..all_records() };
        let mut seen = Vec::new();
        let mut after = Some(0);
        while let Some(from) = after {
            let part = run(&store, page(from, 2)).await;
            assert!(part.items.len() <= 2);
            seen.extend(ids(&part));
            after = part.next;
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
        assert_eq!(run(&store, page(0, 5)).await.next, None, "there is no empty page at the end");
        assert_eq!(ids(&run(&store, page(4, 5)).await), [5]);
    }
    assert_eq!(run(&store, ListRecords { entity: entity("product"), ..all_records() }).await.items, []);
}

#[tokio::test]
async fn records_are_found_by_source_and_by_every_key_they_had() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    record(&store, "billing", "a").await;
    run(&store, RecordResults { keys: vec![(source("crm"), key("a2"))], ..results(one, &[]) }).await;
    let by_source = |name: &str| ListRecords { source: Some(source(name)), ..all_records() };
    assert_eq!(ids(&run(&store, by_source("crm")).await), [1]);
    assert_eq!(ids(&run(&store, by_source("billing")).await), [2]);
    for (foreign_key, expected) in [("a", vec![1]), ("a2", vec![1]), ("a3", vec![])] {
        let request = ListRecords { key: Some(key(foreign_key)), ..by_source("crm") };
        assert_eq!(ids(&run(&store, request).await), expected, "{foreign_key}");
    }
    let links = vec![(source("crm"), Link::unlinked())];
    let retired = vec![(source("crm"), key("a2"), None)];
    run(&store, RecordResults { links, retired, ..results(one, &[]) }).await;
    assert_eq!(ids(&run(&store, by_source("crm")).await), Vec::<i64>::new());
    assert_eq!(ids(&run(&store, ListRecords { key: Some(key("a2")), ..by_source("crm") }).await), [1]);
}

#[tokio::test]
async fn one_record_is_shown_with_its_former_keys() {
    let store = postgres::store();
    assert_eq!(run(&store, ShowRecord { entity: customer(), record: InternalKey(1) }).await, None);
    let one = record(&store, "crm", "a").await;
    for next in ["b", "c"] {
        run(&store, RecordResults { keys: vec![(source("crm"), key(next))], ..results(one, &[]) }).await;
    }
    let links = vec![(source("billing"), Link::unlinked())];
    let retired = vec![(source("billing"), key("gone"), None)];
    run(&store, RecordResults { links, retired, ..results(one, &[]) }).await;
    conflicting(&store, one, &["/a"]).await;
    let shown = run(&store, ShowRecord { entity: customer(), record: one }).await.expect("there is one");
    let known = recall(&store, one).await;
    assert_eq!((&shown.known.record, &shown.known.links), (&known.record, &known.links));
    assert_eq!(shown.known.conflicts, known.conflicts);
    let former = BTreeMap::from([(source("billing"), vec![key("gone")]), (source("crm"), vec![key("a"), key("b")])]);
    assert_eq!(shown.former_keys, former);
}

#[tokio::test]
async fn history_comes_in_pages_from_the_first_version() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let history = |after, limit| ListHistory { entity: customer(), record: one, after, limit };
    assert_eq!(run(&store, history(0, 9)).await, Page { items: Vec::new(), next: None });
    for version in 1..=3 {
        let known = recall(&store, one).await;
        assert!(run(&store, next_version(&known, &version.to_string())).await);
    }
    let first = run(&store, history(0, 2)).await;
    assert_eq!(first.items.iter().map(|version| version.version).collect::<Vec<_>>(), [1, 2]);
    assert!(first.items.iter().all(|version| is_time(&version.at)), "{first:?}");
    assert_eq!(first.next, Some(2));
    let rest = run(&store, history(2, 2)).await;
    assert_eq!((rest.items[0].version, rest.items.len(), rest.next), (3, 1, None));
}

#[tokio::test]
async fn open_conflicts_are_listed_and_closed_ones_still_found() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let two = record(&store, "crm", "b").await;
    conflicting(&store, one, &["/x", "/y"]).await;
    conflicting(&store, two, &["/z"]).await;
    let all = ListConflicts { entity: None, record: None, after: 0, limit: 100 };
    let places = |page: &Page<ConflictRow>| {
        page.items.iter().map(|row| (row.record.0, row.conflict.path.to_string())).collect::<Vec<_>>()
    };
    let page = run(&store, all.clone()).await;
    assert_eq!(places(&page), [(1, "/x".to_owned()), (1, "/y".to_owned()), (2, "/z".to_owned())]);
    let first = &page.items[0];
    assert_eq!((first.revision, &first.entity, first.closed), (1, &customer(), false));
    assert!(is_time(&first.opened_at), "{first:?}");
    let of = |name: &str| ListConflicts { entity: Some(entity(name)), ..all.clone() };
    assert_eq!(run(&store, of("customer")).await, page);
    assert_eq!(run(&store, of("product")).await.items, []);
    let of_record = ListConflicts { record: Some(two), ..of("customer") };
    assert_eq!(places(&run(&store, of_record.clone()).await), [(2, "/z".to_owned())]);
    assert_eq!(run(&store, ListConflicts { after: page.items[2].id, ..of_record }).await.items, []);
    let part = run(&store, ListConflicts { limit: 2, ..all.clone() }).await;
    assert_eq!((part.items.len(), part.next), (2, Some(page.items[1].id)));
    conflicting(&store, one, &["/y"]).await;
    let open = run(&store, all).await;
    assert_eq!(places(&open), [(1, "/y".to_owned()), (2, "/z".to_owned())]);
    let closed = run(&store, FindConflict { id: page.items[0].id }).await.expect("it was there");
    assert_eq!(closed, ConflictRow { closed: true, ..page.items[0].clone() });
    assert_eq!(run(&store, FindConflict { id: page.items[1].id }).await.as_ref(), Some(&page.items[1]));
    assert_eq!(run(&store, FindConflict { id: 99 }).await, None);
}

#[tokio::test]
async fn work_is_listed_by_state_and_entity() {
    let store = postgres::store();
    let mut by_state = BTreeMap::new();
    for (name, end) in
        [("d", Some(done())), ("p", Some(parked())), ("w", Some(later())), ("b", Some(blocked(&["crm"]))), ("r", None)]
    {
        let id = notify(&store, "crm", name).await.id;
        let look = claim_one(&store).await;
        if let Some(end) = end {
            finish(&store, receipts(&look), end).await;
        }
        by_state.insert(name, id);
    }
    by_state.insert("q", notify(&store, "crm", "q").await.id);
    let elsewhere = Notification { entity: entity("product"), ..notification("crm", "a") };
    let other = run(&store, Enqueue { notifications: vec![elsewhere] }).await[0].id;
    let list = async |state, entity| {
        let page = run(&store, ListWorkItems { state, entity, after: 0, limit: 100 }).await;
        page.items.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let named = |names: &[&str]| names.iter().map(|name| by_state[name]).collect::<Vec<WorkItemId>>();
    for (state, names) in [
        (WorkState::Done, &["d"][..]),
        (WorkState::Parked, &["p"]),
        (WorkState::Waiting, &["w", "b"]),
        (WorkState::Running, &["r"]),
        (WorkState::Ready, &["q"]),
    ] {
        assert_eq!(list(Some(state), Some(customer())).await, named(names), "{state:?}");
    }
    assert_eq!(list(Some(WorkState::Ready), None).await, [by_state["q"], other]);
    assert_eq!(list(None, Some(customer())).await, named(&["d", "p", "w", "b", "r", "q"]));
    assert_eq!(list(None, None).await.len(), 7);
    for state in [None, Some(WorkState::Waiting)] {
        let first = run(&store, ListWorkItems { state, entity: None, after: 0, limit: 1 }).await;
        let next =
            run(&store, ListWorkItems { state, entity: None, after: first.next.expect("there is more"), limit: 1 })
                .await;
        assert!(first.items[0].id < next.items[0].id);
    }
}

#[tokio::test]
async fn one_work_item_is_shown_with_all_that_is_known_of_it() {
    let store = postgres::store();
    assert_eq!(run(&store, FindWorkItem { id: WorkItemId(1) }).await, None);
    let one = record(&store, "crm", "a").await;
    let copy = item(&store, notify(&store, "crm", "a").await.id).await;
    assert_eq!(copy.copy, Some((source("crm"), key("a"))));
    assert_eq!((copy.state, copy.attempts, copy.record), (WorkState::Ready, 0, None));
    assert!(copy.due_at.as_deref().is_some_and(is_time), "{copy:?}");
    finish(&store, receipts(&claim_one(&store).await), blocked(&["crm", "billing"])).await;
    let copy = item(&store, copy.id).await;
    assert_eq!((copy.state, copy.due_at, copy.record), (WorkState::Waiting, None, Some(one)));
    assert_eq!(copy.blocked_by, [source("crm"), source("billing")]);
    assert_eq!(copy.last_error.as_deref(), Some("down"));
    let asked = item(&store, ask(&store, one).await.id).await;
    assert_eq!((asked.copy, asked.record, asked.order), (None, Some(one), None));
    let ordered = item(&store, order(&store, one).await).await;
    assert!(ordered.order.is_some());
    assert!(ordered.due_at.as_deref().is_some_and(is_time), "{:?}", ordered.due_at);
}

#[tokio::test]
async fn everything_is_counted_for_every_entity() {
    let store = postgres::store();
    assert_eq!(run(&store, CountAll).await, BTreeMap::new());
    run(&store, Recover { entity: entity("idle"), held: Vec::new() }).await;
    let elsewhere = Notification { entity: entity("product"), ..notification("crm", "a") };
    run(&store, Enqueue { notifications: vec![elsewhere] }).await;
    for name in ["a", "b", "c"] {
        record(&store, "crm", name).await;
    }
    assert!(run(&store, removal(&recall(&store, InternalKey(3)).await)).await);
    conflicting(&store, InternalKey(1), &["/x", "/y"]).await;
    conflicting(&store, InternalKey(1), &["/y"]).await;
    let known = recall(&store, InternalKey(2)).await;
    let doubt = OpenOperation { state: OperationState::InDoubt, ..intent(OperationKind::Create) };
    let operations = vec![(source("shop"), doubt), (source("ldap"), intent(OperationKind::Create))];
    assert!(run(&store, Decide { operations, ..decision(&known) }).await);
    for (name, end) in [("p", Some(parked())), ("w", Some(later())), ("v", Some(later())), ("r", None)] {
        notify(&store, "crm", name).await;
        if let (look, Some(end)) = (claim_one(&store).await, end) {
            finish(&store, receipts(&look), end).await;
        }
    }
    for name in ["q1", "q2", "q3"] {
        notify(&store, "crm", name).await;
    }
    rows(&store, "update work_item set arrived_at = arrived_at - interval '100 s' where foreign_key = 'p'").await;
    let held = "insert into held_delete (entity, record, source, foreign_key, approved_at) values ('customer', 1, 'crm', 'a', null), \
                ('customer', 1, 'billing', 'b', null), ('customer', 2, 'crm', 'c', now())";
    rows(&store, held).await;
    let counts = run(&store, CountAll).await;
    let product = &counts[&entity("product")];
    assert_eq!(*product, Counts { ready: 1, oldest_s: product.oldest_s, ..Counts::default() });
    assert_eq!(counts[&entity("idle")], Counts::default());
    let customers = &counts[&customer()];
    assert!(customers.oldest_s >= 100 && customers.oldest_s < 160, "{customers:?}");
    let expected = Counts {
        ready: 3,
        running: 1,
        waiting: 2,
        parked: 1,
        oldest_s: customers.oldest_s,
        records: 2,
        conflicts: 1,
        in_doubt: 1,
        deletes_held: 2,
    };
    assert_eq!((customers, counts.len()), (&expected, 3));
}
