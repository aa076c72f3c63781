//! What can go wrong between retcon and its database, sorted by whether trying again helps.

use std::error::Error;

use deadpool::managed::PoolError;
use tokio_postgres::error::SqlState;

use crate::domain::name::EntityName;

use super::session::OpenError;

/// What the store could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is starting, or broke the connection; trying again later helps.
    #[error("cannot reach the database")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The database refused a statement: a defect of ours, a full disk, a missing right.
    #[error("cannot {action} in the database")]
    Refused {
        action: &'static str,
        #[source]
        source: Cause,
    },
    /// Another daemon serves the entity now: nothing was done.
    #[error("cannot {action} in the database: another daemon serves {entity} now")]
    Deposed { action: &'static str, entity: EntityName },
    /// The request itself failed: a defect of ours.
    #[error("cannot {action} in the database: {why}")]
    Failed { action: &'static str, why: String },
    /// A row holds what this version cannot read.
    #[error("cannot read {what} from the database")]
    Unreadable {
        what: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What PostgreSQL, or the way to it, said.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The server's own words; its details are left out, since they quote rows.
    #[error("{message} (SQLSTATE {code})")]
    Server { message: String, code: String },
    /// The connection, or what was sent over it.
    #[error(transparent)]
    Connection(tokio_postgres::Error),
    /// The server has not got what it needs to store anything.
    #[error("{0}")]
    Short(String),
    /// The request was not answered in time.
    #[error("the server does not answer within {}s", .0.as_secs())]
    Silent(std::time::Duration),
    /// Concurrent requests undid every attempt.
    #[error("other requests kept changing the same rows")]
    Contention,
}

impl StoreError {
    /// Sorts what PostgreSQL, or the connection to it, said when asked to `action`.
    pub(crate) fn of(action: &'static str, error: tokio_postgres::Error) -> Self {
        let passes = match error.code() {
            Some(code) => will_pass(code),
            None => error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>()),
        };
        let source = match error.code().and_then(shortage_of) {
            Some(what) => Cause::Short(format!("{what}: {}", Cause::from(error))),
            None => Cause::from(error),
        };
        if passes { Self::Unavailable(Box::new(source)) } else { Self::Refused { action, source } }
    }

    /// Tells whether a table, or a part of one, is not there: it is not yet, as long as migrations are made.
    pub fn lacks_schema(&self) -> bool {
        const UNDEFINED: [&str; 3] = ["42P01", "42703", "42883"];
        match self {
            Self::Refused { source: Cause::Server { code, .. }, .. } => UNDEFINED.contains(&code.as_str()),
            Self::Refused { .. }
            | Self::Unavailable(_)
            | Self::Deposed { .. }
            | Self::Failed { .. }
            | Self::Unreadable { .. } => false,
        }
    }

    /// Says what the server is short of, if that is why.
    pub(super) fn shortage(&self) -> Option<&str> {
        match self {
            Self::Unavailable(cause) => match cause.downcast_ref() {
                Some(Cause::Short(text)) => Some(text),
                Some(Cause::Server { .. } | Cause::Connection(_) | Cause::Silent(_) | Cause::Contention) | None => None,
            },
            Self::Refused { .. } | Self::Deposed { .. } | Self::Failed { .. } | Self::Unreadable { .. } => None,
        }
    }
}

impl From<tokio_postgres::Error> for Cause {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => Self::Server { message: said.message().to_owned(), code: said.code().code().to_owned() },
            None => Self::Connection(error),
        }
    }
}

/// Whatever keeps a session from being opened may pass.
impl From<PoolError<OpenError>> for StoreError {
    fn from(error: PoolError<OpenError>) -> Self {
        match error {
            PoolError::Backend(error) => Self::Unavailable(Box::new(error)),
            PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_) => Self::Unavailable(Box::new(error)),
        }
    }
}

/// Tells whether the same request may succeed later.
fn will_pass(code: &SqlState) -> bool {
    let transient = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
    ];
    // Class 08: connection exceptions.
    code.code().starts_with("08") || transient.contains(code) || shortage_of(code).is_some()
}

/// Says what a server is short of that answers with this: class 53, insufficient resources, and 58, errors of its system.
fn shortage_of(code: &SqlState) -> Option<&'static str> {
    match code.code() {
        "53100" => Some("disk full"),
        "53200" => Some("out of memory"),
        "53300" => None,
        code if code.starts_with("53") => Some("short of resources"),
        code if code.starts_with("58") => Some("trouble with its system"),
        _ => None,
    }
}
