//! The database of the daemon: the one that is configured, or a private one.

use std::sync::Arc;
use std::time::Duration;

use slog::{Logger, error, info, warn};

use crate::config::address::Address;
use crate::config::model::{Database, DatabaseUrl};
use crate::log::{chain, key};
use crate::store::private::{BroughtUp, PrivateError, PrivatePostgres};
use crate::store::state_dir::StateDir;
use crate::store::{Options, SetUpError, Store};

/// How often the private PostgreSQL is looked after.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// The file in `state_dir` that says which database was used before.
const SEEN: &str = "database-seen.json";

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseError {
    #[error("{source}{}", source.hint().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Private { source: PrivateError },
    #[error("cannot set up the sessions")]
    SetUp(#[from] SetUpError),
}

impl From<PrivateError> for DatabaseError {
    fn from(source: PrivateError) -> Self {
        Self::Private { source }
    }
}

/// Opens the store; starts the private PostgreSQL where that is wanted.
pub(super) fn open(
    database: &Database,
    state_dir: &StateDir,
    log: &Logger,
) -> Result<(Store, Option<PrivatePostgres>), DatabaseError> {
    match &database.url {
        DatabaseUrl::External(url) => {
            let seen = Some(state_dir.path().join(SEEN));
            let options = Options { pool_size: database.pool_size, seen, log: log.clone() };
            Ok((Store::open(Address::parse(url).map_err(SetUpError::from)?, options)?, None))
        }
        DatabaseUrl::Embedded => {
            let postgres = PrivatePostgres::start(state_dir, database.bin_dir.as_deref())?;
            info!(log, "private postgresql running"; "origin" => ?postgres.origin(), "pid" => postgres.pid());
            let options = Options { pool_size: database.pool_size, seen: None, log: log.clone() };
            Ok((Store::open(Address::plain(postgres.config()), options)?, Some(postgres)))
        }
    }
}

/// Brings the private PostgreSQL up again whenever it has ended.
pub(super) async fn watch(postgres: Arc<PrivatePostgres>, log: Logger) {
    loop {
        tokio::time::sleep(WATCH_EVERY).await;
        let watched = Arc::clone(&postgres);
        match tokio::task::spawn_blocking(move || watched.ensure_running()).await {
            Ok(Ok(BroughtUp::Found)) => {}
            Ok(Ok(BroughtUp::Started)) => warn!(log, "private postgresql started again"; "pid" => postgres.pid()),
            Ok(Err(error)) => error!(log, "private postgresql cannot be started"; key::ERROR => chain(&error)),
            Err(error) => error!(log, "private postgresql cannot be looked after"; key::ERROR => %error),
        }
    }
}
