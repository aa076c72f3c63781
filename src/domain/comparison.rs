//! Documents beside each other, place by place, as people compare them.

use std::collections::{BTreeMap, BTreeSet};

use super::json::Json;
use super::pointer::Pointer;
use super::rules::Rules;
use super::spelling::Place;
use super::text::Text;

/// One place, and what each document holds there; `None`: nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'v> {
    pub at: Pointer,
    pub values: Vec<Option<&'v Json>>,
}

/// Puts documents beside each other. A document that is not there holds nothing anywhere.
///
/// A place is one row as soon as one of the documents holds something undivided there: neither an object nor an array that is kept by
/// key, or an empty one. Members stand in the order of their names.
pub fn beside<'v>(documents: Vec<Option<&'v Json>>, rules: &Rules) -> Vec<Row<'v>> {
    let mut rows = Vec::new();
    if documents.iter().any(Option::is_some) {
        compare(&Place::root(rules), Pointer::root(), documents, &mut rows);
    }
    rows
}

fn compare<'v>(place: &Place<'_>, at: Pointer, values: Vec<Option<&'v Json>>, rows: &mut Vec<Row<'v>>) {
    let divided: Option<Vec<_>> = values.iter().map(|value| divide(place, *value)).collect();
    let Some(divided) = divided else {
        rows.push(Row { at, values });
        return;
    };
    let names: BTreeSet<&Text> = divided.iter().flat_map(|members| members.keys().copied()).collect();
    for name in names {
        let below = divided.iter().map(|members| members.get(name).copied()).collect();
        compare(&place.child(name), at.child(name), below, rows);
    }
}

/// Gives the members of a value, none where nothing stands; `None` if it is undivided.
fn divide<'v>(place: &Place<'_>, value: Option<&'v Json>) -> Option<BTreeMap<&'v Text, &'v Json>> {
    let Some(value) = value else { return Some(BTreeMap::new()) };
    let members = place.members(value).filter(|members| !members.is_empty())?;
    Some(members.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rules::ArrayRule;

    /// Compares documents, an empty text being none, and gives each row as `pointer: value | value`.
    #[track_caller]
    fn check(documents: &[&str], expected: &[&str]) {
        let phones = ("/phones".parse().expect("a pointer"), ArrayRule::Key("type".into()));
        let rules = Rules { arrays: [phones].into(), ..Rules::default() };
        let parsed: Vec<Option<Json>> =
            documents.iter().map(|text| (!text.is_empty()).then(|| text.parse().expect("JSON"))).collect();
        let rows = beside(parsed.iter().map(Option::as_ref).collect(), &rules);
        let shown = rows.iter().map(|row| {
            let values: Vec<String> =
                row.values.iter().map(|value| value.map_or("-".to_owned(), ToString::to_string)).collect();
            format!("{}: {}", row.at, values.join(" | "))
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{documents:?}");
    }

    #[test]
    fn every_place_is_a_row() {
        check(
            &[r#"{"name":"Ann","address":{"city":"Ulm","zip":"1"}}"#, r#"{"name":"Anne","address":{"city":"Ulm"}}"#],
            &[r#"/address/city: "Ulm" | "Ulm""#, r#"/address/zip: "1" | -"#, r#"/name: "Ann" | "Anne""#],
        );
    }

    #[test]
    fn a_place_that_is_undivided_somewhere_is_one_row() {
        check(&[r#"{"a":{"b":1}}"#, r#"{"a":"text"}"#], &[r#"/a: {"b":1} | "text""#]);
        check(&[r#"{"a":{"b":1}}"#, r#"{"a":{}}"#], &[r#"/a: {"b":1} | {}"#]);
        check(&[r#"{"a":[1]}"#, r#"{"a":[2]}"#], &["/a: [1] | [2]"]);
        check(&["[]", r#"{"a":1}"#], &[r#": [] | {"a":1}"#]);
    }

    #[test]
    fn a_document_that_is_not_there_has_nothing_anywhere() {
        check(&["", r#"{"a":null}"#], &["/a: - | null"]);
        check(&["", ""], &[]);
    }

    #[test]
    fn elements_that_are_kept_by_key_are_beside_their_like() {
        check(
            &[
                r#"{"phones":[{"type":"home","no":"1"}]}"#,
                r#"{"phones":[{"type":"work","no":"2"},{"type":"home","no":"3"}]}"#,
            ],
            &[
                r#"/phones/home/no: "1" | "3""#,
                r#"/phones/home/type: "home" | "home""#,
                r#"/phones/work/no: - | "2""#,
                r#"/phones/work/type: - | "work""#,
            ],
        );
    }
}
