//! The private PostgreSQL of `database.url = "embedded"`: found, initialised, started or adopted, watched, stopped.
//!
//! Everything here blocks for as long as PostgreSQL needs: call it before the actors start, or from a thread that may block.

mod account;
mod cluster;
mod error;
mod postmaster;
mod programs;

use std::path::Path;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use account::Account;
use cluster::{Cluster, PORT, SUPERUSER};
use error::failed;
use postmaster::{Phase, Postmaster};
use programs::Programs;

use super::state_dir::StateDir;

pub use error::PrivateError;

/// How long a start may take, recovery after a crash included.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a start is tried again while processes of a killed postmaster still hold its memory.
const RETRY_FOR: Duration = Duration::from_secs(20);
/// How long a stop may take, at first politely (it writes everything out), then at once (it recovers at the next start).
const FAST_STOP: Duration = Duration::from_secs(30);
const IMMEDIATE_STOP: Duration = Duration::from_secs(10);
/// How often its lock file is looked at while it starts.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A PostgreSQL of our own, on a unix socket in the state directory. Dropping it stops it.
#[derive(Debug)]
pub struct PrivatePostgres {
    cluster: Cluster,
    programs: Programs,
    account: Account,
    settings: Vec<(String, String)>,
    origin: Origin,
    state: Mutex<State>,
}

/// What is known of the server.
#[derive(Debug)]
enum State {
    /// None is known to run.
    Down,
    /// It ran when it was last looked at.
    Up(Postmaster),
    /// It was told to stop, and is not started again.
    Stopped,
}

/// How it came to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Its data directory was made, and it was started.
    Initialised,
    Started,
    /// It was still running from a daemon that was killed.
    Adopted,
}

impl PrivatePostgres {
    /// Starts it in `state_dir/pg`, or adopts the one that runs there; returns when it takes connections.
    ///
    /// `bin_dir` is where `initdb` and `postgres` are; `None`: on `PATH`, or where Debian has them.
    /// # Errors
    /// [`PrivateError`], whose [`hint`](PrivateError::hint) says what to do. Missing programs, directories that PostgreSQL's user
    /// cannot reach and too long a path are told before anything is started.
    pub fn start(state_dir: &StateDir, bin_dir: Option<&Path>) -> Result<Self, PrivateError> {
        Self::start_with(state_dir, bin_dir, &[])
    }

    /// Does the same with other settings of PostgreSQL than ours.
    ///
    /// # Errors
    /// As [`PrivatePostgres::start`].
    pub fn start_with(
        state_dir: &StateDir,
        bin_dir: Option<&Path>,
        settings: &[(&str, &str)],
    ) -> Result<Self, PrivateError> {
        let cluster = Cluster::new(state_dir.path());
        cluster.check_owner()?;
        let made_by = cluster.made_by()?;
        let programs = Programs::find(bin_dir, std::env::var_os("PATH").as_deref(), made_by.as_deref())?;
        let account = Account::choose(&cluster.data)?;
        account.check_reaches(state_dir.path())?;
        cluster.check_socket_path()?;
        cluster.prepare(&account)?;
        if made_by.is_none() {
            cluster.initialise(&programs, &account)?;
        }
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut postgres =
            Self { cluster, programs, account, settings, origin: Origin::Started, state: Mutex::new(State::Down) };
        let brought_up = postgres.ensure_running()?;
        postgres.origin = match (made_by, brought_up) {
            (None, _) => Origin::Initialised,
            (Some(_), BroughtUp::Started) => Origin::Started,
            (Some(_), BroughtUp::Found) => Origin::Adopted,
        };
        Ok(postgres)
    }

    /// Says how it came to run.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Gives the process number of the postmaster that was last seen to run.
    pub fn pid(&self) -> Option<i32> {
        match &*self.state() {
            State::Up(postmaster) => Some(postmaster.pid.as_raw_nonzero().get()),
            State::Down | State::Stopped => None,
        }
    }

    /// Gives how to connect to it.
    pub fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.cluster.sockets).port(PORT).user(SUPERUSER).dbname("postgres");
        config
    }

    /// Starts it again if it has ended; does nothing while it runs.
    ///
    /// # Errors
    /// [`PrivateError::Stopped`] after [`stop`](Self::stop); after any other error it may be called again.
    pub fn ensure_running(&self) -> Result<BroughtUp, PrivateError> {
        let mut state = self.state();
        match &*state {
            State::Up(postmaster) if postmaster.is_alive() => return Ok(BroughtUp::Found),
            State::Up(_) | State::Down => {}
            State::Stopped => return Err(PrivateError::Stopped),
        }
        // The dead one is reaped first: its number must be free before another is looked for.
        *state = State::Down;
        let (postmaster, how) = self.bring_up()?;
        *state = State::Up(postmaster);
        Ok(how)
    }

    /// Stops it for good: sessions are broken off, and everything is written out. Does nothing if it was stopped before.
    ///
    /// # Errors
    /// [`PrivateError::NotStopped`] if it runs nevertheless.
    pub fn stop(&self) -> Result<(), PrivateError> {
        let State::Up(postmaster) = std::mem::replace(&mut *self.state(), State::Stopped) else {
            return Ok(());
        };
        for (signal, patience) in [(Signal::INT, FAST_STOP), (Signal::QUIT, IMMEDIATE_STOP)] {
            postmaster.signal(signal).map_err(failed("stop the server of", &self.cluster.data))?;
            if postmaster.wait(patience) {
                return Ok(());
            }
        }
        Err(PrivateError::NotStopped { pid: postmaster.pid.as_raw_nonzero().get() })
    }

    /// Waits for a postmaster that takes connections, and starts one whenever none is there.
    fn bring_up(&self) -> Result<(Postmaster, BroughtUp), PrivateError> {
        let begun = Instant::now();
        let mut launched: Option<Launched> = None;
        loop {
            match Postmaster::find(&self.cluster.data) {
                Some((found, Phase::Ready)) => return Ok(settle(found, launched)),
                // It starts, recovers, or ends: it will be ready or gone.
                Some((_, Phase::Other)) => {}
                None => launched = self.relaunch(launched, begun)?,
            }
            if begun.elapsed() > READY_TIMEOUT {
                let tail = self.cluster.log_since(launched.map_or(0, |launched| launched.log_from));
                return Err(PrivateError::NotReady { waited: READY_TIMEOUT, log: self.cluster.log.clone(), tail });
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Starts a server if none was, or if the last one ended for a reason that passes.
    fn relaunch(&self, launched: Option<Launched>, begun: Instant) -> Result<Option<Launched>, PrivateError> {
        let Some(mut launched) = launched else {
            return self.launch().map(Some);
        };
        let waited = launched.child.try_wait().map_err(failed("wait for", &self.programs.postgres))?;
        let Some(status) = waited else {
            // It has not written its lock file yet.
            return Ok(Some(launched));
        };
        let tail = self.cluster.log_since(launched.log_from);
        // Seen after a kill -9 of the postmaster, until its orphaned processes have noticed.
        let passes = tail.contains("pre-existing shared memory block") || tail.contains("is another post");
        if passes && begun.elapsed() < RETRY_FOR {
            return Ok(None);
        }
        Err(PrivateError::Ended { status, log: self.cluster.log.clone(), tail })
    }

    fn launch(&self) -> Result<Launched, PrivateError> {
        for file in self.cluster.lock_files() {
            postmaster::remove_misleading_lock_file(&file, &self.cluster.data).map_err(failed("remove", &file))?;
        }
        let (log, log_from) = self.cluster.open_log()?;
        let also_log = log.try_clone().map_err(failed("open", &self.cluster.log))?;
        let child = self
            .cluster
            .server(&self.programs, &self.account, &self.settings)
            .stdout(log)
            .stderr(also_log)
            .spawn()
            .map_err(failed("run", &self.programs.postgres))?;
        Ok(Launched { child, log_from })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What it guards is replaced whole, so a panic elsewhere leaves it sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // Nobody is left to be told; a server that goes on is adopted by the next daemon.
        drop(self.stop());
    }
}

/// What was done to have it running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroughtUp {
    /// It ran already.
    Found,
    Started,
}

/// A server that we started and that may not yet run.
struct Launched {
    child: Child,
    /// Where in the log its own words begin.
    log_from: u64,
}

/// Puts a postmaster that takes connections together with what we started.
fn settle(found: Postmaster, launched: Option<Launched>) -> (Postmaster, BroughtUp) {
    match launched {
        None => (found, BroughtUp::Found),
        Some(launched) => match found.reap(launched.child) {
            (found, None) => (found, BroughtUp::Started),
            // Ours gave way to another one.
            (found, Some(_)) => (found, BroughtUp::Found),
        },
    }
}
