//! Whether an edit is lost.

use std::collections::BTreeSet;

use proptest::prelude::prop_assert;

use crate::domain::json::Json;
use crate::domain::merge::Answer;
use crate::domain::name::SourceName;
use crate::domain::patch::find;
use crate::domain::pointer::Pointer;
use crate::domain::record::RecordState;
use crate::domain::spelling::{Place, same};

use super::world::{Link, World, answered, shown};
use super::{Checked, leaves};

/// Every edit is agreed, contends, or is named as overruled.
pub(super) fn no_edit_is_lost(world: &World, answer: &Answer) -> Checked {
    for (name, source) in world.sources.iter().filter(|(_, source)| source.link == Link::Linked && source.up) {
        let Some(held) = &source.holds else { continue };
        let named = named(answer, name);
        let mut places: BTreeSet<Pointer> = leaves(&world.rules, Some(held)).into_keys().collect();
        places.extend(leaves(&world.rules, source.base.shadow.as_ref()).into_keys());
        for place in places.iter().filter(|place| source.covers(place)) {
            let edit = Edit::of(world, place, [source.base.shadow.as_ref(), Some(held)]);
            let kept =
                !edit.is_news() || edit.is_named(&named) || answer.state == RecordState::Live && edit.stands(answer);
            prop_assert!(kept, "{} had {} at {}: {:?}{}", name, shown(edit.now), place, world, answered(answer));
        }
    }
    Ok(())
}

/// Returns the places at which a source contends, or was overruled.
fn named<'a>(answer: &'a Answer, name: &SourceName) -> Vec<&'a Pointer> {
    let contends = |conflict: &&super::Conflict| conflict.contenders.iter().any(|side| side.sources.contains(name));
    let conflicts = answer.conflicts.iter().filter(contends).map(|conflict| &conflict.path);
    let overruled = answer.overruled.iter().filter(|lost| lost.source == *name).map(|lost| &lost.path);
    conflicts.chain(overruled).collect()
}

/// What became of a leaf in one copy.
struct Edit<'a> {
    world: &'a World,
    place: &'a Pointer,
    agreed: Option<&'a Json>,
    before: Option<&'a Json>,
    now: Option<&'a Json>,
}

impl<'a> Edit<'a> {
    fn of(world: &'a World, place: &'a Pointer, [before, now]: [Option<&'a Json>; 2]) -> Self {
        let at = |document: Option<&'a Json>| find(document?, place, &world.rules);
        Self { world, place, agreed: at(world.agreed.as_ref()), before: at(before), now: at(now) }
    }

    fn same(&self, a: Option<&Json>, b: Option<&Json>) -> bool {
        same(a, b, self.place, &self.world.rules)
    }

    fn is_news(&self) -> bool {
        !self.is_empty() && !self.same(self.now, self.before) && !self.same(self.now, self.agreed)
    }

    /// What has members is no leaf in this copy; what has none of them, and had none, holds nothing that could be lost.
    fn is_empty(&self) -> bool {
        match self.now {
            Some(Json::Object(_)) => true,
            Some(Json::Array(elements)) if elements.is_empty() => self.before.is_none(),
            Some(now @ Json::Array(_)) => Place::at(self.place, &self.world.rules).members(now).is_some(),
            Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) | None => false,
        }
    }

    fn is_named(&self, named: &[&Pointer]) -> bool {
        let emptied = matches!(self.now, Some(Json::Array(elements)) if elements.is_empty());
        named.iter().any(|named| self.place.starts_with(named) || emptied && named.starts_with(self.place))
    }

    /// Says whether the edit is agreed; of a set, whether its elements are.
    fn stands(&self, answer: &Answer) -> bool {
        let rules = &self.world.rules;
        let agreed = answer.agreed.as_ref().and_then(|agreed| find(agreed, self.place, rules));
        if self.same(self.now, agreed) {
            return true;
        }
        let elements = |value: Option<&'a Json>| value.and_then(Json::as_array).unwrap_or_default();
        let (was, before, now) = (elements(self.agreed), elements(self.before), elements(self.now));
        let agreed = agreed.and_then(Json::as_array).unwrap_or_default();
        // An element that comes to what is agreed is no news, and others may go on from there.
        let mut added = now.iter().filter(|element| !before.contains(element) && !was.contains(element));
        let mut removed = before.iter().filter(|element| !now.contains(element) && was.contains(element));
        let set = Place::at(self.place, rules).array_rule().is_some() && matches!(self.now, Some(Json::Array(_)));
        set && added.all(|element| agreed.contains(element)) && !removed.any(|element| agreed.contains(element))
    }
}
