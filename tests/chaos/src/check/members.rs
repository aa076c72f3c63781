//! I14, lossless: what we write is what somebody wrote, digit for digit, and what nobody took away is there.

use std::collections::BTreeSet;

use super::Findings;
use super::json::Json;
use super::material::{Deed, Material, Place, is_within};

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    let mut compared = 0;
    for entity in &material.facts.entities {
        let written = Written::of(material, &entity.name);
        for (place, system) in material.systems_of(&entity.name) {
            for deed in system.deeds.iter().filter(|deed| deed.is_ours()) {
                compared += decide_one(material, findings, &written, place, deed);
            }
        }
    }
    findings.decided("I14", compared, "members that retcon wrote");
}

/// What users and the systems themselves wrote into an entity's copies.
struct Written {
    values: BTreeSet<(String, Json)>,
    /// What people decided; it may stand anywhere.
    decided: BTreeSet<Json>,
    tidies: bool,
}

impl Written {
    fn of(material: &Material, entity: &str) -> Self {
        let tidies = material.tidies(entity);
        let mut values = BTreeSet::new();
        for (_, system) in material.systems_of(entity) {
            for after in system.deeds.iter().filter(|deed| !deed.is_ours()).filter_map(|deed| deed.after.as_ref()) {
                values.extend(after.leaves().into_iter().map(|(pointer, value)| (pointer, value.clone())));
            }
        }
        if tidies {
            let tidied: Vec<_> = values.iter().map(|(pointer, value)| (pointer.clone(), value.tidied())).collect();
            values.extend(tidied);
        }
        let asked = material.decisions.iter().filter_map(|decision| decision.order.asked.get("value"));
        let decided = asked.filter_map(|value| Json::parse(&value.to_string()).ok()).collect();
        Self { values, decided, tidies }
    }

    fn has(&self, pointer: &str, value: &Json) -> bool {
        let is_written = |value: &Json| self.values.contains(&(pointer.to_owned(), value.clone()));
        is_written(value)
            || (self.tidies && is_written(&value.tidied()))
            || self.decided.iter().any(|decided| decided.contains(value))
    }
}

/// Decides one change of ours; gives the number of members compared.
fn decide_one(material: &Material, findings: &mut Findings, written: &Written, place: &Place, deed: &Deed) -> usize {
    let Some(after) = deed.after.as_ref().map(Json::leaves) else { return 0 };
    let before = deed.before.as_ref().map(Json::leaves).unwrap_or_default();
    let record = material.record_changed(place, &deed.change);
    let mut wrong = Vec::new();
    for (pointer, value) in &after {
        let is_empty = matches!(value, Json::Object(members) if members.is_empty());
        if !is_empty && before.get(pointer) != Some(value) && !written.has(pointer, value) {
            wrong.push(format!("wrote {value} at {pointer:?}, which nobody has written there"));
        }
    }
    for (pointer, value) in &before {
        let is_there = after.keys().any(|kept| is_within(pointer, kept) || is_within(kept, pointer));
        if !is_there && !is_taken_away(material, place, record, pointer, value) {
            wrong.push(format!("took {value} away at {pointer:?}, which nobody else did"));
        }
    }
    let evidence = record.map(|record| material.timeline(&(place.entity.clone(), record))).unwrap_or_default();
    for what in wrong {
        let text = format!("retcon {what} ({}/{} {:?})", place.entity, place.source, deed.change.key);
        findings.found("I14", text, evidence.clone());
    }
    after.len()
}

/// Somebody removed that member, or a decision did.
fn is_taken_away(material: &Material, place: &Place, record: Option<i64>, pointer: &str, value: &Json) -> bool {
    let Some(record) = record else { return false };
    let has =
        |document: &Option<Json>| document.as_ref().is_some_and(|document| document.leaves().contains_key(pointer));
    let by_somebody = material.systems_of(&place.entity).any(|(place, system)| {
        system.deeds.iter().any(|deed| {
            !deed.is_ours()
                && has(&deed.before)
                && !has(&deed.after)
                && material.record_changed(place, &deed.change) == Some(record)
        })
    });
    let name = (place.entity.clone(), record);
    let versions = material.database.versions.get(&name).into_iter().flatten();
    let in_history = versions.into_iter().any(|version| version.overruled.contains(value) || version.kind() != "sync");
    by_somebody || in_history || material.conflicts_of(&name).any(|conflict| conflict.contended.contains(value))
}
