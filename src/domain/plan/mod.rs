//! The plan: from what is known of a record and what its sources answered, to what is recorded and what is written.
//!
//! Pure, like the merge that it rests on. Three steps: settle what is open with what was read, merge, and assemble
//! what follows. See ARCHITECTURE.md, "Decide, then act".

mod assemble;
mod conclude;
mod limits;
mod preview;
mod reclaim;
mod retry;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::json::Json;
use super::key::ForeignKey;
use super::merge::{
    self, Answer, Change, Conflict, ConflictKind, Contender, Copy, Decision, Overruled, Question, Stand,
};
use super::name::SourceName;
use super::pointer::Pointer;
use super::record::RecordState;
use super::record::{Base, Known, Link, OpenOperation, OperationEnd, OperationId, OperationKind, Reading, Record};
use super::rules::{Fields, Rules};
use super::schema::Schema;
use settle::{Settled, Standing};

pub use conclude::{Conclusion, WriteResult, conclude};
pub use limits::{Held, Limited};
pub use preview::{CopyPreview, InvalidShown, Moved, Preview, Prospect, Shown, breaches_at};
pub use reclaim::{Gone, reclaim};
pub use retry::{RetryTerms, Verdict, judge};

/// What the configuration says, as far as a plan depends on it.
#[derive(Debug, Clone)]
pub struct Terms {
    pub rules: Rules,
    /// What an agreed document must keep to.
    pub schema: Option<Schema>,
    pub sources: BTreeMap<SourceName, Traits>,
    /// Look and merge, change nothing.
    pub observe: bool,
    /// How long a copy must be missing to count as deleted, in microseconds.
    pub delete_after: i64,
}

/// What a plan must know of a source.
#[derive(Debug, Clone, Default)]
pub struct Traits {
    pub fields: Fields,
    pub create_is_idempotent: bool,
}

/// What a plan is made of.
#[derive(Debug)]
pub struct Situation<'a> {
    pub known: &'a Known,
    /// One for each linked source that was asked.
    pub readings: &'a BTreeMap<SourceName, Reading>,
    pub terms: &'a Terms,
    pub will: &'a Will,
    /// The sources whose part a limit holds back.
    pub held: &'a Held,
    /// The record is a new item that matches another record which has a live copy in this item's source.
    pub rival: bool,
    /// Places at which sources were just found to undo each other for ever ([`super::restless`]).
    pub stopped: &'a BTreeSet<Pointer>,
}

/// What a person wants of this look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Will {
    Nothing,
    /// Decide these conflicts, all of them or none.
    Resolve(Vec<Resolution>),
    /// Take this version back: the record as it would be without it.
    Undo {
        version: i64,
        state: RecordState,
        agreed: Option<Json>,
        changes: Vec<Change>,
    },
}

/// A person's word on the conflict at a place, if these are still its contenders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    pub conflict: i64,
    pub path: Pointer,
    pub contenders: Vec<Contender>,
    pub decision: Decision,
}

/// What is to be recorded, and then done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// With the next version if anything was decided.
    pub record: Record,
    pub cause: Json,
    pub changes: Vec<Change>,
    pub overruled: Vec<Overruled>,
    pub conflicts: Vec<Conflict>,
    /// The links as they are if every write fails; only those that changed.
    pub links: BTreeMap<SourceName, Link>,
    /// Keys whose copies are gone, with the document that each last held.
    pub retired: Vec<(SourceName, ForeignKey, Option<Json>)>,
    pub ended: Vec<(OperationId, OperationEnd)>,
    pub writes: BTreeMap<SourceName, Write>,
    /// What cannot be known or done now.
    pub owed: BTreeMap<SourceName, Owed>,
    /// Copies that take no part because nobody knows what became of a write.
    pub in_doubt: BTreeMap<SourceName, OpenOperation>,
    /// What of this the limits of the entity bear on.
    pub limited: Limited,
    /// What became of the person's will; [`Fate::Done`] where there was none.
    pub fate: Fate,
    pub warnings: Vec<String>,
}

/// What became of a person's will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Done,
    /// The conflict is not what the person saw: nothing of the will was applied.
    Stale,
    /// It would not come to what the person was shown: nothing of the will was applied.
    Moved(Moved),
    /// The value cannot stand at this place, an element of a keyed array whose key it lacks: nothing of the will was applied.
    Vain(Pointer),
}

/// One write to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub kind: OperationKind,
    /// The copy's key; `None` for a create.
    pub key: Option<ForeignKey>,
    /// What is sent; `None` for a delete.
    pub document: Option<Json>,
    /// The copy's base once this took effect as sent.
    pub carries: Base,
    /// The version of the agreed document that it carries.
    pub version: i64,
    /// The operation that this is another attempt at.
    pub again: Option<OpenOperation>,
    /// The reading on which it rests; `None` for a create.
    pub basis: Option<Json>,
    /// Whether what is stored must be read, whatever `read_back` says.
    pub must_read_back: bool,
}

/// Why something is still owed to a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owed {
    /// Retried for as long as it takes.
    Unreachable(String),
    /// Retried as often as the configuration says, then parked.
    Failed(String),
    /// The run's end is unknown and looking again tells; retried with growing delays.
    Unknown(String),
    /// Not to be looked at before this many microseconds have passed.
    NotBefore(i64),
    /// No retry helps: parked at once.
    Impossible(String),
    /// The copy is missing, and `max_deletes` holds its deletion, which is listed: nothing more is owed.
    DeletionHeld(String),
    /// `max_changes` holds what the copy says: parked, until a person consents.
    ChangeHeld(String),
    /// Things moved; look again at once.
    Moved,
}

/// Plans one look.
pub fn plan(situation: &Situation<'_>) -> Plan {
    let settled: BTreeMap<SourceName, Settled> = situation
        .terms
        .sources
        .iter()
        .map(|(name, traits)| (name.clone(), limits::hold(situation, name, settle::settle(situation, name, traits))))
        .collect();
    let start = Start::of(situation);
    let ask = |held: &BTreeMap<Pointer, ConflictKind>, decisions| {
        merge::merge(&Question {
            state: start.state,
            rules: &situation.terms.rules,
            agreed: start.agreed.as_ref(),
            copies: copies(situation.terms, &settled),
            decisions,
            held: held.clone(),
        })
    };
    let mut held = held(situation);
    let mut first = ask(&held, BTreeMap::new());
    let complaint = complaint(situation, &first);
    if complaint.is_some() {
        held.insert(Pointer::root(), ConflictKind::Schema);
        first = ask(&held, BTreeMap::new());
        first.warnings.extend(complaint);
    }
    first
        .warnings
        .extend(situation.stopped.iter().map(|place| format!("sources keep undoing each other at \"{place}\"")));
    let (answer, fate) = match situation.will {
        Will::Nothing | Will::Undo { .. } => (first, Fate::Done),
        Will::Resolve(resolutions) => {
            let is_unmoved = |Resolution { path, contenders, .. }: &Resolution| {
                first.conflicts.iter().any(|found| found.path == *path && found.contenders == *contenders)
            };
            if resolutions.iter().all(is_unmoved) {
                let decisions = resolutions.iter().map(|each| (each.path.clone(), each.decision.clone()));
                let answer = ask(&held, decisions.collect());
                match resolutions.iter().find(|each| !answer.decided.contains(&each.path)) {
                    None => (answer, Fate::Done),
                    Some(vain) => (first, Fate::Vain(vain.path.clone())),
                }
            } else {
                (first, Fate::Stale)
            }
        }
    };
    let limited = Limited::of(situation, &settled, &answer);
    Plan { limited, ..assemble::assemble(situation, start, settled, answer, fate) }
}

/// The record from which the merge starts: as known, or as an undo makes it.
struct Start {
    state: RecordState,
    agreed: Option<Json>,
    changes: Vec<Change>,
}

impl Start {
    fn of(situation: &Situation<'_>) -> Self {
        let record = &situation.known.record;
        match situation.will {
            Will::Undo { state, agreed, changes, .. } => {
                Self { state: *state, agreed: agreed.clone(), changes: changes.clone() }
            }
            Will::Nothing | Will::Resolve(_) => {
                Self { state: record.state, agreed: record.agreed.clone(), changes: Vec::new() }
            }
        }
    }
}

/// Says in which way the document that would be agreed breaks the entity's schema.
fn complaint(situation: &Situation<'_>, answer: &Answer) -> Option<String> {
    let schema = situation.terms.schema.as_ref()?;
    let agreed = answer.agreed.as_ref().filter(|_| answer.state == RecordState::Live && !answer.patch.is_empty())?;
    schema.complaint(agreed).map(|why| format!("breaks the schema: {why}"))
}

/// Says where news waits for a person, and why; where sources were stopped they stay so until it is decided.
fn held(situation: &Situation<'_>) -> BTreeMap<Pointer, ConflictKind> {
    let open = situation.known.conflicts.iter().map(|open| &open.conflict);
    let stopped = open.filter(|conflict| conflict.kind == ConflictKind::Oscillation).map(|conflict| &conflict.path);
    let stopped = stopped.chain(situation.stopped).map(|place| (place.clone(), ConflictKind::Oscillation));
    stopped.chain(situation.rival.then(|| (Pointer::root(), ConflictKind::Match))).collect()
}

fn copies<'a>(terms: &'a Terms, settled: &'a BTreeMap<SourceName, Settled>) -> BTreeMap<SourceName, Copy<'a>> {
    settled
        .iter()
        .map(|(name, copy)| {
            let fields = terms.sources.get(name).map_or(&None, |traits| &traits.fields);
            (name.clone(), Copy { fields, stand: stand(copy) })
        })
        .collect()
}

fn stand(copy: &Settled) -> Stand<'_> {
    let base = &copy.link.base;
    match &copy.standing {
        Standing::Present(current) => Stand::Present { base, current },
        Standing::Tidied { intended, .. } => Stand::Present { base, current: intended },
        Standing::Away(_) => Stand::Unreachable { base, last: copy.link.last.as_ref() },
        Standing::Missing => Stand::Missing { base },
        Standing::Unlinked => Stand::Unlinked,
        Standing::Detached | Standing::InDoubt | Standing::Repeat => Stand::Detached,
    }
}
