//! Brings the database's schema to what this version knows.
//!
//! Each migration runs in one transaction under one lock, so that any number of daemons may start at once and a crash
//! leaves a migration wholly done or not at all.

use sha2::{Digest, Sha256};
use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::{Client, Transaction};

use super::{Store, StoreError};

/// One file of `migrations/`.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Counted from 1, without a gap.
    pub number: i32,
    /// The file's name.
    pub name: &'static str,
    pub sql: &'static str,
}

/// Every migration that this version knows, in order.
pub const MIGRATIONS: &[Migration] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// The advisory lock under which the schema changes; a number of retcon's own.
const LOCK: i64 = 0x7265_7463_6f6e_0001;

/// Why the schema is not what this version needs.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("cannot use the database: it was migrated by a newer retcon: it is at {database}, this one knows {known}")]
    Newer { database: i32, known: i32 },
    #[error(
        "cannot use the database: migration {number} was applied from another text than that of {name} \
         (sha256 {applied} there, {known} here)"
    )]
    Changed { number: i32, name: &'static str, applied: String, known: String },
    /// A statement of a migration was refused; nothing of that migration is left.
    #[error("cannot migrate the database: migrations/{name}:{line}:{column}: {message} (SQLSTATE {code})")]
    Sql { name: &'static str, line: usize, column: usize, message: String, code: String },
    #[error("cannot migrate the database")]
    Store(#[from] StoreError),
}

impl Store {
    /// Applies the migrations that the database lacks, and gives their number.
    ///
    /// # Errors
    /// [`MigrateError`]; what was applied before the error stays applied.
    pub async fn migrate(&self) -> Result<usize, MigrateError> {
        self.migrate_with(MIGRATIONS).await
    }

    /// Applies those of `migrations` that the database lacks, and gives their number.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn migrate_with(&self, migrations: &[Migration]) -> Result<usize, MigrateError> {
        let mut session = self.session().await?;
        let mut applied = 0;
        while apply_next(&mut session, migrations).await? {
            applied += 1;
        }
        Ok(applied)
    }
}

/// Applies the first migration that is missing; `false` if none is.
async fn apply_next(session: &mut Client, migrations: &[Migration]) -> Result<bool, MigrateError> {
    let transaction = session.transaction().await.map_err(refused("begin a migration"))?;
    transaction.query(SETTINGS, &[]).await.map_err(refused("prepare a migration"))?;
    transaction.query(TAKE_LOCK, &[&LOCK]).await.map_err(refused("lock the migrations"))?;
    transaction.batch_execute(CREATE).await.map_err(refused("make the table of migrations"))?;
    let applied = list_applied(&transaction).await?;
    let Some(next) = check(&applied, migrations)? else {
        transaction.commit().await.map_err(refused("end the migrations"))?;
        return Ok(false);
    };
    transaction.batch_execute(next.sql).await.map_err(|error| explain(next, error))?;
    transaction
        .execute(RECORD, &[&next.number, &next.name, &checksum(next.sql)])
        .await
        .map_err(refused("record a migration"))?;
    transaction.commit().await.map_err(refused("commit a migration"))?;
    Ok(true)
}

const SETTINGS: &str = include_str!("sql/schema_migration/settings.sql");
const TAKE_LOCK: &str = include_str!("sql/schema_migration/lock.sql");
const CREATE: &str = include_str!("sql/schema_migration/create.sql");
const LIST: &str = include_str!("sql/schema_migration/list.sql");
const RECORD: &str = include_str!("sql/schema_migration/record.sql");

/// A migration as the database remembers it.
struct Applied {
    number: i32,
    checksum: String,
}

async fn list_applied(transaction: &Transaction<'_>) -> Result<Vec<Applied>, MigrateError> {
    let rows = transaction.query(LIST, &[]).await.map_err(refused("list its migrations"))?;
    rows.iter()
        .map(|row| Ok(Applied { number: row.try_get("number")?, checksum: row.try_get("checksum")? }))
        .collect::<Result<_, tokio_postgres::Error>>()
        .map_err(|error| {
            MigrateError::Store(StoreError::Unreadable { what: "an applied migration", source: Box::new(error) })
        })
}

/// Compares what was applied with what is known, and gives the next to apply.
fn check<'a>(applied: &[Applied], known: &'a [Migration]) -> Result<Option<&'a Migration>, MigrateError> {
    let newest = applied.iter().map(|a| a.number).max().unwrap_or(0);
    let last_known = known.iter().map(|m| m.number).max().unwrap_or(0);
    if newest > last_known {
        return Err(MigrateError::Newer { database: newest, known: last_known });
    }
    for migration in known {
        let Some(applied) = applied.iter().find(|a| a.number == migration.number) else {
            return Ok(Some(migration));
        };
        let known = checksum(migration.sql);
        if applied.checksum != known {
            let applied = applied.checksum.clone();
            return Err(MigrateError::Changed { number: migration.number, name: migration.name, applied, known });
        }
    }
    Ok(None)
}

/// Hashes a migration's text, as it would be with Unix line ends.
fn checksum(sql: &str) -> String {
    Sha256::digest(sql.replace("\r\n", "\n")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Says where in its file a migration failed.
fn explain(migration: &Migration, error: tokio_postgres::Error) -> MigrateError {
    let Some(answer) = error.as_db_error() else {
        return StoreError::of("migrate", error).into();
    };
    let (line, column) = place(migration.sql, answer);
    MigrateError::Sql {
        name: migration.name,
        line,
        column,
        message: answer.message().to_owned(),
        code: answer.code().code().to_owned(),
    }
}

/// Gives line and column, from 1, of the place that PostgreSQL counts in characters; 1:1 where it names none.
fn place(sql: &str, answer: &DbError) -> (usize, usize) {
    let Some(ErrorPosition::Original(position)) = answer.position() else {
        return (1, 1);
    };
    let before: String = sql.chars().take((*position as usize).saturating_sub(1)).collect();
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
    (before.matches('\n').count() + 1, column + 1)
}

fn refused(action: &'static str) -> impl FnOnce(tokio_postgres::Error) -> MigrateError {
    move |error| StoreError::of(action, error).into()
}
