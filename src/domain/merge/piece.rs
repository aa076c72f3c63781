//! Values on their way through the merge: what stays as it is, is shared and not copied.

use std::iter::Peekable;

use crate::domain::json::{Iter, Json, Object};
use crate::domain::text::Text;

/// A value that stands in the question, or that was put together.
#[derive(Debug, Clone)]
pub(super) enum Piece<'a> {
    Shared(&'a Json),
    Made(Json),
}

impl<'a> Piece<'a> {
    pub(super) fn get(&self) -> &Json {
        match self {
            Self::Shared(value) => value,
            Self::Made(value) => value,
        }
    }

    pub(super) fn into_json(self) -> Json {
        match self {
            Self::Shared(value) => value.clone(),
            Self::Made(value) => value,
        }
    }

    fn is(&self, value: &Json) -> bool {
        match self {
            Self::Shared(shared) => std::ptr::eq(*shared, value),
            Self::Made(_) => false,
        }
    }
}

/// What a value that has members, or elements with names, is: each is merged by its own rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    /// An array whose elements have keys.
    Keyed,
    /// An array that is a set.
    Set,
}

impl Shape {
    /// Returns the value of this shape that holds nothing.
    pub(super) fn empty(self) -> Json {
        match self {
            Self::Object => Json::Object(Object::new()),
            Self::Keyed | Self::Set => Json::from(Vec::new()),
        }
    }
}

/// The parts of a value by name, in the order in which an array has them.
pub(super) type Parts<'a> = Vec<(&'a Text, Piece<'a>)>;

/// Puts parts together; gives `like` itself where it has just these.
pub(super) fn compose<'a>(shape: Shape, parts: Parts<'a>, like: Option<&'a Json>) -> Piece<'a> {
    match (shape, like) {
        (Shape::Object, Some(value @ Json::Object(members))) if consists(members, &parts) => Piece::Shared(value),
        (Shape::Keyed, Some(value @ Json::Array(elements))) if lists(elements, &parts) => Piece::Shared(value),
        (Shape::Object, _) => {
            Piece::Made(Json::Object(parts.into_iter().map(|(name, part)| (name.clone(), part.into_json())).collect()))
        }
        (Shape::Keyed | Shape::Set, _) => Piece::Made(parts.into_iter().map(|(_, part)| part.into_json()).collect()),
    }
}

/// Parts come in the order of their names, as members do.
fn consists(members: &Object, parts: &Parts<'_>) -> bool {
    members.len() == parts.len() && members.values().zip(parts).all(|(value, (_, part))| part.is(value))
}

fn lists(elements: &[Json], parts: &Parts<'_>) -> bool {
    elements.len() == parts.len() && elements.iter().zip(parts).all(|(value, (_, part))| part.is(value))
}

/// The members of an object, or the elements of a keyed array by their keys.
#[derive(Debug, Clone, Default)]
pub(super) enum Members<'a> {
    #[default]
    None,
    Object(&'a Object),
    /// In the order of the array.
    Keyed(Vec<(&'a Text, &'a Json)>),
}

impl<'a> Members<'a> {
    pub(super) fn get(&self, name: &Text) -> Option<&'a Json> {
        match self {
            Self::None => None,
            Self::Object(members) => members.get(name),
            Self::Keyed(elements) => elements.iter().find(|(key, _)| *key == name).map(|(_, element)| *element),
        }
    }

    pub(super) fn names(&self) -> Names<'_, 'a> {
        match self {
            Self::None => Names::Keyed([].iter()),
            Self::Object(members) => Names::Object(members.iter()),
            Self::Keyed(elements) => Names::Keyed(elements.iter()),
        }
    }

    /// Starts to look members up one after the other.
    pub(super) fn seeker(&self) -> Seeker<'_, 'a> {
        match self {
            Self::None => Seeker::Keyed { elements: &[], next: 0 },
            Self::Object(members) => Seeker::Object(members.iter().peekable()),
            Self::Keyed(elements) => Seeker::Keyed { elements, next: 0 },
        }
    }
}

/// The names of members.
pub(super) enum Names<'m, 'a> {
    Object(Iter<'a>),
    Keyed(std::slice::Iter<'m, (&'a Text, &'a Json)>),
}

impl<'a> Iterator for Names<'_, 'a> {
    type Item = &'a Text;

    fn next(&mut self) -> Option<&'a Text> {
        match self {
            Self::Object(members) => members.next().map(|(name, _)| name),
            Self::Keyed(elements) => elements.next().map(|(name, _)| *name),
        }
    }
}

/// Finds members one after the other: those of an object as long as they are asked for in the order of their names,
/// elements in any order, and at once where it is the array's own.
pub(super) enum Seeker<'m, 'a> {
    Object(Peekable<Iter<'a>>),
    Keyed {
        elements: &'m [(&'a Text, &'a Json)],
        /// Right after the one that was found last.
        next: usize,
    },
}

impl<'a> Seeker<'_, 'a> {
    pub(super) fn seek(&mut self, name: &Text) -> Option<&'a Json> {
        match self {
            Self::Object(members) => {
                while members.next_if(|(other, _)| *other < name).is_some() {}
                members.next_if(|(other, _)| *other == name).map(|(_, value)| value)
            }
            Self::Keyed { elements, next } => {
                let (before, rest) = elements.split_at(*next);
                let found = rest.iter().chain(before).position(|(key, _)| *key == name)?;
                let at = (*next + found) % elements.len();
                *next = at + 1;
                Some(elements[at].1)
            }
        }
    }
}
