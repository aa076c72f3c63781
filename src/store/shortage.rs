//! A database server that is short of something, of room on its disk most likely: it can be read, and nothing can be stored.
//!
//! PostgreSQL refuses a statement only when it needs a new page, so of those that follow one may succeed and the next fail. If
//! work were begun after each success, programs would be run for results that cannot be recorded. So from the first refusal on
//! nothing is written until there is room again, by a question that needs some megabytes of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slog::{Logger, error, info};

use super::Store;
use super::error::{Cause, StoreError};
use crate::log::key;

/// The pauses between two questions, doubling from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// How long an answer is waited for before another may ask.
const ANSWER: Duration = Duration::from_secs(20);
/// How long after a shortage another one counts as the same.
const RELAPSE: Duration = Duration::from_secs(60);

/// Sorts what does not fit in memory, so that it is written to the disk; nothing of it stays.
const NEEDS_ROOM: &str = "begin; set local work_mem = '64kB'; \
     select count(*) from (select repeat(md5(n::text), 64) as line from generate_series(1, 2000) as n order by line offset 1) as lines; \
     commit";

/// What the server is short of.
pub(super) struct Shortage {
    state: Mutex<State>,
    log: Logger,
}

struct State {
    now: Option<Short>,
    /// The pause before the next question, and when the last shortage ended.
    pause: Duration,
    ended: Option<Instant>,
}

#[derive(Clone)]
struct Short {
    text: String,
    next_question: Instant,
}

/// What is to be done before something is written.
enum Gate {
    Open,
    Shut(String),
    /// This request is the one that asks.
    Ask,
}

impl Shortage {
    pub(super) fn new(log: Logger) -> Self {
        Self { state: Mutex::new(State { now: None, pause: PAUSES.0, ended: None }), log }
    }

    pub(super) fn text(&self) -> Option<String> {
        self.state().now.as_ref().map(|short| short.text.clone())
    }

    /// Notes that the server refused for want of something.
    pub(super) fn begin(&self, text: String) {
        let mut state = self.state();
        if state.now.is_some() {
            return;
        }
        error!(self.log, "database short of resources"; key::ERROR => &text);
        if state.ended.is_none_or(|ended| ended.elapsed() >= RELAPSE) {
            state.pause = PAUSES.0;
        }
        let next_question = Instant::now() + state.pause;
        state.now = Some(Short { text, next_question });
    }

    /// Notes that there is no room yet: it is asked for again after a longer pause.
    fn go_on(&self) {
        let mut state = self.state();
        state.pause = (state.pause * 2).min(PAUSES.1);
        let next_question = Instant::now() + state.pause;
        if let Some(short) = &mut state.now {
            short.next_question = next_question;
        }
    }

    fn end(&self) {
        let mut state = self.state();
        if state.now.take().is_some() {
            info!(self.log, "database has room again");
            state.ended = Some(Instant::now());
        }
    }

    fn gate(&self) -> Gate {
        let mut state = self.state();
        let Some(short) = &mut state.now else { return Gate::Open };
        let now = Instant::now();
        if now < short.next_question {
            return Gate::Shut(short.text.clone());
        }
        // Whoever asks may be gone before the answer.
        short.next_question = now + ANSWER;
        Gate::Ask
    }

    /// A panic while it was open has left nothing half-written.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Lets a request through that writes, unless the server is known to be short of what it needs.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it is, or if the database is away.
    pub(super) async fn may_write(&self) -> Result<(), StoreError> {
        match self.shortage.gate() {
            Gate::Open => Ok(()),
            Gate::Shut(text) => Err(StoreError::Unavailable(Box::new(Cause::Short(text)))),
            Gate::Ask => self.ask_for_room().await,
        }
    }

    async fn ask_for_room(&self) -> Result<(), StoreError> {
        let session = self.session().await.inspect_err(|_| self.shortage.go_on())?;
        let answer = tokio::time::timeout(ANSWER, session.batch_execute(NEEDS_ROOM)).await;
        let error = match answer {
            Ok(Ok(())) => {
                self.shortage.end();
                return Ok(());
            }
            Ok(Err(error)) => StoreError::of("ask for room", error),
            Err(_) => StoreError::Unavailable(Box::new(Cause::Silent(ANSWER))),
        };
        self.end(session);
        self.shortage.go_on();
        Err(error)
    }

    /// Takes note of an error that tells of a shortage.
    pub(super) fn note(&self, error: &StoreError) {
        if let Some(text) = error.shortage() {
            self.shortage.begin(text.to_owned());
        }
    }
}
