//! The lines of the books that are appended to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Micros;

/// `runs/ENTITY.SOURCE.jsonl`: the start and the end of each run; one that was killed has no end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLine {
    /// Names the run.
    pub run: String,
    pub at: Micros,
    #[serde(flatten)]
    pub event: RunEvent,
}

/// What is said of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum RunEvent {
    Start {
        pid: u32,
        /// Who started it: a daemon's process.
        parent: u32,
        operation: String,
        entity: String,
        source: String,
        /// The key on the command line.
        key: Option<String>,
        /// `RETCON_INTERNAL_KEY`.
        record: Option<String>,
        operation_id: Option<String>,
        /// `RETCON_EXPECTED_SHA256`.
        expected: Option<String>,
        /// The numbers of the configuration that this run was made under, from two settings that change together.
        config: [String; 2],
    },
    /// Another run held what this one must have for itself.
    Overlap {
        /// `source` or `record`.
        of: String,
        /// The run that held it, if that is known.
        other: Option<String>,
    },
    /// It made a fault; said before the fault is made.
    Fault { class: String },
    End {
        exit: i32,
        /// What it printed, at most its first 300 characters.
        printed: Option<String>,
    },
}

/// `clients.jsonl`: one notification or several, posted to a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientLine {
    /// Who sent it: `user:3`, `sim`, `system`.
    pub client: String,
    /// Which daemon it was sent to.
    pub daemon: u32,
    /// Before the first byte was sent.
    pub sent: Micros,
    /// When the whole answer was there; absent if there was none.
    pub answered: Option<Micros>,
    pub status: Option<u16>,
    pub items: Vec<NotifiedItem>,
}

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedItem {
    pub entity: String,
    pub source: String,
    pub key: String,
    /// Its work item, if it was acknowledged.
    pub work_item: Option<i64>,
    pub coalesced: Option<bool>,
}

/// `people.jsonl`: what people order of daemons, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum PeopleLine {
    /// Entered before the first byte is sent: from now on it may be carried out.
    Order(Order),
    /// The whole answer to the order of that number.
    Answer { number: u64, at: Micros, answer: Answer },
    /// Nobody listened: not a byte of it was sent.
    Unheard { number: u64 },
    /// A doubt was gone before a person settled it.
    FoundOut { at: Micros, doubt: String },
}

/// What a person orders of one daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// From 1; another one for each daemon that is asked.
    pub number: u64,
    pub at: Micros,
    /// Which daemon it is sent to.
    pub daemon: u32,
    /// `resolve`, `settle`, `retry`.
    pub kind: String,
    pub entity: Option<String>,
    pub record: Option<i64>,
    /// The number of the conflict, doubt or work item.
    pub subject: String,
    /// What the person saw before deciding, as the daemon showed it.
    pub seen: Value,
    /// What was asked for: the body of the request.
    pub asked: Value,
}

/// What a daemon answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

/// An order that was sent, and its answer, if there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub order: Order,
    pub answer: Option<Answer>,
}

impl Decision {
    /// Whether the daemon said that it has it, or has done it.
    pub fn is_accepted(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| (200..300).contains(&answer.status))
    }

    /// Whether it may have been carried out: who got no answer, or one that says that something is wrong with the daemon, cannot know.
    pub fn may_apply(&self) -> bool {
        self.answer.as_ref().is_none_or(|answer| !(300..500).contains(&answer.status))
    }
}

/// Puts orders and answers together; leaves out what was never sent.
pub(super) fn pair(lines: Vec<PeopleLine>) -> Vec<Decision> {
    let mut decisions: BTreeMap<u64, Decision> = BTreeMap::new();
    for line in lines {
        match line {
            PeopleLine::Order(order) => drop(decisions.insert(order.number, Decision { order, answer: None })),
            PeopleLine::Answer { number, answer, .. } => {
                if let Some(decision) = decisions.get_mut(&number) {
                    decision.answer = Some(answer);
                }
            }
            PeopleLine::Unheard { number } => drop(decisions.remove(&number)),
            PeopleLine::FoundOut { .. } => {}
        }
    }
    decisions.into_values().collect()
}

/// `faults.jsonl`: what the nemesis did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultLine {
    pub at: Micros,
    pub class: String,
    /// What was broken: `daemon 1`, `customer.crm`, `primary`.
    pub target: String,
    pub phase: FaultPhase,
    pub detail: String,
}

/// How far a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultPhase {
    /// It was ordered.
    Begin,
    /// It took effect.
    Fired,
    /// What it broke works again; from `Fired` to here is the recovery time.
    End,
}
