//! What was set up, and when what began.

use serde::{Deserialize, Serialize};

use crate::clock::Micros;

/// `facts.json`: written when a run begins, and again at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub seed: u64,
    pub seconds: u64,
    pub entities: Vec<EntityFacts>,
    pub database: DatabaseFacts,
    /// The name of the bug that was planted into the daemons.
    pub plant: Option<String>,
    /// The classes of fault on this run's list: each must fire.
    pub classes: Vec<String>,
    /// How many daemons there are.
    pub daemons: u32,
    pub deadlines: Deadlines,
    pub phases: Phases,
    /// Why the run did not come to rest; nothing if it did.
    pub unrest: Option<String>,
}

/// An entity as it is configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityFacts {
    pub name: String,
    pub merge_policy: String,
    pub on_delete: String,
    /// The pointers of `match`; none: there is no `match`.
    #[serde(rename = "match")]
    pub matching: Vec<String>,
    pub throttle: Option<Throttle>,
    /// `retry.attempts`.
    pub attempts: u32,
    pub sources: Vec<SourceFacts>,
}

/// The widest that the throttle ever was: reloads change it within these bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Throttle {
    /// Starts a second.
    pub rate: f64,
    pub burst: u32,
}

/// A source's traits, which stay the same for the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceFacts {
    pub name: String,
    pub find: bool,
    pub list: bool,
    /// `create_is_idempotent`.
    pub idempotent: bool,
    pub tidies: Tidying,
    /// Its updates may give the item another key.
    pub rekeys: bool,
    /// It compares `RETCON_EXPECTED_SHA256` before it changes anything.
    pub compares: bool,
    /// It tells the daemon of a new key before its program prints it.
    pub talks_first: bool,
    /// The pointers of `fields`; none: all of the document.
    pub fields: Vec<String>,
    /// `timeout` of a run, in microseconds.
    pub timeout: Micros,
}

/// What a system makes of the values that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tidying {
    /// It keeps them.
    Never,
    /// It trims blanks off both ends of every string as it stores it.
    AtWrite,
    /// It trims them some time later, as a change of its own (`author = 'source'`), and tells the daemon.
    Later,
}

/// Where retcon's database is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// For the checker: the server that is primary at the end, past no proxy.
    pub url: String,
    /// What the daemons were given.
    pub daemon_url: String,
}

/// How long what may take, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// From the healing to rest.
    pub rest: Micros,
    /// For how long nothing may happen at rest.
    pub quiet: Micros,
}

/// When which part of the run began; absent if it did not come to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Phases {
    pub began: Micros,
    /// The users and the nemesis stopped.
    pub calm: Option<Micros>,
    /// Every fault was healed.
    pub healed: Option<Micros>,
    /// No work was ready, running or waiting, and nobody waited for a person.
    pub rest: Option<Micros>,
    /// The time of quiet was over; what happens afterwards is the end of the daemons.
    pub ended: Option<Micros>,
}
