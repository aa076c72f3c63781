//! How a session is opened: host after host, until one is what it must be.

use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use rand::seq::SliceRandom as _;
use slog::{Logger, warn};
use tokio::net::lookup_host;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode, TargetSessionAttrs};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{TlsError, connector};
use super::{OpenError, Refusal, Seen, Server};
use crate::config::address::{Tls, host_name};
use crate::log::{chain, key};

/// How long one address may take to give a session, and a name to give its addresses, if the URL says nothing (`connect_timeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long sent bytes may stay unacknowledged before a TCP connection counts as dead.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a server is told to let go of what it does for a session that is given up.
const CALL_OFF_TIMEOUT: Duration = Duration::from_secs(5);
const PORT: u16 = 5432;

/// What every session is told first: nothing that we ask takes a minute, and a transaction whose client is gone, or stands
/// still, must not hold its locks while another daemon waits to take its place. Every statement finds its rows by an index, and its plan
/// is kept: one made while the tables were still empty must be no other, and none is made anew for other parameters. To compile a
/// plan, or to share it among processes, takes longer than to run it. A commit that is not even on the server's own disk is none.
const SETTINGS: &str = "set statement_timeout = '60s'; set lock_timeout = '30s'; \
     set idle_in_transaction_session_timeout = '5s'; set timezone = 'UTC'; \
     set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; \
     set plan_cache_mode = force_generic_plan; set jit = off; set max_parallel_workers_per_gather = 0; \
     select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'";

/// Asks which server this is. What the control file says of the timeline would be that of the last checkpoint, and a promotion
/// does not wait for one.
const IDENTIFY: &str = "select system_identifier, \
     ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint from pg_control_system()";

pub(crate) const CONFIRM: &str = include_str!("../sql/database/confirm.sql");

/// Opens sessions.
pub(crate) struct Opener {
    config: Config,
    tls: MakeRustlsConnect,
    pub(crate) seen: Seen,
    /// The runtime that serves all connections.
    runtime: Handle,
    log: Logger,
}

/// One address at which a server may be.
#[derive(Clone)]
struct Way {
    name: String,
    host: Host,
    /// `None`: that of the host, which is asked for.
    address: Option<IpAddr>,
    port: u16,
}

impl Opener {
    pub(crate) fn new(
        mut config: Config,
        tls: &Tls,
        seen: Seen,
        runtime: Handle,
        log: Logger,
    ) -> Result<Self, TlsError> {
        let tls = connector(tls)?;
        if config.get_application_name().is_none() {
            config.application_name("retcon");
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE_TIMEOUT);
        }
        // Whether a server takes writes is asked here, with what else there is to ask.
        config.keepalives_idle(SILENCE_TIMEOUT).target_session_attrs(TargetSessionAttrs::Any);
        Ok(Self { config, tls, seen, runtime, log })
    }

    /// Opens a session with the first host that will do; its connection is served by the runtime of all.
    pub(crate) async fn open(this: &Arc<Self>) -> Result<(ClientWrapper, Option<Server>), OpenError> {
        let opener = Arc::clone(this);
        match this.runtime.spawn(async move { opener.open_here().await }).await {
            Ok(opened) => opened,
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime ends with the pool only, and nobody waits then.
                Err(_) => std::future::pending().await,
            },
        }
    }

    async fn open_here(&self) -> Result<(ClientWrapper, Option<Server>), OpenError> {
        let mut refusals = Vec::new();
        for host in self.hosts() {
            let name = host.name.clone();
            let ways = match self.resolve(host).await {
                Ok(ways) => ways,
                Err(refusal) => {
                    refusals.push((name, refusal));
                    continue;
                }
            };
            for way in ways {
                match self.open_at(&way).await {
                    Ok(opened) => {
                        self.tell_of_misfits(&refusals);
                        return Ok(opened);
                    }
                    Err(refusal) => refusals.push((way.name, refusal)),
                }
            }
        }
        Err(OpenError(refusals))
    }

    /// The hosts in the order in which they are tried.
    fn hosts(&self) -> Vec<Way> {
        let (names, addresses, ports) = (self.config.get_hosts(), self.config.get_hostaddrs(), self.config.get_ports());
        let host = |index: usize| {
            let address = addresses.get(index).copied();
            let named = names.get(index).cloned();
            let host = named.or_else(|| address.map(|address| Host::Tcp(address.to_string())))?;
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(PORT);
            Some(Way { name: format!("{}:{port}", host_name(&host)), host, address, port })
        };
        let mut hosts: Vec<_> = (0..names.len().max(addresses.len())).filter_map(host).collect();
        if self.config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            hosts.shuffle(&mut rand::rng());
        }
        hosts
    }

    /// Finds the addresses of a host.
    async fn resolve(&self, host: Way) -> Result<Vec<Way>, Refusal> {
        let (Host::Tcp(name), None) = (&host.host, host.address) else { return Ok(vec![host]) };
        let limit = self.limit();
        let found = timeout(limit, lookup_host((name.as_str(), host.port))).await;
        let found = found.map_err(|_| Refusal::Silent(limit))?.map_err(Refusal::Unknown)?;
        Ok(found.map(|found| Way { address: Some(found.ip()), ..host.clone() }).collect())
    }

    /// How long one address may take, in all.
    fn limit(&self) -> Duration {
        self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT)
    }

    async fn open_at(&self, way: &Way) -> Result<(ClientWrapper, Option<Server>), Refusal> {
        let (config, limit) = (self.config_for(way), self.limit());
        let end = Instant::now() + limit;
        let (client, connection) =
            timeout_at(end, config.connect(self.tls.clone())).await.map_err(|_| Refusal::Silent(limit))??;
        let client = ClientWrapper::new(client, tokio::spawn(serve(connection, self.log.clone())));
        let server = timeout_at(end, self.examine(&client)).await.map_err(|_| Refusal::Silent(limit))??;
        match timeout_at(end, confirm(&client)).await {
            Ok(confirmed) => confirmed?,
            Err(_) => {
                self.call_off(&client);
                return Err(Refusal::Unreplicated(limit));
            }
        }
        Ok((client, server))
    }

    /// The settings for one address.
    fn config_for(&self, way: &Way) -> Config {
        let from = &self.config;
        let mut config = Config::new();
        match (&way.host, way.address) {
            (Host::Unix(directory), _) => {
                // As everybody has it: nobody listens in there.
                config.host_path(directory).ssl_mode(SslMode::Disable);
            }
            (Host::Tcp(name), address) => {
                config.host(name).ssl_mode(from.get_ssl_mode());
                address.map(|address| config.hostaddr(address));
            }
        }
        config.port(way.port).ssl_negotiation(from.get_ssl_negotiation()).connect_timeout(self.limit());
        from.get_user().map(|user| config.user(user));
        from.get_password().map(|password| config.password(password));
        from.get_dbname().map(|name| config.dbname(name));
        from.get_options().map(|options| config.options(options));
        from.get_application_name().map(|name| config.application_name(name));
        from.get_tcp_user_timeout().map(|limit| config.tcp_user_timeout(*limit));
        from.get_keepalives_interval().map(|interval| config.keepalives_interval(interval));
        from.get_keepalives_retries().map(|retries| config.keepalives_retries(retries));
        config.keepalives(from.get_keepalives()).keepalives_idle(from.get_keepalives_idle());
        config.channel_binding(from.get_channel_binding()).target_session_attrs(TargetSessionAttrs::Any);
        config
    }

    /// Tells a session how it is to be, and finds out whether its server is the one that we want.
    async fn examine(&self, client: &Client) -> Result<Option<Server>, Refusal> {
        client.batch_execute(SETTINGS).await?;
        takes_writes(client).await?;
        let server = identify(client).await?;
        if let Some(server) = &server {
            self.seen.admit(server)?;
        }
        Ok(server)
    }

    /// Tells the server of a session that is given up to let go of what it does for it.
    ///
    /// A commit that waits for a standby would wait on otherwise, and hold its place.
    pub(crate) fn call_off(&self, client: &Client) {
        let (token, tls) = (client.cancel_token(), self.tls.clone());
        self.runtime.spawn(async move {
            // It may be gone, or silent for good.
            drop(timeout(CALL_OFF_TIMEOUT, token.cancel_query(tls)).await);
        });
    }

    /// Logs the hosts that answered and were passed over, other than standbys.
    fn tell_of_misfits(&self, refusals: &[(String, Refusal)]) {
        for (host, refusal) in refusals {
            match refusal {
                Refusal::LeftBehind { .. } | Refusal::Other { .. } | Refusal::Certificate(_) => {
                    warn!(self.log, "database host refused"; "host" => host, key::ERROR => chain(refusal));
                }
                Refusal::Unknown(_)
                | Refusal::Silent(_)
                | Refusal::Unreplicated(_)
                | Refusal::ReadOnly
                | Refusal::Said(_) => {}
            }
        }
    }
}

/// Serves a connection until its client or its server is gone, or a commit was acknowledged that no standby has.
///
/// Whoever cancels a commit's wait for its standby (an administrator can) makes the server say that all is well, with a warning
/// before it. To end the connection at the warning leaves the end of that commit unknown, which is what it is.
async fn serve<S>(mut connection: Connection<Socket, S>, log: Logger)
where
    S: tokio_postgres::tls::TlsStream + Unpin + Send,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) if tells_of_unreplicated_commit(&notice) => {
                warn!(log, "commit not replicated"; key::ERROR => notice.message());
                return;
            }
            Some(Ok(_)) => {}
            // What breaks a connection is told to every query on it.
            Some(Err(_)) | None => return,
        }
    }
}

/// Known by its place in the server's source: its words depend on the server's language, and its SQLSTATE is that of any warning.
fn tells_of_unreplicated_commit(notice: &DbError) -> bool {
    notice.file().is_some_and(|file| file.ends_with("syncrep.c"))
}

/// Makes sure that a session's server takes writes now.
pub(super) async fn takes_writes(client: &Client) -> Result<(), Refusal> {
    match ask(client, "show transaction_read_only").await?.as_slice() {
        [Some(off)] if off == "off" => Ok(()),
        _ => Err(Refusal::ReadOnly),
    }
}

/// Waits until all that the session can see is as safe as any commit: on the standbys that commits wait for, if they do.
///
/// After a crash, or after a commit's wait was cancelled, a transaction is visible that a standby may not have. A commit waits
/// for all that was written before it, so an empty one tells.
pub(super) async fn confirm(client: &Client) -> Result<(), Refusal> {
    match client.batch_execute(CONFIRM).await {
        Err(error) if cannot_tell(&error) => Ok(()),
        other => Ok(other?),
    }
}

/// Finds out which server this is; `None` if it does not tell.
async fn identify(client: &Client) -> Result<Option<Server>, Refusal> {
    let row = match ask(client, IDENTIFY).await {
        Err(error) if cannot_tell(&error) => return Ok(None),
        other => other?,
    };
    let (system, timeline) = match row.as_slice() {
        [Some(system), Some(timeline)] => (system.parse().ok(), timeline.parse().ok()),
        _ => (None, None),
    };
    Ok(system.zip(timeline).map(|(system, timeline)| Server { system, timeline }))
}

/// Tells whether a server refused because it is not PostgreSQL proper, or keeps such things from its users.
pub(crate) fn cannot_tell(error: &tokio_postgres::Error) -> bool {
    let codes = [
        SqlState::INSUFFICIENT_PRIVILEGE,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
    ];
    error.code().is_some_and(|code| codes.contains(code))
}

/// Asks for the one row of a statement without parameters.
async fn ask(client: &Client, sql: &str) -> Result<Vec<Option<String>>, tokio_postgres::Error> {
    let answer = client.simple_query(sql).await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    Ok(row.map(|row| (0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect()).unwrap_or_default())
}
