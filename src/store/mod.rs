//! What PostgreSQL remembers. One SQL statement a file, one struct a request; no rule of merging lives here.

mod pool;
pub mod migrate;
pub mod private;
pub mod state_dir;
pub mod requests;

pub use pool::SetUpError;

use std::future::Future;

/// Runs requests against one database.
#[derive(Clone)]
pub struct Store {
    pool: deadpool_postgres::Pool,
}

/// A question to the database, or an order: runs in one transaction, which commits before the reply is given.
pub trait Request: Send + 'static {
    /// What it gives.
    type Reply: Send + 'static;

    /// Runs it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database cannot be reached or the end of the commit is unknown;
    /// every request may be sent again then.
    fn run(self, store: &Store) -> impl Future<Output = Result<Self::Reply, StoreError>> + Send;
}

/// What the store could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is starting, or broke the connection; trying again later helps.
    #[error("cannot reach the database")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database refused a statement: a defect of ours, a full disk, a missing right.
    #[error("cannot {action} in the database")]
    Refused { action: &'static str, source: tokio_postgres::Error },
    /// A row holds what this version cannot read.
    #[error("cannot read {what} from the database")]
    Unreadable {
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
