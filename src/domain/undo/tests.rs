use proptest::prelude::{Strategy, prop, prop_assert_eq, proptest};

use super::{Undone, undo};
use crate::domain::history::sample::{Story, json, rules};
use crate::domain::json::Json;
use crate::domain::merge::Change;
use crate::domain::patch;
use crate::domain::pointer::Pointer;
use crate::domain::record::RecordState;

fn check(story: &Story, version: i64, expected: (RecordState, &str), patch: &[&str]) {
    match undo(&story.record(), &story.history, version, &rules()) {
        Undone::Ready { state, agreed, changes } => {
            assert_eq!((state, agreed), (expected.0, Some(json(expected.1))));
            let found: Vec<String> = changes.iter().map(|change| change.to_patch_entry().to_string()).collect();
            assert_eq!(found, patch);
        }
        other @ (Undone::NoSuchVersion | Undone::Blocked(_)) => panic!("version {version} was not undone: {other:?}"),
    }
}

fn check_blocked(story: &Story, version: i64, expected: &[&str]) {
    let places = expected.iter().map(|at| at.parse().expect("a pointer")).collect();
    assert_eq!(undo(&story.record(), &story.history, version, &rules()), Undone::Blocked(places));
}

fn born(document: &str) -> Story {
    Story::default().then("crm", &[("", Some(document))])
}

/// Undoes a version as the daemon does: by another version.
fn undone(mut story: Story, version: i64) -> Story {
    match undo(&story.record(), &story.history, version, &rules()) {
        Undone::Ready { changes, .. } => story.add(json(&format!(r#"{{"kind":"undo","version":{version}}}"#)), changes),
        other @ (Undone::NoSuchVersion | Undone::Blocked(_)) => panic!("version {version} was not undone: {other:?}"),
    }
    story
}

#[test]
fn a_change_is_taken_back_and_nothing_else() {
    let story = born(r#"{"a":1,"b":1,"c":1}"#)
        .then("shop", &[("/a", Some("2")), ("/b", None), ("/d", Some("2"))])
        .then("shop", &[("/c", Some("3"))]);
    check(
        &story,
        2,
        (RecordState::Live, r#"{"a":1,"b":1,"c":3}"#),
        &[
            r#"{"op":"replace","path":"/a","sources":[],"value":1}"#,
            r#"{"op":"add","path":"/b","sources":[],"value":1}"#,
            r#"{"op":"remove","path":"/d","sources":[]}"#,
        ],
    );
}

#[test]
fn a_version_that_never_was_is_not_undone() {
    for version in [-1, 0, 2] {
        assert_eq!(undo(&born("{}").record(), &born("{}").history, version, &rules()), Undone::NoSuchVersion);
    }
}

#[test]
fn what_changed_again_there_above_or_below_is_in_the_way() {
    let story = born(r#"{"a":{"b":{"c":1}},"x":1}"#).then("shop", &[("/a/b", Some(r#"{"c":2}"#)), ("/x", Some("2"))]);
    check_blocked(&story.then("shop", &[("/a/b/c", Some("3"))]), 2, &["/a/b/c"]);
    let story = born(r#"{"a":{"b":1},"x":1}"#).then("shop", &[("/a/b", Some("2")), ("/x", Some("2"))]);
    check_blocked(&story.then("shop", &[("/a", Some("3")), ("/x", Some("3")), ("/y", Some("3"))]), 2, &["/a/b", "/x"]);
}

#[test]
fn a_change_of_a_record_that_was_removed_since_is_not_undone() {
    check_blocked(&born(r#"{"a":1}"#).then("shop", &[("/a", Some("2"))]).then("shop", &[("", None)]), 2, &["/a"]);
}

#[test]
fn versions_are_taken_back_one_by_one() {
    let story = born(r#"{"a":1}"#).then("shop", &[("/a", Some("2"))]).then("crm", &[("/a", Some("3"))]);
    check_blocked(&story, 2, &["/a"]);
    let story = undone(story, 3);
    check(&story, 2, (RecordState::Live, r#"{"a":1}"#), &[r#"{"op":"replace","path":"/a","sources":[],"value":1}"#]);
    let story = undone(story, 2);
    check_blocked(&story, 2, &["/a"]);
    check(&story, 5, (RecordState::Live, r#"{"a":2}"#), &[r#"{"op":"replace","path":"/a","sources":[],"value":2}"#]);
    let story = undone(story, 5);
    check_blocked(&story, 5, &["/a"]);
}

#[test]
fn an_undone_removal_brings_the_kept_document_back() {
    let story = born(r#"{"a":1}"#).then("shop", &[("", None)]);
    check(&story, 2, (RecordState::Live, r#"{"a":1}"#), &[r#"{"op":"add","path":"","sources":[],"value":{"a":1}}"#]);
    let story = undone(story, 2);
    check_blocked(&story, 2, &[""]);
    check(&story, 3, (RecordState::Deleted, r#"{"a":1}"#), &[r#"{"op":"remove","path":"","sources":[]}"#]);
}

#[test]
fn an_undone_birth_removes_the_record_and_keeps_its_document() {
    check(&born(r#"{"a":1}"#), 1, (RecordState::Deleted, r#"{"a":1}"#), &[r#"{"op":"remove","path":"","sources":[]}"#]);
    let by_members = Story::default().then("crm", &[("/a", Some("1"))]);
    check(&by_members, 1, (RecordState::Deleted, r#"{"a":1}"#), &[r#"{"op":"remove","path":"","sources":[]}"#]);
    check_blocked(&born(r#"{"a":1}"#).then("shop", &[("/a", Some("2"))]), 1, &["/a"]);
}

#[test]
fn objects_that_the_version_made_go_with_it() {
    let story = born("{}").then("shop", &[("/a/b/c", Some("1")), ("/a/b/d", Some("1"))]);
    check(&story, 2, (RecordState::Live, "{}"), &[r#"{"op":"remove","path":"/a","sources":[]}"#]);
    let story = born(r#"{"a":{}}"#).then("shop", &[("/a/b/c", Some("1"))]);
    check(&story, 2, (RecordState::Live, r#"{"a":{}}"#), &[r#"{"op":"remove","path":"/a/b","sources":[]}"#]);
    let story = story.then("crm", &[("/a/b/d", Some("2"))]);
    check(
        &story,
        2,
        (RecordState::Live, r#"{"a":{"b":{"d":2}}}"#),
        &[r#"{"op":"remove","path":"/a/b/c","sources":[]}"#],
    );
}

#[test]
fn elements_of_keyed_arrays_and_sets_are_taken_back() {
    let story = born(r#"{"phones":[{"type":"home","no":1},{"type":"work","no":2}],"tags":["a"]}"#).then(
        "shop",
        &[
            ("/phones/fax", Some(r#"{"type":"fax"}"#)),
            ("/phones/home", None),
            ("/phones/work/no", Some("3")),
            ("/tags", Some(r#"["a","b"]"#)),
        ],
    );
    let expected = r#"{"phones":[{"type":"work","no":2},{"type":"home","no":1}],"tags":["a"]}"#;
    check(
        &story,
        2,
        (RecordState::Live, expected),
        &[
            r#"{"op":"remove","path":"/phones/fax","sources":[]}"#,
            r#"{"op":"add","path":"/phones/home","sources":[],"value":{"no":1,"type":"home"}}"#,
            r#"{"op":"replace","path":"/phones/work/no","sources":[],"value":2}"#,
            r#"{"op":"replace","path":"/tags","sources":[],"value":["a"]}"#,
        ],
    );
    let story = born("{}").then("shop", &[("/phones/fax", Some(r#"{"type":"fax"}"#))]);
    check(&story, 2, (RecordState::Live, "{}"), &[r#"{"op":"remove","path":"/phones","sources":[]}"#]);
}

/// What a version does: values, or nothing, for places.
type Step = Vec<(String, Option<String>)>;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = ("/[ab](/[ab]){0,2}", prop::option::of("[12]|\\{\\}|\\{\"a\":1\\}"));
    prop::collection::vec(prop::collection::vec(change, 1..3), 1..8)
}

/// Makes the changes of a step as the merge would: none below a value that is no object.
fn changes(document: Option<Json>, step: &Step) -> Vec<Change> {
    let (mut document, mut changes) = (document, Vec::new());
    for (path, after) in step {
        let (path, after): (Pointer, _) = (path.parse().expect("a pointer"), after.as_deref().map(json));
        let find = |at: &Pointer| document.as_ref().and_then(|document| patch::find(document, at, &rules())).cloned();
        let above = (0..path.tokens().len()).filter_map(|depth| find(&path.tokens()[..depth].to_vec().into()));
        if above.into_iter().all(|value| value.as_object().is_some()) {
            let change = Change { before: find(&path), after, path, sources: vec!["crm".parse().expect("a name")] };
            document = patch::apply(document, std::slice::from_ref(&change), &rules());
            changes.push(change);
        }
    }
    changes
}

proptest! {
    #[test]
    fn undoing_the_last_version_gives_the_document_before_it(steps in steps()) {
        let mut story = born(r#"{"z":0}"#);
        let mut before = None;
        for step in &steps {
            before = story.record().agreed;
            story.add(json(r#"{"kind":"sync"}"#), changes(before.clone(), step));
        }
        let Undone::Ready { agreed, changes, .. } = undo(&story.record(), &story.history, steps.len() as i64 + 1, &rules()) else {
            panic!("the last version was not undone");
        };
        prop_assert_eq!(&agreed, &before);
        prop_assert_eq!(&patch::apply(story.record().agreed, &changes, &rules()), &agreed);
    }
}
