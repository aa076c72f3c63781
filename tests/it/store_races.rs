//! Requests that meet: nothing is lost, nothing is done twice, and nobody gets an error for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join, join_all};
use retcon::domain::key::InternalKey;
use retcon::store::Store;
use retcon::store::requests::look::{Introduce, Introduced, RecallUnknown, RecordResults};
use retcon::store::requests::queue::{Claim, Enqueue, Notification, Receipt, Recover};
use tokio::sync::Mutex;

use crate::support::postgres;
use crate::support::store::{
    again, ask, claim, claim_one, claim_up_to, customer, done, finish, first_claims, introduce_claimed, items, key,
    later, next_version, notification, notify, recall, receipts, record, results, rows, run, source, unknown,
};
use crate::support::wait;

/// Fails whatever asks for an item that is being looked at or done: the look may be over.
const WATCH: &str = "
    create function watch() returns trigger language plpgsql as $$
    begin
        if new.asked <> old.asked and old.state in ('running', 'done') then
            raise exception 'item % was asked for while it was %', old.id, old.state;
        end if;
        return new;
    end $$;
    create trigger watch before update on work_item for each row execute function watch()";

/// How often looks were asked for: every notification that was answered counts in exactly one item.
const ASKED: &str = "select sum(asked) from work_item";
const UNFINISHED: &str = "select count(*) from work_item where state <> 'done'";

/// Claims and ends looks until `sources_of_work` are gone and nothing is left, and never looks at one thing twice at the same time.
async fn look_at_everything(store: Store, looked_at: Arc<Mutex<BTreeSet<String>>>, sources_of_work: Arc<AtomicUsize>) {
    let mut looks = 0;
    loop {
        let was_last = sources_of_work.load(Ordering::SeqCst) == 0;
        let claimed = claim_up_to(&store, 8).await;
        if claimed.looks.is_empty() {
            let running = looked_at.lock().await.len();
            if was_last && running == 0 && claimed.next_due.is_none() {
                return;
            }
            tokio::task::yield_now().await;
        }
        for look in claimed.looks {
            let name = format!("{:?}", look.subject);
            assert!(looked_at.lock().await.insert(name.clone()), "{name} is looked at twice at the same time");
            tokio::task::yield_now().await;
            looks += 1;
            let end = if looks % 3 == 0 { again() } else { done() };
            // Before the items go back: from then on it may be claimed by another.
            looked_at.lock().await.remove(&name);
            finish(&store, receipts(&look), end).await;
        }
    }
}

/// Counts itself as a source of work for as long as it lives.
struct SourceOfWork(Arc<AtomicUsize>);

impl SourceOfWork {
    fn new(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(all))
    }
}

impl Drop for SourceOfWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn all_ended(tasks: Vec<tokio::task::JoinHandle<()>>) {
    for ended in join_all(tasks).await {
        ended.expect("no task panicked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_notification_is_followed_by_a_look_that_was_claimed_after_it() {
    const SENDERS: usize = 4;
    const EACH: usize = 1000;
    let store = postgres::store();
    rows(&store, WATCH).await;
    let (looked_at, sources_of_work) = (Arc::default(), Arc::default());
    let senders = (0..SENDERS).map(|sender| {
        let (store, alive) = ((*store).clone(), SourceOfWork::new(&sources_of_work));
        tokio::spawn(async move {
            for round in 0..EACH {
                notify(&store, "crm", ["a", "b"][(sender + round) % 2]).await;
            }
            drop(alive);
        })
    });
    let mut tasks: Vec<_> = senders.collect();
    for _ in 0..2 {
        tasks.push(tokio::spawn(look_at_everything(
            (*store).clone(),
            Arc::clone(&looked_at),
            Arc::clone(&sources_of_work),
        )));
    }
    all_ended(tasks).await;
    assert_eq!(rows(&store, ASKED).await, [(SENDERS * EACH).to_string()]);
    assert_eq!(rows(&store, UNFINISHED).await, ["0"]);
    let coalesced = rows(&store, "select count(*) from work_item where outcome = 'coalesced'").await;
    assert_ne!(coalesced, ["0"], "nothing ever met, so nothing was tested");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_notifications_are_all_accounted_for() {
    let store = postgres::store();
    rows(&store, WATCH).await;
    let (looked_at, sources_of_work) = (Arc::default(), Arc::default());
    let batches = (0..10).map(|batch| {
        let (store, alive) = ((*store).clone(), SourceOfWork::new(&sources_of_work));
        tokio::spawn(async move {
            // The same keys in another order each time.
            let keys = (0..1000).map(|n| (n * 7 + batch * 131) % 1000);
            let notifications: Vec<_> = keys.map(|n| notification("crm", &format!("k{n}"))).collect();
            let answers = run(&store, Enqueue { notifications }).await;
            assert_eq!(answers.len(), 1000);
            drop(alive);
        })
    });
    let mut tasks: Vec<_> = batches.collect();
    for _ in 0..2 {
        tasks.push(tokio::spawn(look_at_everything(
            (*store).clone(),
            Arc::clone(&looked_at),
            Arc::clone(&sources_of_work),
        )));
    }
    all_ended(tasks).await;
    assert_eq!(rows(&store, ASKED).await, ["10000"]);
    assert_eq!(rows(&store, UNFINISHED).await, ["0"]);
    assert_eq!(rows(&store, "select count(distinct foreign_key) from work_item").await, ["1000"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_waits_for_who_asks_for_the_same_and_locks_in_their_order() {
    let store = postgres::store();
    let one = record(&store, "crm", "b").await;
    run(&store, RecordResults { keys: vec![(source("shop"), key("a"))], ..results(one, &[]) }).await;
    // Asked for in the other order.
    let (shop, crm) = (notify(&store, "shop", "a").await.id, notify(&store, "crm", "b").await.id);
    let (mut client, connection) = store.config().connect(tokio_postgres::NoTls).await.expect("it takes connections");
    tokio::spawn(connection);
    let asking = client.transaction().await.expect("it begins");
    let lock = "select from work_item where source = $1 for update nowait";
    asking.execute(lock, &[&"crm"]).await.expect("nobody has it");
    let claiming = tokio::spawn({
        let store = (*store).clone();
        async move { claim_one(&store).await }
    });
    let waiting = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    wait::until(|| postgres::block_on(rows(&store, waiting)).pop(), || "the claim never came to wait");
    asking.execute(lock, &[&"shop"]).await.expect("the claim has not locked what comes later");
    asking.commit().await.expect("it ends");
    assert_eq!(items(&claiming.await.expect("it does not panic")), [shop, crm]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_that_meet_never_share_a_record() {
    let store = postgres::store();
    for n in 0..20 {
        let one = record(&store, "crm", &format!("k{n}")).await;
        let keys = vec![(source("billing"), key(&format!("b{n}")))];
        run(&store, RecordResults { keys, ..results(one, &[]) }).await;
    }
    for _ in 0..20 {
        let copies = (0..20).flat_map(|n| [("crm", format!("k{n}")), ("billing", format!("b{n}"))]);
        let notifications: Vec<Notification> = copies.map(|(name, key)| notification(name, &key)).collect();
        run(&store, Enqueue { notifications }).await;
        let claims = (0..4).map(|_| run(&store, Claim { entity: customer(), limit: 7, ahead: None }));
        let looks: Vec<_> = join_all(claims).await.into_iter().flat_map(|claimed| claimed.looks).collect();
        let subjects: BTreeSet<_> = looks.iter().map(|look| format!("{:?}", look.subject)).collect();
        assert_eq!((looks.len(), subjects.len()), (20, 20));
        assert!(looks.iter().all(|look| look.items.len() == 2), "{looks:?}");
        finish(&store, looks.iter().flat_map(receipts).collect(), done()).await;
    }
}

/// Claims an unknown key, and gives what is needed to introduce it.
async fn prepared(store: &Store, source_name: &str, foreign_key: &str, match_value: Option<&str>) -> Introduce {
    notify(store, source_name, foreign_key).await;
    let looks = claim(store).await;
    let look = looks.iter().find(|look| look.subject == unknown(source_name, foreign_key)).expect("it is unknown");
    let (entity, source, key, items) = (customer(), source(source_name), key(foreign_key), items(look));
    let recall =
        RecallUnknown { entity: entity.clone(), source: source.clone(), key: key.clone(), items: items.clone() };
    let recalled_at = run(store, recall).await.now;
    Introduce { entity, source, key, match_value: match_value.map(str::to_owned), items, recalled_at }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_copy_becomes_one_record() {
    let store = postgres::store();
    for round in 1..=100 {
        let request = prepared(&store, "crm", &format!("k{round}"), None).await;
        let (first, second) = join(run(&store, request.clone()), run(&store, request.clone())).await;
        let new = Introduced::New(InternalKey(round));
        assert!(
            (&first, &second) == (&new, &Introduced::LookAgain) || (&first, &second) == (&Introduced::LookAgain, &new),
            "{first:?} {second:?}"
        );
        finish(&store, first_claims(&request.items), done()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_copies_of_one_item_become_one_record() {
    let store = postgres::store();
    for round in 1..=100 {
        let (name, value) = (format!("k{round}"), format!("[{round}]"));
        let crm = prepared(&store, "crm", &name, Some(&value)).await;
        let shop = prepared(&store, "shop", &name, Some(&value)).await;
        let both = join(run(&store, crm.clone()), run(&store, shop.clone())).await;
        let one = InternalKey(round);
        let expected =
            [(Introduced::New(one), Introduced::Joined(one)), (Introduced::Joined(one), Introduced::New(one))];
        assert!(expected.contains(&both), "{both:?}");
        finish(&store, first_claims(&[crm.items, shop.items].concat()), done()).await;
    }
    assert_eq!(rows(&store, "select count(*) from record").await, ["100"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_joins_its_record_whether_or_not_a_look_at_it_is_being_claimed() {
    let store = postgres::store();
    let (mut before, mut after) = (0, 0);
    for round in 1..=100 {
        let value = format!("[{round}]");
        let (_, first) = introduce_claimed(&store, "crm", &format!("k{round}"), Some(&value)).await;
        finish(&store, first_claims(&first), done()).await;
        let request = prepared(&store, "shop", &format!("s{round}"), Some(&value)).await;
        ask(&store, InternalKey(round)).await;
        let (introduced, looks) = if round % 2 == 0 {
            join(run(&store, request.clone()), claim(&store)).await
        } else {
            let (looks, introduced) = join(claim(&store), run(&store, request.clone())).await;
            (introduced, looks)
        };
        assert_eq!(introduced, Introduced::Joined(InternalKey(round)));
        // A claim that came later leaves the record to the look that joined it.
        if looks.is_empty() {
            before += 1
        } else {
            after += 1
        }
        assert_eq!(recall(&store, InternalKey(round)).await.links.len(), 2);
        finish(&store, first_claims(&request.items), done()).await;
        rows(&store, "update work_item set state = 'done', finished_at = now() where state <> 'done'").await;
    }
    assert!(before > 0 && after > 0, "they never met: {before} {after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_decisions_on_one_version_one_stands() {
    let store = postgres::store();
    let one = record(&store, "crm", "a").await;
    for version in 1..=100 {
        let known = recall(&store, one).await;
        let (first, second) =
            join(run(&store, next_version(&known, "1")), run(&store, next_version(&known, "2"))).await;
        assert!(first != second, "{first} {second}");
        let known = recall(&store, one).await;
        let agreed = if first { "1" } else { "2" };
        assert_eq!(
            (known.record.version, known.record.agreed.map(|it| it.to_string())),
            (version, Some(agreed.to_owned()))
        );
    }
    assert_eq!(rows(&store, "select count(*) from version").await, ["100"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_again_meets_what_is_asked_for() {
    let store = postgres::store();
    for _ in 0..200 {
        notify(&store, "crm", "a").await;
        let first = items(&claim_one(&store).await);
        let (stored, ()) = join(notify(&store, "crm", "a"), finish(&store, first_claims(&first), later())).await;
        // Either it coalesced with what went back, or what went back gave way to it.
        let look = claim_one(&store).await;
        let expected = if stored.coalesced { first } else { vec![stored.id] };
        assert_eq!((items(&look), &look.subject), (expected, &unknown("crm", "a")));
        finish(&store, receipts(&look), done()).await;
        assert_eq!(rows(&store, UNFINISHED).await, ["0"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_meets_notifications() {
    let store = postgres::store();
    for round in 0..50 {
        let keys: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
        let all =
            |keys: Vec<String>| Enqueue { notifications: keys.iter().map(|key| notification("crm", key)).collect() };
        run(&store, all(keys.clone())).await;
        let claimed = claim(&store).await.len();
        assert_eq!(claimed, 20, "round {round}");
        let reversed = keys.into_iter().rev().collect();
        let (recovered, _) =
            join(run(&store, Recover { entity: customer(), held: Vec::new() }), run(&store, all(reversed))).await;
        assert_eq!(recovered.put_back, 20);
        let claimed: Vec<Receipt> = claim(&store).await.iter().flat_map(receipts).collect();
        assert_eq!(claimed.len(), 20);
        finish(&store, claimed, done()).await;
        assert_eq!(rows(&store, UNFINISHED).await, ["0"]);
    }
}
