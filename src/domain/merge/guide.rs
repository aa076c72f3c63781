//! What the rules, and a person, say of each place: a tree along which the walk goes.

use std::collections::BTreeMap;

use crate::domain::json::Json;
use crate::domain::pointer::Pointer;
use crate::domain::rules::{ArrayRule, MergePolicy, Rules};
use crate::domain::spelling::Place;
use crate::domain::text::Text;

use super::piece::{Members, Shape};
use super::{ConflictKind, Decision, Question};

/// What is said of places, from the whole document down.
#[derive(Debug)]
pub(super) struct Guide<'a> {
    rules: &'a Rules,
    root: Node<'a>,
}

/// What is said of one place.
#[derive(Debug, Default)]
struct Node<'a> {
    policy: Option<&'a MergePolicy>,
    atomic: bool,
    decision: Option<&'a Decision>,
    held: Option<ConflictKind>,
    below: BTreeMap<&'a Text, Node<'a>>,
}

impl<'a> Node<'a> {
    fn at(&mut self, pointer: &'a Pointer) -> &mut Self {
        pointer.tokens().iter().fold(self, |node, name| node.below.entry(name).or_default())
    }
}

impl<'a> Guide<'a> {
    pub(super) fn new(question: &'a Question<'_>) -> Self {
        let mut root = Node::default();
        for (place, rule) in &question.rules.fields {
            let node = root.at(place);
            node.policy = rule.merge_policy.as_ref();
            node.atomic = rule.atomic;
        }
        for (place, decision) in &question.decisions {
            root.at(place).decision = Some(decision);
        }
        for (place, kind) in &question.held {
            root.at(place).held = Some(*kind);
        }
        Self { rules: question.rules, root }
    }

    /// Returns what is said of the whole document.
    pub(super) fn signs(&'a self) -> Signs<'a> {
        let policy = self.root.policy.unwrap_or(&self.rules.merge_policy);
        Signs { place: Place::root(self.rules), policy, key: None, node: Some(&self.root) }
    }
}

/// What is said of one place, what holds for it from above included.
#[derive(Debug, Clone)]
pub(super) struct Signs<'a> {
    pub(super) place: Place<'a>,
    pub(super) policy: &'a MergePolicy,
    /// The member that names this element of a keyed array; `None` where this is no such element.
    pub(super) key: Option<&'a Text>,
    /// `None` where nothing is said of this place, nor of any below.
    node: Option<&'a Node<'a>>,
}

impl<'a> Signs<'a> {
    /// Returns what is said of the member of an object, or the element of a keyed array, that is named `name`.
    pub(super) fn child(&self, shape: Shape, name: &Text) -> Self {
        let node = self.node.and_then(|node| node.below.get(name));
        let policy = node.and_then(|node| node.policy).unwrap_or(self.policy);
        let key = match (shape, self.place.array_rule()) {
            (Shape::Keyed, Some(ArrayRule::Key(key))) => Some(key),
            (Shape::Keyed | Shape::Object | Shape::Set, _) => None,
        };
        Self { place: self.place.child(name), policy, key, node }
    }

    pub(super) fn atomic(&self) -> bool {
        self.node.is_some_and(|node| node.atomic)
    }

    pub(super) fn decision(&self) -> Option<&'a Decision> {
        self.node.and_then(|node| node.decision)
    }

    pub(super) fn held(&self) -> Option<ConflictKind> {
        self.node.and_then(|node| node.held)
    }

    /// Says whether arrays here have elements with keys.
    pub(super) fn keyed(&self) -> bool {
        matches!(self.place.array_rule(), Some(ArrayRule::Key(_)))
    }
}

/// Returns what a value counts as at a place; `None`: one value.
pub(super) fn shape(place: &Place<'_>, value: &Json) -> Option<Shape> {
    match (value, place.array_rule()) {
        (Json::Object(_), _) => Some(Shape::Object),
        (Json::Array(_), Some(ArrayRule::Set)) => Some(Shape::Set),
        (Json::Array(_), Some(ArrayRule::Key(_))) => place.members(value).map(|_| Shape::Keyed),
        (Json::Array(_), None) => None,
        (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_), _) => None,
    }
}

/// Returns the members of a value that counts as `shape`; of any other value there are none.
pub(super) fn members<'a>(place: &Place<'_>, shape: Shape, value: Option<&'a Json>) -> Members<'a> {
    match (shape, value) {
        (Shape::Object, Some(Json::Object(members))) => Members::Object(members),
        (Shape::Keyed, Some(value @ Json::Array(_))) => place.members(value).map_or(Members::None, Members::Keyed),
        (Shape::Object | Shape::Keyed | Shape::Set, _) => Members::None,
    }
}
