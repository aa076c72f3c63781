//! I7, convergence: at rest, all copies of a record hold what is agreed.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use super::database::{LinkRow, RecordName, RecordRow};
use super::json::Json;
use super::material::{Material, Place, System};

/// Members by their pointers.
type Leaves = BTreeMap<String, Json>;

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    decide_work(material, findings);
    let mut links: BTreeMap<&RecordName, Vec<&LinkRow>> = BTreeMap::new();
    for link in &material.database.links {
        links.entry(&link.record).or_default().push(link);
    }
    let mut compared = 0;
    for (name, record) in &material.database.records {
        if material.has_open_conflict(name) || material.is_in_doubt(name, None) || is_parked(material, name) {
            continue;
        }
        compared += 1;
        let links = links.get(name).map(Vec::as_slice).unwrap_or_default();
        let mut wrong = Vec::new();
        for (place, system) in material.systems_of(&name.0) {
            wrong.extend(disagreement(material, (record, links), place, system));
        }
        for what in wrong {
            findings.found("I7", format!("record {} of {}: {what}", name.1, name.0), material.timeline(name));
        }
    }
    decide_strays(material, findings);
    findings.decided("I7", compared, "records at rest");
}

/// Nothing is left to be done.
fn decide_work(material: &Material, findings: &mut Findings) {
    for (id, item) in &material.database.items {
        if !matches!(item.state.as_str(), "done" | "parked") {
            let text = format!(
                "at rest, work item {id} of {} ({:?} {:?}) is {}",
                item.entity, item.source, item.key, item.state
            );
            findings.found("I7", text, Vec::new());
        }
    }
}

fn is_parked(material: &Material, name: &RecordName) -> bool {
    material.database.items.values().any(|item| {
        let place = || Place { entity: name.0.clone(), source: item.source.clone().unwrap_or_default() };
        let of_key = |key: &String| material.record_of(&place(), key) == Some(name.1);
        let is_its = item.record == Some(name.1) || item.key.as_ref().is_some_and(of_key);
        item.state == "parked" && item.entity == name.0 && is_its
    })
}

/// Says in what way a copy is not what it should be.
fn disagreement(
    material: &Material,
    (record, links): (&RecordRow, &[&LinkRow]),
    place: &Place,
    system: &System,
) -> Option<String> {
    let link = links.iter().find(|link| link.source == place.source);
    let tidies = material.tidies(&place.entity);
    let wanted = record.agreed.as_ref().filter(|_| record.is_live).map(|agreed| held(system, agreed, tidies));
    let items = system.items();
    let key = link.and_then(|link| link.key.as_deref());
    let copy = key.and_then(|key| items.get(key)).map(|item| held(system, item.document, tidies));
    let source = &place.source;
    match (wanted, key, copy) {
        (None, Some(key), Some(_)) => Some(format!("it was removed, and {source} has it still, as {key:?}")),
        (Some(wanted), Some(key), Some(copy)) if wanted != copy => {
            let differing = differences(&wanted, &copy, |pointer| is_taken_for_tidying(material, place, key, pointer));
            let text = format!("{source} ({key:?}) differs from what is agreed: {}", differing.join("; "));
            (!differing.is_empty()).then_some(text)
        }
        (Some(_), Some(key), None) => Some(format!("{source} does not have it, and is linked as {key:?}")),
        (Some(wanted), None, _) if !wanted.is_empty() && link.is_none_or(|link| link.state != "detached") => {
            Some(format!("{source} does not have it"))
        }
        (Some(_) | None, _, _) => None,
    }
}

/// What of a document is within a source's fields, tidied where that is all the same.
fn held(system: &System, document: &Json, tidies: bool) -> Leaves {
    let is_empty = |value: &Json| matches!(value, Json::Object(members) if members.is_empty());
    let held = document.leaves().into_iter().filter(|(pointer, value)| system.holds(pointer) && !is_empty(value));
    held.map(|(pointer, value)| (pointer, if tidies { value.tidied() } else { value.clone() })).collect()
}

/// Whether what stands there was put by a user at a moment at which it passes for what the system made of a write of ours.
fn is_taken_for_tidying(material: &Material, place: &Place, key: &str, pointer: &str) -> bool {
    let Some(system) = material.systems.get(place) else { return false };
    let leaf = |document: Option<&Json>| document.and_then(|document| document.leaves().get(pointer).copied().cloned());
    let mut deeds = system.deeds.iter().filter(|deed| deed.change.key == key);
    let put = deeds.rfind(|deed| leaf(deed.before.as_ref()) != leaf(deed.after.as_ref()));
    put.is_some_and(|deed| !deed.is_ours() && material.is_taken_for_tidying(place, &deed.change))
}

/// Says where the two differ, but for the pointers that are excused.
fn differences(agreed: &Leaves, copy: &Leaves, is_excused: impl Fn(&str) -> bool) -> Vec<String> {
    let pointers: BTreeSet<&String> = agreed.keys().chain(copy.keys()).collect();
    let show = |leaf: Option<&Json>| leaf.map_or("nothing".to_owned(), Json::to_string);
    let differing = pointers.into_iter().filter(|pointer| agreed.get(*pointer) != copy.get(*pointer));
    let differing = differing.filter(|pointer| !is_excused(pointer));
    differing
        .map(|pointer| format!("{pointer}: {} for {}", show(copy.get(pointer)), show(agreed.get(pointer))))
        .collect()
}

/// Every item is a record's copy, or a person knows of it.
fn decide_strays(material: &Material, findings: &mut Findings) {
    let linked: BTreeSet<(&str, &str, &str)> = material
        .database
        .links
        .iter()
        .filter_map(|link| Some((link.record.0.as_str(), link.source.as_str(), link.key.as_deref()?)))
        .collect();
    for (place, system) in &material.systems {
        for (key, item) in system.items() {
            let record = material.record_changed(place, &item.origin.change).or_else(|| material.record_of(place, key));
            let is_known = linked.contains(&(&place.entity, &place.source, key))
                || material.has_doubt_at(place)
                || item.origin.change.excused
                || material.is_parked(place, Some(key), record)
                || record.is_some_and(|record| material.has_open_conflict(&(place.entity.clone(), record)));
            if !is_known {
                let text = format!("{}/{} {key:?} is nobody's copy (record {record:?})", place.entity, place.source);
                let evidence = record.map(|record| material.timeline(&(place.entity.clone(), record)));
                findings.found("I7", text, evidence.unwrap_or_default());
            }
        }
    }
}
