//! I3, no duplicate create, and I13, no unrecorded effect.

use std::collections::BTreeMap;

use super::Findings;
use super::database::RecordName;
use super::json::Json;
use super::material::{Item, Material, Place};
use crate::books::ChangeKind;
use crate::clock::Micros;

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    decide_copies(material, findings);
    decide_records(material, findings);
    decide_effects(material, findings);
}

fn decide_copies(material: &Material, findings: &mut Findings) {
    let mut pairs = 0;
    for (place, system) in &material.systems {
        let mut copies: BTreeMap<i64, Vec<Item<'_>>> = BTreeMap::new();
        for (key, item) in system.items() {
            let made_for = material.record_changed(place, &item.origin.change);
            let named = material.record_of(place, key);
            if let (Some(made_for), Some(named), true) = (made_for, named, item.origin.is_ours())
                && made_for != named
                && !is_unknowable(material, place, &(place.entity.clone(), made_for))
            {
                let text = format!("{} was made for record {made_for} and became record {named}", shown(place, key));
                findings.found("I3", text, material.timeline(&(place.entity.clone(), made_for)));
            }
            if let Some(record) = made_for.or(named) {
                copies.entry(record).or_default().push(item);
            }
        }
        pairs += copies.len();
        for (record, items) in copies.into_iter().filter(|(_, items)| items.len() > 1) {
            let record = (place.entity.clone(), record);
            if !is_excused(material, place, &record) {
                let keys: Vec<&str> = items.iter().map(|item| item.key).collect();
                let text = format!("record {} has several copies in {}/{}: {keys:?}", record.1, record.0, place.source);
                findings.found("I3", text, material.timeline(&record));
            }
        }
    }
    findings.decided("I3", pairs, "copies");
}

fn shown(place: &Place, key: &str) -> String {
    format!("{}/{} {key:?}", place.entity, place.source)
}

/// A person has said that the copy is not there; or the contract gave no way to know that it is.
fn is_excused(material: &Material, place: &Place, record: &RecordName) -> bool {
    let by_person = material.was_said_absent(record, Some(&place.source), Micros::MAX);
    by_person || is_unknowable(material, place, record)
}

/// A create for it took effect and said that it had not, where nothing can tell: it was made again.
fn is_unknowable(material: &Material, place: &Place, record: &RecordName) -> bool {
    let deeds = material.systems.get(place).map(|system| system.deeds.as_slice()).unwrap_or_default();
    deeds.iter().any(|deed| deed.change.excused && material.record_changed(place, &deed.change) == Some(record.1))
}

/// Two live records of an entity with `match` are not one item.
fn decide_records(material: &Material, findings: &mut Findings) {
    for entity in material.facts.entities.iter().filter(|entity| !entity.matching.is_empty()) {
        let mut seen: BTreeMap<Vec<&Json>, &RecordName> = BTreeMap::new();
        for (name, record) in &material.database.records {
            let Some(agreed) = record.agreed.as_ref().filter(|_| record.is_live && name.0 == entity.name) else {
                continue;
            };
            let leaves = agreed.leaves();
            let values: Vec<&Json> = entity.matching.iter().filter_map(|p| leaves.get(p).copied()).collect();
            let is_rival = material.conflicts_of(name).any(|row| row.kind == "match" && row.closed_by.is_none());
            if values.len() < entity.matching.len() || is_rival {
                continue;
            }
            if let Some(other) = seen.insert(values, name) {
                let text = format!("the records {} and {} of {} are one item", other.1, name.1, name.0);
                let mut evidence = material.timeline(other);
                evidence.extend(material.timeline(name));
                findings.found("I3", text, evidence);
            }
        }
    }
}

fn decide_effects(material: &Material, findings: &mut Findings) {
    let mut effects = 0;
    for (place, deed) in material.deeds().filter(|(_, deed)| deed.is_ours()) {
        effects += 1;
        let operation = deed.change.operation.as_ref().and_then(|id| material.database.operations.get(id));
        let is_recorded = operation.is_some_and(|operation| {
            let kind = match deed.change.kind {
                ChangeKind::Create => "create",
                ChangeKind::Update => "update",
                ChangeKind::Delete => "delete",
            };
            operation.record.0 == place.entity && operation.source == place.source && operation.kind == kind
        });
        if !is_recorded {
            let (kind, id) = (deed.change.kind.as_str(), &deed.change.operation);
            let text = format!("the {kind} of {} is no operation on record ({id:?})", shown(place, &deed.change.key));
            findings.found("I13", text, Vec::new());
        }
    }
    findings.decided("I13", effects, "effects of ours");
}
