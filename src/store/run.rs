//! How a request is run: on one session, in one transaction, and once more where a concurrent request undid it.

mod talk;
mod together;

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::domain::name::EntityName;

use super::Store;
use super::error::{Cause, StoreError};
use super::requests::lease::Fence;
use super::session::Object;

pub use talk::Session;
pub(super) use talk::{Parameter, Step};
pub(super) use together::{Lanes, Recording, run_together};

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
        run(self, store, None, Way::Short)
    }

    /// Runs it for who holds the lease of an entity.
    ///
    /// # Errors
    /// As [`Request::run`]; [`StoreError::Deposed`] if the lease has another holder by now, and it is for the holder alone.
    fn run_under(self, fence: Fence, store: &Store) -> impl Future<Output = Result<Self::Reply, StoreError>> + Send {
        run(self, store, Some(fence), Way::Short)
    }

    /// Runs it for who holds the lease, where so many looks are under way that may have something to record, too: what can be
    /// recorded together may wait a moment for it.
    ///
    /// # Errors
    /// As [`Request::run_under`].
    fn run_among(
        self,
        _looks: u32,
        fence: Fence,
        store: &Store,
    ) -> impl Future<Output = Result<Self::Reply, StoreError>> + Send {
        self.run_under(fence, store)
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
    /// The short way leads nowhere: everything is undone and the long way is taken.
    NotPlain,
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
            Self::Moved | Self::NotPlain => true,
        }
    }

    fn into_error(self, action: &'static str) -> StoreError {
        match self {
            Self::Database(error) => StoreError::of(action, error),
            Self::Unreadable { what, source } => StoreError::Unreadable { what, source },
            Self::Moved | Self::NotPlain => StoreError::Unavailable(Box::new(Cause::Contention)),
            Self::Silent => StoreError::Unavailable(Box::new(Cause::Silent(TIMEOUT))),
            Self::Deposed(entity) => StoreError::Deposed { action, entity },
        }
    }
}

/// Whether there may be anything to be considered of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nothing that is known.
    Short,
    /// Something, as an attempt has shown.
    Long,
}

async fn run<R: Request>(request: R, store: &Store, fence: Option<Fence>, way: Way) -> Result<R::Reply, StoreError> {
    let fence = fence.filter(|_| R::AUTHORITY == Authority::Server);
    if R::WRITES {
        store.may_write().await?;
    }
    let mut attempts = 1;
    loop {
        let object = store.session().await?;
        let is_first = way == Way::Short && attempts == 1;
        let attempted = tokio::time::timeout(TIMEOUT, attempt(&request, &object, fence.as_ref(), is_first)).await;
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

async fn attempt<R: Request>(
    request: &R,
    object: &Object,
    fence: Option<&Fence>,
    is_first: bool,
) -> Result<R::Reply, Fault> {
    let session = Session::new(object, R::MODE, fence, is_first);
    let reply = request.attempt(&session).await?;
    session.commit().await?;
    Ok(reply)
}
