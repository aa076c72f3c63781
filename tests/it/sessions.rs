//! Sessions with PostgreSQL: opened by URL, replaced when they die, independent of who opened them.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use retcon::log::chain;
use retcon::store::requests::queue::Ping;
use retcon::store::{Request as _, Store, StoreError, migrate::MigrateError};
use tokio_postgres::config::Host;

use crate::support::postgres::{self, TestStore};
use crate::support::site::open_directory;

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

/// Has a server in this directory whose every answer takes so long.
fn dawdle(directory: &Path, database: &TestStore, pause: Duration) {
    let name = ".s.PGSQL.5432";
    let config = database.config();
    let [Host::Unix(sockets)] = config.get_hosts() else { panic!("{config:?} is not behind one unix socket") };
    let (server, listener) = (sockets.join(name), UnixListener::bind(directory.join(name)).expect("a short path"));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) =
                (client.expect("descriptors are left"), UnixStream::connect(&server).expect("it takes connections"));
            let (mut from, mut to) =
                (client.try_clone().expect("a descriptor"), server.try_clone().expect("a descriptor"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || {
                let mut answer = [0; 4096];
                while let Ok(length @ 1..) = server.read(&mut answer) {
                    let began = Instant::now();
                    while began.elapsed() < pause {
                        std::thread::park_timeout(pause);
                    }
                    if client.write_all(&answer[..length]).is_err() {
                        break;
                    }
                }
                client.shutdown(Shutdown::Both).ok();
            });
        }
    });
}

#[tokio::test]
async fn a_server_has_its_time_once_and_not_for_each_step() {
    let database = postgres::store();
    let directory = open_directory();
    dawdle(directory.path(), &database, Duration::from_millis(700));
    let place = directory.path().to_str().expect("it is UTF-8").replace('/', "%2F");
    let name = database.config().get_dbname().expect("a database").to_owned();
    let url = format!("postgres://retcon@{place}/{name}?connect_timeout=3");
    let store = Store::connect_to(&url, 1).expect("the URL is one");
    let refused = Ping.run(&store).await.expect_err("each of its steps is made in time, and all of them are not");
    assert!(chain(&refused).to_string().contains("within 3s"), "{refused:?}");
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
