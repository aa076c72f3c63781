//! The members of an object.

use std::fmt;
use std::sync::Arc;

use super::Json;
use crate::domain::text::Text;

/// The members of a JSON object, sorted by name, in one block that is shared by all its clones.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object(Arc<[(Text, Json)]>);

impl Object {
    /// Makes an object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes members that are sorted by name, none of which stands twice.
    pub(super) fn of_sorted(members: impl Iterator<Item = (Text, Json)>) -> Self {
        Self(members.collect())
    }

    /// Returns the number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the member `name`.
    pub fn get(&self, name: &Text) -> Option<&Json> {
        self.get_wtf8(name.as_wtf8())
    }

    pub(super) fn get_wtf8(&self, name: &[u8]) -> Option<&Json> {
        let position = self.position(name).ok()?;
        Some(&self.0[position].1)
    }

    /// Says whether there is a member `name`.
    pub fn contains_key(&self, name: &Text) -> bool {
        self.get(name).is_some()
    }

    /// Lets `value` be the member `name`, or lets there be none.
    pub fn put(&mut self, name: &Text, value: Option<Json>) {
        match (self.position(name.as_wtf8()), value) {
            (Ok(at), Some(value)) => Arc::make_mut(&mut self.0)[at].1 = value,
            (Ok(at), None) => self.0 = [&self.0[..at], &self.0[at + 1..]].concat().into(),
            (Err(at), Some(value)) => {
                self.0 = [&self.0[..at], &[(name.clone(), value)], &self.0[at..]].concat().into();
            }
            (Err(_), None) => {}
        }
    }

    /// Lets `value` be the member `name`.
    pub fn insert(&mut self, name: Text, value: Json) {
        self.put(&name, Some(value));
    }

    /// Returns the members, by name.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.0.iter())
    }

    /// Returns the names, sorted.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Text> + Clone + use<'_> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Returns the values, by name.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Json> + Clone + use<'_> {
        self.0.iter().map(|(_, value)| value)
    }

    /// Finds where a member is, or where it would be.
    fn position(&self, name: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_wtf8().cmp(name))
    }
}

/// Members, by name.
#[derive(Debug, Clone)]
pub struct Iter<'a>(std::slice::Iter<'a, (Text, Json)>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Text, &'a Json);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a Text, &'a Json);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Of members with one name the last stands.
impl FromIterator<(Text, Json)> for Object {
    fn from_iter<I: IntoIterator<Item = (Text, Json)>>(members: I) -> Self {
        let mut members: Vec<(Text, Json)> = members.into_iter().collect();
        if !members.is_sorted_by(|(one, _), (next, _)| one < next) {
            // The last of them comes first, and stays.
            members.reverse();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            members.dedup_by(|(later, _), (first, _)| later == first);
        }
        Self(members.into())
    }
}

impl Extend<(Text, Json)> for Object {
    fn extend<I: IntoIterator<Item = (Text, Json)>>(&mut self, members: I) {
        *self = self.0.iter().cloned().chain(members).collect();
    }
}

impl<const N: usize> From<[(Text, Json); N]> for Object {
    fn from(members: [(Text, Json); N]) -> Self {
        members.into_iter().collect()
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Object;
    use crate::domain::json::Json;
    use crate::domain::text::Text;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};
    use std::collections::BTreeMap;

    fn shown(object: &Object) -> String {
        Json::Object(object.clone()).to_string()
    }

    #[test]
    fn a_clone_does_not_follow_what_is_put() {
        let mut object = Object::from([("b".into(), 1.into()), ("a".into(), 2.into())]);
        let before = object.clone();
        object.put(&"b".into(), Some(3.into()));
        object.put(&"c".into(), Some(4.into()));
        object.put(&"a".into(), None);
        object.put(&"x".into(), None);
        assert_eq!((shown(&before), shown(&object)), (r#"{"a":2,"b":1}"#.to_owned(), r#"{"b":3,"c":4}"#.to_owned()));
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds(steps in prop::collection::vec((0..6u8, any::<Option<i64>>()), 0..30), rest in prop::collection::vec((0..6u8, any::<i64>()), 0..30)) {
            let name = |name: u8| Text::from(name.to_string());
            let first: Vec<(Text, Json)> = rest.iter().map(|(key, value)| (name(*key), (*value).into())).collect();
            let (mut object, mut map): (Object, BTreeMap<Text, Json>) = (first.iter().cloned().collect(), first.into_iter().collect());
            for (key, value) in steps {
                object.put(&name(key), value.map(Json::from));
                match value {
                    Some(value) => map.insert(name(key), value.into()),
                    None => map.remove(&name(key)),
                };
                prop_assert_eq!(object.get(&name(key)), map.get(&name(key)));
            }
            prop_assert_eq!(object.iter().collect::<Vec<_>>(), map.iter().collect::<Vec<_>>());
            prop_assert_eq!((object.len(), object.is_empty()), (map.len(), map.is_empty()));
            prop_assert_eq!(format!("{object:?}"), format!("{map:?}"));
        }
    }
}
