//! What several looks record at the same time: it goes in one transaction, and nobody suffers for what another one records.

use std::future::Future;
use std::pin::pin;

use futures_util::future::{join, join_all};
use futures_util::poll;
use retcon::domain::key::InternalKey;
use retcon::domain::record::{Link, OperationKind};
use retcon::store::requests::lease::{DaemonId, Fence, GiveUp};
use retcon::store::requests::look::{
    Decide, DecideWithin, Decided, Introduce, Introduced, Limits, RecallUnknown, RecordResults,
};
use retcon::store::requests::queue::{Receipt, Subject};
use retcon::store::{Request, Store, StoreError};
use rstest::rstest;
use tokio_postgres::{Client, NoTls};

use crate::support::postgres::{self, TestStore};
use crate::support::site::open_directory;
use crate::support::store::{
    claim, customer, decision, intent, introduce_claimed, item, items, json, linked, next_version, notify, recall,
    receipts, record, results, rows, run, serve, source,
};
use crate::support::wire::{Moment, Wire};

/// How many looks record something.
const LOOKS: usize = 16;

/// How many versions there are, and in how many transactions they were recorded.
const VERSIONS: &str = "select count(*), count(distinct xmin::text) from version";

/// How many sessions wait for a lock.
const WAITING: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

/// A database with a record for each look, and the lease under which they are looked at.
struct Scene {
    database: TestStore,
    daemon: DaemonId,
    fence: Fence,
    records: Vec<InternalKey>,
}

/// Holds a record as somebody who records something of it; until it is dropped.
struct Holder(Client);

impl Scene {
    async fn new() -> Self {
        let database = postgres::store();
        let mut records = Vec::new();
        for look in 0..LOOKS {
            records.push(record(&database, "crm", &look.to_string()).await);
        }
        let (daemon, fence) = serve(&database).await;
        Self { database, daemon, fence, records }
    }

    /// Decides on the next version of each record but the first.
    async fn decisions(&self) -> Vec<Decide> {
        join_all(self.records[1..].iter().map(async |record| next_version(&recall(&self.database, *record).await, "1")))
            .await
    }

    /// Has the first record held, and something recorded of it, which waits; has the others recorded meanwhile, and gives what came
    /// of them. What is first is then let go.
    async fn behind_the_first<T>(&self, store: &Store, others: impl Future<Output = T>) -> T {
        let holder = self.hold(self.records[0]).await;
        let mut first = pin!(results(self.records[0], &[]).run_under(self.fence.clone(), store));
        assert!(poll!(&mut first).is_pending(), "the first goes at once");
        while rows(&self.database, WAITING).await == ["0"] {
            tokio::task::yield_now().await;
        }
        let (came, first) = join(
            async move {
                let came = others.await;
                drop(holder);
                came
            },
            first,
        )
        .await;
        first.unwrap_or_else(|error| panic!("the first: {error:?}"));
        came
    }

    async fn hold(&self, record: InternalKey) -> Holder {
        let (client, connection) = self.database.config().connect(NoTls).await.expect("the server takes connections");
        tokio::spawn(connection);
        let sql = format!("begin; select from record where id = {} for update", record.0);
        client.batch_execute(&sql).await.expect("nobody else holds it");
        Holder(client)
    }

    async fn versions(&self) -> Vec<String> {
        rows(&self.database, VERSIONS).await
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        assert!(!self.0.is_closed(), "it was held all the time");
    }
}

fn within(decision: Decide) -> DecideWithin {
    DecideWithin { decision, limits: Limits::default() }
}

/// Records all of them at the same time.
async fn decide_all(store: &Store, fence: &Fence, decisions: Vec<Decide>) -> Vec<Result<Decided, StoreError>> {
    join_all(decisions.into_iter().map(|decision| within(decision).run_under(fence.clone(), store))).await
}

fn recorded(ends: &[Result<Decided, StoreError>]) -> usize {
    ends.iter().filter(|end| matches!(end, Ok(Decided::Recorded))).count()
}

#[tokio::test]
async fn what_gathers_is_recorded_in_one_transaction_and_waits_for_no_lock_of_another_look() {
    let scene = Scene::new().await;
    let decisions = scene.decisions().await;
    let ends = scene.behind_the_first(&scene.database, decide_all(&scene.database, &scene.fence, decisions)).await;
    assert_eq!(recorded(&ends), LOOKS - 1, "{ends:?}");
    assert_eq!(scene.versions().await, [format!("{}|1", LOOKS - 1)]);
}

#[tokio::test]
async fn decisions_and_results_go_together() {
    let scene = Scene::new().await;
    let store = &scene.database;
    notify(store, "crm", "1").await;
    let claimed: Vec<Receipt> = claim(store).await.iter().flat_map(receipts).collect();
    let result = RecordResults { links: vec![(source("crm"), linked("1"))], ..results(scene.records[1], &claimed) };
    let mut decision = scene.decisions().await.pop().expect("there are some");
    decision.operations = vec![(source("billing"), intent(OperationKind::Update))];
    let (decided, result) = scene
        .behind_the_first(
            store,
            join(within(decision).run_under(scene.fence.clone(), store), result.run_under(scene.fence.clone(), store)),
        )
        .await;
    assert_eq!(decided.expect("it is recorded"), Decided::Recorded);
    result.expect("it is recorded");
    let together = "
        select count(distinct changed), count(*) from (
            select xmin::text from version
            union all select xmin::text from operation
            union all select xmin::text from link where record = 2
            union all select xmin::text from work_item where id = (select max(id) from work_item)
        ) as written (changed)";
    assert_eq!(rows(store, together).await, ["1|4"]);
}

#[tokio::test]
async fn what_waits_for_company_that_does_not_come_goes_all_the_same() {
    let scene = Scene::new().await;
    let decision = scene.decisions().await.pop().expect("there are some");
    let end = within(decision).run_among(u32::MAX, scene.fence.clone(), &scene.database).await;
    assert_eq!(end.expect("it is recorded"), Decided::Recorded);
}

#[tokio::test]
async fn one_that_has_to_be_considered_keeps_no_other_from_being_recorded() {
    let scene = Scene::new().await;
    let mut decisions = scene.decisions().await;
    decisions[4].expected_version = 7;
    let ends = scene.behind_the_first(&scene.database, decide_all(&scene.database, &scene.fence, decisions)).await;
    assert!(matches!(ends[4], Ok(Decided::Moved)), "{ends:?}");
    assert_eq!(recorded(&ends), LOOKS - 2, "{ends:?}");
    assert_eq!(scene.versions().await, [format!("{0}|{0}", LOOKS - 2)], "each by itself");
}

#[tokio::test]
async fn two_that_want_one_key_are_told_apart() {
    let scene = Scene::new().await;
    let mut decisions = scene.decisions().await;
    for decision in &mut decisions[3..5] {
        decision.links = vec![(source("billing"), linked("the one"))];
    }
    let ends = scene.behind_the_first(&scene.database, decide_all(&scene.database, &scene.fence, decisions)).await;
    assert_eq!(recorded(&ends), LOOKS - 2, "{ends:?}");
    assert_eq!(ends.iter().filter(|end| matches!(end, Ok(Decided::Moved))).count(), 1, "{ends:?}");
    let held = "select count(*) from link where source = 'billing' and foreign_key = 'the one'";
    assert_eq!(rows(&scene.database, held).await, ["1"]);
}

#[rstest]
#[tokio::test]
async fn match_values_that_change_hands_are_all_found_afterwards(#[values(true, false)] with_a_version: bool) {
    let scene = Scene::new().await;
    let bearers = &scene.records[1..3];
    let decisions = async |values: [&str; 2]| {
        join_all(bearers.iter().zip(values).map(async |(record, value)| {
            let known = recall(&scene.database, *record).await;
            let plain = if with_a_version { next_version(&known, "1") } else { decision(&known) };
            Decide { match_value: Some(value.to_owned()), ..plain }
        }))
        .await
    };
    let borne = "select record, value from match_value order by record";
    for values in [["left", "right"], ["right", "left"]] {
        let decisions = decisions(values).await;
        let ends = scene.behind_the_first(&scene.database, decide_all(&scene.database, &scene.fence, decisions)).await;
        assert_eq!(recorded(&ends), 2, "{ends:?}");
        let wanted: Vec<String> =
            bearers.iter().zip(values).map(|(record, value)| format!("{}|{value}", record.0)).collect();
        assert_eq!(rows(&scene.database, borne).await, wanted);
    }
}

#[tokio::test]
async fn what_is_large_goes_with_little_else() {
    let scene = Scene::new().await;
    let mut decisions = scene.decisions().await;
    for (decision, mebibytes) in decisions[3..].iter_mut().zip([3, 3, 5]) {
        let last = Some(json(&format!("\"{}\"", "x".repeat(mebibytes << 20))));
        decision.links = vec![(source("billing"), Link { last, ..linked(&decision.record.id.0.to_string()) })];
    }
    let large: Vec<i64> = decisions[3..6].iter().map(|decision| decision.record.id.0).collect();
    let ends = scene.behind_the_first(&scene.database, decide_all(&scene.database, &scene.fence, decisions)).await;
    assert_eq!(recorded(&ends), LOOKS - 1, "{ends:?}");
    let apart = format!("select count(*), count(distinct xmin::text) from version where record = any (array{large:?})");
    assert_eq!(rows(&scene.database, &apart).await, ["3|3"]);
}

#[tokio::test]
async fn one_that_the_database_refuses_is_the_only_one_to_hear_of_it() {
    let scene = Scene::new().await;
    let refuse = "
        create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
        create trigger refuse before insert on version for each row when (new.record = 6) execute function refuse()";
    rows(&scene.database, refuse).await;
    let decisions = scene.decisions().await;
    let ends = scene.behind_the_first(&scene.database, decide_all(&scene.database, &scene.fence, decisions)).await;
    let refused: Vec<_> = ends.iter().filter(|end| matches!(end, Err(StoreError::Refused { .. }))).collect();
    assert_eq!((refused.len(), recorded(&ends)), (1, LOOKS - 2), "{ends:?}");
}

#[tokio::test]
async fn whoever_has_lost_the_lease_records_nothing_and_the_next_one_all() {
    let scene = Scene::new().await;
    let store = &scene.database;
    let decisions = scene.decisions().await;
    let (old, new) = decisions.split_at(LOOKS / 2);
    let (old, new) = (old.to_vec(), new.to_vec());
    run(store, GiveUp { daemon: scene.daemon, entities: vec![customer()] }).await;
    let (_, fence) = serve(store).await;
    let (old, new) = join(decide_all(store, &scene.fence, old), decide_all(store, &fence, new)).await;
    assert!(old.iter().all(|end| matches!(end, Err(StoreError::Deposed { .. }))), "{old:?}");
    assert_eq!(recorded(&new), new.len(), "{new:?}");
    let recorded = "select count(*), min(record) from version";
    assert_eq!(rows(store, recorded).await, [format!("{}|{}", new.len(), LOOKS / 2 + 2)]);
}

#[rstest]
#[tokio::test]
async fn when_the_wire_is_cut_all_are_told_so_and_either_all_is_recorded_or_nothing(
    #[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment,
) {
    let scene = Scene::new().await;
    let directory = open_directory();
    let wire = Wire::new(directory.path(), &scene.database, "-- Records the next versions", moment, 1);
    let store = wire.store();
    let decisions = scene.decisions().await;
    let ends = scene.behind_the_first(&store, decide_all(&store, &scene.fence, decisions.clone())).await;
    assert_eq!(wire.left(), 0);
    assert!(ends.iter().all(|end| matches!(end, Err(StoreError::Unavailable(_)))), "{ends:?}");
    let all = LOOKS - 1;
    let (before, after, versions) = match moment {
        Moment::BeforeCommit => ("0|0".to_owned(), Decided::Recorded, format!("{all}|{all}")),
        Moment::AfterCommit => (format!("{all}|1"), Decided::Moved, format!("{all}|1")),
    };
    assert_eq!(scene.versions().await, [before]);
    for end in decide_all(&store, &scene.fence, decisions).await {
        assert_eq!(end.expect("the wire is whole"), after);
    }
    assert_eq!(scene.versions().await, [versions], "each by itself, lest one takes the others along again");
}

#[tokio::test]
async fn one_whose_asker_is_gone_is_recorded_with_the_others() {
    let scene = Scene::new().await;
    let store = &scene.database;
    let mut decisions = scene.decisions().await;
    let gone = within(decisions.pop().expect("there are some"));
    let ends = scene
        .behind_the_first(store, async {
            {
                let mut gone = pin!(gone.run_under(scene.fence.clone(), store));
                assert!(poll!(&mut gone).is_pending());
            }
            decide_all(store, &scene.fence, decisions).await
        })
        .await;
    assert_eq!(recorded(&ends), LOOKS - 2, "{ends:?}");
    assert_eq!(scene.versions().await, [format!("{}|1", LOOKS - 1)]);
}

#[tokio::test]
async fn one_that_comes_alone_is_a_transaction_of_its_own() {
    let scene = Scene::new().await;
    for decision in scene.decisions().await {
        let end = within(decision).run_under(scene.fence.clone(), &scene.database).await;
        assert_eq!(end.expect("it is recorded"), Decided::Recorded);
    }
    assert_eq!(scene.versions().await, [format!("{0}|{0}", LOOKS - 1)]);
}

/// Notifies of keys that nobody knows, and claims them.
async fn newcomers(store: &Store, keys: &[&str]) -> Vec<Introduce> {
    for key in keys {
        notify(store, "crm", key).await;
    }
    let looks = claim(store).await;
    let introduction = async |look| {
        let (items, Subject::UnknownKey { source, key }) = (items(look), look.subject.clone()) else {
            panic!("it is known: {look:?}")
        };
        let entity = customer();
        let recall = RecallUnknown { entity, source: source.clone(), key: key.clone(), items: items.clone() };
        let recalled_at = run(store, recall).await.now;
        Introduce { entity: customer(), source, key, match_value: None, items, recalled_at }
    };
    join_all(looks.iter().map(introduction)).await
}

/// Introduces all of them at the same time.
async fn introduce_all(scene: &Scene, newcomers: &[Introduce]) -> Vec<Introduced> {
    let run = |introduce: &Introduce| introduce.clone().run_under(scene.fence.clone(), &scene.database);
    let ends = join_all(newcomers.iter().map(run)).await;
    ends.into_iter().map(|end| end.expect("the database is there")).collect()
}

#[tokio::test]
async fn keys_that_nobody_knows_become_records_together_and_each_is_told_which() {
    let scene = Scene::new().await;
    let store = &scene.database;
    let newcomers = newcomers(store, &["a", "b", "c"]).await;
    let decision = within(scene.decisions().await.pop().expect("there are some"));
    let ends = scene.behind_the_first(
        store,
        join(introduce_all(&scene, &newcomers), decision.run_under(scene.fence.clone(), store)),
    );
    let (introduced, decided) = ends.await;
    assert_eq!(decided.expect("it is recorded"), Decided::Recorded);
    for (newcomer, introduced) in newcomers.iter().zip(introduced) {
        let Introduced::New(record) = introduced else { panic!("{introduced:?}") };
        let known = recall(store, record).await;
        assert_eq!((known.record.version, &known.record.agreed), (0, &None));
        let links: Vec<_> = known.links.into_iter().collect();
        assert_eq!(links, [(source("crm"), linked(newcomer.key.as_str()))]);
        assert_eq!(item(store, newcomer.items[0]).await.record, Some(record));
    }
    let records = format!("select id from record where id > {LOOKS} order by id");
    assert_eq!(rows(store, &records).await, ["17", "18", "19"]);
    assert_eq!(rows(store, "select last_internal_key from entity").await, ["19"]);
    let together = format!(
        "select count(distinct changed), count(*) from (
            select xmin::text from record where id > {LOOKS}
            union all select xmin::text from foreign_key where record > {LOOKS}
            union all select xmin::text from version
        ) as written (changed)"
    );
    assert_eq!(rows(store, &together).await, ["1|7"]);
}

#[tokio::test]
async fn a_key_that_is_known_by_now_keeps_no_other_from_becoming_a_record() {
    let scene = Scene::new().await;
    let store = &scene.database;
    let newcomers = newcomers(store, &["a", "b", "c"]).await;
    assert_eq!(run(store, newcomers[1].clone()).await, Introduced::New(InternalKey(17)));
    let ends = scene.behind_the_first(store, introduce_all(&scene, &newcomers)).await;
    assert!(
        matches!(ends[..], [Introduced::New(_), Introduced::LookAgain, Introduced::New(_)]),
        "{ends:?}: it was introduced once"
    );
    assert_eq!(rows(store, "select max(id), count(*) from record").await, ["19|19"], "without a gap");
}

#[tokio::test]
async fn an_item_that_may_be_another_record_is_considered_by_itself() {
    let scene = Scene::new().await;
    let store = &scene.database;
    let ann = r#"["ann"]"#;
    let (first, _) = introduce_claimed(store, "billing", "1", Some(ann)).await;
    assert_eq!(first, Introduced::New(InternalKey(17)));
    let mut newcomers = newcomers(store, &["a", "b"]).await;
    newcomers[1].match_value = Some(ann.to_owned());
    let ends = scene.behind_the_first(store, introduce_all(&scene, &newcomers)).await;
    assert_eq!(ends, [Introduced::New(InternalKey(18)), Introduced::Joined(InternalKey(17))]);
}
