//! The sessions with PostgreSQL: how they are opened, bounded and handed out.
//!
//! Every connection lives on one runtime of its own thread. A connection's task runs on the runtime that opened it, so
//! on an actor's own arbiter a blocked or ended arbiter would block or end everybody's queries.

use std::future::{Future, pending};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};

use super::{Store, StoreError};

/// How long one host may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long all of opening a session may take, several hosts included.
const CREATE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a request waits for a free session.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long sent bytes may stay unacknowledged before a TCP connection counts as dead.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);

/// What every session is told first: nothing that we ask takes a minute, and a transaction whose client is gone must not
/// hold its locks. Every statement finds its rows by an index, and its plan is kept: one made while the tables were still
/// empty must be no other. To compile a plan, or to share it among processes, takes longer than to run it.
const SESSION_SETTINGS: &str = "set statement_timeout = '60s'; set lock_timeout = '30s'; \
     set idle_in_transaction_session_timeout = '60s'; set timezone = 'UTC'; \
     set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; \
     set jit = off; set max_parallel_workers_per_gather = 0";

/// Why a database cannot be used at all, whatever its state.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The URL is not one.
    #[error("cannot read the URL of the database")]
    Url(#[source] tokio_postgres::Error),
    /// The URL asks for TLS.
    #[error(
        "cannot connect to the database with sslmode={0}: TLS to the database is not supported yet; \
         use sslmode=prefer, a unix socket or a tunnel"
    )]
    Tls(&'static str),
    /// The thread for the connections cannot be started.
    #[error("cannot start the thread that serves the database's connections")]
    Thread(#[source] std::io::Error),
}

impl Store {
    /// Makes a store on the database that `url` (`postgres://...`, several hosts allowed) names; connects at the first request.
    ///
    /// # Errors
    /// [`SetUpError`] if no session could ever be opened; not if the database is away.
    pub fn connect_to(url: &str, pool_size: usize) -> Result<Self, SetUpError> {
        Self::connect(url.parse().map_err(SetUpError::Url)?, pool_size)
    }

    /// Makes a store of at most `pool_size` sessions; connects at the first request.
    ///
    /// Of several hosts the first that accepts writes is taken.
    /// # Errors
    /// [`SetUpError`] if no session could ever be opened; not if the database is away.
    pub fn connect(config: Config, pool_size: usize) -> Result<Self, SetUpError> {
        match config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => {}
            SslMode::Require => return Err(SetUpError::Tls("require")),
            _ => return Err(SetUpError::Tls("(unknown)")),
        }
        let connector = Connector { runtime: ConnectionRuntime::start().map_err(SetUpError::Thread)? };
        // `Fast`: a session that died is noticed by its task, and by TCP; a question before each request would double its time.
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_connect(with_defaults(config), connector, manager_config))
            .max_size(pool_size.max(1))
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(CREATE_TIMEOUT))
            .wait_timeout(Some(WAIT_TIMEOUT))
            .build()
            .expect("a runtime was given, which is all that time-outs need");
        Ok(Self { pool })
    }

    /// Gives a session, opened now or kept from before; it goes back to the pool when it is dropped.
    ///
    /// All sessions are handed out here. `Object::take` ends one that can no longer be trusted, instead of giving it back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if none is free for half a minute or none can be opened.
    pub(crate) async fn session(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(StoreError::from)
    }
}

/// Completes what a URL left open.
fn with_defaults(mut config: Config) -> Config {
    if config.get_application_name().is_none() {
        config.application_name("retcon");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_TIMEOUT);
    }
    config.keepalives_idle(SILENCE_TIMEOUT).target_session_attrs(TargetSessionAttrs::ReadWrite);
    config
}

/// Opens sessions on the runtime that serves them.
struct Connector {
    runtime: ConnectionRuntime,
}

impl Connect for Connector {
    fn connect(&self, config: &Config) -> Pin<Box<dyn Future<Output = Opened> + Send + '_>> {
        let opening = self.runtime.handle.spawn(open(config.clone()));
        Box::pin(async {
            match opening.await {
                Ok(opened) => opened,
                Err(failure) => match failure.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    // The runtime ends with the pool only: nobody waits, or the pool's time-out answers.
                    Err(_) => pending().await,
                },
            }
        })
    }
}

type Opened = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

/// Opens one session and leaves its task to this runtime.
async fn open(config: Config) -> Opened {
    let (client, connection) = config.connect(NoTls).await?;
    // What breaks a connection is told to every query on it.
    let served = tokio::spawn(async { drop(connection.await) });
    client.batch_execute(SESSION_SETTINGS).await?;
    Ok((client, served))
}

/// A runtime on a thread of its own, which ends when this is dropped.
struct ConnectionRuntime {
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
