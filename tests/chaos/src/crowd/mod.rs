//! Everybody who is not retcon: users, the systems themselves, and the people who decide what retcon leaves to them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::books::{EntityFacts, Facts, RunDir, SourceFacts};
use crate::client;
use crate::stage::daemon;

pub mod document;
pub mod users;
mod moments;
pub mod people;
pub mod systems;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(25);
/// Users hold back while more work than this waits: what is not served cannot be judged.
const BACKLOG: i64 = 25;

/// What all of them know.
#[derive(Debug)]
pub struct Crowd {
    pub run: RunDir,
    pub facts: Facts,
    /// Users edit while this is true.
    is_busy: AtomicBool,
    /// Systems and people go on while this is true.
    is_there: AtomicBool,
    /// Each class of fault on the list has fired once.
    is_tried: AtomicBool,
    backlog: AtomicI64,
    edits: AtomicU64,
    /// Notifications that are still to be acknowledged.
    unheard: AtomicI64,
    /// Users who have not gone home yet.
    users: AtomicI64,
}

/// Somebody is there for as long as this is kept.
#[derive(Debug)]
pub struct Present<'a>(&'a AtomicI64);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Crowd {
    pub fn new(run: RunDir, facts: Facts) -> Self {
        let yes = || AtomicBool::new(true);
        let none = || AtomicI64::new(0);
        Self {
            run,
            facts,
            is_busy: yes(),
            is_there: yes(),
            is_tried: AtomicBool::new(false),
            backlog: none(),
            edits: AtomicU64::new(0),
            unheard: none(),
            users: none(),
        }
    }

    /// Takes in that a user has come.
    pub fn come(&self) -> Present<'_> {
        self.users.fetch_add(1, Ordering::SeqCst);
        Present(&self.users)
    }

    /// Tells how many users have not gone home yet.
    pub fn users(&self) -> i64 {
        self.users.load(Ordering::SeqCst)
    }

    /// Gives a source of an entity.
    pub fn place(&self, entity: &str, source: &str) -> Option<(&EntityFacts, &SourceFacts)> {
        let entity = self.facts.entities.iter().find(|found| found.name == entity)?;
        Some((entity, entity.sources.iter().find(|found| found.name == source)?))
    }

    pub fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::SeqCst)
    }

    pub fn is_there(&self) -> bool {
        self.is_there.load(Ordering::SeqCst)
    }

    /// Sends the users home.
    pub fn calm(&self) {
        self.is_busy.store(false, Ordering::SeqCst);
    }

    /// Says that each class of fault on the list has fired.
    pub fn set_tried(&self) {
        self.is_tried.store(true, Ordering::SeqCst);
    }

    /// Tells whether each class of fault that daemons and their database can suffer has fired.
    pub fn is_tried(&self) -> bool {
        self.is_tried.load(Ordering::SeqCst)
    }

    /// Sends everybody home.
    pub fn dismiss(&self) {
        self.calm();
        self.is_there.store(false, Ordering::SeqCst);
    }

    /// Tells how often users have changed something.
    pub fn edits(&self) -> u64 {
        self.edits.load(Ordering::SeqCst)
    }

    /// Tells how many notifications are still to be acknowledged.
    pub fn unheard(&self) -> i64 {
        self.unheard.load(Ordering::SeqCst)
    }

    fn is_backed_up(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) > BACKLOG
    }

    /// Notifies the daemons of a copy until one of them acknowledges it.
    pub fn tell(&self, client: &str, copy: (&str, &str, &str)) {
        self.unheard.fetch_add(1, Ordering::SeqCst);
        while self.is_there() {
            if (1..=self.facts.daemons).any(|daemon| client::notify(&self.run, client, daemon, copy, PATIENCE)) {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        self.unheard.fetch_sub(1, Ordering::SeqCst);
    }

    /// Keeps an eye on how much work waits.
    pub fn watch(&self) {
        while self.is_there() {
            let status = (1..=self.facts.daemons).find_map(|number| daemon::get(&self.run, number, "/v1/status"));
            if let Some(status) = status {
                let entities = status["entities"].as_array().cloned().unwrap_or_default();
                let count = |entity: &serde_json::Value| {
                    let states = ["ready", "running", "waiting"];
                    states.iter().filter_map(|state| entity["queue"][state].as_i64()).sum::<i64>()
                };
                self.backlog.store(entities.iter().map(count).sum(), Ordering::Relaxed);
            }
            thread::sleep(Duration::from_secs(1));
        }
    }
}
