//! Limits: what of a plan rests on a source's word alone, and what becomes of it where a limit is reached.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::key::ForeignKey;
use crate::domain::merge::Answer;
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::record::{Link, RecordState};

use super::settle::{Settled, Standing};
use super::{Owed, Situation};

/// The sources whose part in a look a limit holds back, each with the reason, for people.
///
/// Their readings count as unreachable: what is missing there is no removal, and what was edited no edit.
pub type Held = BTreeMap<SourceName, String>;

/// What of a plan the limits of its entity bear on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limited {
    /// The sources on whose absence an accepted removal rests.
    pub removed_by: Vec<SourceName>,
    /// The sources whose changes are accepted in this look, without a person's word: each counts once.
    pub changed_by: BTreeSet<SourceName>,
    /// The copies that are missing and whose deletion is held.
    pub held: Vec<(SourceName, ForeignKey)>,
    /// The sources whose copy was found missing before, and of which no deletion waits any more: it shows again, or its absence
    /// is dealt with.
    pub over: Vec<SourceName>,
}

impl Limited {
    pub(super) fn of(situation: &Situation<'_>, settled: &BTreeMap<SourceName, Settled>, answer: &Answer) -> Self {
        Self {
            removed_by: answer.removed_by.clone(),
            changed_by: changed_by(settled, answer),
            held: settled.iter().filter_map(held).collect(),
            over: settled.iter().filter(|(name, copy)| is_over(situation, name, copy)).map(name).collect(),
        }
    }
}

fn name((name, _): (&SourceName, &Settled)) -> SourceName {
    name.clone()
}

/// Names those whose own readings changed the agreed document; a removal is none of these, nor is what a person decided.
fn changed_by(settled: &BTreeMap<SourceName, Settled>, answer: &Answer) -> BTreeSet<SourceName> {
    if answer.state == RecordState::Deleted {
        return BTreeSet::new();
    }
    let is_decided = |path| answer.decided.iter().any(|decided| Pointer::starts_with(path, decided));
    // What contends with its last reading, and cannot be asked now, was not read in this look.
    let is_read =
        |name: &&SourceName| settled.get(*name).is_some_and(|copy| matches!(copy.standing, Standing::Present(_)));
    let changes = answer.patch.iter().filter(|change| !is_decided(&change.path));
    changes.flat_map(|change| &change.sources).filter(is_read).cloned().collect()
}

fn held((name, copy): (&SourceName, &Settled)) -> Option<(SourceName, ForeignKey)> {
    match &copy.standing {
        Standing::Away(Owed::DeletionHeld(_)) => copy.link.key.clone().map(|key| (name.clone(), key)),
        _ => None,
    }
}

fn is_over(situation: &Situation<'_>, name: &SourceName, copy: &Settled) -> bool {
    let was_missing = |link: &Link| link.missing_since.is_some();
    situation.known.links.get(name).is_some_and(was_missing) && !matches!(copy.standing, Standing::Away(_))
}

/// Takes a copy out of the merge whose part a limit holds back.
pub(super) fn hold(situation: &Situation<'_>, name: &SourceName, copy: Settled) -> Settled {
    let Some(why) = situation.held.get(name) else { return copy };
    let owed = match copy.standing {
        Standing::Missing => Owed::DeletionHeld(why.clone()),
        Standing::Present(_) => Owed::ChangeHeld(why.clone()),
        Standing::Tidied { .. }
        | Standing::Away(_)
        | Standing::Unlinked
        | Standing::Detached
        | Standing::InDoubt
        | Standing::Repeat => return copy,
    };
    let link = Link { last_error: Some(why.clone()), ..copy.link };
    Settled { link, standing: Standing::Away(owed), ..copy }
}
