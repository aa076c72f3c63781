//! What took one document to another, where that is not known from the walk.

use std::collections::BTreeSet;

use crate::domain::json::Json;
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::spelling::Place;
use crate::domain::text::Text;

use super::Change;
use super::guide::{members, shape};
use super::piece::Shape;

/// Returns the changes that lead from one document to another, each as deep down as can be.
pub(in crate::domain) fn differences(
    place: &Place<'_>,
    before: Option<&Json>,
    after: Option<&Json>,
    sources: &[SourceName],
) -> Vec<Change> {
    let mut search = Search { path: Vec::new(), sources, found: Vec::new() };
    search.compare(place, before, after);
    search.found
}

struct Search<'s> {
    path: Vec<Text>,
    sources: &'s [SourceName],
    found: Vec<Change>,
}

impl Search<'_> {
    fn compare(&mut self, place: &Place<'_>, before: Option<&Json>, after: Option<&Json>) {
        if before == after {
            return;
        }
        let shapes = (before.and_then(|value| shape(place, value)), after.and_then(|value| shape(place, value)));
        match shapes {
            (Some(Shape::Object), Some(Shape::Object)) => self.compare_members(place, Shape::Object, before, after),
            (Some(Shape::Keyed), Some(Shape::Keyed)) => self.compare_members(place, Shape::Keyed, before, after),
            (Some(_) | None, _) => self.found.push(Change {
                path: Pointer::from(self.path.clone()),
                before: before.cloned(),
                after: after.cloned(),
                sources: self.sources.to_vec(),
            }),
        }
    }

    fn compare_members(&mut self, place: &Place<'_>, shape: Shape, before: Option<&Json>, after: Option<&Json>) {
        let (before, after) = (members(place, shape, before), members(place, shape, after));
        let mut seen = BTreeSet::new();
        for name in before.names().chain(after.names()).filter(|name| seen.insert(*name)) {
            self.path.push(name.clone());
            self.compare(&place.child(name), before.get(name), after.get(name));
            self.path.pop();
        }
    }
}
