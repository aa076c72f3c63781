use proptest::prelude::{prop, prop_assert_eq, proptest};

use super::provenance;
use crate::domain::history::sample::{Story, json, rules};
use crate::domain::patch;

/// Compares lines of `place: value by sources in version`, with `(source had value in version)` for what lost.
fn check(story: &Story, expected: &[&str]) {
    let found: Vec<String> = provenance(&story.history, &rules())
        .into_iter()
        .map(|(at, origin)| {
            let sources: Vec<&str> = origin.sources.iter().map(|source| source.as_str()).collect();
            let mut line = format!("{at}: {} by {} in {}", origin.value, sources.join(","), origin.version);
            for lost in origin.overruled {
                let value = lost.value.map_or("nothing".to_owned(), |value| value.to_string());
                line += &format!(" ({} had {value} in {})", lost.source, lost.version);
            }
            line
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_value_comes_from_the_version_that_changed_it_last() {
    let story = Story::default()
        .then("crm", &[("", Some(r#"{"name":"Ann","address":{"street":"A 1","city":"Ulm"}}"#))])
        .then("billing,shop", &[("/address/street", Some(r#""B 2""#))])
        .then("shop", &[("/email", Some(r#""a@x""#)), ("/name", None)]);
    check(
        &story,
        &[
            r#"/address/city: "Ulm" by crm in 1"#,
            r#"/address/street: "B 2" by billing,shop in 2"#,
            r#"/email: "a@x" by shop in 3"#,
        ],
    );
}

#[test]
fn a_value_set_whole_explains_just_what_is_new() {
    let story = Story::default()
        .then("crm", &[("", Some(r#"{"address":{"street":"A 1","city":"Ulm"}}"#))])
        .then("shop", &[("/address", Some(r#"{"street":"B 2","city":"Ulm"}"#))]);
    check(&story, &[r#"/address/city: "Ulm" by crm in 1"#, r#"/address/street: "B 2" by shop in 2"#]);
}

#[test]
fn when_and_why_are_told() {
    let story = Story::default().then("crm", &[("", Some(r#"{"a":1}"#))]).because(
        r#"{"kind":"resolution","conflict":7}"#,
        "",
        &[("/a", Some("2"))],
    );
    let found = provenance(&story.history, &rules());
    let origin = &found[&"/a".parse().expect("a pointer")];
    assert_eq!(
        (origin.at.as_str(), &origin.cause),
        ("2026-01-01T00:00:02Z", &json(r#"{"kind":"resolution","conflict":7}"#))
    );
    assert_eq!(origin.sources, []);
}

#[test]
fn elements_of_keyed_arrays_have_origins_of_their_own_and_sets_one() {
    let story = Story::default()
        .then("crm", &[("", Some(r#"{"phones":[{"type":"home","no":1}],"tags":["a"]}"#))])
        .then("shop", &[("/phones/fax", Some(r#"{"type":"fax","no":2}"#))])
        .then("billing", &[("/phones/home/no", Some("3")), ("/tags", Some(r#"["a","b"]"#))]);
    check(
        &story,
        &[
            r#"/phones/fax/no: 2 by shop in 2"#,
            r#"/phones/fax/type: "fax" by shop in 2"#,
            r#"/phones/home/no: 3 by billing in 3"#,
            r#"/phones/home/type: "home" by crm in 1"#,
            r#"/tags: ["a","b"] by billing in 3"#,
        ],
    );
}

#[test]
fn what_is_emptied_or_replaced_is_explained_by_the_change_inside_or_around_it() {
    let story = Story::default()
        .then("crm", &[("", Some(r#"{"a":{"b":1},"c":{"d":1}}"#))])
        .then("shop", &[("/a/b", None), ("/c", Some("null"))]);
    check(&story, &["/a: {} by shop in 2", "/c: null by shop in 2"]);
}

#[test]
fn what_lost_is_told_as_long_as_its_winner_stands() {
    let story = Story::default()
        .then("crm", &[("", Some(r#"{"a":1,"b":1}"#))])
        .over("/a", "shop", Some("2"))
        .then("shop", &[("/b", Some("2"))])
        .over("/a", "billing", None)
        .over("/b", "crm", Some("3"))
        .then("shop", &[("/b", Some("4"))]);
    check(&story, &["/a: 1 by crm in 1 (shop had 2 in 1) (billing had nothing in 2)", "/b: 4 by shop in 3"]);
}

#[test]
fn of_a_whole_that_lost_each_value_tells_its_part() {
    let story = Story::default()
        .then("crm", &[("", Some(r#"{"address":{"street":"A 1","city":"Ulm"},"x":1}"#))])
        .over("/address", "shop", Some(r#"{"street":"B 2","city":"Ulm"}"#))
        .over("", "billing", None);
    check(
        &story,
        &[
            r#"/address/city: "Ulm" by crm in 1 (billing had nothing in 1)"#,
            r#"/address/street: "A 1" by crm in 1 (shop had "B 2" in 1) (billing had nothing in 1)"#,
            r#"/x: 1 by crm in 1 (billing had nothing in 1)"#,
        ],
    );
}

#[test]
fn the_kept_document_of_a_removed_record_is_explained() {
    let story = Story::default().then("crm", &[("", Some(r#"{"a":1}"#))]).then("shop", &[("", None)]);
    check(&story, &["/a: 1 by crm in 1"]);
    let back = story.because(r#"{"kind":"undo","version":2}"#, "", &[("", Some(r#"{"a":1,"b":2}"#))]);
    check(&back, &["/a: 1 by crm in 1", "/b: 2 by  in 3"]);
}

#[test]
fn what_the_history_does_not_reach_is_left_out() {
    let mut story = Story::default().then("crm", &[("", Some(r#"{"a":1}"#))]).then("shop", &[("/b", Some("2"))]);
    story.history.remove(0);
    check(&story, &["/b: 2 by shop in 2"]);
}

#[test]
fn a_document_that_is_no_object_is_one_leaf() {
    check(&Story::default().then("crm", &[("", Some("{}"))]), &[": {} by crm in 1"]);
    check(&Story::default(), &[]);
}

proptest! {
    #[test]
    fn the_leaves_make_up_the_document(steps in prop::collection::vec(("/[ab](/[ab]){0,2}", prop::option::of("[12]|\\{\\}|\\{\"a\":1\\}")), 0..12)) {
        let mut story = Story::default().then("crm", &[("", Some(r#"{"z":0}"#))]);
        for (path, value) in &steps {
            story = story.then("crm", &[(path, value.as_deref())]);
        }
        let whole = provenance(&story.history, &rules()).into_iter().fold(None, |document, (at, origin)| {
            patch::put(document, &at, Some(origin.value), &rules())
        });
        prop_assert_eq!(whole, story.record().agreed);
    }
}
