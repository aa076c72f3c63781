//! Settling: what a reading says of a write whose end was not known.

use std::collections::BTreeSet;

use crate::domain::json::Json;
use crate::domain::key::ForeignKey;
use crate::domain::name::SourceName;
use crate::domain::record::{Base, Link, LinkState, OpenOperation, OperationEnd, OperationId, OperationKind};
use crate::domain::record::{OperationState, Reading, RecordState};

use super::{Owed, Situation, Traits};

/// One copy, with what was open about it settled as far as the reading goes.
pub(super) struct Settled {
    pub(super) link: Link,
    pub(super) standing: Standing,
    pub(super) ended: Option<(OperationId, OperationEnd)>,
    pub(super) retired: Option<(ForeignKey, Option<Json>)>,
}

/// How a copy goes into the merge.
pub(super) enum Standing {
    Present(Json),
    /// The source tidied what an unconfirmed write of ours sent: that write is repeated, and what is then stored absorbed.
    Tidied {
        intended: Json,
        found: Json,
        /// The base until it is repeated: what was found may still be an edit, by somebody who had not seen what was sent.
        unwritten: Base,
    },
    Away(Owed),
    Missing,
    Unlinked,
    Detached,
    /// Nobody knows what became of a write: takes no part.
    InDoubt,
    /// A create in doubt whose source lets it be repeated: takes no part but for that.
    Repeat,
}

impl Settled {
    fn of(link: Link, standing: Standing) -> Self {
        Self { link, standing, ended: None, retired: None }
    }

    /// Ends the open operation.
    fn ending(mut self, end: OperationEnd) -> Self {
        self.ended = self.link.open.take().map(|operation| (operation.id, end));
        self
    }
}

/// Settles the copy of one source.
pub(super) fn settle(situation: &Situation<'_>, name: &SourceName, traits: &Traits) -> Settled {
    let Some(link) = situation.known.links.get(name).cloned() else {
        return Settled::of(Link::unlinked(), Standing::Unlinked);
    };
    match link.state {
        LinkState::Detached => Settled::of(link, Standing::Detached),
        LinkState::Unlinked => {
            // Only where a search for what a create may have made could not be finished.
            match situation.readings.get(name) {
                Some(Reading::Unreachable(why)) => return away(link, Owed::Unreachable(why.clone())),
                Some(Reading::Broken(why)) => return away(link, Owed::Failed(why.clone())),
                Some(Reading::Present(_) | Reading::Missing) | None => {}
            }
            let standing = without_copy(situation, link.open.as_ref(), traits);
            Settled::of(link, standing)
        }
        LinkState::Linked => match situation.readings.get(name) {
            Some(Reading::Present(current)) => present(situation, name, link, current.clone()),
            Some(Reading::Missing) => missing(situation, link),
            Some(Reading::Unreachable(why)) => away(link, Owed::Unreachable(why.clone())),
            Some(Reading::Broken(why)) => away(link, Owed::Failed(why.clone())),
            None => away(link, Owed::Unreachable("it was not asked".to_owned())),
        },
    }
}

fn away(mut link: Link, owed: Owed) -> Settled {
    link.last_error = match &owed {
        Owed::Unreachable(why) | Owed::Failed(why) | Owed::Unknown(why) | Owed::Impossible(why) => Some(why.clone()),
        Owed::DeletionHeld(why) | Owed::ChangeHeld(why) => Some(why.clone()),
        Owed::NotBefore(_) | Owed::Moved => None,
    };
    Settled::of(link, Standing::Away(owed))
}

/// A create whose end is open. Where it may have taken effect and may be repeated, it is, whatever is to be stored by now: its
/// answer tells the key, while a newer document would make a second copy. Else the copy takes no part while it is in doubt.
fn without_copy(situation: &Situation<'_>, open: Option<&OpenOperation>, traits: &Traits) -> Standing {
    let Some(open) = open else { return Standing::Unlinked };
    let repeats = traits.create_is_idempotent && situation.known.record.state == RecordState::Live;
    match open.state {
        OperationState::Open if repeats && open.kind == OperationKind::Create && open.may_have_taken_effect => {
            Standing::Repeat
        }
        OperationState::Open => Standing::Unlinked,
        OperationState::InDoubt | OperationState::InFlight if repeats => Standing::Repeat,
        OperationState::InDoubt | OperationState::InFlight => Standing::InDoubt,
    }
}

fn present(situation: &Situation<'_>, name: &SourceName, mut link: Link, current: Json) -> Settled {
    link.missing_since = None;
    link.last_error = None;
    let Some(operation) = link.open.clone().filter(|operation| operation.kind != OperationKind::Delete) else {
        return Settled::of(link, Standing::Present(current));
    };
    let Some(intended) = operation.document.clone() else {
        return Settled::of(link, Standing::Present(current));
    };
    if intended == current {
        // Our own write, never a user's edit.
        let key = link.key.clone();
        link.base = operation.carries;
        return Settled::of(link, Standing::Present(current)).ending(OperationEnd::Done { key });
    }
    if operation.state == OperationState::InDoubt {
        return Settled::of(link, Standing::InDoubt);
    }
    let tidies = situation.known.tidies.get(name).copied().unwrap_or(false);
    if tidies && operation.may_have_taken_effect && only_where_changed(link.base.shadow.as_ref(), &intended, &current) {
        let unwritten = std::mem::replace(&mut link.base, operation.carries);
        return Settled::of(link, Standing::Tidied { intended, found: current, unwritten });
    }
    if operation.may_have_taken_effect {
        let before = link.base.shadow.as_ref();
        link.base.shadow = with_what_was_sent(before, operation.carries.shadow.as_ref(), Some(&current));
    }
    Settled::of(link, Standing::Present(current))
}

fn missing(situation: &Situation<'_>, mut link: Link) -> Settled {
    match link.open.as_ref().map(|operation| (operation.kind, operation.state, operation.may_have_taken_effect)) {
        Some((OperationKind::Delete, _, _)) => {
            let key = link.key.take();
            let held = link.base.shadow.take();
            link.state = LinkState::Unlinked;
            link.base = Base::default();
            let mut settled = Settled::of(link, Standing::Unlinked).ending(OperationEnd::Done { key: None });
            settled.retired = key.map(|key| (key, held));
            settled
        }
        Some((OperationKind::Create | OperationKind::Update, OperationState::InDoubt, _) | (_, _, true)) => {
            // The write may have given the copy another key: that is no deletion.
            if let Some(operation) = link.open.as_mut() {
                operation.state = OperationState::InDoubt;
            }
            Settled::of(link, Standing::InDoubt)
        }
        Some((OperationKind::Create | OperationKind::Update, _, false)) | None => gone(situation, link),
    }
}

/// Missing, with nothing in doubt: a deletion, once it has lasted long enough.
fn gone(situation: &Situation<'_>, mut link: Link) -> Settled {
    let since = *link.missing_since.get_or_insert(situation.known.now);
    let left = since.saturating_add(situation.terms.delete_after) - situation.known.now;
    if left > 0 && situation.known.record.state == RecordState::Live {
        return Settled::of(link, Standing::Away(Owed::NotBefore(left)));
    }
    Settled::of(link, Standing::Missing)
}

/// Gives what a copy is known to have held, with what a write that may have taken effect has sent where that is found in it: edited
/// since in other places, it tells no news there.
fn with_what_was_sent(before: Option<&Json>, sent: Option<&Json>, found: Option<&Json>) -> Option<Json> {
    match (before, sent, found) {
        (_, sent, found) if sent == found => sent.cloned(),
        (Some(Json::Object(before)), Some(Json::Object(sent)), Some(Json::Object(found))) => {
            let names: BTreeSet<_> = before.keys().chain(sent.keys()).collect();
            let member = |name| with_what_was_sent(before.get(name), sent.get(name), found.get(name));
            Some(Json::Object(names.into_iter().filter_map(|name| Some((name.clone(), member(name)?))).collect()))
        }
        (before, _, _) => before.cloned(),
    }
}

/// Says whether `found` differs from what we meant to write only in members that we meant to change from `before`.
fn only_where_changed(before: Option<&Json>, intended: &Json, found: &Json) -> bool {
    if before == Some(found) {
        return false;
    }
    match (before, intended, found) {
        (_, intended, found) if intended == found => true,
        (Some(Json::Object(before)), Json::Object(intended), Json::Object(found)) => {
            let names = intended.keys().chain(found.keys());
            names.into_iter().all(|name| match (intended.get(name), found.get(name)) {
                (Some(meant), Some(stored)) if meant == stored => true,
                (Some(meant), Some(stored)) => only_where_changed_member(before.get(name), meant, stored),
                // Dropped, where we had added it.
                (Some(_), None) => !before.contains_key(name),
                (None, Some(_)) => false,
                (None, None) => true,
            })
        }
        (before, intended, _) => before != Some(intended),
    }
}

/// Below a member, one that still holds what it held before was not tidied: the write did not take effect there.
fn only_where_changed_member(before: Option<&Json>, meant: &Json, stored: &Json) -> bool {
    match (before, meant, stored) {
        (Some(Json::Object(_)), Json::Object(_), Json::Object(_)) => only_where_changed(before, meant, stored),
        _ => before != Some(meant) && before != Some(stored),
    }
}
