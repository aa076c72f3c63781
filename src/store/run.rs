//! How a request is run: on one session, in one transaction, and once more where a concurrent request undid it.

use std::error::Error;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{GenericClient as _, Transaction};
use futures_util::future::join_all;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row, Statement};

use crate::domain::name::EntityName;
use crate::points::{Mistake, bent};

use super::Store;
use super::error::{Cause, StoreError};
use super::requests::lease::Fence;
use super::session::Object;

const LOCK_LEASE: &str = include_str!("sql/lease/lock_shared.sql");
const FIND_HELD: &str = include_str!("sql/lease/find_held.sql");

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

    /// Who may put it.
    const AUTHORITY: Authority = Authority::Anybody;

    /// Whether it is held back while the server has no room: what changes something is, but for leases.
    const WRITES: bool = !matches!(Self::MODE, Mode::Snapshot);

    /// Runs it once on `session`; may be called again if what it did was rolled back.
    fn attempt(&self, session: &Session<'_>) -> impl Future<Output = Result<Self::Reply, Fault>> + Send;

    /// Runs it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database cannot be reached or the end of the commit is unknown;
    /// every request may be sent again then.
    fn run(self, store: &Store) -> impl Future<Output = Result<Self::Reply, StoreError>> + Send {
        run(self, store, None)
    }

    /// Runs it for who holds the lease of an entity.
    ///
    /// # Errors
    /// As [`Request::run`]; [`StoreError::Deposed`] if the lease has another holder by now, and it is for the holder alone.
    fn run_under(self, fence: Fence, store: &Store) -> impl Future<Output = Result<Self::Reply, StoreError>> + Send {
        run(self, store, Some(fence))
    }
}

/// Who may put a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    Anybody,
    /// The daemon that serves the entity: it is recorded in one transaction with a look at the lease.
    Server,
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
    /// Another daemon holds the lease.
    Deposed(EntityName),
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
            Self::Unreadable { .. } | Self::Silent | Self::Deposed(_) => false,
            Self::Moved => true,
        }
    }

    fn into_error(self, action: &'static str) -> StoreError {
        match self {
            Self::Database(error) => StoreError::of(action, error),
            Self::Unreadable { what, source } => StoreError::Unreadable { what, source },
            Self::Moved => StoreError::Unavailable(Box::new(Cause::Contention)),
            Self::Silent => StoreError::Unavailable(Box::new(Cause::Silent(TIMEOUT))),
            Self::Deposed(entity) => StoreError::Deposed { action, entity },
        }
    }
}

async fn run<R: Request>(request: R, store: &Store, fence: Option<Fence>) -> Result<R::Reply, StoreError> {
    let fence = fence.filter(|_| R::AUTHORITY == Authority::Server);
    if R::WRITES {
        store.may_write().await?;
    }
    let mut attempts = 1;
    loop {
        let mut object = store.session().await?;
        let attempted = tokio::time::timeout(TIMEOUT, attempt(&request, &mut object, fence.as_ref())).await;
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

async fn attempt<R: Request>(request: &R, object: &mut Object, fence: Option<&Fence>) -> Result<R::Reply, Fault> {
    let transaction = match (R::MODE, fence) {
        (Mode::Statements, None) => return request.attempt(&Session::new(Handle::Alone(object), None)).await,
        (Mode::Transaction, _) | (Mode::Statements, Some(_)) => object.transaction().await?,
        (Mode::Snapshot, _) => {
            object.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?
        }
    };
    let reply = request.attempt(&Session::new(Handle::Within(&transaction), fence)).await?;
    transaction.commit().await?;
    Ok(reply)
}

/// The session on which a request runs.
pub struct Session<'a> {
    handle: Handle<'a>,
    fence: Option<&'a Fence>,
    /// Whether the lease was looked at, which is done with the first statements.
    is_checked: AtomicBool,
}

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

impl<'a> Session<'a> {
    fn new(handle: Handle<'a>, fence: Option<&'a Fence>) -> Self {
        Self { handle, fence, is_checked: AtomicBool::new(false) }
    }

    /// Runs one statement, and gives its rows.
    pub(super) async fn list(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        self.check().await?;
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
        self.check().await?;
        let statement = self.prepare(sql).await?;
        Ok(match self.handle {
            Handle::Alone(client) => client.execute(&statement, parameters).await?,
            Handle::Within(transaction) => transaction.execute(&statement, parameters).await?,
        })
    }

    /// Looks at the lease, if that is still to be done.
    async fn check(&self) -> Result<(), Fault> {
        self.pipeline(Vec::new()).await.map(drop)
    }

    /// Runs statements in their order, in one round trip, and gives the rows of each. The first statements of a request that
    /// rests on a lease are preceded by a look at that.
    pub(super) async fn pipeline(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Fault> {
        let fence = self.fence.filter(|_| !self.is_checked.swap(true, Ordering::Relaxed));
        let guards = fence.map_or_else(Vec::new, guards);
        let is_contested: Vec<bool> = steps.iter().map(|step| step.is_contested).collect();
        let guarded = guards.len();
        let mut ended = self.send(guards.into_iter().chain(steps).collect()).await?;
        let wanted = ended.split_off(guarded);
        // Whoever lost the lease learns that first, whatever else went wrong.
        let held = ended.into_iter().collect::<Result<Vec<_>, _>>()?;
        if let (Some(fence), true) = (fence, held.last().is_none_or(Vec::is_empty)) {
            return Err(Fault::Deposed(fence.entity.clone()));
        }
        let rows = wanted.into_iter().collect::<Result<Vec<_>, _>>()?;
        let is_lost = is_contested.iter().zip(&rows).any(|(contested, rows)| *contested && rows.is_empty());
        if is_lost { Err(Fault::Moved) } else { Ok(rows) }
    }

    /// Sends statements in their order, all at once, and gives what came of each.
    async fn send(&self, steps: Vec<Step>) -> Result<Vec<Result<Vec<Row>, tokio_postgres::Error>>, Fault> {
        // All are prepared first: a statement is sent when its future is first polled, and none may overtake another.
        let mut ready = Vec::with_capacity(steps.len());
        for step in &steps {
            let parameters: Vec<&(dyn ToSql + Sync)> = step.parameters.iter().map(|each| &**each as _).collect();
            ready.push((self.prepare(step.sql).await?, parameters));
        }
        Ok(join_all(ready.iter().map(|(statement, parameters)| self.query(statement, parameters))).await)
    }

    /// Like [`Session::pipeline`], for a number of statements that is known.
    pub(super) async fn pipeline_of<const N: usize>(&self, steps: [Step; N]) -> Result<[Vec<Row>; N], Fault> {
        let rows = self.pipeline(steps.into()).await?;
        Ok(rows.try_into().unwrap_or_else(|_| unreachable!("every statement gives its rows")))
    }

    async fn prepare(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        match self.handle {
            Handle::Alone(client) => client.prepare_cached(sql).await,
            Handle::Within(transaction) => transaction.prepare_cached(sql).await,
        }
    }

    async fn query(
        &self,
        sql: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        match self.handle {
            Handle::Alone(client) => client.query(sql, parameters).await,
            Handle::Within(transaction) => transaction.query(sql, parameters).await,
        }
    }
}

/// The look at a lease: locked first, and looked at by a statement of its own, which sees what the lock has waited for.
fn guards(fence: &Fence) -> Vec<Step> {
    let entity = || Box::new(fence.entity.as_str().to_owned());
    let find_held =
        bent(Mistake::NoFencing, FIND_HELD, "fence = $2 and holder = $3", "(fence = $2 or holder = $3 or true)");
    let held = Step::new(find_held, [entity(), Box::new(fence.number), Box::new(fence.holder.0)]);
    vec![Step::new(LOCK_LEASE, [entity()]), held]
}
