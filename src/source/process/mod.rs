//! One process: started, fed, read, bounded and killed.
//!
//! Knows nothing of documents and keys.

pub mod cancel;
pub mod mark;
mod kept;
mod leader;
mod spawn;
mod pump;
pub(super) mod setup;
mod stragglers;
pub(super) mod table;
mod tail;
mod variables;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::points::{self, Point};

use super::guardian::Guardian;
use cancel::Cancel;
use leader::Leader;
use mark::Mark;
use pump::Pump;

pub use variables::Variables;

/// What to run, and with what.
pub struct Spec {
    /// Looked up on the `PATH` of its environment where it is a bare name; relative to `directory` otherwise.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// What every run of it has in its environment, put together once.
    pub kept: Arc<Variables>,
    /// The rest of the environment but for the mark of the run: nothing else is inherited, and no name is in both.
    pub env: Variables,
    pub directory: PathBuf,
    /// All of it is there before the process begins; `None`: `/dev/null`.
    pub stdin: Option<Vec<u8>>,
}

/// How long a process may run, and how much of what it prints is kept.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Counts from the start of the process.
    pub deadline: Duration,
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// How long what still holds a pipe is waited for once the process has exited.
    pub drain: Duration,
    /// Bytes; the last ones are kept.
    pub stderr: usize,
}

/// How an invocation came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    Status(i32),
    Signal(i32),
    /// It was still running at its deadline, whatever it did after that.
    TimedOut,
    /// It was still running when it was cancelled, whatever it did after that.
    Cancelled,
    /// It printed more than was accepted, and was killed.
    Flooded,
    /// It has ended, and somebody else in this process took its exit status away.
    Lost,
    /// It never ran: no such program, no right to run it.
    NotStarted(String),
    /// It never ran: this machine has no descriptor, process or memory left for it now.
    NoRoom(String),
}

/// What came of one process.
#[derive(Debug)]
pub struct Ended {
    pub exit: Exit,
    /// The last bytes of its stderr.
    pub stderr: Vec<u8>,
    /// How many bytes of stderr came before those and were let go.
    pub stderr_dropped: u64,
    pub elapsed: Duration,
}

/// Takes what a process prints on its stdout.
pub trait Stdout {
    /// Takes the next bytes; to break is to have the process killed ([`Exit::Flooded`]).
    fn receive(&mut self, bytes: &[u8]) -> ControlFlow<()>;
}

/// Runs one process to its end.
///
/// Returns when the process itself has exited, or was killed, and what it left running has had `limits.drain` to let go of its
/// pipes; then that is killed too. Leaves no zombie and no descriptor behind, also where `stdout` panics. Should this process
/// be gone before that, the `guardian` kills all of it.
pub fn run(
    spec: &Spec,
    limits: &Limits,
    cancel: &Cancel,
    guardian: Option<&Guardian>,
    stdout: &mut dyn Stdout,
) -> Ended {
    setup::once();
    let start = Instant::now();
    let mark = guardian.map_or_else(Mark::alone, Guardian::mark);
    let (leader, pipes) = match Leader::spawn(spec, &mark, guardian) {
        Ok(started) => started,
        Err(error) if is_shortage(&error) => return Ended::at_once(Exit::NoRoom(error.to_string())),
        Err(error) => return Ended::at_once(Exit::NotStarted(error.to_string())),
    };
    points::pass(Point::Spawned);
    let pid = leader.pid();
    let mut pump = Pump::new(pipes, limits, stdout);
    pump.until_exit(&leader, limits, cancel);
    let elapsed = start.elapsed();
    pump.linger(&leader, limits.drain);
    let exit = leader.reap();
    stragglers::kill(pid, &mark, guardian);
    let (exit, stderr, stderr_dropped) = pump.finish(exit);
    Ended { exit, stderr, stderr_dropped, elapsed }
}

/// Says whether something failed because this machine has too little of something now: trying again later helps.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    code.is_some_and(|code| [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM].contains(&code))
}

impl Ended {
    /// Returns the end of what never ran.
    pub(super) fn at_once(exit: Exit) -> Self {
        Self { exit, stderr: Vec::new(), stderr_dropped: 0, elapsed: Duration::ZERO }
    }
}

/// Says how it ended, as `exit status 3` or `signal 9`.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::TimedOut => f.write_str("time-out"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Flooded => f.write_str("too much output"),
            Self::Lost => f.write_str("an exit status that was lost"),
            Self::NotStarted(why) | Self::NoRoom(why) => write!(f, "cannot be started: {why}"),
        }
    }
}
