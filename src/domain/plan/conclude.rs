//! Concluding: what came of a write, as far as the copy, its key and its operation go.

use crate::domain::json::Json;
use crate::domain::key::ForeignKey;
use crate::domain::matching;
use crate::domain::merge;
use crate::domain::record::{Base, Link, LinkState, OpenOperation, OperationEnd, OperationKind, OperationState};
use crate::domain::rules::Rules;

use super::{Owed, Traits, Write};

/// How a write ended at its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteResult {
    /// It took effect.
    Done {
        /// A create's key, or the one that took the former key's place.
        key: Option<ForeignKey>,
        /// What is stored now, where it was read again.
        stored: Option<Json>,
    },
    /// The copy is no longer as it was read: nothing was started.
    Moved,
    /// The source is down or paused: nothing was started.
    Held(String),
    /// Exit 1.
    Unreachable(String),
    /// Exit 2 of an update.
    Missing(String),
    /// Exit 3.
    Rejected(String),
    /// Another status, a signal, a flood: looking again tells.
    Unknown(String),
    /// Its time was up: looking again tells.
    TimedOut(String),
    /// No reading can tell: a create that did not give its key, an update that gave no good one.
    InDoubt(String),
    /// The program could not be started.
    NotStarted(String),
    /// The configuration gives no program for it.
    Unsupported(String),
}

/// What is to be recorded of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    pub link: Link,
    /// The copy's new key.
    pub key: Option<ForeignKey>,
    /// The key of a copy that is gone, with the document it last held.
    pub retired: Option<(ForeignKey, Option<Json>)>,
    pub ended: Option<OperationEnd>,
    /// The operation as it stays open, with its last end in words.
    pub open: Option<(OpenOperation, String)>,
    pub tidied: bool,
    pub owed: Option<Owed>,
    pub in_doubt: bool,
}

/// Draws the conclusion from the end of `write`, whose intent `operation` was recorded with `link` as if it had failed.
pub fn conclude(
    link: &Link,
    write: &Write,
    operation: &OpenOperation,
    result: &WriteResult,
    traits: &Traits,
    rules: &Rules,
) -> Conclusion {
    let earlier = may_have_taken_effect(write);
    let open = |may_have_taken_effect, state, why: &str, owed| Conclusion {
        link: Link { last_error: Some(why.to_owned()), in_step: false, ..link.clone() },
        key: None,
        retired: None,
        ended: None,
        open: Some((OpenOperation { may_have_taken_effect, state, ..operation.clone() }, why.to_owned())),
        tidied: false,
        in_doubt: state == OperationState::InDoubt,
        owed,
    };
    // A create in doubt stays so, whatever stopped another attempt at it.
    let back = match write.again.as_ref().map(|again| again.state) {
        Some(OperationState::InDoubt) => OperationState::InDoubt,
        Some(OperationState::InFlight | OperationState::Open) | None => OperationState::Open,
    };
    match result {
        WriteResult::Done { key, stored } => done(link, write, key.as_ref(), stored.as_ref(), traits, rules),
        WriteResult::Moved => open(earlier, back, "the copy changed before it could be written", Some(Owed::Moved)),
        WriteResult::Held(why) => open(earlier, back, why, Some(Owed::Unreachable(why.clone()))),
        WriteResult::Unreachable(why) => open(true, back, why, Some(Owed::Unreachable(why.clone()))),
        WriteResult::Missing(why) => open(earlier, back, why, Some(Owed::Unknown(why.clone()))),
        WriteResult::Rejected(why) => open(earlier, back, why, Some(Owed::Failed(why.clone()))),
        WriteResult::Unknown(why) => open(true, back, why, Some(Owed::Failed(why.clone()))),
        WriteResult::TimedOut(why) => open(true, back, why, Some(Owed::Unknown(why.clone()))),
        WriteResult::InDoubt(why) => open(true, OperationState::InDoubt, why, None),
        WriteResult::NotStarted(why) => open(earlier, back, why, Some(Owed::Failed(why.clone()))),
        WriteResult::Unsupported(why) => open(earlier, back, why, Some(Owed::Impossible(why.clone()))),
    }
}

/// Tells whether an attempt before may have taken effect.
fn may_have_taken_effect(write: &Write) -> bool {
    write.again.as_ref().is_some_and(|again| again.may_have_taken_effect)
}

fn done(
    link: &Link,
    write: &Write,
    key: Option<&ForeignKey>,
    stored: Option<&Json>,
    traits: &Traits,
    rules: &Rules,
) -> Conclusion {
    let mut conclusion = Conclusion {
        link: Link { last_error: None, ..link.clone() },
        key: None,
        retired: None,
        ended: Some(OperationEnd::Done { key: key.cloned().or_else(|| write.key.clone()) }),
        open: None,
        tidied: false,
        owed: None,
        in_doubt: false,
    };
    let link = &mut conclusion.link;
    if write.kind == OperationKind::Delete {
        conclusion.retired = link.key.take().map(|key| (key, write.basis.clone()));
        *link = Link { in_step: true, ..Link::unlinked() };
        return conclusion;
    }
    link.state = LinkState::Linked;
    link.base = write.carries.clone();
    link.in_step = link.last.is_none();
    // It goes on contending with what it holds now: by what was read before, it would take our write back.
    link.last = link.last.take().and_then(|_| stored.or(write.document.as_ref()).cloned());
    if let Some(key) = key {
        link.key = Some(key.clone());
        conclusion.key = Some(key.clone());
    }
    let (Some(sent), Some(stored)) = (&write.document, stored) else { return conclusion };
    let may_be_edited = write.kind == OperationKind::Create && may_have_taken_effect(write);
    if may_be_edited && !matching::is_what_was_sent(sent, stored, &traits.fields, rules) {
        // An attempt before may have made it, and somebody have edited it since: what it says is weighed like a new copy's.
        link.base = Base { ack: None, ..write.carries.clone() };
        conclusion.owed = Some(Owed::Moved);
    } else {
        let before = write.basis.as_ref().and_then(|basis| merge::restrict(basis, &traits.fields));
        let absorbed = merge::absorb(sent, before.as_ref(), stored, &write.carries, &traits.fields, rules);
        link.base = Base { shadow: absorbed.shadow, ..write.carries.clone() };
        conclusion.tidied = absorbed.tidied;
        conclusion.owed = absorbed.follow_up.then_some(Owed::Moved);
    }
    conclusion
}

impl WriteResult {
    /// The end of a write that was begun and whose end was lost, because of `why`.
    pub fn lost(kind: OperationKind, why: String) -> Self {
        match kind {
            OperationKind::Create => Self::InDoubt(why),
            OperationKind::Update | OperationKind::Delete => Self::TimedOut(why),
        }
    }
}
