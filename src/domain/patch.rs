//! Documents by place: what stands there, what it is like once something else stands there, and how a change is shown.

use super::json::{Json, Object};
use super::merge::Change;
use super::pointer::Pointer;
use super::rules::{ArrayRule, Rules};
use super::spelling::Place;
use super::text::Text;

/// Returns what stands at a place; elements of keyed arrays are named by their key.
pub fn find<'v>(document: &'v Json, at: &Pointer, rules: &Rules) -> Option<&'v Json> {
    find_below(&Place::root(rules), document, at.tokens())
}

/// Returns what stands below `value`, which stands at `place`.
pub(super) fn find_below<'v>(place: &Place<'_>, value: &'v Json, path: &[Text]) -> Option<&'v Json> {
    match path {
        [] => Some(value),
        [name, rest @ ..] => {
            let (_, member) = place.members(value)?.into_iter().find(|(member, _)| *member == name)?;
            find_below(&place.child(name), member, rest)
        }
    }
}

/// Makes the changes to a document; `None` is absence.
pub fn apply(document: Option<Json>, changes: &[Change], rules: &Rules) -> Option<Json> {
    changes.iter().fold(document, |document, change| put(document, &change.path, change.after.clone(), rules))
}

/// Lets `new` stand at a place, or nothing.
///
/// Objects and keyed arrays that lead there are made where they are not; an element that is new to a keyed array comes last.
pub fn put(document: Option<Json>, at: &Pointer, new: Option<Json>, rules: &Rules) -> Option<Json> {
    put_below(&Place::root(rules), document, at.tokens(), new)
}

fn put_below(place: &Place<'_>, old: Option<Json>, path: &[Text], new: Option<Json>) -> Option<Json> {
    let [name, rest @ ..] = path else { return new };
    let put_member = |old: Option<Json>| put_below(&place.child(name), old, rest, new.clone());
    match (old, place.array_rule()) {
        (Some(Json::Object(mut members)), _) => {
            let new = put_member(members.get(name).cloned());
            members.put(name, new);
            Some(Json::Object(members))
        }
        (Some(Json::Array(elements)), Some(ArrayRule::Key(key))) => Some(put_element(&elements, key, name, put_member)),
        (old, _) if new.is_none() => old,
        (None, Some(ArrayRule::Key(_))) => put_member(None).map(|element| Json::from(vec![element])),
        (_, _) => put_member(None).map(|value| Json::Object(Object::from([(name.clone(), value)]))),
    }
}

fn put_element(elements: &[Json], key: &Text, name: &Text, put: impl Fn(Option<Json>) -> Option<Json>) -> Json {
    let named = |element: &Json| element.as_object().and_then(|members| members.get(key)?.as_text()) == Some(name);
    let at = elements.iter().position(named).unwrap_or(elements.len());
    let (before, rest) = elements.split_at(at);
    let new = put(rest.first().cloned());
    before.iter().cloned().chain(new).chain(rest.iter().skip(1).cloned()).collect()
}

impl Change {
    /// Returns the change as an entry of a patch, in the form of RFC 6902, with the sources whose news it is.
    pub fn to_patch_entry(&self) -> Json {
        let sources = self.sources.iter().map(|source| Json::from(source.as_str())).collect::<Vec<_>>();
        let (op, value) = match (&self.before, &self.after) {
            (_, None) => ("remove", None),
            (None, Some(value)) => ("add", Some(value)),
            (Some(_), Some(value)) => ("replace", Some(value)),
        };
        let members = [
            ("op", Some(op.into())),
            ("path", Some(self.path.to_json())),
            ("value", value.cloned()),
            ("sources", Some(sources.into())),
        ];
        Json::Object(members.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{apply, find, put};
    use crate::domain::json::Json;
    use crate::domain::merge::Change;
    use crate::domain::rules::{ArrayRule, Rules};
    use crate::domain::text::Text;

    fn json(text: &str) -> Json {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn rules() -> Rules {
        Rules {
            arrays: [("/phones".parse().expect("a pointer"), ArrayRule::Key(Text::from("type")))].into(),
            ..Rules::default()
        }
    }

    fn check(document: Option<&str>, at: &str, new: Option<&str>, expected: Option<&str>) {
        let at = at.parse().expect("a pointer");
        let result = put(document.map(json), &at, new.map(json), &rules());
        assert_eq!(result.as_ref().map(Json::to_string).as_deref(), expected, "{document:?} with {new:?} at {at}");
        let found = result.as_ref().and_then(|result| find(result, &at, &rules()));
        assert_eq!(found, new.map(json).as_ref(), "what stands at {at} then");
    }

    #[test]
    fn values_are_put_where_they_belong() {
        check(None, "", Some("1"), Some("1"));
        check(Some("{}"), "", None, None);
        check(Some(r#"{"a":1}"#), "/a", Some("2"), Some(r#"{"a":2}"#));
        check(Some(r#"{"a":1,"b":2}"#), "/a", None, Some(r#"{"b":2}"#));
        check(None, "/a/b", Some("1"), Some(r#"{"a":{"b":1}}"#));
        check(Some(r#"{"a":1}"#), "/a/b", Some("1"), Some(r#"{"a":{"b":1}}"#));
        check(Some(r#"{"a":1}"#), "/a/b", None, Some(r#"{"a":1}"#));
        check(Some("{}"), "/a/b", None, Some("{}"));
    }

    #[test]
    fn elements_of_keyed_arrays_keep_their_order() {
        let two = r#"{"phones":[{"no":1,"type":"a"},{"no":2,"type":"b"}]}"#;
        check(Some(two), "/phones/a/no", Some("3"), Some(r#"{"phones":[{"no":3,"type":"a"},{"no":2,"type":"b"}]}"#));
        check(Some(two), "/phones/a", None, Some(r#"{"phones":[{"no":2,"type":"b"}]}"#));
        check(
            Some(two),
            "/phones/0",
            Some(r#"{"type":"0"}"#),
            Some(r#"{"phones":[{"no":1,"type":"a"},{"no":2,"type":"b"},{"type":"0"}]}"#),
        );
        check(Some("{}"), "/phones/a", Some(r#"{"type":"a"}"#), Some(r#"{"phones":[{"type":"a"}]}"#));
    }

    #[test]
    fn other_arrays_are_one_value() {
        assert_eq!(find(&json("[[1]]"), &"/0".parse().expect("a pointer"), &rules()), None);
        assert_eq!(
            find(
                &json(r#"{"phones":[{"type":"a"},{"type":"a"}]}"#),
                &"/phones/a".parse().expect("a pointer"),
                &rules()
            ),
            None
        );
    }

    #[test]
    fn changes_are_made_in_turn_and_shown_as_a_patch() {
        let change = |path: &str, before: Option<&str>, after: Option<&str>| Change {
            path: path.parse().expect("a pointer"),
            before: before.map(json),
            after: after.map(json),
            sources: vec!["crm".parse().expect("a name")],
        };
        let changes =
            [change("/a", Some("1"), None), change("/b~1c", None, Some("null")), change("/d", Some("1"), Some("2"))];
        assert_eq!(apply(Some(json(r#"{"a":1,"d":1}"#)), &changes, &rules()), Some(json(r#"{"b/c":null,"d":2}"#)));
        let patch: Vec<String> = changes.iter().map(|change| change.to_patch_entry().to_string()).collect();
        assert_eq!(
            patch,
            [
                r#"{"op":"remove","path":"/a","sources":["crm"]}"#,
                r#"{"op":"add","path":"/b~1c","sources":["crm"],"value":null}"#,
                r#"{"op":"replace","path":"/d","sources":["crm"],"value":2}"#,
            ]
        );
    }
}
