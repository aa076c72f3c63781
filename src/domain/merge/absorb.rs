//! What a source stored of what it was sent, as a reading right after the write shows it.
//!
//! Where the write changed the copy, what is stored instead is the source's own way of storing it. Where the write
//! changed nothing, another value is somebody's edit, unless it is the same value spelled anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::json::{Json, Object};
use crate::domain::pointer::Pointer;
use crate::domain::record::Base;
use crate::domain::rules::{FieldRule, Fields, Folding, Rules};
use crate::domain::spelling::Place;
use crate::domain::text::Text;

use super::guide::{members, shape};
use super::piece::{Parts, Piece, Shape, compose};
use super::region::Region;

/// What a reading after a write says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absorbed {
    /// The shadow from now on, within the source's fields.
    pub shadow: Option<Json>,
    /// The source stored something other than what it was sent.
    pub tidied: bool,
    /// The reading holds an edit: another look is needed.
    pub follow_up: bool,
}

/// Tells what a source made of a write from what was edited in it since.
///
/// `sent` is what was written, `before` what the copy held until then (`None`: there was none), `stored` what it holds
/// now, and `carried` the base of the copy if it had stored what it was sent: at places that were left open its shadow
/// differs from what was sent, and stays.
pub fn absorb(
    sent: &Json,
    before: Option<&Json>,
    stored: &Json,
    carried: &Base,
    fields: &Fields,
    rules: &Rules,
) -> Absorbed {
    let anyhow = respelling();
    let mut comparison = Comparison { respelled: Place::root(&anyhow), tidied: false, edited: false };
    let seen = Seen { sent: Some(sent), before, stored: Some(stored), carried: carried.shadow.as_ref() };
    let shadow = comparison.absorb(&Place::root(rules), &Region::of_fields(fields), seen);
    let shadow = shadow.map(Piece::into_json).or_else(|| Some(Json::Object(Object::new())));
    Absorbed { shadow, tidied: comparison.tidied, follow_up: comparison.edited }
}

/// Says whether `sent` holds a member, at any depth, that `held`, what the copy held before, does not.
pub fn adds_unseen_member(sent: &Json, held: Option<&Json>) -> bool {
    match (sent, held) {
        (Json::Object(sent), Some(Json::Object(held))) => sent.iter().any(|(name, value)| match held.get(name) {
            Some(held) => adds_unseen_member(value, Some(held)),
            None => true,
        }),
        (Json::Object(sent), Some(_) | None) => !sent.is_empty(),
        (Json::Array(sent), held) => {
            let held = held.and_then(Json::as_array).unwrap_or_default();
            sent.iter().any(|element| !held.contains(element) && adds_unseen_member(element, None))
        }
        (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_), _) => false,
    }
}

/// Rules by which any two spellings of a string are the same.
fn respelling() -> Rules {
    let equal = Some(vec![Folding::Trim, Folding::Casefold, Folding::Nfc]);
    let everywhere = (Pointer::root(), FieldRule { equal, ..FieldRule::default() });
    Rules { fields: BTreeMap::from([everywhere]), ..Rules::default() }
}

/// One place of the documents that are compared.
#[derive(Debug, Clone, Copy)]
struct Seen<'a> {
    sent: Option<&'a Json>,
    before: Option<&'a Json>,
    stored: Option<&'a Json>,
    carried: Option<&'a Json>,
}

struct Comparison<'c> {
    respelled: Place<'c>,
    tidied: bool,
    edited: bool,
}

impl Comparison<'_> {
    /// Returns the shadow at a place.
    fn absorb<'a>(&mut self, place: &Place<'_>, fields: &Region<'_>, seen: Seen<'a>) -> Option<Piece<'a>> {
        let partly = match fields {
            Region::Nothing => return None,
            Region::Whole if Region::Whole.same(place, seen.sent, seen.stored) => {
                return seen.carried.map(Piece::Shared);
            }
            Region::Whole => false,
            Region::Below(_) => true,
        };
        let wanted =
            seen.sent.and_then(|value| shape(place, value)).filter(|_| !partly).or(partly.then_some(Shape::Object));
        let alike = partly || seen.stored.and_then(|value| shape(place, value)) == wanted;
        match wanted.filter(|_| alike) {
            Some(Shape::Set) => Some(self.absorb_set(place, seen)),
            Some(shape @ (Shape::Object | Shape::Keyed)) => self.absorb_members(place, shape, fields, seen),
            None => self.absorb_value(place, seen),
        }
    }

    fn absorb_members<'a>(
        &mut self,
        place: &Place<'_>,
        shape: Shape,
        fields: &Region<'_>,
        seen: Seen<'a>,
    ) -> Option<Piece<'a>> {
        let open = |value| members(place, shape, value);
        let (sent, before, stored, carried) =
            (open(seen.sent), open(seen.before), open(seen.stored), open(seen.carried));
        let mut visited = BTreeSet::new();
        let mut parts: Parts<'a> = Vec::new();
        for name in
            stored.names().chain(sent.names()).chain(carried.names()).filter(|name: &&Text| visited.insert(*name))
        {
            let below = Seen {
                sent: sent.get(name),
                before: before.get(name),
                stored: stored.get(name),
                carried: carried.get(name),
            };
            let part = self.absorb(&place.child(name), &fields.child(name), below);
            parts.extend(part.map(|part| (name, part)));
        }
        if parts.is_empty() && seen.carried.is_none() {
            return None;
        }
        Some(compose(shape, parts, seen.stored))
    }

    /// Absorbs element by element: one that is not there though it was there before was removed.
    fn absorb_set<'a>(&mut self, place: &Place<'_>, seen: Seen<'a>) -> Piece<'a> {
        let element = place.element();
        let forms = |value: Option<&'a Json>| -> BTreeMap<Json, &'a Json> {
            let elements = value.and_then(Json::as_array).unwrap_or_default();
            elements.iter().map(|value| (element.canonical(value).into_owned(), value)).collect()
        };
        let [sent, before, stored, carried] = [seen.sent, seen.before, seen.stored, seen.carried].map(forms);
        let mut shadow: Vec<Json> = Vec::new();
        let all: BTreeSet<&Json> = sent.keys().chain(stored.keys()).chain(carried.keys()).collect();
        for form in all {
            let there = (sent.contains_key(form), before.contains_key(form), stored.contains_key(form));
            let absorbed = match there {
                (sent, _, stored) if sent == stored => None,
                (true, true, _) | (false, false, _) => {
                    self.edited = true;
                    None
                }
                (true, false, _) | (false, true, _) => {
                    self.tidied = true;
                    Some(stored.get(form))
                }
            };
            let held = absorbed.unwrap_or_else(|| carried.get(form));
            shadow.extend(held.map(|value| (*value).clone()));
        }
        Piece::Made(Json::from(shadow))
    }

    /// Absorbs a value that differs from the one that was sent, or takes it for an edit.
    fn absorb_value<'a>(&mut self, place: &Place<'_>, seen: Seen<'a>) -> Option<Piece<'a>> {
        let changed = !Region::Whole.same(place, seen.before, seen.sent);
        let tidied = match (seen.sent, seen.stored) {
            (Some(sent), Some(stored)) => changed || self.respelled.same(sent, stored),
            (Some(_), None) => seen.before.is_none(),
            (None, Some(_)) => changed && Region::Whole.same(place, seen.before, seen.stored),
            (None, None) => false,
        };
        self.tidied |= tidied;
        self.edited |= !tidied;
        // Where the copy's own value was left as it is, the place is open and its shadow stays.
        let open = !Region::Whole.same(place, seen.carried, seen.sent);
        if tidied && !open { seen.stored.map(Piece::Shared) } else { seen.carried.map(Piece::Shared) }
    }
}
