//! Where each value of an agreed document came from.

use std::collections::BTreeMap;

use super::history::Version;
use super::json::Json;
use super::merge::Overruled;
use super::name::SourceName;
use super::patch::find_below;
use super::pointer::Pointer;
use super::rules::Rules;
use super::spelling::Place;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub value: Json,
    /// Whose news it was; empty: a person's, as the cause tells.
    pub sources: Vec<SourceName>,
    /// The version that brought it.
    pub version: i64,
    /// When; RFC 3339 in UTC.
    pub at: String,
    /// What led to that version, as in [`Version::cause`].
    pub cause: Json,
    /// What lost to it, then and since.
    pub overruled: Vec<Lost>,
}

/// A value that lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    pub source: SourceName,
    /// `None`: the source had nothing there.
    pub value: Option<Json>,
    /// The version in which it lost.
    pub version: i64,
}

/// The places of a document that hold something undivided: neither members nor elements known by a key.
type Leaves<'v> = BTreeMap<Pointer, &'v Json>;

/// What set a leaf: a version, by its position in the history, and the sources of the change.
#[derive(Clone)]
struct Setter<'h> {
    position: usize,
    sources: &'h [SourceName],
}

/// Explains every leaf of the document that stands, or is kept, after the last version.
///
/// A value that a change leaves as it was keeps its origin, even if the change covers it: an address decided whole explains
/// just the lines that are new. What a history without its beginning cannot explain is left out.
pub fn provenance(history: &[Version], rules: &Rules) -> BTreeMap<Pointer, Origin> {
    let mut document = None;
    let mut setters = BTreeMap::new();
    for (position, version) in history.iter().enumerate() {
        let next = version.advance(document.clone(), rules);
        setters =
            advance(&setters, &leaves(document.as_ref(), rules), &leaves(next.as_ref(), rules), position, version);
        document = next;
    }
    let explain = |(at, value): (Pointer, &Json)| {
        let setter = setters.get(&at)?;
        let origin = origin(&at, value, setter, &history[setter.position..], rules);
        Some((at, origin))
    };
    leaves(document.as_ref(), rules).into_iter().filter_map(explain).collect()
}

/// Says what set each leaf after a version, given what had set those before it.
fn advance<'h>(
    setters: &BTreeMap<Pointer, Setter<'h>>,
    before: &Leaves<'_>,
    after: &Leaves<'_>,
    position: usize,
    version: &'h Version,
) -> BTreeMap<Pointer, Setter<'h>> {
    let setter = |at: &Pointer, value: &Json| match before.get(at) {
        Some(former) if *former == value => setters.get(at).cloned(),
        Some(_) | None => {
            let change = version.changes.iter().rfind(|change| change.path.touches(at))?;
            Some(Setter { position, sources: &change.sources })
        }
    };
    after.iter().filter_map(|(at, value)| Some((at.clone(), setter(at, value)?))).collect()
}

fn leaves<'v>(document: Option<&'v Json>, rules: &Rules) -> Leaves<'v> {
    let mut found = BTreeMap::new();
    if let Some(document) = document {
        gather(&Place::root(rules), &Pointer::root(), document, &mut found);
    }
    found
}

fn gather<'v>(place: &Place<'_>, at: &Pointer, value: &'v Json, found: &mut Leaves<'v>) {
    match place.members(value).filter(|members| !members.is_empty()) {
        Some(members) => {
            members.into_iter().for_each(|(name, value)| gather(&place.child(name), &at.child(name), value, found))
        }
        None => {
            found.insert(at.clone(), value);
        }
    }
}

/// Explains one leaf; `since` begins with the version that set it.
fn origin(at: &Pointer, value: &Json, setter: &Setter<'_>, since: &[Version], rules: &Rules) -> Origin {
    let version = &since[0];
    let lost = since.iter().flat_map(|version| {
        version.overruled.iter().filter_map(|overruled| lost(at, value, overruled, version.version, rules))
    });
    Origin {
        value: value.clone(),
        sources: setter.sources.to_vec(),
        version: version.version,
        at: version.at.clone(),
        cause: version.cause.clone(),
        overruled: lost.collect(),
    }
}

/// Returns what of an overruled value lost at this leaf, if it was decided there or above and is another than the leaf's.
fn lost(at: &Pointer, value: &Json, overruled: &Overruled, version: i64, rules: &Rules) -> Option<Lost> {
    let below = at.tokens().strip_prefix(overruled.path.tokens())?;
    let place = Place::at(&overruled.path, rules);
    let other = overruled.value.as_ref().and_then(|whole| find_below(&place, whole, below));
    match other {
        Some(other) if Place::at(at, rules).same(other, value) => None,
        Some(_) | None => Some(Lost { source: overruled.source.clone(), value: other.cloned(), version }),
    }
}

#[cfg(test)]
mod tests;
