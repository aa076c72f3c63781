//! Sessions with PostgreSQL: opened by URL, replaced when they die, independent of who opened them.

use retcon::store::{Store, StoreError, migrate::MigrateError};

use crate::support::postgres;

/// Any request will do to see whether the store answers.
async fn ask(store: &Store) -> Result<usize, MigrateError> {
    store.migrate().await
}

#[tokio::test]
async fn a_store_is_reached_by_url() {
    let database = postgres::store();
    let store = Store::connect_to(&database.url(), 2).expect("the URL is one");
    assert_eq!(ask(&store).await.expect("it answers"), 0);
}

#[tokio::test]
async fn of_several_hosts_one_that_answers_is_taken() {
    let database = postgres::store();
    let url = database.url().replace("retcon@", "retcon@%2Fnowhere,");
    let store = Store::connect_to(&url, 2).expect("the URL is one");
    assert_eq!(ask(&store).await.expect("the second host answers"), 0);
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable_and_not_refused() {
    let store = Store::connect_to("postgres://retcon@%2Fnowhere/retcon", 2).expect("the URL is one");
    let error = ask(&store).await.expect_err("nobody listens there");
    assert!(matches!(error, MigrateError::Store(StoreError::Unavailable(_))), "{error:?}");
}

#[tokio::test]
async fn sessions_that_died_are_replaced() {
    let database = postgres::store();
    let store = Store::connect_to(&database.url(), 1).expect("the URL is one");
    ask(&store).await.expect("it answers");
    let (client, connection) = database.config().connect(tokio_postgres::NoTls).await.expect("it takes connections");
    tokio::spawn(connection);
    let killed = client
        .query(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity \
             where application_name = 'retcon' and datname = current_database()",
            &[],
        )
        .await
        .expect("we may");
    assert_eq!(killed.len(), 1, "the store had one session");
    // The session's end may reach us only with this request: then the next one has a new session.
    let answer = match ask(&store).await {
        Err(MigrateError::Store(StoreError::Unavailable(_))) => ask(&store).await,
        other => other,
    };
    assert_eq!(answer.expect("a new session was opened"), 0);
}

#[test]
fn a_session_outlives_the_runtime_that_asked_for_it() {
    let database = postgres::store();
    let store = Store::connect_to(&database.url(), 1).expect("the URL is one");
    for _ in 0..3 {
        // A new runtime each time, ended before the next begins.
        assert_eq!(postgres::block_on(ask(&store)).expect("it answers"), 0);
    }
}
