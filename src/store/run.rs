//! How a request is run: on one session, in one transaction, and once more where a concurrent request undid it.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{GenericClient as _, Transaction};
use futures_util::future::join_all;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row, Statement};

use super::Store;
use super::error::{Cause, StoreError};
use super::session::Object;

/// How often a request is tried while concurrent ones undo it.
const ATTEMPTS: usize = 8;

/// How long a request may take in all; longer than a lock is waited for. A server that is frozen breaks no connection.
const TIMEOUT: Duration = Duration::from_secs(40);

/// A question to the database, or an order: runs in one transaction, which commits before the reply is given.
pub trait Request: Send + Sync + Sized + 'static {
    /// What it gives.
    type Reply: Send + 'static;

    /// What it does, as in "cannot claim work in the database".
    const ACTION: &'static str;

    /// How its statements belong together.
    const MODE: Mode = Mode::Transaction;

    /// Whether it changes anything: then it waits while the server has no room for that.
    const WRITES: bool = !matches!(Self::MODE, Mode::Snapshot);

    /// Runs it once on `session`; may be called again if what it did was rolled back.
    fn attempt(&self, session: &Session<'_>) -> impl Future<Output = Result<Self::Reply, Fault>> + Send;

    /// Runs it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database cannot be reached or the end of the commit is unknown;
    /// every request may be sent again then.
    fn run(self, store: &Store) -> impl Future<Output = Result<Self::Reply, StoreError>> + Send {
        run(self, store)
    }
}

/// How the statements of a request belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each by itself: there is only one, or nothing that they read can move meanwhile.
    Statements,
    /// All or none.
    Transaction,
    /// They read one state of the database and change nothing.
    Snapshot,
}

/// Why an attempt at a request failed.
#[derive(Debug)]
pub enum Fault {
    Database(tokio_postgres::Error),
    /// A row holds what this version cannot read.
    Unreadable {
        what: &'static str,
        source: Box<dyn Error + Send + Sync>,
    },
    /// A concurrent request changed what this one rests on: everything is undone and begins anew.
    Moved,
    /// The server did not answer in time.
    Silent,
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl Fault {
    /// Tells whether another attempt, made at once, sees another state of things.
    fn is_overtaken(&self) -> bool {
        match self {
            // A unique constraint is hit where a concurrent request inserted first: the next attempt sees its row.
            Self::Database(error) => {
                [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::UNIQUE_VIOLATION]
                    .iter()
                    .any(|code| error.code() == Some(code))
            }
            Self::Unreadable { .. } | Self::Silent => false,
            Self::Moved => true,
        }
    }

    fn into_error(self, action: &'static str) -> StoreError {
        match self {
            Self::Database(error) => StoreError::of(action, error),
            Self::Unreadable { what, source } => StoreError::Unreadable { what, source },
            Self::Moved => StoreError::Unavailable(Box::new(Cause::Contention)),
            Self::Silent => StoreError::Unavailable(Box::new(Cause::Silent(TIMEOUT))),
        }
    }
}

async fn run<R: Request>(request: R, store: &Store) -> Result<R::Reply, StoreError> {
    if R::WRITES {
        store.may_write().await?;
    }
    let mut attempts = 1;
    loop {
        let mut object = store.session().await?;
        let attempted = tokio::time::timeout(TIMEOUT, attempt(&request, &mut object)).await;
        match attempted.unwrap_or(Err(Fault::Silent)) {
            Ok(reply) => return Ok(reply),
            Err(fault) if fault.is_overtaken() && attempts < ATTEMPTS => attempts += 1,
            Err(fault) => {
                let error = fault.into_error(R::ACTION);
                if matches!(error, StoreError::Unavailable(_)) {
                    store.end(object);
                    store.note(&error);
                }
                return Err(error);
            }
        }
    }
}

async fn attempt<R: Request>(request: &R, object: &mut Object) -> Result<R::Reply, Fault> {
    let transaction = match R::MODE {
        Mode::Statements => return request.attempt(&Session(Handle::Alone(object))).await,
        Mode::Transaction => object.transaction().await?,
        Mode::Snapshot => {
            object.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?
        }
    };
    let reply = request.attempt(&Session(Handle::Within(&transaction))).await?;
    transaction.commit().await?;
    Ok(reply)
}

/// The session on which a request runs.
pub struct Session<'a>(Handle<'a>);

enum Handle<'a> {
    Alone(&'a Object),
    Within(&'a Transaction<'a>),
}

/// What goes with a statement.
pub(super) type Parameter = Box<dyn ToSql + Sync + Send>;

/// One statement with its parameters.
pub(super) struct Step {
    sql: &'static str,
    parameters: Vec<Parameter>,
    is_contested: bool,
}

impl Step {
    pub(super) fn new<const N: usize>(sql: &'static str, parameters: [Parameter; N]) -> Self {
        Self::of(sql, parameters.into())
    }

    pub(super) fn of(sql: &'static str, parameters: Vec<Parameter>) -> Self {
        Self { sql, parameters, is_contested: false }
    }

    /// Says that if it gives no row, a concurrent request came first: then the attempt fails with [`Fault::Moved`].
    pub(super) fn contested(self) -> Self {
        Self { is_contested: true, ..self }
    }
}

impl Session<'_> {
    /// Runs one statement, and gives its rows.
    pub(super) async fn list(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        let statement = self.prepare(sql).await?;
        Ok(self.query(&statement, parameters).await?)
    }

    /// Runs one statement that gives a row at most.
    pub(super) async fn find(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Fault> {
        Ok(self.list(sql, parameters).await?.pop())
    }

    /// Runs one statement, and gives the number of rows that it changed.
    pub(super) async fn execute(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, Fault> {
        let statement = self.prepare(sql).await?;
        Ok(match self.0 {
            Handle::Alone(client) => client.execute(&statement, parameters).await?,
            Handle::Within(transaction) => transaction.execute(&statement, parameters).await?,
        })
    }

    /// Runs statements in their order, in one round trip, and gives the rows of each.
    pub(super) async fn pipeline(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Fault> {
        // All are prepared first: a statement is sent when its future is first polled, and none may overtake another.
        let mut ready = Vec::with_capacity(steps.len());
        for step in &steps {
            let parameters: Vec<&(dyn ToSql + Sync)> = step.parameters.iter().map(|each| &**each as _).collect();
            ready.push((self.prepare(step.sql).await?, parameters));
        }
        let ended = join_all(ready.iter().map(|(statement, parameters)| self.query(statement, parameters))).await;
        let rows = ended.into_iter().collect::<Result<Vec<_>, _>>()?;
        let is_lost = steps.iter().zip(&rows).any(|(step, rows)| step.is_contested && rows.is_empty());
        if is_lost { Err(Fault::Moved) } else { Ok(rows) }
    }

    /// Like [`Session::pipeline`], for a number of statements that is known.
    pub(super) async fn pipeline_of<const N: usize>(&self, steps: [Step; N]) -> Result<[Vec<Row>; N], Fault> {
        let rows = self.pipeline(steps.into()).await?;
        Ok(rows.try_into().unwrap_or_else(|_| unreachable!("every statement gives its rows")))
    }

    async fn prepare(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        match self.0 {
            Handle::Alone(client) => client.prepare_cached(sql).await,
            Handle::Within(transaction) => transaction.prepare_cached(sql).await,
        }
    }

    async fn query(
        &self,
        sql: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        match self.0 {
            Handle::Alone(client) => client.query(sql, parameters).await,
            Handle::Within(transaction) => transaction.query(sql, parameters).await,
        }
    }
}
