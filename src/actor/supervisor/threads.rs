//! The threads that entities and their sources share.

use std::io;
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle};
use tokio::runtime::{Builder, Runtime};

use super::super::crew::Crew;

/// How many there are.
const THREADS: usize = 2;
/// How many calls may block at the same time beside one of these threads. None of theirs does: visits have threads of their own.
const BLOCKED: usize = 1;

/// The threads, taken in turn: an entity and its sources are on one. With them those on which all sources are visited.
pub(super) struct Threads {
    arbiters: Vec<Arbiter>,
    turn: usize,
    crew: Crew,
}

impl Threads {
    pub(super) fn start() -> Self {
        let crew = Crew::start().expect("a thread can be started: others were started a moment ago");
        Self { arbiters: Vec::new(), turn: 0, crew }
    }

    /// Gives those on which sources are visited.
    pub(super) fn crew(&self) -> Crew {
        self.crew.clone()
    }

    /// Gives the next one; one that is gone is replaced.
    pub(super) fn next(&mut self) -> ArbiterHandle {
        let number = self.turn % THREADS;
        self.turn += 1;
        match self.arbiters.get_mut(number) {
            Some(arbiter) if arbiter.handle().spawn_fn(|| {}) => {}
            Some(gone) => *gone = arbiter(),
            None => self.arbiters.push(arbiter()),
        }
        self.arbiters[number].handle()
    }

    /// Ends them; waits for those that have something left to do.
    pub(super) fn end(&mut self) {
        for arbiter in self.arbiters.drain(..) {
            arbiter.stop();
            drop(arbiter.join());
        }
        self.crew.end();
    }
}

fn arbiter() -> Arbiter {
    Arbiter::with_tokio_rt(|| {
        runtime(BLOCKED).expect("a thread's runtime can be built: nothing but descriptors is asked for")
    })
}

/// Builds a runtime for one thread, on which up to `blocked` calls may block besides.
///
/// The first of the threads for those is started now, and none of them ends: once the machine has no process left, a call waits
/// for one of them. Where there is none, tokio panics.
/// # Errors
/// If no descriptor is left.
pub fn runtime(blocked: usize) -> io::Result<Runtime> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(blocked)
        .thread_keep_alive(Duration::MAX)
        .build()?;
    drop(runtime.spawn_blocking(|| {}));
    Ok(runtime)
}
