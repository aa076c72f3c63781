//! The loop that reads a process, and ends it in time.

use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Signal;

use super::cancel::Cancel;
use super::leader::{Leader, Pipes};
use super::tail::Tail;
use super::{Exit, Limits, Stdout};

/// How often a process without a pidfd is asked whether it has exited.
const TICK: Duration = Duration::from_millis(10);

/// For how long at most nothing but the end of a process is waited for. Most programs print less than a pipe holds and are
/// done by then: so one wake-up does for all, where each pipe would cost another. One that fills a pipe waits for us this long.
const QUIET: Duration = Duration::from_millis(5);

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// Reads one process.
pub(super) struct Pump<'a> {
    pipes: Pipes,
    stdout: &'a mut dyn Stdout,
    stderr: Tail,
    buffer: Vec<u8>,
    stage: Stage,
    stopped: Option<Stopped>,
}

/// How far the process has been brought towards its end.
#[derive(Clone, Copy)]
enum Stage {
    /// It has until then; `None`: for ever.
    Running(Option<Instant>),
    /// It got SIGTERM, and has until then.
    Terminated(Instant),
    /// It got SIGKILL.
    Killed,
}

/// Whether the pipes are listened to.
#[derive(Clone, Copy)]
enum Listen {
    Yes,
    No,
}

/// Why we ended the process.
#[derive(Clone, Copy)]
enum Stopped {
    Deadline,
    Cancelled,
    Flood,
}

/// What a wait ended with; all may be at once.
#[derive(Default)]
struct Ready {
    stdout: bool,
    stderr: bool,
    cancelled: bool,
    exited: bool,
}

impl<'a> Pump<'a> {
    pub(super) fn new(pipes: Pipes, limits: &Limits, stdout: &'a mut dyn Stdout) -> Self {
        Self {
            pipes,
            stdout,
            stderr: Tail::new(limits.stderr),
            buffer: Vec::with_capacity(CHUNK),
            stage: Stage::Running(Instant::now().checked_add(limits.deadline)),
            stopped: None,
        }
    }

    /// Returns once the process itself has exited, whoever holds its pipes: at its deadline, or when cancelled, its group
    /// gets SIGTERM, and after the grace SIGKILL.
    pub(super) fn until_exit(&mut self, leader: &Leader, limits: &Limits, cancel: &Cancel) {
        let quiet = Some(Instant::now() + QUIET);
        let mut pipes = if leader.pidfd().is_some() { Listen::No } else { Listen::Yes };
        loop {
            let until = match pipes {
                Listen::No => self.next_stage().min(quiet).or(quiet),
                Listen::Yes => self.next_stage(),
            };
            let ready = self.wait(Some(leader), pipes, cancel.fd(), until);
            pipes = Listen::Yes;
            self.transfer(&ready, leader);
            if ready.exited {
                return;
            }
            let overdue = self.next_stage().is_some_and(|at| at <= Instant::now());
            match self.stage {
                Stage::Running(_) if ready.cancelled => self.terminate(leader, limits, Stopped::Cancelled),
                Stage::Running(_) if overdue => self.terminate(leader, limits, Stopped::Deadline),
                Stage::Terminated(_) if overdue => self.kill(leader),
                Stage::Running(_) | Stage::Terminated(_) | Stage::Killed => {}
            }
        }
    }

    /// Reads on until nobody holds the pipes any more, for `at_most`.
    ///
    /// What the process left running in its group may finish what it was writing.
    pub(super) fn linger(&mut self, leader: &Leader, at_most: Duration) {
        let until = Instant::now() + at_most;
        // What is there already, and its end.
        for _ in 0..2 {
            self.transfer(&Ready { stdout: true, stderr: true, ..Ready::default() }, leader);
        }
        while (self.pipes.stdout.is_some() || self.pipes.stderr.is_some()) && Instant::now() < until {
            let ready = self.wait(None, Listen::Yes, None, Some(until));
            self.transfer(&ready, leader);
        }
    }

    /// Returns how the process ended, given its own exit, and what is kept of its stderr.
    pub(super) fn finish(self, exit: Exit) -> (Exit, Vec<u8>, u64) {
        let (stderr, dropped) = self.stderr.into_parts();
        let exit = match self.stopped {
            None => exit,
            Some(Stopped::Deadline) => Exit::TimedOut,
            Some(Stopped::Cancelled) => Exit::Cancelled,
            Some(Stopped::Flood) => Exit::Flooded,
        };
        (exit, stderr, dropped)
    }

    fn next_stage(&self) -> Option<Instant> {
        match self.stage {
            Stage::Running(until) => until,
            Stage::Terminated(until) => Some(until),
            Stage::Killed => None,
        }
    }

    fn terminate(&mut self, leader: &Leader, limits: &Limits, why: Stopped) {
        leader.signal(Signal::TERM);
        // A stopped process would not see it.
        leader.signal(Signal::CONT);
        self.stopped.get_or_insert(why);
        self.stage = Stage::Terminated(Instant::now() + limits.grace);
    }

    fn kill(&mut self, leader: &Leader) {
        leader.signal(Signal::KILL);
        self.stage = Stage::Killed;
    }

    /// Moves what can be moved without waiting.
    fn transfer(&mut self, ready: &Ready, leader: &Leader) {
        if ready.stdout && self.read_stdout().is_break() {
            self.pipes.stdout = None;
            self.stopped.get_or_insert(Stopped::Flood);
            self.kill(leader);
        }
        if ready.stderr {
            self.read_stderr();
        }
    }

    fn read_stdout(&mut self) -> ControlFlow<()> {
        read(&mut self.pipes.stdout, &mut self.buffer);
        if self.buffer.is_empty() { ControlFlow::Continue(()) } else { self.stdout.receive(&self.buffer) }
    }

    fn read_stderr(&mut self) {
        read(&mut self.pipes.stderr, &mut self.buffer);
        self.stderr.push(&self.buffer);
    }

    /// Waits for whatever comes first: a pipe, the exit of `leader`, `cancel` (as long as it matters), or the time `until`.
    fn wait(
        &self,
        leader: Option<&Leader>,
        listen: Listen,
        cancel: Option<BorrowedFd<'_>>,
        until: Option<Instant>,
    ) -> Ready {
        let cancel = cancel.filter(|_| matches!(self.stage, Stage::Running(_)));
        let pidfd = leader.and_then(Leader::pidfd);
        let [stdout, stderr] = match listen {
            Listen::Yes => [&self.pipes.stdout, &self.pipes.stderr].map(|pipe| pipe.as_ref().map(AsFd::as_fd)),
            Listen::No => [None, None],
        };
        let watched =
            [(stdout, PollFlags::IN), (stderr, PollFlags::IN), (cancel, PollFlags::IN), (pidfd, PollFlags::IN)];
        let mut left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if leader.is_some() && pidfd.is_none() {
            left = Some(left.map_or(TICK, |left| left.min(TICK)));
        }
        let [stdout, stderr, cancelled, exited] = poll_some(watched, left);
        let exited = exited || (pidfd.is_none() && leader.is_some_and(Leader::has_exited));
        Ready { stdout, stderr, cancelled, exited }
    }
}

/// Reads once from a pipe, and closes it at its end; the buffer is empty where there is nothing to read now.
fn read(pipe: &mut Option<OwnedFd>, buffer: &mut Vec<u8>) {
    buffer.clear();
    let Some(fd) = pipe else { return };
    match rustix::io::read(fd, spare_capacity(buffer)) {
        Err(Errno::AGAIN | Errno::INTR) => {}
        Ok(count) if count > 0 => {}
        Ok(_) | Err(_) => *pipe = None,
    }
}

/// Waits for one of the descriptors that there are; tells which are ready. An error or hang-up is something to see to as well.
fn poll_some<const N: usize>(watched: [(Option<BorrowedFd<'_>>, PollFlags); N], left: Option<Duration>) -> [bool; N] {
    let mut ready = [false; N];
    let present = || watched.iter().enumerate().filter_map(|(index, (fd, flags))| Some((index, (*fd)?, *flags)));
    let mut fds: Vec<PollFd<'_>> = present().map(|(_, fd, flags)| PollFd::from_borrowed_fd(fd, flags)).collect();
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    // Interrupted, or out of memory for an instant: nothing is ready, and the caller looks again.
    if poll(&mut fds, left.as_ref()).is_ok() {
        for ((index, ..), fd) in present().zip(&fds) {
            ready[index] = !fd.revents().is_empty();
        }
    }
    ready
}
