//! Random worlds, and what happens in them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use crate::domain::json::Json;
use crate::domain::pointer::Pointer;
use crate::domain::record::{Base, RecordState};
use crate::domain::rules::{ArrayRule, FieldRule, Fields, Folding, MergePolicy, OnDelete, Rules};
use crate::domain::text::Text;

use super::world::{Choice, Link, Source, Step, World};

pub(super) const NAMES: [&str; 4] = ["ad", "bill", "crm", "hr"];

/// The places that people edit.
const PLACES: [&str; 13] = [
    "/name",
    "/mail",
    "/address",
    "/address/city",
    "/address/street",
    "/address/geo/lat",
    "/address/geo/lon",
    "/phones",
    "/phones/home",
    "/phones/home/no",
    "/phones/work/no",
    "/tags",
    "/atom/x",
];

pub(super) fn pointer(text: &str) -> Pointer {
    text.parse().expect("a pointer")
}

pub(super) fn json(text: &str) -> Json {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Policies; those that depend on names too if `named`.
fn policy(named: bool) -> impl Strategy<Value = MergePolicy> {
    let named = if named { 3 } else { 0 };
    let source = || select(&NAMES[..]).prop_map(|name| name.parse().expect("a name"));
    prop_oneof![
        6 => Just(MergePolicy::IgnoreConflicts),
        1 => Just(MergePolicy::RejectAll),
        named => Just(MergePolicy::AcceptAll),
        named => source().prop_map(MergePolicy::TrustOnly),
        named => vec(source(), 1..3).prop_map(MergePolicy::Prefer),
    ]
}

pub(super) fn rules(named: bool) -> impl Strategy<Value = Rules> {
    let on_delete =
        select(vec![OnDelete::Propagate, OnDelete::Propagate, OnDelete::Recreate, OnDelete::Unlink, OnDelete::Hold]);
    let fields = vec((select(&PLACES[..]), policy(named)), 0..3);
    (policy(named), on_delete, fields, any::<bool>()).prop_map(|(merge_policy, on_delete, policies, arrays)| {
        let mut fields: BTreeMap<Pointer, FieldRule> = BTreeMap::new();
        for (place, policy) in policies {
            fields.entry(pointer(place)).or_default().merge_policy = Some(policy);
        }
        fields.entry(pointer("/atom")).or_default().atomic = true;
        fields.entry(pointer("/mail")).or_default().equal = Some(vec![Folding::Casefold]);
        let keyed = (pointer("/phones"), ArrayRule::Key(Text::from("type")));
        let set = (pointer("/tags"), ArrayRule::Set);
        let arrays = if arrays { BTreeMap::from([keyed, set]) } else { BTreeMap::new() };
        Rules { merge_policy, on_delete, fields, arrays, matching: Vec::new() }
    })
}

/// A value for a place, which its name tells.
fn value(place: &str, choice: u8, number: i64) -> Json {
    let number = number % 3;
    match (place, choice % 4) {
        ("/address", 0) => json(&format!(r#"{{"city": {number}}}"#)),
        ("/address", 1) => json(r#"{"geo": {"lat": 7}, "street": "s"}"#),
        ("/address", 2) => json("{}"),
        ("/phones", 0 | 1) => json(&format!(r#"[{{"type": "home", "no": {number}}}, {{"type": "work", "no": 1}}]"#)),
        ("/phones", 2) => json(&format!(r#"[{{"type": "fax", "no": {number}}}]"#)),
        ("/phones", 3) => json(r#"[{"type": "home"}, {"type": "home", "no": 2}]"#),
        ("/phones/home", _) => json(&format!(r#"{{"type": "home", "no": {number}}}"#)),
        ("/tags", 0) => json(&format!(r#"["a", {number}]"#)),
        ("/tags", 1) => json(&format!(r#"[{number}, "b", "c"]"#)),
        ("/tags", 2) => json(r#"["b", "a"]"#),
        ("/tags", _) => json("[]"),
        ("/mail", 0) => json(r#""Ann@x""#),
        ("/mail", 1) => json(r#""ann@X""#),
        (_, 0) => Json::Null,
        (_, 1 | 2) => number.into(),
        (_, _) => json("\"x\""),
    }
}

pub(super) fn edit() -> impl Strategy<Value = (Pointer, Option<Json>)> {
    (select(&PLACES[..]), any::<u8>(), 0..3i64, 0..4u8).prop_map(|(place, choice, number, removes)| {
        let value = Some(value(place, choice, number)).filter(|_| removes > 0);
        (pointer(place), value)
    })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let choice = prop_oneof![
        3 => (0..4usize).prop_map(Choice::Take),
        1 => Just(Choice::Absent),
        1 => Just(Choice::Keep),
        1 => Just(Choice::Value),
    ];
    prop_oneof![
        12 => (0..4usize, edit()).prop_map(|(source, (place, value))| Step::Edit { source, place, value }),
        1 => (0..4usize).prop_map(|source| Step::Remove { source }),
        2 => (0..4usize).prop_map(|source| Step::Toggle { source }),
        8 => btree_set(0..4usize, 0..3).prop_map(|failing| Step::Look { failing }),
        2 => (0..4usize, choice).prop_map(|(conflict, decision)| Step::Decide { conflict, decision }),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    let some = |places: &[&str]| Some(places.iter().map(|place| pointer(place)).collect());
    prop_oneof![
        5 => Just(None),
        1 => Just(some(&["/name", "/address/city"])),
        1 => Just(some(&["/mail", "/address", "/tags"])),
        1 => Just(some(&["/name", "/mail", "/phones", "/address/geo", "/atom"])),
    ]
}

fn document() -> impl Strategy<Value = Json> {
    select(vec![
        r#"{"name": "Ann", "mail": "ann@x", "address": {"city": 1, "street": "s"}, "tags": ["a", "b"]}"#,
        r#"{"name": "Ann", "phones": [{"type": "home", "no": 1}, {"type": "work", "no": 2}], "atom": {"x": 1}}"#,
        r#"{"name": "Bea", "address": {"geo": {"lat": 1}}, "tags": ["b"], "own": true}"#,
        "{}",
    ])
    .prop_map(json)
}

/// A world of two to four sources of which one or two have a first copy.
pub(super) fn world(named: bool) -> impl Strategy<Value = World> {
    let source = (fields(), option::weighted(0.4, document()));
    (rules(named), document(), vec(source, 2..=4)).prop_map(|(rules, first, drawn)| {
        let source = |(position, (fields, copy)): (usize, (Fields, Option<Json>))| {
            let holds = if position == 0 { Some(first.clone()) } else { copy };
            let link = if holds.is_some() { Link::Linked } else { Link::Unlinked };
            let name = NAMES[position].parse().expect("a name");
            (name, Source { fields, holds, link, base: Base::default(), last: None, up: true })
        };
        let sources = drawn.into_iter().enumerate().map(source).collect();
        World { rules, state: RecordState::Live, agreed: None, sources }
    })
}

pub(super) fn script() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..16)
}

pub(super) fn failing_names(world: &World, failing: &BTreeSet<usize>) -> BTreeSet<crate::domain::name::SourceName> {
    failing.iter().map(|source| world.name(*source)).collect()
}
