//! The pool of sessions with PostgreSQL: how many there are, and where their connections live.
//!
//! Every connection lives on one runtime of its own thread. A connection's task runs on the runtime that opened it, so
//! on an actor's own arbiter a blocked or ended arbiter would block or end everybody's queries.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Pool, QueueMode};
use slog::Logger;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_postgres::Config;

use super::session::{Doubts, Object, Opener, Seen, SeenError, Sessions, TlsError};
use super::shortage::Shortage;
use super::{Store, StoreError};
use crate::config::address::{Address, AddressError};
use crate::log::discard;

/// How long a request waits for a free session.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a database cannot be used at all, whatever its state.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    #[error(transparent)]
    Url(#[from] AddressError),
    #[error("cannot set up TLS to the database")]
    Tls(#[from] TlsError),
    #[error("cannot tell which database was used before")]
    Seen(#[from] SeenError),
    /// The thread for the connections cannot be started.
    #[error("cannot start the thread that serves the database's connections")]
    Thread(#[source] std::io::Error),
}

/// How a store works.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many sessions there are at most.
    pub pool_size: usize,
    /// The file in which it is kept which database was used, and how often that has failed over.
    pub seen: Option<PathBuf>,
    pub log: Logger,
}

/// How many sessions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// At most.
    pub max: usize,
    pub open: usize,
    /// Of the open ones.
    pub idle: usize,
    /// Requests that wait for one.
    pub waiting: usize,
}

impl Store {
    /// Makes a store on the database that `url` (`postgres://...`, several hosts allowed) names; connects at the first request.
    ///
    /// # Errors
    /// [`SetUpError`] if no session could ever be opened; not if the database is away.
    pub fn connect_to(url: &str, pool_size: usize) -> Result<Self, SetUpError> {
        Self::open(Address::parse(url)?, Options { pool_size, seen: None, log: discard() })
    }

    /// Makes a store of at most `pool_size` sessions; connects at the first request, without TLS.
    ///
    /// # Errors
    /// [`SetUpError`] if no session could ever be opened; not if the database is away.
    pub fn connect(config: Config, pool_size: usize) -> Result<Self, SetUpError> {
        Self::open(Address::plain(config), Options { pool_size, seen: None, log: discard() })
    }

    /// Makes a store; connects at the first request.
    ///
    /// Of several hosts the first is taken that accepts writes and was not replaced.
    /// # Errors
    /// [`SetUpError`] if no session could ever be opened; not if the database is away.
    pub fn open(address: Address, options: Options) -> Result<Self, SetUpError> {
        let Options { pool_size, seen, log } = options;
        let seen = Seen::recall(address.place(), seen, log.clone())?;
        let runtime = ConnectionRuntime::start().map_err(SetUpError::Thread)?;
        let opener = Opener::new(address.config, &address.tls, seen, runtime.handle.clone(), log.clone())?;
        let doubts = Arc::new(Doubts::default());
        let sessions = Sessions { opener: Arc::new(opener), doubts: Arc::clone(&doubts), runtime };
        let pool = Pool::builder(sessions)
            .max_size(pool_size.max(1))
            // What a session of the server has at hand, it has from what it did last.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_TIMEOUT))
            .build()
            .expect("a runtime was given, which is all that time-outs need");
        Ok(Self { pool, doubts, shortage: Arc::new(Shortage::new(log)), lanes: Arc::default() })
    }

    /// Gives a session, opened now or kept from before; it goes back to the pool when it is dropped.
    ///
    /// All sessions are handed out here. [`Store::end`] ends one that can no longer be trusted, instead of giving it back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if none is free for half a minute or none can be opened.
    pub(crate) async fn session(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(StoreError::from)
    }

    /// The runtime that serves the connections: what is done there waits for no other thread. Nothing may block it.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.pool.manager().runtime.handle
    }

    /// Ends a session on which something went wrong that may concern all: it may have turned read-only, or lead to a server that
    /// was replaced, which the pool would never notice. All others are asked before they are handed out again.
    pub(super) fn end(&self, session: Object) {
        self.doubts.raise();
        self.pool.manager().end(session);
    }

    /// Returns how many sessions there are now.
    pub fn usage(&self) -> Usage {
        let status = self.pool.status();
        let (max, open, idle) = (status.max_size, status.size, status.available);
        Usage { max, open, idle, waiting: status.waiting }
    }

    /// Says which resource the database's server is short of, as far as is known.
    pub fn shortage(&self) -> Option<String> {
        self.shortage.text()
    }
}

/// A runtime on a thread of its own, which ends when this is dropped.
pub(super) struct ConnectionRuntime {
    handle: Handle,
    _ended_by_drop: oneshot::Sender<()>,
}

impl ConnectionRuntime {
    fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (ended_by_drop, end) = oneshot::channel::<()>();
        std::thread::Builder::new().name("retcon-postgres".into()).spawn(move || {
            // Never sent: the sender is dropped.
            drop(runtime.block_on(end));
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, _ended_by_drop: ended_by_drop })
    }
}
