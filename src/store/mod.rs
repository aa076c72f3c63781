//! What PostgreSQL remembers. One SQL statement a file, one struct a request; no rule of merging lives here.

mod pool;
mod session;
mod shortage;
pub mod migrate;
pub mod private;
pub mod state_dir;
mod run;
mod error;
mod columns;
mod encoding;
pub mod requests;

pub use error::{Cause, StoreError};
pub use pool::{Options, SetUpError, Usage};
pub use run::{Authority, Fault, Mode, Request, Session};
pub use session::{OpenError, Refusal, SeenError, TlsError};

/// Runs requests against one database.
#[derive(Clone)]
pub struct Store {
    pool: deadpool::managed::Pool<session::Sessions>,
    doubts: std::sync::Arc<session::Doubts>,
    shortage: std::sync::Arc<shortage::Shortage>,
    lanes: std::sync::Arc<run::Lanes>,
}
