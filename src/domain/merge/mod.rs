//! The merge: a pure function of the agreed document and, for each source, what is known of it and what it answered.
//!
//! One N-way step, never a fold of pairs, so that the result does not depend on the order of the sources.
//! The rules are in ARCHITECTURE.md, "The merge", and docs/merging.md; the worked cases in `tests/cases`.

mod root;
mod walk;
mod decide;
mod policy;
mod set;
mod bases;
mod gather;
mod answer;
mod changes;
mod absorb;
mod guide;
mod site;
mod region;
mod piece;
pub mod wire;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::json::Json;
use super::name::SourceName;
use super::pointer::Pointer;
use super::record::{Base, RecordState};
use super::rules::{Fields, Rules};

pub use absorb::{Absorbed, absorb, adds_unseen_member};
pub(in crate::domain) use changes::differences;
pub use region::restrict;

/// What the merge is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    pub state: RecordState,
    pub rules: &'a Rules,
    /// `None` where nothing is agreed: a new record.
    pub agreed: Option<&'a Json>,
    pub copies: BTreeMap<SourceName, Copy<'a>>,
    /// What a person has decided: consulted wherever a conflict would be left, and not subject to policies.
    pub decisions: BTreeMap<Pointer, Decision>,
    /// Places at which any news is a conflict of this kind unless decided; at `""`, the whole of a new item too.
    pub held: BTreeMap<Pointer, ConflictKind>,
}

/// One source in the question.
#[derive(Debug, Clone)]
pub struct Copy<'a> {
    pub fields: &'a Fields,
    pub stand: Stand<'a>,
}

/// How the source stands to the record, and what it answered.
#[derive(Debug, Clone)]
pub enum Stand<'a> {
    Present {
        base: &'a Base,
        current: &'a Json,
    },
    /// Could not be asked, or is not to be believed yet; `last` if it contends in an open conflict.
    Unreachable {
        base: &'a Base,
        last: Option<&'a Json>,
    },
    Missing {
        base: &'a Base,
    },
    Unlinked,
    Detached,
}

/// What a person has decided about one conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// What this source holds there, absence included.
    Take(SourceName),
    Value(Json),
    Absent,
    /// The agreed value, everywhere.
    Keep,
}

/// What the merge answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub state: RecordState,
    pub agreed: Option<Json>,
    /// What took the agreed document to the new one; empty if nothing changed.
    pub patch: Vec<Change>,
    pub copies: BTreeMap<SourceName, Outcome>,
    pub conflicts: Vec<Conflict>,
    pub overruled: Vec<Overruled>,
    /// Decisions that met their conflict; one that did not is stale.
    pub decided: Vec<Pointer>,
    /// The sources on whose absence a removal rests that the policy accepted, whatever `on_delete` makes of it.
    pub removed_by: Vec<SourceName>,
    /// What a person should know and need not act on, such as two elements of a keyed array with one key.
    pub warnings: Vec<String>,
}

/// What becomes of one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub action: Action,
    /// The base if the action fails, or where there is none to take.
    pub unwritten: Base,
    /// The base if the action succeeds and the source stores what it is sent. For a deletion: nothing.
    pub written: Base,
}

/// What is to be done at a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    None,
    Update(Json),
    Create(Json),
    Delete,
    Unlink,
    /// There may be something to do, and it cannot be known or done now.
    Later,
}

/// One step from one agreed document to the next.
///
/// How the birth, the removal and the return of a record look: [`crate::domain::history::Version`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Elements of keyed arrays are named by their key; a set is one place, like every other array.
    pub path: Pointer,
    /// What stood there before; `None`: nothing.
    pub before: Option<Json>,
    /// What stands there now; `None`: nothing.
    pub after: Option<Json>,
    /// The sources whose news this is, sorted; empty for a person's value.
    pub sources: Vec<SourceName>,
}

/// A place on which sources disagree and that the policy leaves to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub path: Pointer,
    pub kind: ConflictKind,
    pub agreed: Option<Json>,
    pub contenders: Vec<Contender>,
}

/// Why there is a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictKind {
    EditEdit,
    EditDelete,
    Held,
    /// A new item matches a record that already has a live copy in its source.
    Match,
    Schema,
    /// Sources keep undoing each other ([`crate::domain::restless`]); those that stand for the agreed value contend too.
    Oscillation,
}

/// A value for which sources stand; `None`: absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    pub sources: Vec<SourceName>,
    pub value: Option<Json>,
}

/// A value that lost, by policy or by a person's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overruled {
    pub path: Pointer,
    pub source: SourceName,
    /// `None`: it had removed what stood there.
    pub value: Option<Json>,
}

/// Merges.
pub fn merge(question: &Question<'_>) -> Answer {
    root::merge(question)
}
