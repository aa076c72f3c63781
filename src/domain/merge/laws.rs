//! The laws of the merge (ARCHITECTURE.md, "The merge"), over random histories of edits, outages and failed writes.

mod script;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{ProptestConfig, TestCaseError, prop_assert, prop_assert_eq, proptest};

use crate::domain::json::Json;
use crate::domain::name::SourceName;
use crate::domain::patch::{apply, find};
use crate::domain::pointer::Pointer;
use crate::domain::record::RecordState;
use crate::domain::rules::Rules;
use crate::domain::spelling::{Place, canonical, same};

use super::{Action, Answer, Conflict, Decision, Stand, merge};
use script::{failing_names, pointer};
use world::{Choice, Link, Step, World, answered, shown};

type Checked = Result<(), TestCaseError>;

/// Plays a script; every look is checked against `law` with the world before it and the answer.
fn play(world: &mut World, steps: &[Step], law: impl Fn(&World, &Answer) -> Checked) -> Checked {
    for step in steps {
        match step {
            Step::Edit { source, place, value } => world.edit(*source, place, value.as_ref()),
            Step::Remove { source } => world.remove(*source),
            Step::Toggle { source } => world.toggle(*source),
            Step::Look { failing } => {
                let answer = world.ask();
                law(world, &answer)?;
                world.carry_out(&answer, &failing_names(world, failing));
            }
            Step::Decide { conflict, decision } => {
                let open = world.ask().conflicts;
                if let Some(conflict) = open.get(conflict % open.len().max(1)) {
                    let answer = merge(&world.question(decided(world, conflict, *decision)));
                    law(world, &answer)?;
                    world.carry_out(&answer, &BTreeSet::new());
                }
            }
        }
    }
    Ok(())
}

fn decided(world: &World, conflict: &Conflict, choice: Choice) -> BTreeMap<Pointer, Decision> {
    let decision = match choice {
        Choice::Take(source) => {
            let contenders: Vec<&SourceName> = conflict.contenders.iter().flat_map(|contender| &contender.sources).collect();
            Decision::Take(contenders[source % contenders.len()].clone())
        }
        Choice::Absent => Decision::Absent,
        Choice::Keep => Decision::Keep,
        Choice::Value => {
            let value = conflict.contenders.iter().find_map(|contender| contender.value.clone()).or(conflict.agreed.clone());
            Decision::Value(value.unwrap_or(Json::Null))
        }
    };
    BTreeMap::from([(conflict.path.clone(), decision)])
}

fn writes(answer: &Answer) -> BTreeSet<&SourceName> {
    let written = answer.copies.iter().filter(|(_, outcome)| !matches!(outcome.action, Action::None | Action::Later));
    written.map(|(name, _)| name).collect()
}

/// The leaves of a document: what has neither members nor elements known by a key.
fn leaves(rules: &Rules, document: Option<&Json>) -> BTreeMap<Pointer, Json> {
    fn gather(place: &Place<'_>, at: &Pointer, value: &Json, found: &mut BTreeMap<Pointer, Json>) {
        match place.members(value).filter(|members| !members.is_empty()) {
            Some(members) => members.into_iter().for_each(|(name, member)| gather(&place.child(name), &at.child(name), member, found)),
            None => {
                found.insert(at.clone(), value.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    if let Some(document) = document {
        gather(&Place::root(rules), &Pointer::root(), document, &mut found);
    }
    found
}

fn at<'v>(document: Option<&'v Json>, place: &Pointer, rules: &Rules) -> Option<&'v Json> {
    find(document?, place, rules)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: option_env!("LAW_CASES").map_or(400, |n| n.parse().expect("number")), max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_second_look_at_the_same_writes_nothing_and_opens_nothing(world in script::world(true), steps in script::script()) {
        let mut world = world;
        play(&mut world, &steps, |_, _| Ok(()))?;
        let first = world.ask();
        world.carry_out(&first, &BTreeSet::new());
        let before = world.clone();
        let second = world.ask();
        let down: BTreeSet<_> = world.sources.iter().filter(|(_, source)| !source.up).map(|(name, _)| name).collect();
        prop_assert!(writes(&second).is_subset(&down), "written again: {}\nafter {}", answered(&second), answered(&first));
        prop_assert_eq!(&second.patch, &[]);
        prop_assert_eq!(&second.overruled, &[]);
        prop_assert_eq!(&second.conflicts, &first.conflicts);
        prop_assert_eq!(&second.agreed, &first.agreed);
        world.carry_out(&second, &BTreeSet::new());
        for (name, source) in &world.sources {
            let (now, then) = (&source.base, &before.sources[name].base);
            let alike = |now: Option<&Json>, then: Option<&Json>| same(now, then, &Pointer::root(), &world.rules);
            let alike = alike(now.shadow.as_ref(), then.shadow.as_ref()) && alike(now.ack.as_ref(), then.ack.as_ref());
            prop_assert!(alike && now.unknown == then.unknown && now.owed == then.owed, "{}: {:?} then {:?}", name, before, world);
        }
    }

    #[test]
    fn a_write_that_fails_is_made_up_for_and_reverts_nothing(
        world in script::world(true), steps in script::script(), failing in proptest::collection::btree_set(0..4usize, 1..4),
    ) {
        let mut world = world;
        play(&mut world, &steps, |_, _| Ok(()))?;
        for source in world.sources.values_mut() {
            source.up = true;
        }
        let answer = world.ask();
        let mut failed = world.clone();
        world.carry_out(&answer, &BTreeSet::new());
        failed.carry_out(&answer, &failing_names(&failed, &failing));
        let repeated = failed.ask();
        prop_assert_eq!(&repeated.patch, &[], "{}then {:?}{}", answered(&answer), failed, answered(&repeated));
        prop_assert_eq!(&repeated.overruled, &[]);
        prop_assert_eq!(&repeated.conflicts, &answer.conflicts, "{}then {:?}{}", answered(&answer), failed, answered(&repeated));
        prop_assert_eq!(&repeated.agreed, &answer.agreed);
        prop_assert_eq!(repeated.state, answer.state);
        failed.carry_out(&repeated, &BTreeSet::new());
        for (name, source) in &failed.sources {
            let other = &world.sources[name];
            let alike = same(source.holds.as_ref(), other.holds.as_ref(), &Pointer::root(), &world.rules);
            prop_assert!(alike, "{} holds {:?}, not {:?}", name, source.holds, other.holds);
            prop_assert_eq!(source.link, other.link);
        }
    }

    #[test]
    fn an_outage_neither_removes_nor_is_removed_from(world in script::world(true), steps in script::script()) {
        let mut world = world;
        play(&mut world, &steps, |world, answer| {
            for (name, source) in &world.sources {
                if source.link == Link::Linked && !source.up {
                    prop_assert_eq!(&answer.copies[name].action, &Action::Later);
                }
            }
            let missing = world.sources.values().any(|source| matches!(World::stand(source), Stand::Missing { .. }));
            if answer.decided.is_empty() && !missing && world.state == RecordState::Live {
                prop_assert_eq!(answer.state, RecordState::Live);
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_edit_is_lost(world in script::world(true), steps in script::script()) {
        let mut world = world;
        play(&mut world, &steps, no_edit_is_lost_here)?;
    }

    #[test]
    fn no_value_appears_that_nobody_wrote(world in script::world(true), steps in script::script()) {
        let mut world = world;
        play(&mut world, &steps, |world, answer| {
            if !answer.decided.is_empty() {
                return Ok(());
            }
            let rules = &world.rules;
            let readings = world.sources.values().filter_map(|source| source.holds.as_ref().or(source.last.as_ref()));
            let known: Vec<&Json> = readings.chain(world.sources.values().filter_map(|source| source.last.as_ref())).chain(&world.agreed).collect();
            for (place, value) in leaves(rules, answer.agreed.as_ref()) {
                let elements = |value: &Json| value.as_array().map(<[Json]>::to_vec);
                let written = |value: &Json| known.iter().any(|known| at(Some(known), &place, rules) == Some(value));
                let element_written = |element: &Json| known.iter().any(|known| {
                    at(Some(known), &place, rules).and_then(Json::as_array).is_some_and(|elements| elements.contains(element))
                });
                let made_of_elements = elements(&value).is_some_and(|elements| elements.iter().all(element_written));
                let emptied = matches!(&value, Json::Object(members) if members.is_empty());
                prop_assert!(written(&value) || made_of_elements || emptied, "{} at {}", value, place);
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_patch_leads_to_the_new_document(world in script::world(true), steps in script::script()) {
        let mut world = world;
        play(&mut world, &steps, |world, answer| {
            if answer.state == RecordState::Live {
                let before = world.agreed.clone().filter(|_| world.state == RecordState::Live);
                let patched = apply(before, &answer.patch, &world.rules);
                prop_assert!(
                    same(patched.as_ref(), answer.agreed.as_ref(), &Pointer::root(), &world.rules),
                    "{} comes of {:?}{}", shown(patched.as_ref()), world, answered(answer)
                );
            }
            Ok(())
        })?;
    }

    #[test]
    fn copies_are_equal_where_nothing_is_open(world in script::world(true), steps in script::script()) {
        let mut world = world;
        play(&mut world, &steps, |_, _| Ok(()))?;
        let answer = world.heal();
        for (name, source) in &world.sources {
            let open = answer.conflicts.iter().any(|conflict| conflict.path.is_root());
            let Some(held) = source.holds.as_ref().filter(|_| source.link == Link::Linked && !open) else { continue };
            prop_assert_eq!(answer.state, RecordState::Live);
            let mut places: BTreeSet<Pointer> = leaves(&world.rules, Some(held)).into_keys().collect();
            places.extend(leaves(&world.rules, answer.agreed.as_ref()).into_keys());
            let closed = |place: &&Pointer| !answer.conflicts.iter().any(|conflict| conflict.path.touches(place));
            for place in places.iter().filter(closed) {
                let (agreed, held) = (at(answer.agreed.as_ref(), place, &world.rules), at(Some(held), place, &world.rules));
                let ours = source.fields.as_ref().is_none_or(|fields| fields.iter().any(|field| place.starts_with(field)));
                let alike = !ours || same(agreed, held, place, &world.rules);
                prop_assert!(alike, "{} at {}: {}, not {}; {:?}{}", name, place, shown(held), shown(agreed), world, answered(&answer));
            }
        }
    }

    #[test]
    fn changes_to_different_members_do_not_conflict(world in script::world(false), edits in proptest::collection::vec(script::edit(), 1..5)) {
        let mut world = world;
        world.rules.merge_policy = super::super::rules::MergePolicy::IgnoreConflicts;
        world.rules.fields.values_mut().for_each(|rule| rule.merge_policy = None);
        let answer = world.heal();
        if !answer.conflicts.is_empty() || world.agreed.is_none() {
            return Ok(());
        }
        let mut edited: Vec<&Pointer> = Vec::new();
        for (source, (place, value)) in edits.iter().enumerate() {
            if !edited.iter().any(|other| siblings(other, place)) {
                edited.push(place);
                world.edit(source, place, value.as_ref());
            }
        }
        let answer = world.ask();
        prop_assert_eq!(answer.conflicts, []);
        prop_assert_eq!(answer.overruled, []);
    }

    #[test]
    fn names_do_not_matter_where_no_policy_names_them(world in script::world(false), steps in script::script(), turn in 1..4usize) {
        let mut world = world;
        play(&mut world, &steps, |_, _| Ok(()))?;
        let names: Vec<SourceName> = world.sources.keys().cloned().collect();
        let other = |name: &SourceName| {
            let position = names.iter().position(|known| known == name).expect("it is one of them");
            names[(position + turn) % names.len()].clone()
        };
        let mut turned = world.clone();
        turned.sources = world.sources.iter().map(|(name, source)| (other(name), source.clone())).collect();
        let (answer, turned) = (world.ask(), turned.ask());
        let form = |document: Option<&Json>| document.map(|document| canonical(document, &Pointer::root(), &world.rules).into_owned());
        prop_assert_eq!(form(answer.agreed.as_ref()), form(turned.agreed.as_ref()));
        prop_assert_eq!(answer.state, turned.state);
        let places = |answer: &Answer| answer.conflicts.iter().map(|conflict| (conflict.path.clone(), conflict.kind as u8)).collect::<Vec<_>>();
        prop_assert_eq!(places(&answer), places(&turned));
        for (name, outcome) in &answer.copies {
            let same = match (&outcome.action, &turned.copies[&other(name)].action) {
                (Action::Update(a), Action::Update(b)) | (Action::Create(a), Action::Create(b)) => form(Some(a)) == form(Some(b)),
                (a, b) => a == b,
            };
            prop_assert!(same, "{}: {:?} and {:?}", name, outcome.action, turned.copies[&other(name)].action);
        }
    }

    #[test]
    fn what_a_person_decided_stays_decided(world in script::world(true), steps in script::script(), which in 0..4usize, source in 0..4usize) {
        let mut world = world;
        play(&mut world, &steps, |_, _| Ok(()))?;
        world.heal();
        let open = world.ask().conflicts;
        let Some(conflict) = open.get(which % open.len().max(1)) else { return Ok(()) };
        for choice in [Choice::Take(source), Choice::Absent, Choice::Keep, Choice::Value] {
            let mut world = world.clone();
            let answer = merge(&world.question(decided(&world, conflict, choice)));
            prop_assert_eq!(&answer.decided, &vec![conflict.path.clone()]);
            prop_assert!(answer.conflicts.iter().all(|left| left.path != conflict.path), "{:?} is open still", conflict.path);
            no_edit_is_lost_here(&world, &answer)?;
            world.carry_out(&answer, &BTreeSet::new());
            let again = world.ask();
            prop_assert_eq!(&again.conflicts, &answer.conflicts, "{:?} {}then {}", choice, answered(&answer), answered(&again));
            prop_assert_eq!(&again.patch, &[]);
        }
    }
}

/// Says whether one place, or what leads to it, is the other: then edits of the two may contradict each other.
fn siblings(a: &Pointer, b: &Pointer) -> bool {
    let atomic = pointer("/atom");
    let array = [pointer("/phones"), pointer("/tags")];
    a.touches(b)
        || a.starts_with(&atomic) && b.starts_with(&atomic)
        || array.iter().any(|array| a.starts_with(array) && b.starts_with(array))
        || a.tokens()[0] == b.tokens()[0] && (a.tokens().len() == 1 || b.tokens().len() == 1)
}

/// Every edit is agreed, contends, or is named as overruled.
fn no_edit_is_lost_here(world: &World, answer: &Answer) -> Checked {
    let rules = &world.rules;
    for (name, source) in world.sources.iter().filter(|(_, source)| source.link == Link::Linked && source.up) {
        let conflict = answer.conflicts.iter().filter(|conflict| conflict.contenders.iter().any(|side| side.sources.contains(name)));
        let named: Vec<&Pointer> = conflict.map(|conflict| &conflict.path)
            .chain(answer.overruled.iter().filter(|lost| lost.source == *name).map(|lost| &lost.path))
            .collect();
        let Some(held) = source.holds.as_ref() else { continue };
        let mut places: BTreeSet<Pointer> = leaves(rules, Some(held)).into_keys().collect();
        places.extend(leaves(rules, source.base.shadow.as_ref()).into_keys());
        for place in places {
            let ours = source.fields.as_ref().is_none_or(|fields| fields.iter().any(|field| place.starts_with(field)));
            let now = at(Some(held), &place, rules);
            // What has members is no leaf in this copy; what has none of them left holds nothing that could be lost.
            if matches!(now, Some(Json::Object(_))) || Place::at(&place, rules).members(now.unwrap_or(&Json::Null)).is_some_and(|members| !members.is_empty()) {
                continue;
            }
            let before = at(source.base.shadow.as_ref(), &place, rules);
            if before.is_none() && matches!(now, Some(Json::Array(elements)) if elements.is_empty()) {
                continue;
            }
            let edited = !same(now, before, &place, rules);
            let news = edited && !same(now, at(world.agreed.as_ref(), &place, rules), &place, rules);
            let emptied = matches!(now, Some(Json::Array(elements)) if elements.is_empty());
            let named = named.iter().any(|named| place.starts_with(named) || emptied && named.starts_with(&place));
            let stands = answer.state == RecordState::Live && agrees(world, &place, source.base.shadow.as_ref(), now, answer.agreed.as_ref());
            prop_assert!(!ours || !news || named || stands, "{} had {} at {}: {:?}{}", name, shown(now), place, world, answered(answer));
        }
    }
    Ok(())
}

/// Says whether what an edit made of `before` is in the agreed document; of a set, whether its elements are.
fn agrees(world: &World, place: &Pointer, before: Option<&Json>, now: Option<&Json>, agreed: Option<&Json>) -> bool {
    let rules = &world.rules;
    let (was, before, agreed) = (at(world.agreed.as_ref(), place, rules), at(before, place, rules), at(agreed, place, rules));
    if same(now, agreed, place, rules) {
        return true;
    }
    let elements = |value: Option<&Json>| value.and_then(Json::as_array).unwrap_or_default().to_vec();
    let set = matches!(Place::at(place, rules).array_rule(), Some(_)) && now.is_some_and(|now| now.as_array().is_some());
    let (was, before, now, agreed) = (elements(was), elements(before), elements(now), elements(agreed));
    // An element that comes to what is agreed is no news, and others may go on from there.
    let added = now.iter().filter(|element| !before.contains(element) && !was.contains(element));
    let removed = before.iter().filter(|element| !now.contains(element) && was.contains(element));
    set && added.into_iter().all(|element| agreed.contains(element)) && !removed.into_iter().any(|element| agreed.contains(element))
}
