//! What PostgreSQL remembers. One SQL statement a file, one struct a request; no rule of merging lives here.

mod pool;
pub mod migrate;
pub mod private;
pub mod state_dir;
mod run;
mod error;
mod columns;
mod encoding;
pub mod requests;

pub use error::{Cause, StoreError};
pub use pool::SetUpError;
pub use run::{Fault, Mode, Request, Session};

/// Runs requests against one database.
#[derive(Clone)]
pub struct Store {
    pool: deadpool_postgres::Pool,
}
