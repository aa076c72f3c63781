//! The daemon: wires everything, and ends it in order.

mod database;
mod memory;
mod reload;
mod signals;
mod stop;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use actix::{System, SystemRunner};
use slog::{Logger, info};
use tokio::sync::mpsc;

use crate::actor::herald::Herald;
use crate::actor::reloader::Finish;
use crate::actor::supervision::{Ledger, Policy};
use crate::actor::supervisor::{GetStore, Identity, Start, Supervisor, runtime};
use crate::api;
use crate::config::{self, Loaded};
use crate::log::{chain, key};
use crate::metrics::Tally;
use crate::points::{self, Point};
use crate::source::guardian::{Guardian, GuardianError, Post};
use crate::source::process::cancel::Cancel;
use crate::store::Store;
use crate::store::private::PrivatePostgres;
use crate::store::requests::lease::DaemonId;
use crate::store::state_dir::StateDir;

use database::DatabaseError;
use reload::{Configuration, obey};
use signals::Signals;
use stop::{Server, stop};

/// How many calls may block at the same time beside the daemon's own thread: reading the configuration, and the like.
const BLOCKED: usize = 64;

/// What the daemon is started with.
#[derive(Debug, clap::Parser)]
#[command(name = "retcond", version, about = "Keeps the copies of a record in many systems in step")]
pub struct Arguments {
    /// The configuration file [default: $RETCON_CONFIG, ./retcon.toml, ./config/retcon.toml, /etc/retcon/retcon.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Checks the configuration, and does nothing else
    #[arg(long)]
    check: bool,
}

/// Why the daemon cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
enum DaemonError {
    #[error("cannot take the state directory")]
    StateDir(#[from] crate::store::state_dir::StateDirError),
    #[error("cannot have a guardian for the programs of sources")]
    Guardian(#[from] GuardianError),
    #[error("cannot use the database")]
    Database(#[from] DatabaseError),
    #[error("cannot serve the API")]
    Serve(#[from] api::server::ServeError),
    #[error("cannot {action}")]
    Io { action: &'static str, source: io::Error },
    /// The reason is told with it.
    #[error("cannot go on: {0}")]
    Fatal(String),
    #[error("cannot start the supervisor")]
    SupervisorGone,
}

/// Runs the daemon until it is told to stop: 0 done, 1 it could not go on, 2 the configuration is wrong.
pub fn main(arguments: &Arguments) -> ExitCode {
    memory::share();
    let (path, Loaded { config, inputs, .. }) = match read_configuration(arguments) {
        Ok(read) => read,
        Err(code) => return code,
    };
    if arguments.check {
        println!("{}: ok", path.display());
        return ExitCode::SUCCESS;
    }
    let (log, guard) = crate::log::to_stderr(config.log.level, config.log.format);
    crate::log::take_panics(&log);
    info!(log, "daemon starting"; "version" => env!("CARGO_PKG_VERSION"), "config" => %path.display());
    // Those who are told of it by the API work in other directories.
    let path = std::path::absolute(&path).unwrap_or(path);
    let configuration = Configuration { path, config: Arc::new(config), inputs, control: guard.control() };
    match run(configuration, &log) {
        Ok(()) => {
            info!(log, "daemon stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            crate::alert!(log, "daemon cannot go on"; key::ERROR => chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Reads the configuration, and tells on stderr what is wrong or doubtful about it.
fn read_configuration(arguments: &Arguments) -> Result<(PathBuf, Loaded), ExitCode> {
    let path = config::find(arguments.config.clone()).map_err(|error| {
        eprintln!("error: {error}\nhint: {}", error.hint());
        ExitCode::from(2)
    })?;
    match config::load(&path, config::environment()) {
        Ok(loaded) => {
            loaded.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
            Ok((path, loaded))
        }
        Err(errors) => {
            eprintln!("error: {errors}");
            Err(ExitCode::from(2))
        }
    }
}

fn run(configuration: Configuration, log: &Logger) -> Result<(), DaemonError> {
    let runtime = runtime(BLOCKED).map_err(|source| DaemonError::Io { action: "make a runtime", source })?;
    let system = System::with_tokio_rt(|| runtime);
    // Before anything is started that would outlive us: a signal that comes now is obeyed once it can be, in order.
    let listening = system.block_on(async { Signals::listen() });
    let signals = listening.map_err(|source| DaemonError::Io { action: "listen for signals", source })?;
    let config = &configuration.config;
    let state_dir = StateDir::claim(&config.server.state_dir)?;
    let guardian = Guardian::start(Post::new(state_dir.path(), &config.log), log)?;
    let ended = run_guarded(&system, configuration, &state_dir, &guardian, signals, log);
    // Last: until here, whatever becomes of us, nothing of a program is left running.
    guardian.end();
    ended
}

/// Brings up the database, serves, and ends both.
fn run_guarded(
    system: &SystemRunner,
    configuration: Configuration,
    state_dir: &StateDir,
    guardian: &Guardian,
    signals: Signals,
    log: &Logger,
) -> Result<(), DaemonError> {
    let (store, postgres) = database::open(&configuration.config.database, state_dir, log)?;
    let postgres = postgres.map(Arc::new);
    let with = Surroundings { state_dir, store, postgres: postgres.clone(), guardian: guardian.clone() };
    let ended = system.block_on(serve(configuration, with, signals, log));
    if let Some(postgres) = postgres {
        info!(log, "private postgresql stopping");
        postgres.stop().map_err(DatabaseError::from)?;
    }
    ended
}

/// What is there before anything is served.
struct Surroundings<'a> {
    state_dir: &'a StateDir,
    store: Store,
    postgres: Option<Arc<PrivatePostgres>>,
    guardian: Guardian,
}

/// Says who this daemon is among those that share the database.
fn identity(state_dir: &StateDir) -> Result<Identity, DaemonError> {
    let daemon = DaemonId::new();
    let former = state_dir.succeed(daemon)?;
    let host = rustix::system::uname();
    let name = format!("{}:{}", host.nodename().to_string_lossy(), std::process::id());
    Ok(Identity { daemon, name, former })
}

/// Starts the actors and the API; then waits for the end, and brings it about in order.
async fn serve(
    configuration: Configuration,
    with: Surroundings<'_>,
    mut signals: Signals,
    log: &Logger,
) -> Result<(), DaemonError> {
    let Surroundings { state_dir, store, postgres, guardian } = with;
    let tcp = api::server::Tcp::prepare(&configuration.config.server)?;
    let cancel = Cancel::new().map_err(|source| DaemonError::Io { action: "make what cancels runs", source })?;
    let config = Arc::clone(&configuration.config);
    let grace = config.server.grace;
    let (ledger, tally, herald) = (Ledger::default(), Tally::default(), Herald::default());
    let (ended, mut failed) = mpsc::channel(1);
    let supervisor = Supervisor::start(Start {
        config,
        state_dir: state_dir.path().to_owned(),
        store,
        cancel: cancel.clone(),
        guardian: Some(guardian),
        identity: identity(state_dir)?,
        policy: Policy::default(),
        ledger: ledger.clone(),
        tally: tally.clone(),
        herald: herald.clone(),
        log: log.clone(),
        // It ends once, and there is room for that.
        ended: Box::new(move |reason| drop(ended.try_send(reason))),
    });
    let store = supervisor.addr.send(GetStore).await.map_err(|_| DaemonError::SupervisorGone)?;
    let service = configuration.serve(supervisor.addr.clone(), store, ledger, (tally, herald.clone()), log);
    let reloader = service.reloader.clone();
    let socket = state_dir.path().join(config::model::SOCKET);
    let (server, handle) = api::server::serve(&socket, service.clone())?;
    let (tcp, stopper) = tcp.map(|tcp| tcp.serve(service)).unzip();
    let server = Server::new(server, handle, tcp, stopper);
    let watched = postgres.map(|postgres| actix::spawn(database::watch(postgres, log.clone())));
    info!(log, "daemon started"; "socket" => %socket.display());
    let end = tokio::select! {
        name = obey(&mut signals, &reloader) => { info!(log, "daemon stopping"; "signal" => name); Ok(()) }
        reason = failed.recv() => Err(DaemonError::Fatal(reason.flatten().unwrap_or_else(|| "the supervisor is gone".to_owned()))),
        () = server.ended() => Err(DaemonError::Fatal("the API is no longer served".to_owned())),
    };
    points::pass(Point::Stopping);
    herald.close();
    // Not waited for: it may be in the pause after a failure, and what it has asked for is done.
    reloader.do_send(Finish);
    if end.is_err() {
        cancel.trigger();
    }
    stop(&supervisor, &server, &mut signals, &cancel, grace, log).await;
    if let Some(watched) = watched {
        watched.abort();
        drop(watched.await);
    }
    end
}
