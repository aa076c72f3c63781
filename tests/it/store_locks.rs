//! What several transactions lock they lock in one order: none waits for another that waits for it, which PostgreSQL would notice only after
//! a second in which nothing that meets them goes on.

use futures_util::future::join;
use retcon::domain::record::{OpenOperation, OperationKind, OperationState};
use retcon::store::Request;
use retcon::store::requests::browse::{HandleParked, Handling, WorkFilter};
use retcon::store::requests::look::{Decide, RecordResults};
use retcon::store::requests::queue::{Claim, Finish, Recover, Release, WorkItemId};
use retcon::store::requests::view::WorkState;
use rstest::rstest;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::support::postgres::{self, TestStore};
use crate::support::store::{
    ask, claim_one, customer, decision, finish, first_claims, intent, item, items, later, next_version, notify, parked,
    recall, receipts, record, results, rows, run, source,
};
use crate::support::wait;

/// How many sessions wait for a lock.
const WAITING: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

/// Somebody in a transaction that has locked items, as a batch of notifications does.
struct Notifier(Client);

impl Notifier {
    async fn new(database: &TestStore) -> Self {
        let (client, connection) = database.config().connect(NoTls).await.expect("the server takes connections");
        tokio::spawn(connection);
        client.batch_execute("begin").await.expect("it begins");
        Self(client)
    }

    /// Locks an item, which nobody else has locked.
    async fn lock(&self, WorkItemId(id): WorkItemId) {
        let lock = format!("select from work_item where id = {id} for update nowait");
        self.0.batch_execute(&lock).await.unwrap_or_else(|error| panic!("item {id} is locked: {error:?}"));
    }

    async fn commit(self) {
        self.0.batch_execute("commit").await.expect("it ends");
    }

    /// Locks the first item, then, when the request waits for it, the second one, and lets the request end.
    async fn comes_between<R: Request>(self, database: &TestStore, request: R, [first, second]: [WorkItemId; 2]) {
        self.lock(first).await;
        let running = spawn(database, request);
        until_waiting(database, 1);
        self.lock(second).await;
        self.commit().await;
        running.await.expect("it does not panic");
    }
}

fn spawn<R: Request>(database: &TestStore, request: R) -> JoinHandle<R::Reply> {
    let store = (**database).clone();
    tokio::spawn(async move { run(&store, request).await })
}

/// Waits until so many sessions wait for a lock.
fn until_waiting(database: &TestStore, sessions: usize) {
    let waiting = || postgres::block_on(rows(database, WAITING));
    wait::until(|| (waiting() == [sessions.to_string()]).then_some(()), || format!("{:?} wait", waiting()));
}

/// Puts an item into the queue that waits for a write or a source, as the statement says.
async fn waits(database: &TestStore, name: &str, key: &str, how: &str) -> WorkItemId {
    let id = notify(database, name, key).await.id;
    rows(database, &format!("update work_item set state = 'waiting', {how} where id = {}", id.0)).await;
    id
}

/// Makes a record with a write in flight, and gives the results of a look that has not carried it out.
async fn with_a_write(database: &TestStore) -> RecordResults {
    let one = record(database, "crm", "a").await;
    let write = intent(OperationKind::Update);
    let known = recall(database, one).await;
    run(database, Decide { operations: vec![(source("shop"), write.clone())], ..decision(&known) }).await;
    let failed = OpenOperation { state: OperationState::Open, ..write };
    RecordResults { operations: vec![(source("shop"), failed, "exit 1".to_owned())], ..results(one, &[]) }
}

const FOR_THE_WRITE: &str = "due_at = due_at + interval '1 hour', held_by = (select number from operation)";
const FOR_A_SOURCE: &str = "due_at = 'infinity', blocked_by = '{shop}'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_a_write_is_released_in_the_order_of_notifications() {
    let database = postgres::store();
    let results = with_a_write(&database).await;
    let second = waits(&database, "shop", "b", FOR_THE_WRITE).await;
    let first = waits(&database, "shop", "a", FOR_THE_WRITE).await;
    Notifier::new(&database).await.comes_between(&database, results, [first, second]).await;
    assert_eq!(rows(&database, "select count(*) from work_item where held_by is not null").await, ["0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_a_source_is_released_in_the_order_of_notifications() {
    let database = postgres::store();
    let second = waits(&database, "shop", "b", FOR_A_SOURCE).await;
    let first = waits(&database, "shop", "a", FOR_A_SOURCE).await;
    let release = Release { entity: customer(), source: source("shop"), probe: false };
    Notifier::new(&database).await.comes_between(&database, release, [first, second]).await;
    assert_eq!(rows(&database, "select count(*) from work_item where blocked_by <> '{}'").await, ["0"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_released_in_the_order_of_notifications_where_a_queue_is_taken_over(
    #[values(FOR_THE_WRITE, FOR_A_SOURCE)] how: &'static str,
) {
    let database = postgres::store();
    with_a_write(&database).await;
    let second = waits(&database, "shop", "b", how).await;
    let first = waits(&database, "shop", "a", how).await;
    let recover = Recover { entity: customer(), held: Vec::new() };
    Notifier::new(&database).await.comes_between(&database, recover, [first, second]).await;
    let due = "select id from work_item
               where source = 'shop' and held_by is null and blocked_by = '{}' and due_at <= now()
               order by id";
    assert_eq!(rows(&database, due).await, [second, first].map(|WorkItemId(id)| id.to_string()));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_parked_is_handled_in_the_order_of_notifications(
    #[values((Handling::Retry, "ready"), (Handling::Drop, "done"))] (handling, state): (Handling, &str),
) {
    let database = postgres::store();
    let second = notify(&database, "shop", "b").await.id;
    let first = notify(&database, "shop", "a").await.id;
    rows(&database, "update work_item set state = 'parked'").await;
    let filter = WorkFilter { entity: None, source: None, reason: None };
    let handle = HandleParked { filter, last: first.0, handling };
    Notifier::new(&database).await.comes_between(&database, handle, [first, second]).await;
    assert_eq!(rows(&database, "select distinct state from work_item").await, [state]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_claimed_in_the_order_in_which_they_are_asked_for() {
    let database = postgres::store();
    let [one, other] = [record(&database, "crm", "a").await, record(&database, "crm", "b").await];
    let second = ask(&database, other).await.id;
    let first = ask(&database, one).await.id;
    let claim = Claim { entity: customer(), limit: 2, ahead: None };
    Notifier::new(&database).await.comes_between(&database, claim, [first, second]).await;
    assert_eq!(rows(&database, "select count(*) from work_item where state = 'running'").await, ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_released_and_what_is_put_back_are_locked_in_one_order() {
    let database = postgres::store();
    let failed = with_a_write(&database).await;
    let second = waits(&database, "shop", "x", FOR_THE_WRITE).await;
    notify(&database, "crm", "a").await;
    let looked_at = items(&claim_one(&database).await);
    let first = notify(&database, "crm", "a").await.id;
    let results = RecordResults { finish: Finish { items: first_claims(&looked_at), end: later() }, ..failed };
    Notifier::new(&database).await.comes_between(&database, results, [first, second]).await;
    let coalesced = item(&database, looked_at[0]).await;
    assert_eq!((coalesced.outcome.as_deref(), coalesced.coalesced_into), (Some("coalesced"), Some(first)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_who_asks_for_a_parked_item() {
    let database = postgres::store();
    let one = record(&database, "crm", "a").await;
    let first = notify(&database, "crm", "a").await.id;
    finish(&database, receipts(&claim_one(&database).await), parked()).await;
    ask(&database, one).await;
    let looked_at = items(&claim_one(&database).await);
    let notifier = Notifier::new(&database).await;
    let asked = format!("update work_item set state = 'ready' where id = {}", first.0);
    notifier.0.batch_execute(&asked).await.expect("nobody has it");
    run(&database, results(one, &first_claims(&looked_at))).await;
    notifier.commit().await;
    assert_eq!(item(&database, first).await.state, WorkState::Ready);
    assert_eq!(item(&database, looked_at[0]).await.state, WorkState::Done);
}

/// Has whoever takes a match value wait for the test, and counts how often one is about to be taken: also in what is undone.
const WATCH: &str = "
    create sequence taken;
    create function watch() returns trigger language plpgsql as $$
    begin
        perform nextval('taken'), pg_advisory_xact_lock_shared(42);
        return new;
    end $$;
    create trigger watch before insert on match_value for each row execute function watch()";

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_records_exchange_their_match_values_one_after_the_other(#[values(true, false)] with_a_version: bool) {
    let database = postgres::store();
    let bearers = [record(&database, "crm", "a").await, record(&database, "crm", "b").await];
    let decide = async |values: [&str; 2]| {
        let decide = async |place: usize| {
            let known = recall(&database, bearers[place]).await;
            let plain = if with_a_version { next_version(&known, "1") } else { decision(&known) };
            Decide { match_value: Some(values[place].to_owned()), ..plain }
        };
        join(decide(0), decide(1)).await
    };
    let (left, right) = decide(["left", "right"]).await;
    assert_eq!(join(run(&database, left), run(&database, right)).await, (true, true));
    rows(&database, WATCH).await;
    let holder = Notifier::new(&database).await;
    holder.0.batch_execute("select pg_advisory_xact_lock(42)").await.expect("nobody has it");
    let (left, right) = decide(["right", "left"]).await;
    let (left, right) = (spawn(&database, left), spawn(&database, right));
    until_waiting(&database, 2);
    holder.commit().await;
    assert!(left.await.expect("it does not panic") && right.await.expect("it does not panic"));
    assert_eq!(rows(&database, "select last_value from taken").await, ["2"], "neither was undone");
}
