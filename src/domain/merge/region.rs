//! Which part of a document something is about: what a source holds, what of a shadow is unknown, what is owed.

use std::collections::BTreeSet;

use crate::domain::json::{Json, Object};
use crate::domain::pointer::Pointer;
use crate::domain::rules::Fields;
use crate::domain::spelling::Place;
use crate::domain::text::Text;

use super::piece::Piece;

/// The part of a value that some places, and all that is below them, make up.
#[derive(Debug, Clone)]
pub(super) enum Region<'a> {
    Nothing,
    Whole,
    /// What these paths lead to, through object members alone; none of them is empty.
    Below(Vec<&'a [Text]>),
}

/// Returns the part of a document that lies within `fields`; `None` if that is nothing.
///
/// A place is reached through object members alone, never into an array.
pub fn restrict(document: &Json, fields: &Fields) -> Option<Json> {
    Region::of_fields(fields).cut(Some(document)).map(Piece::into_json)
}

impl<'a> Region<'a> {
    pub(super) fn of_fields(fields: &'a Fields) -> Self {
        fields.as_ref().map_or(Self::Whole, |places| Self::of_places(places))
    }

    pub(super) fn of_places(places: &'a [Pointer]) -> Self {
        Self::of_paths(places.iter().map(Pointer::tokens).collect())
    }

    fn of_paths(paths: Vec<&'a [Text]>) -> Self {
        if paths.is_empty() {
            Self::Nothing
        } else if paths.iter().any(|path| path.is_empty()) {
            Self::Whole
        } else {
            Self::Below(paths)
        }
    }

    /// Returns the part of the member `name`.
    pub(super) fn child(&self, name: &Text) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Whole => Self::Whole,
            Self::Below(paths) => {
                let inside =
                    |path: &&'a [Text]| path.split_first().filter(|(first, _)| *first == name).map(|(_, rest)| rest);
                Self::of_paths(paths.iter().filter_map(inside).collect())
            }
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    /// Returns the places at which the part begins, seen from `at`.
    pub(super) fn places(&self, at: &Pointer) -> Vec<Pointer> {
        let lengthened = |path: &&[Text]| Pointer::from([at.tokens(), path].concat());
        match self {
            Self::Nothing => Vec::new(),
            Self::Whole => vec![at.clone()],
            Self::Below(paths) => paths.iter().map(lengthened).collect(),
        }
    }

    /// Returns this part of a value; `None` if there is nothing in it.
    pub(super) fn cut<'v>(&self, value: Option<&'v Json>) -> Option<Piece<'v>> {
        match self {
            Self::Nothing => None,
            Self::Whole => value.map(Piece::Shared),
            Self::Below(_) => {
                let members = value?.as_object()?;
                let cut = |name: &Text| Some((name.clone(), self.child(name).cut(members.get(name))?.into_json()));
                let inside: Object = self.names().into_iter().filter_map(cut).collect();
                (!inside.is_empty()).then_some(Piece::Made(Json::Object(inside)))
            }
        }
    }

    /// Returns this part of a piece, shared where it can be.
    pub(super) fn cut_piece<'v>(&self, piece: Option<&Piece<'v>>) -> Option<Piece<'v>> {
        match piece? {
            Piece::Shared(value) => self.cut(Some(value)),
            Piece::Made(value) => self.cut(Some(value)).map(|cut| Piece::Made(cut.into_json())),
        }
    }

    /// Says whether there is anything in this part of a value.
    pub(super) fn holds(&self, value: Option<&Json>) -> bool {
        match self {
            Self::Nothing => false,
            Self::Whole => value.is_some(),
            Self::Below(_) => self.names().into_iter().any(|name| self.child(name).holds(member(value, name))),
        }
    }

    /// Says whether two values are the same in this part.
    pub(super) fn same(&self, place: &Place<'_>, a: Option<&Json>, b: Option<&Json>) -> bool {
        match (self, a, b) {
            (Self::Nothing, _, _) | (Self::Whole, None, None) => true,
            (Self::Whole, Some(a), Some(b)) => std::ptr::eq(a, b) || place.same(a, b),
            (Self::Whole, Some(_), None) | (Self::Whole, None, Some(_)) => false,
            (Self::Below(_), a, b) => {
                let same = |name| self.child(name).same(&place.child(name), member(a, name), member(b, name));
                self.names().into_iter().all(same)
            }
        }
    }

    /// Returns `base` with this part as in `over`.
    pub(super) fn lay(&self, base: Option<&Json>, over: Option<&Json>) -> Option<Json> {
        match self {
            Self::Nothing => base.cloned(),
            Self::Whole => over.cloned(),
            Self::Below(_) if !self.holds(base) && !self.holds(over) => base.cloned(),
            Self::Below(_) => {
                let mut members = base.and_then(Json::as_object).cloned().unwrap_or_default();
                for name in self.names() {
                    members.put(name, self.child(name).lay(members.get(name), member(over, name)));
                }
                (!members.is_empty() || over.is_some()).then_some(Json::Object(members))
            }
        }
    }

    /// Returns the names of the members that the part is about, where it is not the whole.
    pub(super) fn names(&self) -> BTreeSet<&'a Text> {
        match self {
            Self::Nothing | Self::Whole => BTreeSet::new(),
            Self::Below(paths) => paths.iter().filter_map(|path| path.first()).collect(),
        }
    }
}

fn member<'v>(value: Option<&'v Json>, name: &Text) -> Option<&'v Json> {
    value?.as_object()?.get(name)
}
