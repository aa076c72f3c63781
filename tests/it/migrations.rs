//! Migrations: under a lock, whole or not at all, and never backwards.

use retcon::store::Store;
use retcon::store::migrate::{MIGRATIONS, Migration};

use crate::support::postgres;

/// Gives the messages of an error and its causes, joined.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

async fn scalar(database: &postgres::TestStore, sql: &str) -> i64 {
    let (client, connection) = database.config().connect(tokio_postgres::NoTls).await.expect("it takes connections");
    tokio::spawn(connection);
    client.query_one(sql, &[]).await.expect(sql).get(0)
}

#[tokio::test]
async fn eight_daemons_that_start_at_once_all_find_the_schema() {
    let database = postgres::empty();
    let starts: Vec<_> = (0..8)
        .map(|_| Store::connect(database.config(), 1).expect("no TLS is asked for"))
        .map(|store| tokio::spawn(async move { store.migrate().await }))
        .collect();
    let mut applied = 0;
    for start in starts {
        applied += start.await.expect("it does not panic").expect("it migrates or finds it migrated");
    }
    assert_eq!(applied, MIGRATIONS.len(), "each migration was applied once");
    let recorded = scalar(&database, "select count(*) from schema_migration").await;
    assert_eq!(recorded, i64::try_from(MIGRATIONS.len()).expect("small"));
}

#[tokio::test]
async fn a_migrated_database_is_left_as_it_is() {
    let database = postgres::store();
    assert_eq!(database.migrate().await.expect("it is in order"), 0);
}

#[tokio::test]
async fn a_database_of_a_newer_retcon_is_refused_with_both_numbers() {
    let database = postgres::empty();
    let newer: Vec<_> = MIGRATIONS
        .iter()
        .copied()
        .chain([Migration {
            number: i32::try_from(MIGRATIONS.len()).expect("small") + 1,
            name: "V99__later.sql",
            sql: "create table later ()",
        }])
        .collect();
    database.migrate_with(&newer).await.expect("the newer one migrates");
    let refusal = database.migrate().await.expect_err("the older one refuses");
    let (there, here) = (newer.len(), MIGRATIONS.len());
    let expected = format!("it was migrated by a newer retcon: it is at {there}, this one knows {here}");
    assert!(refusal.to_string().contains(&expected), "{refusal}");
}

#[tokio::test]
async fn a_migration_whose_text_changed_after_it_was_applied_is_refused_by_name() {
    let database = postgres::empty();
    let before = Migration { number: 1, name: "V1__a.sql", sql: "create table a ()" };
    database.migrate_with(&[before]).await.expect("it applies");
    let dos = Migration { sql: "create table a ()\r\n", ..before };
    let changed = Migration { sql: "create table b ()", ..before };
    let refusal = database.migrate_with(&[changed]).await.expect_err("the text changed");
    assert!(refusal.to_string().contains("V1__a.sql"), "{refusal}");
    let refusal = database.migrate_with(&[dos]).await.expect_err("a line more is a change");
    assert!(refusal.to_string().contains("V1__a.sql"), "{refusal}");
}

#[tokio::test]
async fn line_ends_of_another_system_are_no_change() {
    let database = postgres::empty();
    let unix = Migration { number: 1, name: "V1__a.sql", sql: "create table a (\n)\n" };
    database.migrate_with(&[unix]).await.expect("it applies");
    let dos = Migration { sql: "create table a (\r\n)\r\n", ..unix };
    assert_eq!(database.migrate_with(&[dos]).await.expect("it is the same text"), 0);
}

#[tokio::test]
async fn a_statement_that_fails_is_named_with_its_place_and_leaves_nothing() {
    let database = postgres::empty();
    let good = Migration { number: 1, name: "V1__good.sql", sql: "create table good ()" };
    let bad = Migration {
        number: 2,
        name: "V2__bad.sql",
        sql: "create table half ();\n-- ä\ncreate table worse (\n    é_1 text,\n    b nonsense\n);\n",
    };
    let failure = database.migrate_with(&[good, bad]).await.expect_err("there is no such type");
    let text = chain(&failure);
    assert!(text.contains("migrations/V2__bad.sql:5:7: "), "{text}");
    assert!(text.contains(r#"type "nonsense" does not exist (SQLSTATE 42704)"#), "{text}");
    let tables = "select count(*) from pg_tables where schemaname = 'public' and tablename in ('good', 'half')";
    assert_eq!(scalar(&database, tables).await, 1, "the first migration stays, the second left nothing");
}
