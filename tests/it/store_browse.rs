//! What people look for: records by any key and by what is the matter with them, the timeline of one, work and acts by what they are about.

use retcon::domain::key::InternalKey;
use retcon::domain::merge::{Conflict, ConflictKind, Contender};
use retcon::domain::record::{Link, OperationEnd, OperationKind, OperationState, RecordState};
use retcon::store::Store;
use retcon::store::requests::access::{Act, ActEnd, BeginAct, EndAct, Via};
use retcon::store::requests::browse::{
    ActOutcome, Among, Below, BrowseActs, BrowseRecords, BrowseWork, CountParked, FindNamed, HandleParked, Handling,
    Happened, KeyState, ListKeys, ListSome, Listed, ReadSource, ReadTimeline, Targets, WorkFilter,
};
use retcon::store::requests::look::{Decide, RecordResults};
use retcon::store::requests::view::{Page, WorkState};

use crate::support::postgres::{self, TestStore};
use crate::support::store::{
    ask, claim_one, customer, decision, finish, intent, item, json, key, linked, next_version, notify, parked, recall,
    receipts, record, removal, results, rows, run, source,
};

fn all() -> BrowseRecords {
    BrowseRecords { entity: customer(), among: Among::All, state: None, source: None, after: 0, limit: 100 }
}

fn ids(page: &Page<Listed>) -> Vec<i64> {
    page.items.iter().map(|listed| listed.record.0).collect()
}

async fn conflicting(store: &Store, record: InternalKey, paths: &[&str]) {
    let known = recall(store, record).await;
    let conflicts = paths.iter().map(|path| Conflict {
        path: path.parse().expect("a pointer"),
        kind: ConflictKind::EditEdit,
        agreed: None,
        contenders: vec![Contender { sources: vec![source("crm")], value: Some(json("1")) }],
    });
    assert!(run(store, Decide { conflicts: conflicts.collect(), ..decision(&known) }).await);
}

async fn doubtful(store: &Store, record: InternalKey, sources: &[&str]) {
    let known = recall(store, record).await;
    let write = |name: &&str| {
        let mut write = intent(OperationKind::Create);
        write.state = OperationState::InDoubt;
        (source(name), write)
    };
    assert!(run(store, Decide { operations: sources.iter().map(write).collect(), ..decision(&known) }).await);
}

#[tokio::test]
async fn records_are_narrowed_to_what_is_the_matter_with_them() {
    let store = postgres::store();
    for name in ["a", "b", "c", "d"] {
        record(&store, "crm", name).await;
    }
    record(&store, "billing", "e").await;
    conflicting(&store, InternalKey(2), &["/a", "/b"]).await;
    conflicting(&store, InternalKey(4), &["/a"]).await;
    doubtful(&store, InternalKey(3), &["billing", "hr"]).await;
    let known = recall(&store, InternalKey(4)).await;
    let conflicts = known.conflicts.iter().map(|open| open.conflict.clone()).collect();
    assert!(run(&store, Decide { conflicts, ..removal(&known) }).await);

    let page = run(&store, all()).await;
    assert_eq!((ids(&page), page.next), (vec![1, 2, 3, 4, 5], None));
    let counts: Vec<_> = page.items.iter().map(|listed| (listed.conflicts, listed.doubts)).collect();
    assert_eq!(counts, [(0, 0), (2, 0), (0, 2), (1, 0), (0, 0)]);
    assert_eq!(page.items[0].links, [(source("crm"), key("a"))]);
    for (narrowed, expected) in [
        (BrowseRecords { among: Among::Conflicting, ..all() }, vec![2, 4]),
        (BrowseRecords { among: Among::Conflicting, state: Some(RecordState::Live), ..all() }, vec![2]),
        (BrowseRecords { among: Among::Doubtful, ..all() }, vec![3]),
        (BrowseRecords { among: Among::Doubtful, source: Some(source("billing")), ..all() }, vec![]),
        (BrowseRecords { state: Some(RecordState::Deleted), ..all() }, vec![4]),
        (BrowseRecords { state: Some(RecordState::Live), ..all() }, vec![1, 2, 3, 5]),
        (BrowseRecords { source: Some(source("billing")), ..all() }, vec![5]),
        (BrowseRecords { source: Some(source("crm")), state: Some(RecordState::Live), ..all() }, vec![1, 2, 3]),
        (BrowseRecords { source: Some(source("crm")), state: Some(RecordState::Deleted), ..all() }, vec![4]),
    ] {
        let page = run(&store, narrowed.clone()).await;
        assert_eq!((ids(&page), page.next), (expected, None), "{narrowed:?}");
    }
}

#[tokio::test]
async fn every_list_of_records_goes_on_where_its_page_ended() {
    let store = postgres::store();
    for name in ["a", "b", "c", "d", "e"] {
        let record = record(&store, "crm", name).await;
        conflicting(&store, record, &["/a", "/b"]).await;
        doubtful(&store, record, &["billing", "hr"]).await;
    }
    for (among, state, source_name) in [
        (Among::All, None, None),
        (Among::All, Some(RecordState::Live), None),
        (Among::All, None, Some("crm")),
        (Among::Conflicting, None, None),
        (Among::Conflicting, Some(RecordState::Live), Some("crm")),
        (Among::Doubtful, None, None),
    ] {
        let asked = BrowseRecords { among, state, source: source_name.map(source), limit: 2, ..all() };
        let (mut seen, mut next) = (Vec::new(), Some(0));
        while let Some(after) = next {
            let page = run(&store, BrowseRecords { after, ..asked.clone() }).await;
            assert!(page.items.len() <= 2, "{page:?}");
            seen.extend(ids(&page));
            next = page.next;
        }
        assert_eq!(seen, [1, 2, 3, 4, 5], "{asked:?}");
    }
}

#[tokio::test]
async fn what_is_rare_is_looked_for_in_parts() {
    let store = postgres::store();
    let fill = "insert into entity values ('customer', 5000);
        insert into record (entity, id, state) select 'customer', n, case n when 4500 then 'live' else 'deleted' end
        from generate_series(1, 5000) as n";
    rows(&store, fill).await;
    let (mut seen, mut next, mut pages) = (Vec::new(), Some(0), 0);
    while let Some(after) = next {
        let page = run(&store, BrowseRecords { state: Some(RecordState::Live), after, ..all() }).await;
        seen.extend(ids(&page));
        (next, pages) = (page.next, pages + 1);
    }
    assert_eq!((seen, pages), (vec![4500], 3));
}

#[tokio::test]
async fn a_key_is_found_in_every_source_whether_its_copy_bears_it_bore_it_or_is_gone() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    let two = record(&store, "billing", "a").await;
    run(&store, RecordResults { keys: vec![(source("crm"), key("b"))], ..results(one, &[]) }).await;
    let links = vec![(source("billing"), Link::unlinked())];
    let retired = vec![(source("billing"), key("a"), Some(json("{}")))];
    run(&store, RecordResults { links, retired, ..results(two, &[]) }).await;
    let find = |text: &str| FindNamed {
        entity: customer(),
        sources: vec![source("crm"), source("billing"), source("ldap")],
        key: key(text),
    };
    let found = |named: &retcon::store::requests::browse::Named| (named.source.to_string(), named.record, named.state);
    let named = run(&store, find("a")).await;
    assert_eq!(
        named.iter().map(found).collect::<Vec<_>>(),
        [("billing".to_owned(), two, KeyState::Retired), ("crm".to_owned(), one, KeyState::Former)]
    );
    let named = run(&store, find("b")).await;
    assert_eq!(named.iter().map(found).collect::<Vec<_>>(), [("crm".to_owned(), one, KeyState::Current)]);
    assert_eq!(run(&store, find("A")).await, [], "keys are compared as they are");

    let some = ListSome { entity: customer(), records: vec![two, InternalKey(9), one] };
    let some = run(&store, some).await;
    assert_eq!(some.iter().map(|listed| listed.record).collect::<Vec<_>>(), [two, one]);
    let keys = run(&store, ListKeys { entity: customer(), record: one }).await;
    let states: Vec<_> = keys.keys.iter().map(|row| (row.key.to_string(), row.state)).collect();
    assert!(states.contains(&("a".to_owned(), KeyState::Former)), "{states:?}");
    assert!(states.contains(&("b".to_owned(), KeyState::Current)), "{states:?}");
    assert!(keys.recorded.iter().all(|(_, at)| at.is_some()), "{keys:?}");
}

#[tokio::test]
async fn of_a_copy_is_known_when_something_was_last_recorded() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    rows(&store, "update link set recorded_at = '2020-01-01Z'").await;
    let recorded = || async { run(&store, ListKeys { entity: customer(), record: one }).await.recorded };
    assert_eq!(recorded().await, [(source("crm"), Some("2020-01-01T00:00:00.000000Z".to_owned()))]);
    let known = recall(&store, one).await;
    assert!(run(&store, Decide { links: vec![(source("crm"), linked("a"))], ..decision(&known) }).await);
    assert_ne!(recorded().await[0].1.as_deref(), Some("2020-01-01T00:00:00.000000Z"));
}

fn timeline(record: InternalKey) -> ReadTimeline {
    let targets = Targets {
        of_record: vec![format!("/v1/records/customer/{record}/undo")],
        of_conflict: vec![("/v1/conflicts/".to_owned(), "/resolve".to_owned())],
        of_doubt: vec![("/v1/doubts/".to_owned(), "/settle".to_owned())],
    };
    ReadTimeline { entity: customer(), record, below: Below::TOP, limit: 100, targets }
}

async fn act(store: &Store, target: &str) {
    let via = Via::Unix { uid: Some(1000), pid: None };
    let name = target.rsplit('/').next().unwrap_or_default().to_owned();
    let act = Act { who: "ann".to_owned(), via, act: name, target: target.to_owned(), request: None };
    let id = run(store, BeginAct(act)).await;
    run(store, EndAct { id, end: ActEnd { status: 200, code: None } }).await;
}

/// A record with something of each kind in its past.
async fn eventful(store: &TestStore) -> InternalKey {
    let one = record(store, "crm", "a").await;
    let known = recall(store, one).await;
    let write = intent(OperationKind::Create);
    let operations = vec![(source("billing"), write.clone())];
    assert!(run(store, Decide { operations, ..next_version(&known, r#"{"n":1}"#) }).await);
    let ended = vec![(write.id, OperationEnd::Done { key: Some(key("x")) })];
    run(store, RecordResults { ended, ..results(one, &[]) }).await;
    conflicting(store, one, &["/n"]).await;
    let conflict = recall(store, one).await.conflicts[0].id;
    act(store, &format!("/v1/conflicts/{conflict}/resolve")).await;
    act(store, "/v1/conflicts/99999/resolve").await;
    let known = recall(store, one).await;
    let closed_by = json(r#"{"kind":"resolution","conflict":1}"#);
    let resolved = Decide { conflicts: Vec::new(), closed_by, ..next_version(&known, r#"{"n":2}"#) };
    assert!(run(store, resolved).await);
    act(store, &format!("/v1/records/customer/{one}/undo")).await;
    let known = recall(store, one).await;
    let cause = json(r#"{"kind":"undo","version":2}"#);
    assert!(run(store, Decide { cause, ..next_version(&known, r#"{"n":1}"#) }).await);
    one
}

fn names(moments: &[retcon::store::requests::browse::Moment]) -> Vec<String> {
    let name = |what: &Happened| match what {
        Happened::Changed(version) => format!("version {}", version.version),
        Happened::Written(write) => format!("{:?} {:?}", write.kind, write.state),
        Happened::Opened(_) => "opened".to_owned(),
        Happened::Closed(_) => "closed".to_owned(),
        Happened::Done(act) => act.act.act.clone(),
    };
    moments.iter().map(|moment| name(&moment.what)).collect()
}

const EVENTFUL: [&str; 8] =
    ["version 3", "undo", "closed", "version 2", "resolve", "opened", "Create Done", "version 1"];

#[tokio::test]
async fn all_that_happened_to_a_record_stands_in_one_order() {
    let store = postgres::store();
    let one = eventful(&store).await;
    let read = run(&store, timeline(one)).await;
    assert_eq!(names(&read.moments), EVENTFUL);
    assert_eq!((read.next, &read.undone), (None, &vec![(2, 3)]));
    let other = record(&store, "crm", "z").await;
    assert_eq!(run(&store, timeline(other)).await.moments, []);
}

#[tokio::test]
async fn a_timeline_comes_in_parts_without_gap_or_repetition() {
    let store = postgres::store();
    let one = eventful(&store).await;
    for limit in 1..=9 {
        let (mut seen, mut next) = (Vec::new(), Some(Below::TOP));
        while let Some(below) = next {
            let read = run(&store, ReadTimeline { below, limit, ..timeline(one) }).await;
            assert!(!read.moments.is_empty() && read.moments.len() <= limit, "{read:?}");
            seen.extend(names(&read.moments));
            next = read.next;
        }
        assert_eq!(seen, EVENTFUL, "{limit} at a time");
    }
}

/// Parks an item for each of these keys.
async fn park(store: &Store, source_name: &str, keys: &[&str]) {
    for foreign_key in keys {
        notify(store, source_name, foreign_key).await;
        finish(store, receipts(&claim_one(store).await), parked()).await;
    }
}

#[tokio::test]
async fn parked_work_is_counted_and_handled_by_what_it_is_about() {
    let store = postgres::store();
    park(&store, "crm", &["a", "b", "c"]).await;
    park(&store, "billing", &["d"]).await;
    rows(&store, "update work_item set last_error = 'exit status 3: no such city' where foreign_key = 'b'").await;
    let count = |filter: WorkFilter| CountParked { filter };
    let everything = run(&store, count(WorkFilter::default())).await;
    assert_eq!((everything.items, everything.first.len()), (4, 4));
    let of_crm = WorkFilter { source: Some(source("crm")), ..WorkFilter::default() };
    let counted = run(&store, count(of_crm.clone())).await;
    assert_eq!(counted.items, 3);
    let cities = WorkFilter { reason: Some("no such city".to_owned()), ..of_crm.clone() };
    let city = run(&store, count(cities.clone())).await;
    assert_eq!((city.items, city.first[0].copy.clone()), (1, Some((source("crm"), key("b")))));
    let elsewhere = WorkFilter { entity: Some("product".parse().expect("a name")), ..WorkFilter::default() };
    assert_eq!(run(&store, count(elsewhere)).await.items, 0);

    let dropped = HandleParked { filter: cities, last: city.last, handling: Handling::Drop };
    assert_eq!(run(&store, dropped.clone()).await, [(customer(), 1)]);
    assert_eq!(run(&store, dropped).await, [], "once");
    let shown = item(&store, city.first[0].id).await;
    assert_eq!((shown.state, shown.outcome.as_deref()), (WorkState::Done, Some("dropped")));
    // What was parked since the count is not meant.
    park(&store, "crm", &["e"]).await;
    let retried = HandleParked { filter: of_crm.clone(), last: counted.last, handling: Handling::Retry };
    assert_eq!(run(&store, retried).await, [(customer(), 2)]);
    assert_eq!(run(&store, count(of_crm)).await.items, 1);
    let states = rows(&store, "select foreign_key, state, attempts from work_item order by foreign_key").await;
    assert_eq!(states, ["a|ready|0", "b|done|1", "c|ready|0", "d|parked|1", "e|parked|1"]);
}

#[tokio::test]
async fn to_retry_many_that_a_limit_has_parked_is_consent() {
    let store = postgres::store();
    park(&store, "crm", &["a", "b"]).await;
    rows(&store, "update work_item set consent = 'asked' where foreign_key = 'a'").await;
    let retried = HandleParked { filter: WorkFilter::default(), last: i64::MAX, handling: Handling::Retry };
    run(&store, retried).await;
    let consent = rows(&store, "select foreign_key, consent from work_item order by foreign_key").await;
    assert_eq!(consent, ["a|given", "b|null"]);
}

#[tokio::test]
async fn work_is_listed_by_what_it_is_about_page_by_page() {
    let store = postgres::store();
    park(&store, "crm", &["a", "b", "c"]).await;
    park(&store, "billing", &["d"]).await;
    let filter = WorkFilter { source: Some(source("crm")), ..WorkFilter::default() };
    let (mut seen, mut next) = (0, Some(0));
    while let Some(after) = next {
        let asked = BrowseWork { state: WorkState::Parked, filter: filter.clone(), after, limit: 2 };
        let page = run(&store, asked).await;
        seen += page.items.len();
        next = page.next;
    }
    assert_eq!(seen, 3);
    let ready = BrowseWork { state: WorkState::Ready, filter, after: 0, limit: 9 };
    assert_eq!(run(&store, ready.clone()).await, Page { items: Vec::new(), next: None });
    rows(
        &store,
        "insert into work_item (entity, subject, source, foreign_key) select 'customer', 'copy',
        case when n > 2990 then 'crm' else 'billing' end, 'k' || n from generate_series(1, 3000) as n",
    )
    .await;
    let first = run(&store, ready.clone()).await;
    assert!(first.items.is_empty() && first.next.is_some(), "it is said where to go on: {first:?}");
    let second = run(&store, BrowseWork { after: first.next.expect("a place"), ..ready }).await;
    assert_eq!((second.items.len(), second.next.is_some()), (9, true));
}

#[tokio::test]
async fn acts_are_found_by_who_did_what_and_by_what_it_was_done_to() {
    let store = postgres::store();
    let fill = "insert into audit (who, via, act, target, status, code, ended_at)
        select case n % 3 when 0 then 'ann' else 'ben' end, 'unix', case n % 2 when 0 then 'retry' else 'drop' end, '/t/' || n % 5,
               case when n % 4 > 0 then 200 when n > 8 then 409 end, null, case when n % 4 > 0 or n > 8 then now() end
        from generate_series(1, 12) as n";
    rows(&store, fill).await;
    let all = || BrowseActs { who: None, act: None, outcome: None, after: 0, limit: 100 };
    let ids = |page: &Page<retcon::store::requests::access::ActRow>| -> Vec<i64> {
        page.items.iter().map(|act| act.id.0).collect()
    };
    for (asked, expected) in [
        (BrowseActs { who: Some("ann".to_owned()), ..all() }, vec![12, 9, 6, 3]),
        (BrowseActs { who: Some("ann".to_owned()), act: Some("retry".to_owned()), ..all() }, vec![12, 6]),
        (BrowseActs { outcome: Some(ActOutcome::Unknown), ..all() }, vec![8, 4]),
        (BrowseActs { outcome: Some(ActOutcome::Refused), ..all() }, vec![12]),
        (BrowseActs { outcome: Some(ActOutcome::Done), limit: 2, ..all() }, vec![11, 10]),
        (BrowseActs { after: 4, ..all() }, vec![3, 2, 1]),
    ] {
        assert_eq!(ids(&run(&store, asked.clone()).await), expected, "{asked:?}");
    }
}

#[tokio::test]
async fn of_a_source_is_told_what_waits_for_it_and_since_when_it_is_paused() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    ask(&store, one).await;
    rows(
        &store,
        "update work_item set state = 'waiting', blocked_by = '{billing}', due_at = 'infinity' where state = 'ready'",
    )
    .await;
    let read = |name: &str| ReadSource { entity: customer(), source: source(name) };
    let billing = run(&store, read("billing")).await;
    assert_eq!((billing.waiting, billing.or_more, billing.paused), (1, false, None));
    rows(&store, "insert into pause (entity, source, at, who) values ('customer', 'crm', '2020-01-01Z', 'ann')").await;
    let crm = run(&store, read("crm")).await;
    let paused = crm.paused.expect("it is");
    assert_eq!((crm.waiting, &*paused.since, paused.who.as_deref()), (0, "2020-01-01T00:00:00.000000Z", Some("ann")));
}
