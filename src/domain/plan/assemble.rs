//! Assembling: from what the merge answered to what is recorded and written.

use std::collections::BTreeMap;

use crate::domain::json::{Json, Object};
use crate::domain::merge::{self, Action, Answer, Change, Conflict, Outcome, Overruled};
use crate::domain::name::SourceName;
use crate::domain::patch;
use crate::domain::pointer::Pointer;
use crate::domain::record::{
    Base, Link, LinkState, OpenOperation, OperationEnd, OperationKind, OperationState, Record,
};
use crate::domain::restless::is_respelled;
use crate::domain::spelling::{self, Place};

use super::settle::{Settled, Standing};
use super::{Fate, Limited, Owed, Plan, Situation, Start, Will, Write};

/// Puts the plan together.
pub(super) fn assemble(
    situation: &Situation<'_>,
    start: Start,
    settled: BTreeMap<SourceName, Settled>,
    answer: Answer,
    fate: Fate,
) -> Plan {
    let known = &situation.known.record;
    let mut changes = start.changes;
    changes.extend(answer.patch);
    let mut overruled = answer.overruled;
    overruled
        .extend(settled.iter().flat_map(|(name, copy)| overwritten(situation, name, copy, answer.agreed.as_ref())));
    let willed = fate == Fate::Done && *situation.will != Will::Nothing;
    let decided = willed || !changes.is_empty() || !overruled.is_empty();
    let mut plan = Plan {
        record: Record {
            id: known.id,
            state: answer.state,
            version: known.version + i64::from(decided),
            agreed: answer.agreed,
        },
        cause: cause(situation.will, &fate),
        changes,
        overruled,
        conflicts: answer.conflicts,
        links: BTreeMap::new(),
        retired: Vec::new(),
        ended: Vec::new(),
        writes: BTreeMap::new(),
        owed: BTreeMap::new(),
        in_doubt: BTreeMap::new(),
        limited: Limited::default(),
        fate,
        warnings: answer.warnings,
    };
    let mut outcomes = answer.copies;
    for (name, copy) in settled {
        if let Some(outcome) = outcomes.remove(&name) {
            add(&mut plan, situation, &name, copy, outcome);
        }
    }
    plan
}

/// Returns what is lost where a write is repeated over what may be the source's way of storing it, and may be somebody's edit.
fn overwritten(situation: &Situation<'_>, name: &SourceName, copy: &Settled, agreed: Option<&Json>) -> Vec<Overruled> {
    let (Standing::Tidied { intended, found, .. }, Some(traits)) = (&copy.standing, situation.terms.sources.get(name))
    else {
        return Vec::new();
    };
    let rules = &situation.terms.rules;
    let [intended, found] = [intended, found].map(|document| merge::restrict(document, &traits.fields));
    let differences = merge::differences(&Place::root(rules), intended.as_ref(), found.as_ref(), &[]);
    let is_lost = |change: &Change| {
        let standing = agreed.and_then(|agreed| patch::find(agreed, &change.path, rules));
        !is_respelled(change.before.as_ref(), change.after.as_ref())
            && !spelling::same(change.after.as_ref(), standing, &change.path, rules)
    };
    let lost = differences.into_iter().filter(is_lost);
    lost.map(|Change { path, after, .. }| Overruled { path, source: name.clone(), value: after }).collect()
}

/// Adds one copy to the plan.
fn add(plan: &mut Plan, situation: &Situation<'_>, name: &SourceName, copy: Settled, outcome: Outcome) {
    let Settled { mut link, standing, ended, retired } = copy;
    plan.ended.extend(ended);
    plan.retired.extend(retired.map(|(key, held)| (name.clone(), key, held)));
    let contends = contends(&plan.conflicts, name);
    link.last = match &standing {
        Standing::Present(current) if contends => Some(current.clone()),
        Standing::Away(_) => link.last,
        _ => None,
    };
    let write = match standing {
        Standing::InDoubt => {
            plan.in_doubt.extend(link.open.clone().map(|operation| (name.clone(), operation)));
            None
        }
        Standing::Detached => None,
        Standing::Repeat if situation.terms.observe => {
            // It may have made a copy already: whoever forgets that makes a second one later.
            plan.in_doubt.extend(doubted(&mut link).map(|operation| (name.clone(), operation)));
            None
        }
        Standing::Repeat => link.open.clone().map(repeat),
        Standing::Away(owed) => {
            // It moves only for a contender whose last value was dealt with.
            link.base = outcome.unwritten;
            plan.owed.insert(name.clone(), owed);
            None
        }
        Standing::Tidied { intended, found, unwritten } => {
            link.base = unwritten;
            let document = match outcome.action {
                Action::Update(document) => document,
                _ => intended,
            };
            Some(Write { must_read_back: true, ..update(&link, document, outcome.written, plan.record.version, found) })
        }
        Standing::Present(current) => with_copy(plan, &mut link, name, outcome, current),
        Standing::Missing | Standing::Unlinked => without_copy(plan, &mut link, name, outcome),
    };
    let owed = plan.owed.contains_key(name) || plan.in_doubt.contains_key(name);
    link.in_step = write.is_none() && !owed && !contends && link.state != LinkState::Detached;
    match write {
        // What is open stays so: nothing takes its place.
        Some(_) if situation.terms.observe => {}
        Some(write) => intend(plan, name, &mut link, write),
        None if !owed => plan.ended.extend(link.open.take().map(|open| (open.id, OperationEnd::Superseded))),
        None => {}
    }
    let changed = match situation.known.links.get(name) {
        Some(before) => *before != link,
        None => link.state != LinkState::Unlinked,
    };
    if changed || plan.writes.contains_key(name) {
        plan.links.insert(name.clone(), link);
    }
}

/// Adds a write: as another attempt at the open operation if it sends the same, else in its place.
fn intend(plan: &mut Plan, name: &SourceName, link: &mut Link, mut write: Write) {
    if let Some(open) = link.open.take() {
        if open.kind == write.kind && open.document == write.document && open.key == write.key {
            write.document = open.document.clone();
            write.again = Some(open);
        } else {
            plan.ended.push((open.id, OperationEnd::Superseded));
        }
    }
    plan.writes.insert(name.clone(), write);
}

fn with_copy(plan: &mut Plan, link: &mut Link, name: &SourceName, outcome: Outcome, current: Json) -> Option<Write> {
    let version = plan.record.version;
    link.base = outcome.unwritten;
    match outcome.action {
        Action::None | Action::Later => None,
        Action::Update(document) => Some(update(link, document, outcome.written, version, current)),
        Action::Delete => Some(Write {
            kind: OperationKind::Delete,
            key: link.key.clone(),
            document: None,
            carries: Base::default(),
            version,
            again: None,
            basis: Some(current),
            must_read_back: false,
        }),
        Action::Unlink => {
            let key = link.key.take();
            plan.retired.extend(key.map(|key| (name.clone(), key, Some(current))));
            *link = Link { state: LinkState::Detached, ..Link::unlinked() };
            None
        }
        // The merge creates only where there is no copy.
        Action::Create(_) => None,
    }
}

fn without_copy(plan: &mut Plan, link: &mut Link, name: &SourceName, outcome: Outcome) -> Option<Write> {
    let undecided = plan.conflicts.iter().any(|conflict| conflict.path == Pointer::root());
    if link.state == LinkState::Linked && undecided {
        // It stays linked, so that its absence is found again.
        return None;
    }
    if let Some(key) = link.key.take() {
        plan.retired.push((name.clone(), key, link.base.shadow.take()));
    }
    let state = if outcome.action == Action::Unlink { LinkState::Detached } else { LinkState::Unlinked };
    *link = Link { state, open: link.open.take(), last_error: link.last_error.take(), ..Link::unlinked() };
    match outcome.action {
        Action::Create(document) => Some(Write {
            kind: OperationKind::Create,
            key: None,
            document: Some(document),
            carries: outcome.written,
            version: plan.record.version,
            again: None,
            basis: None,
            must_read_back: false,
        }),
        Action::None | Action::Update(_) | Action::Delete | Action::Unlink | Action::Later => None,
    }
}

fn update(link: &Link, document: Json, carries: Base, version: i64, found: Json) -> Write {
    Write {
        kind: OperationKind::Update,
        key: link.key.clone(),
        document: Some(document),
        carries,
        version,
        again: None,
        basis: Some(found),
        must_read_back: false,
    }
}

/// Leaves an open operation in doubt, and gives it.
fn doubted(link: &mut Link) -> Option<OpenOperation> {
    let open = link.open.as_mut()?;
    open.state = OperationState::InDoubt;
    Some(open.clone())
}

/// Repeats a create in doubt under its own id, byte for byte.
fn repeat(open: OpenOperation) -> Write {
    Write {
        kind: OperationKind::Create,
        key: None,
        document: open.document.clone(),
        carries: open.carries.clone(),
        version: open.version,
        again: None,
        basis: None,
        must_read_back: false,
    }
}

fn contends(conflicts: &[Conflict], name: &SourceName) -> bool {
    conflicts.iter().flat_map(|conflict| &conflict.contenders).any(|contender| contender.sources.contains(name))
}

fn cause(will: &Will, fate: &Fate) -> Json {
    let number = |number: i64| Json::Number(number.into());
    let (kind, about) = match (will, fate) {
        (Will::Nothing, _) | (_, Fate::Stale | Fate::Moved(_) | Fate::Vain(_)) => ("sync", None),
        (Will::Resolve(resolutions), Fate::Done) => {
            ("resolution", resolutions.first().map(|first| ("conflict", number(first.conflict))))
        }
        (Will::Undo { version, .. }, Fate::Done) => ("undo", Some(("version", number(*version)))),
    };
    let mut members = Object::from([("kind".into(), Json::String(kind.into()))]);
    members.extend(about.map(|(name, value)| (name.into(), value)));
    if let (Will::Resolve(resolutions), Fate::Done) = (will, fate)
        && resolutions.len() > 1
    {
        // The first is named as if it were alone, and then all of them.
        let all: Vec<Json> = resolutions.iter().map(|each| number(each.conflict)).collect();
        members.extend([("conflicts".into(), Json::from(all))]);
    }
    Json::Object(members)
}

impl Owed {
    /// Returns the reason, for people.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Unreachable(why) | Self::Failed(why) | Self::Unknown(why) | Self::Impossible(why) => Some(why),
            Self::DeletionHeld(why) | Self::ChangeHeld(why) => Some(why),
            Self::NotBefore(_) => Some("found missing; delete_after has not passed"),
            Self::Moved => None,
        }
    }
}
