//! What a guardian's process does, from its start to its end.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, setsid};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};
use slog::{Logger, error, warn};

use super::super::boot_time::BootTime;
use super::super::process::mark::Family;
use super::super::process::setup;
use super::super::process::table::{self, Ending};
use super::inbox::Inbox;
use super::message::Message;
use crate::config::model::{LogFormat, Severity};

/// The pauses between two looks at whether what was killed is gone: doubling from the first to the second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// For how long messages gather while programs come and go: to be woken for each would cost more than all else of a run. The pipe
/// holds far more than comes in that time, and nothing is judged before all of it was read.
const GATHER: Duration = Duration::from_millis(100);

/// After this long it is said what does not go.
const LONG: Duration = Duration::from_secs(5);

/// Signals that are meant for the daemon; its end is noticed by the pipe.
const IGNORED: [libc::c_int; 6] =
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// What a guardian is started with.
pub(super) struct Orders {
    pub(super) family: Family,
    pub(super) level: Severity,
    pub(super) format: LogFormat,
}

/// A guardian on duty.
struct Duty {
    family: Family,
    groups: HashSet<Pid>,
    /// Until then the daemon may run programs; `None`: for ever.
    alive_until: Option<BootTime>,
    timer: OwnedFd,
    /// All that were ever killed.
    killed: HashSet<Pid>,
    /// Those of them that may not be gone yet.
    ending: HashMap<Pid, Ending>,
    /// Whether it has been said that the daemon is silent.
    told: bool,
    log: Logger,
}

/// Stands guard until the daemon is gone and nothing of its programs is left.
///
/// Standard input is the pipe from the daemon; standard output is the lock, which is only held.
pub(super) fn stand(orders: &Orders) -> ExitCode {
    setup::ignore(&IGNORED);
    setup::close_others();
    // Fails for the leader of a group, which is as far from the daemon's terminal already.
    let _ = setsid();
    let _ = rustix::thread::set_name(super::THREAD);
    let (log, _guard) = crate::log::to_stderr(orders.level, orders.format);
    let timer = match timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC) {
        Ok(timer) => timer,
        Err(error) => {
            error!(log, "guardian cannot go on"; "error" => %error);
            return ExitCode::FAILURE;
        }
    };
    let (groups, killed) = (HashSet::new(), HashSet::new());
    let ending = HashMap::new();
    let duty = Duty { family: orders.family, groups, alive_until: None, timer, killed, ending, told: false, log };
    duty.stand(Inbox::new(rustix::stdio::stdin()));
    ExitCode::SUCCESS
}

impl Duty {
    fn stand(mut self, mut inbox: Inbox<'_>) {
        let mut pause = PAUSE.0;
        // Where one message came, more are about to: they are left to gather.
        let mut gather = false;
        loop {
            let silent = self.is_silent();
            let again = silent && self.strike() > 0;
            pause = if again { (pause * 2).min(PAUSE.1) } else { PAUSE.0 };
            if silent {
                self.tell_of_silence();
            }
            gather &= !silent;
            // A silent daemon can only be heard again.
            let timer = (!silent).then(|| self.timer.as_fd());
            let pipe = if gather { PollFlags::empty() } else { PollFlags::IN };
            wait(inbox.pipe(), pipe, timer, again.then_some(pause).or(gather.then_some(GATHER)));
            gather = false;
            while is_readable(inbox.pipe()) {
                match inbox.receive() {
                    Some(messages) => messages.for_each(|message| self.take(message)),
                    None => return self.finish(),
                }
                gather = true;
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Started(group) => drop(self.groups.insert(group)),
            Message::Ended(group) => drop(self.groups.remove(&group)),
            Message::AliveUntil(until) => {
                self.alive_until = Some(until);
                self.told = false;
                let once = Timespec { tv_sec: 0, tv_nsec: 0 };
                let at = Itimerspec { it_interval: once, it_value: until.timespec() };
                // Fails for no timer of this kind.
                let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &at);
            }
        }
    }

    fn is_silent(&self) -> bool {
        self.alive_until.is_some_and(|until| until <= BootTime::now())
    }

    /// Kills what there is of the daemon's programs; tells how many processes are not gone yet.
    fn strike(&mut self) -> usize {
        // One that is gone may soon be somebody else's number.
        self.groups.retain(|group| kill_process_group(*group, Signal::KILL) != Err(Errno::SRCH));
        self.ending.retain(|_, ending| !ending.is_over_within(Duration::ZERO));
        let kill = |pid: Pid| Some((pid, table::kill_if(pid, |pid| self.is_ours(pid))?));
        let found: Vec<(Pid, Ending)> = table::all().into_iter().filter_map(kill).collect();
        self.killed.extend(found.iter().map(|(pid, _)| pid));
        for (pid, ending) in found {
            self.ending.entry(pid).or_insert(ending);
        }
        self.ending.len()
    }

    /// Tells whether a process is of one of the daemon's programs.
    ///
    /// The pipe closes, and time passes, only after what the daemon was starting bears its mark: a process that is being made
    /// has a copy of the pipe until then.
    fn is_ours(&self, pid: Pid) -> bool {
        let in_group =
            |kin: table::Kin| !kin.is_dead && Pid::from_raw(kin.group).is_some_and(|id| self.groups.contains(&id));
        self.family.is_on(pid) || table::kin(pid).is_some_and(in_group)
    }

    fn tell_of_silence(&mut self) {
        if !self.killed.is_empty() && !std::mem::replace(&mut self.told, true) {
            error!(self.log, "daemon silent beyond its lease, its programs are killed"; "processes" => self.killed.len());
        }
    }

    /// Kills all that the daemon left running, and waits until it is gone.
    fn finish(mut self) {
        self.killed.clear();
        let start = Instant::now();
        let (mut pause, mut told) = (PAUSE.0, false);
        loop {
            let left = self.strike();
            if left == 0 {
                break;
            }
            if start.elapsed() > LONG && !std::mem::replace(&mut told, true) {
                error!(self.log, "programs of a daemon that is gone do not end"; "processes" => left);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE.1);
        }
        if !self.killed.is_empty() {
            warn!(self.log, "programs of a daemon that is gone were killed"; "processes" => self.killed.len());
        }
    }
}

/// Waits for what is asked for of the pipe, for its end in any case, for the timer, or for `at_most`.
fn wait(pipe: BorrowedFd<'_>, of_pipe: PollFlags, timer: Option<BorrowedFd<'_>>, at_most: Option<Duration>) {
    let timer = timer.map(|timer| PollFd::from_borrowed_fd(timer, PollFlags::IN));
    let mut fds: Vec<PollFd<'_>> = [PollFd::from_borrowed_fd(pipe, of_pipe)].into_iter().chain(timer).collect();
    let at_most = at_most.and_then(|at_most| Timespec::try_from(at_most).ok());
    // Interrupted: whoever asked looks at what there is.
    let _ = poll(&mut fds, at_most.as_ref());
}

/// Tells whether the pipe has something, or has come to its end.
fn is_readable(pipe: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(pipe, PollFlags::IN)];
    match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(_) => !fds[0].revents().is_empty(),
        Err(Errno::INTR) => false,
        // Reading waits as well.
        Err(_) => true,
    }
}
