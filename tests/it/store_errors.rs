//! What the store says when the database cannot, and what it tries again by itself.

use std::error::Error;

use retcon::domain::key::InternalKey;
use retcon::store::requests::look::Recall;
use retcon::store::requests::queue::{Claim, Enqueue, Ping};
use retcon::store::{Request, Store, StoreError};

use crate::support::postgres::{self, TestStore};
use crate::support::store::{customer, notification, notify, recall, record, rows, run};
use crate::support::wait;

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Makes every new work item fail with this SQLSTATE, the first `times`.
async fn fail_with(database: &TestStore, code: &str, times: u32) {
    let sql = format!(
        "drop sequence if exists failures cascade;
         create sequence failures;
         create or replace function fail() returns trigger language plpgsql as $$
         begin
             if nextval('failures') <= {times} then
                 raise exception 'no such luck' using errcode = '{code}';
             end if;
             return new;
         end $$;
         create or replace trigger fail before insert on work_item for each row execute function fail()"
    );
    rows(database, &sql).await;
}

fn one_notification() -> Enqueue {
    Enqueue { notifications: vec![notification("crm", "a")] }
}

#[tokio::test]
async fn what_passes_is_unavailable_and_what_does_not_is_refused() {
    let database = postgres::store();
    for (code, passes) in [
        ("08006", true),
        ("57P01", true),
        ("57P03", true),
        ("57014", true),
        ("55P03", true),
        ("53300", true),
        ("25006", true),
        ("40001", true),
        ("40P01", true),
        ("54000", false),
        ("42501", false),
        ("23505", false),
        ("XX000", false),
    ] {
        fail_with(&database, code, 1000).await;
        let error = one_notification().run(&database).await.expect_err("it is made to fail");
        match (&error, passes) {
            (StoreError::Unavailable(_), true) | (StoreError::Refused { .. }, false) => {}
            (other, _) => panic!("{code}: {other:?}"),
        }
        let text = chain(&error);
        assert!(text.ends_with(&format!(": no such luck (SQLSTATE {code})")), "{text}");
        if !passes {
            assert!(text.starts_with("cannot store notifications in the database: "), "{text}");
        }
    }
}

#[tokio::test]
async fn what_a_concurrent_request_undid_is_tried_again() {
    let database = postgres::store();
    for code in ["40001", "40P01", "23505"] {
        fail_with(&database, code, 3).await;
        run(&database, one_notification()).await;
        rows(&database, "delete from work_item").await;
    }
}

#[tokio::test]
async fn what_cannot_be_undone_is_not_tried_again() {
    let database = postgres::store();
    fail_with(&database, "54000", 1).await;
    one_notification().run(&database).await.expect_err("it is tried once");
    run(&database, one_notification()).await;
}

fn small(database: &TestStore) -> Store {
    Store::connect_to(&database.url(), 1).expect("the URL is one")
}

#[tokio::test]
async fn a_session_that_turned_read_only_is_not_used_again() {
    let database = postgres::store();
    let store = small(&database);
    run(&store, Ping).await;
    let before = session_of(&store, &database).await;
    fail_with(&database, "25006", 1).await;
    one_notification().run(&store).await.expect_err("it is made to fail");
    assert_ne!(session_of(&store, &database).await, before);
}

/// Gives the server's process that serves the store's only session.
async fn session_of(store: &Store, database: &TestStore) -> String {
    rows(database, "create table if not exists seen (pid integer); delete from seen").await;
    rows(
        database,
        "create or replace function see() returns trigger language plpgsql as $$
         begin insert into seen values (pg_backend_pid()); return new; end $$;
         create or replace trigger see before insert on work_item for each statement execute function see()",
    )
    .await;
    run(store, one_notification()).await;
    rows(database, "select pid from seen").await.pop().expect("the trigger has seen it")
}

#[tokio::test]
async fn a_commit_whose_end_is_unknown_is_unavailable_and_may_be_sent_again() {
    let database = postgres::store();
    let store = small(&database);
    record(&store, "crm", "a").await;
    let known = recall(&store, InternalKey(1)).await;
    // The session ends within the commit.
    rows(
        &database,
        "create function die() returns trigger language plpgsql as $$
         begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(60); return null; end $$;
         create constraint trigger die after update on record deferrable initially deferred
         for each row execute function die()",
    )
    .await;
    let decided = crate::support::store::next_version(&known, "1");
    let error = decided.clone().run(&store).await.expect_err("the session ended");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    rows(&database, "drop trigger die on record").await;
    assert!(run(&store, decided).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_session_dies_is_unavailable_and_the_next_has_another() {
    let database = postgres::store();
    let store = small(&database);
    record(&store, "crm", "a").await;
    notify(&store, "crm", "b").await;
    let (mut client, connection) =
        database.config().connect(tokio_postgres::NoTls).await.expect("it takes connections");
    tokio::spawn(connection);
    let transaction = client.transaction().await.expect("it begins");
    transaction.execute("update entity set last_internal_key = 1", &[]).await.expect("the entity is locked");
    let claim = tokio::spawn({
        let store = store.clone();
        async move { Claim { entity: customer(), limit: 8, ahead: None }.run(&store).await }
    });
    let waiting = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' \
                   and datname = current_database()";
    wait::until(|| postgres::block_on(rows(&database, waiting)).pop(), || "the claim never came to wait for the lock");
    let error = claim.await.expect("it does not panic").expect_err("its session ended");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    transaction.rollback().await.expect("it ends");
    assert_eq!(
        run(&store, Claim { entity: customer(), limit: 8, ahead: None }).await.looks.len(),
        1,
        "nothing was claimed before"
    );
}

#[tokio::test]
async fn what_this_version_cannot_read_is_said_with_its_column() {
    let database = postgres::store();
    record(&database, "crm", "a").await;
    for (change, column) in [
        (r#"update record set agreed = '{"a":1,"a":2}'"#, "agreed"),
        ("update record set agreed = null; update link set unknown = '7'", "unknown"),
        ("update link set unknown = '[]', source = 'not a name'", "source"),
    ] {
        rows(&database, change).await;
        let recalled = Recall { entity: customer(), record: InternalKey(1) }.run(&database).await;
        let text = chain(&recalled.expect_err("it cannot be read"));
        assert!(text.starts_with(&format!("cannot read {column} from the database: ")), "{text}");
    }
}
