//! The laws of the merge (ARCHITECTURE.md, "The merge"), over random histories of edits, outages and failed writes.

mod kept;
mod script;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec};
use proptest::prelude::{ProptestConfig, TestCaseError, prop_assert, prop_assert_eq, proptest};

use crate::domain::json::Json;
use crate::domain::name::SourceName;
use crate::domain::patch::{apply, find};
use crate::domain::pointer::Pointer;
use crate::domain::record::{Base, RecordState};
use crate::domain::rules::{MergePolicy, Rules};
use crate::domain::spelling::{Place, canonical, same};

use super::{Action, Answer, Conflict, Decision, Stand, merge};
use kept::no_edit_is_lost;
use script::{failing_names, pointer};
use world::{Choice, Link, Source, Step, World, answered, shown};

type Checked = Result<(), TestCaseError>;

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_second_look_at_the_same_writes_nothing_and_opens_nothing(
        world in script::world(true), steps in script::script(),
    ) {
        second_look(&world, &steps)?;
    }

    #[test]
    fn a_write_that_fails_is_made_up_for_and_reverts_nothing(
        world in script::world(true), steps in script::script(), failing in btree_set(0..4usize, 1..4),
    ) {
        failed_writes(&world, &steps, &failing)?;
    }

    #[test]
    fn an_outage_neither_removes_nor_is_removed_from(world in script::world(true), steps in script::script()) {
        play(&world, &steps, outages)?;
    }

    #[test]
    fn every_edit_is_agreed_or_contends_or_is_named(world in script::world(true), steps in script::script()) {
        play(&world, &steps, no_edit_is_lost)?;
    }

    #[test]
    fn no_value_appears_that_nobody_wrote(world in script::world(true), steps in script::script()) {
        play(&world, &steps, all_is_written_by_somebody)?;
    }

    #[test]
    fn the_patch_leads_to_the_new_document(world in script::world(true), steps in script::script()) {
        play(&world, &steps, patch_applies)?;
    }

    #[test]
    fn copies_are_equal_where_nothing_is_open(world in script::world(true), steps in script::script()) {
        convergence(&world, &steps)?;
    }

    #[test]
    fn changes_to_different_members_do_not_conflict(
        world in script::world(false), edits in vec(script::edit(), 1..5),
    ) {
        different_members(&world, &edits)?;
    }

    #[test]
    fn names_do_not_matter_where_no_policy_names_them(
        world in script::world(false), steps in script::script(), turn in 1..4usize,
    ) {
        other_names(&world, &steps, turn)?;
    }

    #[test]
    fn what_a_person_decided_stays_decided(
        world in script::world(true), steps in script::script(), which in 0..4usize, source in 0..4usize,
    ) {
        decisions(&world, &steps, which, source)?;
    }
}

/// Plays a script; every look is checked against `law` with the world before it and the answer.
fn play(world: &World, steps: &[Step], law: impl Fn(&World, &Answer) -> Checked) -> Result<World, TestCaseError> {
    let mut world = world.clone();
    for step in steps {
        match step {
            Step::Edit { source, place, value } => world.edit(*source, place, value.as_ref()),
            Step::Remove { source } => world.remove(*source),
            Step::Toggle { source } => world.toggle(*source),
            Step::Look { failing } => {
                let answer = world.ask();
                law(&world, &answer)?;
                world.carry_out(&answer, &failing_names(&world, failing));
            }
            Step::Decide { conflict, decision } => {
                let open = world.ask().conflicts;
                if let Some(conflict) = open.get(conflict % open.len().max(1)) {
                    let answer = merge(&world.question(decided(conflict, *decision)));
                    law(&world, &answer)?;
                    world.carry_out(&answer, &BTreeSet::new());
                }
            }
        }
    }
    Ok(world)
}

/// Plays a script that only leads somewhere.
fn played(world: &World, steps: &[Step]) -> Result<World, TestCaseError> {
    play(world, steps, |_, _| Ok(()))
}

fn decided(conflict: &Conflict, choice: Choice) -> BTreeMap<Pointer, Decision> {
    let sides = &conflict.contenders;
    let decision = match choice {
        Choice::Take(source) => {
            let contenders: Vec<&SourceName> = sides.iter().flat_map(|side| &side.sources).collect();
            Decision::Take(contenders[source % contenders.len()].clone())
        }
        Choice::Absent => Decision::Absent,
        Choice::Keep => Decision::Keep,
        Choice::Value => {
            let value = sides.iter().find_map(|side| side.value.clone()).or(conflict.agreed.clone());
            Decision::Value(value.unwrap_or(Json::Null))
        }
    };
    BTreeMap::from([(conflict.path.clone(), decision)])
}

fn second_look(world: &World, steps: &[Step]) -> Checked {
    let mut world = played(world, steps)?;
    let first = world.ask();
    world.carry_out(&first, &BTreeSet::new());
    let before = world.clone();
    let second = world.ask();
    let written = second.copies.iter().filter(|(_, outcome)| !matches!(outcome.action, Action::None | Action::Later));
    for (name, _) in written {
        prop_assert!(!world.sources[name].up, "{} again: {}after {}", name, answered(&second), answered(&first));
    }
    prop_assert_eq!(&second.patch, &[]);
    prop_assert_eq!(&second.overruled, &[]);
    prop_assert_eq!(&second.conflicts, &first.conflicts);
    prop_assert_eq!(&second.agreed, &first.agreed);
    world.carry_out(&second, &BTreeSet::new());
    for (name, source) in &world.sources {
        let alike = same_base(&source.base, &before.sources[name].base, &world.rules);
        prop_assert!(alike, "{}: {:?}then {:?}", name, before, world);
    }
    Ok(())
}

fn same_base(a: &Base, b: &Base, rules: &Rules) -> bool {
    let alike = |a: Option<&Json>, b: Option<&Json>| same(a, b, &Pointer::root(), rules);
    alike(a.shadow.as_ref(), b.shadow.as_ref())
        && alike(a.ack.as_ref(), b.ack.as_ref())
        && a.unknown == b.unknown
        && a.owed == b.owed
}

fn failed_writes(world: &World, steps: &[Step], failing: &BTreeSet<usize>) -> Checked {
    let mut world = played(world, steps)?;
    for source in world.sources.values_mut() {
        source.up = true;
    }
    let answer = world.ask();
    let mut failed = world.clone();
    world.carry_out(&answer, &BTreeSet::new());
    failed.carry_out(&answer, &failing_names(&failed, failing));
    let repeated = failed.ask();
    let story = format!("{}then {:?}{}", answered(&answer), failed, answered(&repeated));
    prop_assert_eq!(&repeated.patch, &[], "{}", story);
    prop_assert_eq!(&repeated.overruled, &[], "{}", story);
    prop_assert_eq!(&repeated.conflicts, &answer.conflicts, "{}", story);
    prop_assert_eq!(&repeated.agreed, &answer.agreed, "{}", story);
    prop_assert_eq!(repeated.state, answer.state, "{}", story);
    failed.carry_out(&repeated, &BTreeSet::new());
    for (name, source) in &failed.sources {
        let other = &world.sources[name];
        let alike = same(source.holds.as_ref(), other.holds.as_ref(), &Pointer::root(), &world.rules);
        prop_assert!(alike && source.link == other.link, "{} holds {}: {}", name, shown(source.holds.as_ref()), story);
    }
    Ok(())
}

fn outages(world: &World, answer: &Answer) -> Checked {
    for (name, _) in world.sources.iter().filter(|(_, source)| source.link == Link::Linked && !source.up) {
        prop_assert_eq!(&answer.copies[name].action, &Action::Later);
    }
    let missing = world.sources.values().any(|source| matches!(World::stand(source), Stand::Missing { .. }));
    if answer.decided.is_empty() && !missing && world.state == RecordState::Live {
        prop_assert_eq!(answer.state, RecordState::Live);
    }
    Ok(())
}

fn all_is_written_by_somebody(world: &World, answer: &Answer) -> Checked {
    if !answer.decided.is_empty() {
        return Ok(());
    }
    let rules = &world.rules;
    let documents = |source: &Source| [source.holds.clone(), source.last.clone()];
    let known: Vec<Json> = world.sources.values().flat_map(documents).chain([world.agreed.clone()]).flatten().collect();
    for (place, value) in leaves(rules, answer.agreed.as_ref()) {
        let there: Vec<&Json> = known.iter().filter_map(|known| find(known, &place, rules)).collect();
        let has = |element: &Json| there.iter().filter_map(|value| value.as_array()).any(|list| list.contains(element));
        let united = value.as_array().is_some_and(|elements| elements.iter().all(has));
        let emptied = value == Json::object([]);
        prop_assert!(there.contains(&&value) || united || emptied, "{} at {}", value, place);
    }
    Ok(())
}

fn patch_applies(world: &World, answer: &Answer) -> Checked {
    if answer.state == RecordState::Live {
        let before = world.agreed.clone().filter(|_| world.state == RecordState::Live);
        let patched = apply(before, &answer.patch, &world.rules);
        let alike = same(patched.as_ref(), answer.agreed.as_ref(), &Pointer::root(), &world.rules);
        prop_assert!(alike, "{} comes of {:?}{}", shown(patched.as_ref()), world, answered(answer));
    }
    Ok(())
}

fn convergence(world: &World, steps: &[Step]) -> Checked {
    let mut world = played(world, steps)?;
    let answer = world.heal();
    let rules = &world.rules;
    if answer.conflicts.iter().any(|conflict| conflict.path.is_root()) {
        return Ok(());
    }
    for (name, source) in world.sources.iter().filter(|(_, source)| source.link == Link::Linked) {
        let Some(held) = &source.holds else { continue };
        prop_assert_eq!(answer.state, RecordState::Live);
        let mut places: BTreeSet<Pointer> = leaves(rules, Some(held)).into_keys().collect();
        places.extend(leaves(rules, answer.agreed.as_ref()).into_keys());
        let open = |place: &Pointer| answer.conflicts.iter().any(|conflict| conflict.path.touches(place));
        for place in places.iter().filter(|place| source.covers(place) && !open(place)) {
            let agreed = answer.agreed.as_ref().and_then(|agreed| find(agreed, place, rules));
            let alike = same(agreed, find(held, place, rules), place, rules);
            prop_assert!(alike, "{} at {}: {:?}{}", name, place, world, answered(&answer));
        }
    }
    Ok(())
}

fn different_members(world: &World, edits: &[(Pointer, Option<Json>)]) -> Checked {
    let mut world = world.clone();
    world.rules.merge_policy = MergePolicy::IgnoreConflicts;
    world.rules.fields.values_mut().for_each(|rule| rule.merge_policy = None);
    if !world.heal().conflicts.is_empty() || world.agreed.is_none() {
        return Ok(());
    }
    let mut edited: Vec<&Pointer> = Vec::new();
    for (source, (place, value)) in edits.iter().enumerate() {
        if !edited.iter().any(|other| are_one(other, place)) {
            edited.push(place);
            world.edit(source, place, value.as_ref());
        }
    }
    let answer = world.ask();
    prop_assert_eq!(answer.conflicts, []);
    prop_assert_eq!(answer.overruled, []);
    Ok(())
}

/// Says whether edits of the two places may contradict each other.
fn are_one(a: &Pointer, b: &Pointer) -> bool {
    let wholes = ["/atom", "/phones", "/tags"].map(pointer);
    let (first, second) = (a.tokens(), b.tokens());
    a.touches(b)
        || wholes.iter().any(|whole| a.starts_with(whole) && b.starts_with(whole))
        || first[0] == second[0] && (first.len() == 1 || second.len() == 1)
}

fn other_names(world: &World, steps: &[Step], turn: usize) -> Checked {
    let world = played(world, steps)?;
    let names: Vec<SourceName> = world.sources.keys().cloned().collect();
    let other = |name: &SourceName| {
        let position = names.iter().position(|known| known == name).expect("it is one of them");
        names[(position + turn) % names.len()].clone()
    };
    let mut turned = world.clone();
    turned.sources = world.sources.iter().map(|(name, source)| (other(name), source.clone())).collect();
    let (answer, turned) = (world.ask(), turned.ask());
    let form = |document: Option<&Json>| {
        document.map(|document| canonical(document, &Pointer::root(), &world.rules).into_owned())
    };
    prop_assert_eq!(form(answer.agreed.as_ref()), form(turned.agreed.as_ref()));
    prop_assert_eq!(answer.state, turned.state);
    let places = |answer: &Answer| -> Vec<_> {
        answer.conflicts.iter().map(|conflict| (conflict.path.clone(), conflict.kind as u8)).collect()
    };
    prop_assert_eq!(places(&answer), places(&turned));
    for (name, outcome) in &answer.copies {
        let turned = &turned.copies[&other(name)].action;
        let alike = match (&outcome.action, turned) {
            (Action::Update(a), Action::Update(b)) | (Action::Create(a), Action::Create(b)) => {
                form(Some(a)) == form(Some(b))
            }
            (a, b) => a == b,
        };
        prop_assert!(alike, "{}: {:?} and {:?}", name, outcome.action, turned);
    }
    Ok(())
}

fn decisions(world: &World, steps: &[Step], which: usize, source: usize) -> Checked {
    let mut world = played(world, steps)?;
    world.heal();
    let open = world.ask().conflicts;
    let Some(conflict) = open.get(which % open.len().max(1)) else { return Ok(()) };
    for choice in [Choice::Take(source), Choice::Absent, Choice::Keep, Choice::Value] {
        let mut world = world.clone();
        let answer = merge(&world.question(decided(conflict, choice)));
        prop_assert_eq!(&answer.decided, &vec![conflict.path.clone()]);
        prop_assert!(answer.conflicts.iter().all(|left| left.path != conflict.path), "{} is open", conflict.path);
        no_edit_is_lost(&world, &answer)?;
        world.carry_out(&answer, &BTreeSet::new());
        let again = world.ask();
        let story = format!("{choice:?} {}then {}", answered(&answer), answered(&again));
        prop_assert_eq!(&again.conflicts, &answer.conflicts, "{}", story);
        prop_assert_eq!(&again.patch, &[], "{}", story);
    }
    Ok(())
}

/// The leaves of a document: what has neither members nor elements known by a key.
fn leaves(rules: &Rules, document: Option<&Json>) -> BTreeMap<Pointer, Json> {
    fn gather(place: &Place<'_>, at: &Pointer, value: &Json, found: &mut BTreeMap<Pointer, Json>) {
        let Some(members) = place.members(value).filter(|members| !members.is_empty()) else {
            found.insert(at.clone(), value.clone());
            return;
        };
        for (name, member) in members {
            gather(&place.child(name), &at.child(name), member, found);
        }
    }
    let mut found = BTreeMap::new();
    if let Some(document) = document {
        gather(&Place::root(rules), &Pointer::root(), document, &mut found);
    }
    found
}
