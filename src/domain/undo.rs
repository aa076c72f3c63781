//! What taking back one version of a record would come to.

use std::collections::BTreeSet;

use super::history::Version;
use super::json::Json;
use super::merge::Change;
use super::patch::{find, put};
use super::pointer::Pointer;
use super::record::{Record, RecordState};
use super::rules::Rules;

/// What taking a version back comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    NoSuchVersion,
    /// A later version changed these places again.
    Blocked(Vec<Pointer>),
    Ready {
        state: RecordState,
        /// The agreed document from now on, or the kept one.
        agreed: Option<Json>,
        /// What leads there from the present agreed document; a person's changes, so without sources.
        changes: Vec<Change>,
    },
}

/// Takes back what `version` changed, and nothing else.
///
/// Undoing a removal brings the kept document back; undoing a birth or a return removes the record, and keeps its document.
/// A later version that was itself undone since is no hindrance, so that versions can be taken back one by one, the last first.
pub fn undo(record: &Record, history: &[Version], version: i64, rules: &Rules) -> Undone {
    let Some(position) = history.iter().position(|known| known.version == version) else {
        return Undone::NoSuchVersion;
    };
    let (earlier, target, later) = (&history[..position], &history[position], &history[position + 1..]);
    let blocked = changed_again(target, later);
    if !blocked.is_empty() {
        return Undone::Blocked(blocked.into_iter().collect());
    }
    let whole = |before, after| vec![Change { path: Pointer::root(), before, after, sources: Vec::new() }];
    let agreed = record.agreed.clone();
    if target.changes.iter().any(Version::is_removal) {
        return Undone::Ready { state: RecordState::Live, agreed: agreed.clone(), changes: whole(None, agreed) };
    }
    let begins = |change: &Change| change.path.is_root() && change.before.is_none();
    if version == 1 || target.changes.iter().any(begins) {
        return Undone::Ready { state: RecordState::Deleted, agreed: agreed.clone(), changes: whole(agreed, None) };
    }
    let before = earlier.iter().fold(None, |document, version| version.advance(document, rules));
    let (agreed, changes) = take_back(agreed, &target.changes, before.as_ref(), rules);
    Undone::Ready { state: record.state, agreed, changes }
}

/// Returns the places of `target` that a later version changed again: there, above or below.
fn changed_again(target: &Version, later: &[Version]) -> BTreeSet<Pointer> {
    let mut places = BTreeSet::new();
    for again in standing_changes(later) {
        for change in target.changes.iter().filter(|change| change.path.touches(&again.path)) {
            let deeper = if change.path.starts_with(&again.path) { &change.path } else { &again.path };
            places.insert(deeper.clone());
        }
    }
    places
}

/// Returns the changes of these versions without those that one of them took back, and without the taking back.
fn standing_changes(versions: &[Version]) -> Vec<&Change> {
    let mut undone = BTreeSet::new();
    let mut standing = Vec::new();
    for version in versions.iter().rev() {
        if undone.contains(&version.version) {
            continue;
        }
        let undid = versions.iter().find(|earlier| version.undid(earlier));
        undone.extend(undid.map(|earlier| earlier.version));
        // What the sources had to say in the look that undid a version is no part of the undoing.
        standing.extend(version.changes.iter().filter(|change| undid.is_none() || !change.sources.is_empty()));
    }
    standing
}

impl Version {
    fn undid(&self, earlier: &Version) -> bool {
        self.cause.member("kind") == Some(&Json::from("undo"))
            && self.cause.member("version") == Some(&Json::from(earlier.version))
    }
}

/// Makes the inverse of `changes`, which led on from the document `before`.
fn take_back(
    agreed: Option<Json>,
    changes: &[Change],
    before: Option<&Json>,
    rules: &Rules,
) -> (Option<Json>, Vec<Change>) {
    let mut result = agreed.clone();
    let mut places = BTreeSet::new();
    for change in changes.iter().rev() {
        result = put(result, &change.path, change.before.clone(), rules);
        let mut place = change.path.clone();
        while let Some(above) = made_for(&place, result.as_ref(), before, rules) {
            result = put(result, &above, None, rules);
            place = above;
        }
        places.insert(place);
    }
    let at = |document: &Option<Json>, place: &Pointer| {
        document.as_ref().and_then(|document| find(document, place, rules)).cloned()
    };
    let inverse = |path: &Pointer| Change {
        before: at(&agreed, path),
        after: at(&result, path),
        path: path.clone(),
        sources: Vec::new(),
    };
    let outermost = |path: &&Pointer| !places.iter().any(|other| other != *path && path.starts_with(other));
    let inverses =
        places.iter().filter(outermost).map(inverse).filter(|change| change.before != change.after).collect();
    (result, inverses)
}

/// Returns the object or keyed array around `place` if it is empty now and was not there before.
fn made_for(place: &Pointer, now: Option<&Json>, before: Option<&Json>, rules: &Rules) -> Option<Pointer> {
    let (above, _) = place.split_last().filter(|(above, _)| !above.is_root())?;
    let empty = match find(now?, &above, rules)? {
        Json::Object(members) => members.is_empty(),
        Json::Array(elements) => elements.is_empty(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    };
    let made = before.is_none_or(|before| find(before, &above, rules).is_none());
    (empty && made).then_some(above)
}

#[cfg(test)]
mod tests;
