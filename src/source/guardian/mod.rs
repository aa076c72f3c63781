//! The guardian: a small process beside the daemon that kills the daemon's programs when the daemon cannot.
//!
//! A daemon that was killed, or that stands still, no longer bounds what it has started; another daemon may by then do the
//! same work. The guardian notices the death by a pipe that closes, and the standstill by a time that passes. It knows what
//! to kill by the mark that every process of a run bears, and by the process groups of the runs under way.
//!
//! It holds a lock below the state directory for its life, so nothing of an earlier daemon runs beside a new one.

mod message;
mod post;
mod inbox;
mod duty;

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, ExitCode};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use slog::{Logger, error, info};

use super::boot_time::BootTime;
use super::process::mark::{Family, Mark};
use crate::config::model::{LogFormat, Severity};
use crate::config::words::Words as _;
use crate::log::{chain, key};
use message::Message;
use post::Posted;

pub use post::Post;

/// What a guardian is called, and by which a program knows that it is to be one.
const NAME: &str = "retcon-guardian";
/// The same, for the kernel.
const THREAD: &std::ffi::CStr = c"retcon-guardian";

/// How long a guardian may take to end after the daemon's last program has.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pauses between two tries to start a guardian: doubling from the first to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// A guardian of this process's programs; clones stand for the same one.
///
/// Should its process end, another one is started and told all.
#[derive(Clone)]
pub struct Guardian(Arc<Shared>);

/// A program's group that the guardian kills when we are gone; no longer once this is dropped.
#[derive(Debug)]
pub struct Watched {
    guardian: Guardian,
    group: Pid,
}

/// A process that is about to be made, to lead a group; until this is dropped, its number is known to be such a one's.
#[derive(Debug)]
pub struct Expected {
    guardian: Guardian,
    number: Arc<AtomicI32>,
}

/// Why there is no guardian.
#[derive(Debug, thiserror::Error)]
pub enum GuardianError {
    #[error("cannot lock {}", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("cannot begin while programs of an earlier daemon are running: its guardian{} waits for their end (it holds {})",
        pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(), path.display())]
    Taken { path: PathBuf, pid: Option<u32> },
    #[error("cannot start the guardian")]
    Start { source: io::Error },
}

struct Shared {
    family: Family,
    next: AtomicU64,
    post: Post,
    state: Mutex<State>,
    /// The phase is another.
    moved: Condvar,
    log: Logger,
}

struct State {
    phase: Phase,
    groups: HashSet<Pid>,
    /// The numbers of those that are being made; 0 as long as there is none yet.
    expected: Vec<Arc<AtomicI32>>,
    alive_until: Option<BootTime>,
}

enum Phase {
    OnDuty(Line),
    /// It has ended, and another one is being started.
    Vacant,
    /// It is to end, and is waited for.
    Ending,
    Ended,
}

/// The pipe to a guardian.
struct Line {
    pid: Pid,
    pipe: OwnedFd,
    /// `None` where no descriptor was left.
    process: Option<OwnedFd>,
}

/// Stands guard if that is what this process was started for; gives its exit status then.
///
/// To be called before anything else.
pub fn stand_guard() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args_os().filter_map(|argument| argument.into_string().ok()).collect();
    if arguments.first().is_none_or(|name| name != NAME) {
        return None;
    }
    let orders = |[family, level, format]: &[String; 3]| {
        let (level, format) = (Severity::from_word(level)?, LogFormat::from_word(format)?);
        Some(duty::Orders { family: family.parse().ok()?, level, format })
    };
    // Before them stands the state directory, for whoever looks at the processes; it need not be text.
    Some(match arguments.last_chunk().and_then(orders) {
        Some(orders) => duty::stand(&orders),
        None => {
            eprintln!("error: {NAME} is started by the daemon only");
            ExitCode::from(2)
        }
    })
}

impl Guardian {
    /// Waits until the guardian of an earlier daemon has ended, and starts one of our own. Blocks.
    ///
    /// # Errors
    /// [`GuardianError::Taken`] if that takes too long; nothing is started then.
    pub fn start(post: Post, log: &Logger) -> Result<Self, GuardianError> {
        let family = Family::new();
        let Posted { process, pipe } = post.man(family, log)?;
        info!(log, "guardian started"; "pid" => process.id());
        let phase = Phase::OnDuty(Line::new(&process, pipe));
        let state = Mutex::new(State { phase, groups: HashSet::new(), expected: Vec::new(), alive_until: None });
        let (next, moved) = (AtomicU64::new(1), Condvar::new());
        let shared = Arc::new(Shared { family, next, post, state, moved, log: log.clone() });
        let keeper = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("guardian".to_owned());
        thread.spawn(move || keeper.keep(process)).map_err(|source| GuardianError::Start { source })?;
        Ok(Self(shared))
    }

    /// Says that we may run programs until then. Does not block.
    ///
    /// Once that has passed with nothing said, everything that runs is killed, and so is what is started after that, until a
    /// later time is told. As long as no time was ever told, there is no such end.
    pub fn alive_until(&self, until: BootTime) {
        let mut state = self.0.state();
        state.alive_until = Some(until);
        state.tell(Message::AliveUntil(until));
    }

    /// Likewise, from now on; whoever rests it on an answer that took its time says [`Guardian::alive_until`].
    pub fn alive_for(&self, time: Duration) {
        self.alive_until(BootTime::now() + time);
    }

    /// Makes a mark for a run that is about to be started. What bears it is killed when we are gone, whether or not it was
    /// told of.
    pub fn mark(&self) -> Mark {
        self.0.family.mark(self.0.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Says that a process is about to be made that leads a run. To be dropped once it is [watched](Guardian::watch), or was not made.
    pub fn expect(&self) -> Expected {
        let number = Arc::new(AtomicI32::new(0));
        self.0.state().expected.push(Arc::clone(&number));
        Expected { guardian: self.clone(), number }
    }

    /// Tells of a program that runs and leads this group.
    ///
    /// To be dropped before the leader is reaped: the group's number is its own until then.
    pub fn watch(&self, group: Pid) -> Watched {
        let mut state = self.0.state();
        state.groups.insert(group);
        state.tell(Message::Started(group));
        Watched { guardian: self.clone(), group }
    }

    /// Takes those out of `processes` that lead a run under way, or are about to.
    ///
    /// Such a number is taken until the leader is reaped, and its [`Watched`] is dropped before that. One that is being made must not be
    /// looked at, as that would wait until it is loaded.
    pub(in crate::source) fn leave_out_leaders(&self, processes: &mut Vec<Pid>) {
        if !processes.is_empty() {
            let state = self.0.state();
            let expected: Vec<i32> = state.expected.iter().map(|number| number.load(Ordering::Acquire)).collect();
            processes.retain(|process| !state.groups.contains(process) && !expected.contains(&process.as_raw_pid()));
        }
    }

    /// Returns the number of its process, while there is one.
    pub fn pid(&self) -> Option<Pid> {
        match &self.0.state().phase {
            Phase::OnDuty(line) => Some(line.pid),
            Phase::Vacant | Phase::Ending | Phase::Ended => None,
        }
    }

    /// Has it kill what still runs, and waits until it has ended. Blocks.
    pub fn end(&self) {
        let shared = &*self.0;
        let mut state = shared.state();
        match state.phase {
            // With the line our end of the pipe goes.
            Phase::OnDuty(_) | Phase::Vacant => state.phase = Phase::Ending,
            Phase::Ending | Phase::Ended => {}
        }
        shared.moved.notify_all();
        let ending = |state: &mut State| !matches!(state.phase, Phase::Ended);
        let wait = shared.moved.wait_timeout_while(state, PATIENCE, ending);
        let (state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        if !matches!(state.phase, Phase::Ended) {
            error!(shared.log, "guardian does not end");
        }
    }
}

impl Expected {
    /// Where its number is to be put when it has one.
    pub(in crate::source) fn number(&self) -> &AtomicI32 {
        &self.number
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.guardian.0.state().expected.retain(|number| !Arc::ptr_eq(number, &self.number));
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut state = self.guardian.0.state();
        state.groups.remove(&self.group);
        state.tell(Message::Ended(self.group));
    }
}

impl Shared {
    /// The state is whole between any two statements of ours: that one who held it panicked does not matter.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end of a guardian's process, and starts another unless that was wanted.
    fn keep(&self, mut process: Child) {
        let mut pause = Duration::ZERO;
        loop {
            let began = Instant::now();
            let status = process.wait();
            let mut state = self.state();
            match state.phase {
                Phase::OnDuty(_) | Phase::Vacant => state.phase = Phase::Vacant,
                Phase::Ending | Phase::Ended => break drop(self.say_ended(state)),
            }
            drop(state);
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            error!(self.log, "guardian ended"; "status" => status);
            // One that ends as soon as it is started would be started for ever.
            pause = if began.elapsed() < RETRY.1 { (pause * 2).clamp(RETRY.0, RETRY.1) } else { Duration::ZERO };
            let next = if self.is_vacant_after(pause) { self.replace() } else { None };
            let Some(next) = next else { break drop(self.say_ended(self.state())) };
            process = next;
        }
    }

    fn say_ended<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.phase = Phase::Ended;
        self.moved.notify_all();
        state
    }

    /// Waits; tells whether there is still to be a guardian, and none.
    fn is_vacant_after(&self, pause: Duration) -> bool {
        let vacant = |state: &mut State| matches!(state.phase, Phase::Vacant);
        let wait = self.moved.wait_timeout_while(self.state(), pause, vacant);
        matches!(wait.unwrap_or_else(PoisonError::into_inner).0.phase, Phase::Vacant)
    }

    /// Starts another guardian, however often that must be tried, and tells it all; `None` if we are to end meanwhile.
    fn replace(&self) -> Option<Child> {
        let mut pause = RETRY.0;
        loop {
            match self.post.man(self.family, &self.log) {
                Ok(Posted { process, pipe }) => {
                    info!(self.log, "guardian started"; "pid" => process.id());
                    let mut state = self.state();
                    // If we are to end, its pipe closes with this.
                    if let Phase::Vacant = state.phase {
                        state.phase = Phase::OnDuty(Line::new(&process, pipe));
                        state.tell_all();
                    }
                    return Some(process);
                }
                Err(error) => error!(self.log, "guardian cannot be started"; key::ERROR => chain(&error)),
            }
            if !self.is_vacant_after(pause) {
                return None;
            }
            pause = (pause * 2).min(RETRY.1);
        }
    }
}

impl State {
    fn tell(&mut self, message: Message) {
        match &self.phase {
            Phase::OnDuty(line) => line.tell(message),
            // The next one is told all.
            Phase::Vacant | Phase::Ending | Phase::Ended => {}
        }
    }

    fn tell_all(&mut self) {
        let groups: Vec<Pid> = self.groups.iter().copied().collect();
        groups.into_iter().for_each(|group| self.tell(Message::Started(group)));
        if let Some(until) = self.alive_until {
            self.tell(Message::AliveUntil(until));
        }
    }
}

impl Line {
    fn new(process: &Child, pipe: OwnedFd) -> Self {
        let pid = Pid::from_child(process);
        Self { pid, pipe, process: pidfd_open(pid, PidfdFlags::empty()).ok() }
    }

    /// Sends a message; a guardian that has not read for so long that there is no room is replaced.
    fn tell(&self, message: Message) {
        if rustix::io::write(&self.pipe, &message.encode()) == Err(Errno::AGAIN)
            && let Some(process) = &self.process
        {
            // Fails where it has ended, which is noticed anyway: as is every other failure of the write.
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

impl fmt::Debug for Guardian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guardian").field("family", &self.0.family).finish_non_exhaustive()
    }
}
