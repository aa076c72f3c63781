//! The threads on which visits are made.
//!
//! Tokio's own do the same, but take turns: each visit wakes one that has slept for long, on another core, while the one that made
//! the last visit goes to sleep. Here whoever was busy last goes on, and may be given something before whoever he has to answer knows.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::lock::whole;

/// How many threads there are at most: each source that is visited has one, and most of them wait for a program or for their throttle.
const MOST: usize = 8192;

/// After what time with nothing to do a thread ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// Threads that may block. They are started when there are too few; those that have had nothing to do for long end, but for one: once the
/// machine has no process left, what is to be done waits for one that is there. Clones are the same.
#[derive(Clone)]
pub struct Crew(Arc<Employer>);

/// What a thread does, for as long as it takes.
pub(super) type Shift = Box<dyn FnOnce() -> Parting + Send>;

/// What is left to do at the end of a shift. It takes no time, and the thread may have been given its next shift before it is done.
pub(super) type Parting = Box<dyn FnOnce() + Send>;

/// Sends the threads away when nobody can give them anything any more.
struct Employer(Arc<Office>);

struct Office {
    roster: Mutex<Roster>,
    patience: Duration,
}

#[derive(Default)]
struct Roster {
    /// Those who have nothing to do; who was busy last stands last.
    idle: Vec<Arc<Seat>>,
    /// What nobody was there for.
    waiting: VecDeque<Shift>,
    threads: Vec<JoinHandle<()>>,
    is_closed: bool,
}

/// Where a thread is given something.
struct Seat {
    given: Mutex<Given>,
    thread: Thread,
}

#[derive(Default)]
enum Given {
    #[default]
    Nothing,
    Shift(Shift),
    Leave,
}

impl Crew {
    /// Starts the first thread.
    ///
    /// # Errors
    /// None can be started.
    pub fn start() -> io::Result<Self> {
        Self::start_with(PATIENCE)
    }

    fn start_with(patience: Duration) -> io::Result<Self> {
        let office = Arc::new(Office { roster: Mutex::default(), patience });
        let first = office.hire()?;
        whole(&office.roster).threads.push(first);
        Ok(Self(Arc::new(Employer(office))))
    }

    /// Has one of the threads do this; if it has ended them, it is dropped.
    pub(super) fn have(&self, shift: Shift) {
        let office = &self.0.0;
        let mut roster = whole(&office.roster);
        if let Some(seat) = roster.idle.pop() {
            drop(roster);
            return seat.give(Given::Shift(shift));
        }
        if roster.is_closed {
            drop(roster);
            return drop(shift);
        }
        roster.waiting.push_back(shift);
        if roster.threads.len() < MOST {
            roster.threads.extend(office.hire());
        }
    }

    /// Lets every thread end what it has begun; drops what nobody has begun. Blocks until all have ended.
    pub(super) fn end(&self) {
        for thread in self.0.0.close() {
            // A panic does not get as far as this.
            drop(thread.join());
        }
    }
}

impl Drop for Employer {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}

impl Office {
    fn hire(self: &Arc<Self>) -> io::Result<JoinHandle<()>> {
        let office = Arc::clone(self);
        thread::Builder::new().name("visits".to_owned()).spawn(move || office.serve())
    }

    /// Sends away who is idle, and the others when they are; gives all of them.
    fn close(&self) -> Vec<JoinHandle<()>> {
        let mut roster = whole(&self.roster);
        roster.is_closed = true;
        let Roster { idle, waiting, threads, .. } = std::mem::take(&mut *roster);
        roster.is_closed = true;
        drop(roster);
        idle.iter().for_each(|seat| seat.give(Given::Leave));
        drop(waiting);
        threads
    }

    /// Does one shift after the other.
    fn serve(&self) {
        let seat = Arc::new(Seat { given: Mutex::default(), thread: thread::current() });
        let mut parting: Parting = Box::new(|| {});
        while let Some(shift) = self.next(&seat, parting) {
            parting = catch_unwind(AssertUnwindSafe(shift)).unwrap_or_else(|_| Box::new(|| {}));
        }
    }

    /// Gives the next shift; `None` if there will be none. The last one is parted from as soon as this thread may be given another.
    fn next(&self, seat: &Arc<Seat>, parting: Parting) -> Option<Shift> {
        let mut roster = whole(&self.roster);
        let next = roster.waiting.pop_front();
        let is_over = next.is_none() && roster.is_closed;
        if next.is_none() && !is_over {
            roster.idle.push(Arc::clone(seat));
        }
        drop(roster);
        drop(catch_unwind(AssertUnwindSafe(parting)));
        if is_over { None } else { next.or_else(|| self.wait(seat)) }
    }

    /// Waits for what is given; `None` if the thread is to leave, or has waited for long.
    fn wait(&self, seat: &Arc<Seat>) -> Option<Shift> {
        loop {
            match seat.take_within(self.patience) {
                Given::Nothing if self.lets_go(seat) => return None,
                Given::Nothing => {}
                Given::Shift(shift) => return Some(shift),
                Given::Leave => return None,
            }
        }
    }

    /// Lets a thread go to which nobody is giving anything, unless it is the last one that has nothing to do.
    fn lets_go(&self, seat: &Arc<Seat>) -> bool {
        let mut roster = whole(&self.roster);
        let place = roster.idle.iter().position(|idle| Arc::ptr_eq(idle, seat));
        let Some(place) = place.filter(|_| roster.idle.len() > 1) else { return false };
        roster.idle.remove(place);
        roster.threads.retain(|thread| thread.thread().id() != seat.thread.id());
        true
    }
}

impl Seat {
    fn give(&self, given: Given) {
        *whole(&self.given) = given;
        self.thread.unpark();
    }

    /// Waits for what is given, so long at most.
    fn take_within(&self, patience: Duration) -> Given {
        let until = Instant::now() + patience;
        loop {
            let given = std::mem::take(&mut *whole(&self.given));
            let left = until.saturating_duration_since(Instant::now());
            match given {
                Given::Nothing if !left.is_zero() => thread::park_timeout(left),
                given => return given,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread::ThreadId;

    use super::*;

    fn crew() -> Crew {
        Crew::start().expect("a thread is left")
    }

    /// Tells at its end, when it may be given the next, on which thread it was.
    fn short(told: &Sender<ThreadId>) -> Shift {
        let told = told.clone();
        Box::new(move || Box::new(move || told.send(thread::current().id()).expect("somebody listens")))
    }

    #[test]
    fn what_follows_an_answer_is_done_by_the_thread_that_gave_it() {
        let (crew, (told, tells)) = (crew(), channel());
        while whole(&crew.0.0.roster).idle.is_empty() {
            thread::yield_now();
        }
        crew.have(short(&told));
        let first = tells.recv().expect("it tells");
        for _ in 0..1000 {
            crew.have(short(&told));
            assert_eq!(tells.recv(), Ok(first));
        }
    }

    #[test]
    fn who_blocks_holds_up_nobody() {
        let (crew, (told, tells)) = (crew(), channel());
        let (go, blocked) = channel::<()>();
        crew.have(Box::new(move || {
            let _ = blocked.recv();
            Box::new(|| {})
        }));
        crew.have(short(&told));
        assert!(tells.recv().is_ok());
        drop(go);
    }

    #[test]
    fn those_who_have_had_nothing_to_do_for_long_leave_but_for_one() {
        let (crew, (told, tells)) = (Crew::start_with(Duration::from_millis(1)).expect("a thread is left"), channel());
        let threads = || whole(&crew.0.0.roster).threads.len();
        for _ in 0..3 {
            let gates: Vec<_> = (0..8).map(|_| channel::<()>()).collect();
            let (go, blocked): (Vec<_>, Vec<_>) = gates.into_iter().unzip();
            for blocked in blocked {
                crew.have(Box::new(move || {
                    let _ = blocked.recv();
                    Box::new(|| {})
                }));
            }
            assert!(threads() >= 8, "each has one of its own");
            drop(go);
            while threads() > 1 {
                thread::yield_now();
            }
            crew.have(short(&told));
            assert!(tells.recv().is_ok());
        }
        crew.end();
    }

    #[test]
    fn a_panic_costs_no_thread() {
        let (crew, (told, tells)) = (crew(), channel());
        crew.have(Box::new(|| panic!("planted")));
        crew.have(Box::new(|| Box::new(|| panic!("planted"))));
        crew.have(short(&told));
        assert!(tells.recv().is_ok());
        crew.end();
    }

    #[test]
    fn what_was_begun_has_ended_at_the_end_and_nothing_is_begun_any_more() {
        let (crew, (told, tells)) = (crew(), channel());
        let ((here, arrived), (go, blocked)) = (channel(), channel::<()>());
        let of_long = told.clone();
        crew.have(Box::new(move || {
            here.send(()).expect("somebody listens");
            let _ = blocked.recv();
            Box::new(move || of_long.send(thread::current().id()).expect("somebody listens"))
        }));
        arrived.recv().expect("it has begun");
        let ended = thread::spawn({
            let crew = crew.clone();
            move || crew.end()
        });
        while !whole(&crew.0.0.roster).is_closed {
            thread::yield_now();
        }
        assert!(!ended.is_finished() && tells.try_recv().is_err());
        go.send(()).expect("it waits");
        ended.join().expect("it ends");
        assert!(tells.try_recv().is_ok());
        crew.have(short(&told));
        drop((told, crew));
        assert!(tells.recv().is_err(), "it was dropped");
    }
}
