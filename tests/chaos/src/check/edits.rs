//! I2, no lost update: every value that a user wrote is everywhere, or it is said what became of it.

use std::collections::BTreeMap;

use super::Findings;
use super::database::RecordName;
use super::json::Json;
use super::material::{Deed, Item, Material, Place, is_within};
use crate::books::{Author, ChangeKind};

/// One value that a user wrote.
struct Edit<'a> {
    place: &'a Place,
    deed: &'a Deed,
    pointer: String,
    value: &'a Json,
}

/// What is needed of a record to say what became of its edits.
#[derive(Default)]
struct Fate<'a> {
    users: Vec<&'a Deed>,
    deeds: Vec<(&'a Place, &'a Deed)>,
    copies: Vec<(&'a Place, Item<'a>)>,
}

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    let fates = fates(material);
    let mut edits = 0;
    for (place, deed) in material.deeds().filter(|(_, deed)| deed.change.author == Author::User) {
        let written = written(place, deed);
        edits += written.len();
        match material.record_changed(place, &deed.change) {
            None if written.is_empty() => {}
            None => decide_unknown(material, findings, place, deed),
            Some(record) => {
                let record = (place.entity.clone(), record);
                for edit in written {
                    let is_lost = fates.get(&record).is_none_or(|fate| !is_accounted(material, &record, fate, &edit));
                    if is_lost {
                        let (pointer, value) = (&edit.pointer, edit.value);
                        let text = format!(
                            "{value} at {pointer:?}, written at {}/{} ({:?}) into record {}, is lost",
                            place.entity, place.source, deed.change.key, record.1
                        );
                        findings.found("I2", text, material.timeline(&record));
                    }
                }
            }
        }
    }
    findings.decided("I2", edits, "values that users wrote");
}

/// Gathers by record what was done and what is there.
fn fates(material: &Material) -> BTreeMap<RecordName, Fate<'_>> {
    let mut fates: BTreeMap<RecordName, Fate<'_>> = BTreeMap::new();
    for (place, deed) in material.deeds() {
        let Some(record) = material.record_changed(place, &deed.change) else { continue };
        let fate = fates.entry((place.entity.clone(), record)).or_default();
        fate.deeds.push((place, deed));
        if deed.change.author == Author::User {
            fate.users.push(deed);
        }
    }
    for (place, system) in &material.systems {
        for (key, item) in system.items() {
            let known = material.record_of(place, key);
            // What a create has made that lied about it is in no record, and nobody can be expected to write to it.
            let made = || material.record_changed(place, &item.origin.change).filter(|_| !item.origin.change.excused);
            if let Some(record) = known.or_else(made) {
                fates.entry((place.entity.clone(), record)).or_default().copies.push((place, item));
            }
        }
    }
    fates
}

/// Lists the values that a change put where something else, or nothing, was.
fn written<'a>(place: &'a Place, deed: &'a Deed) -> Vec<Edit<'a>> {
    let before = deed.before.as_ref().map(Json::leaves).unwrap_or_default();
    let after = deed.after.as_ref().filter(|_| deed.change.kind != ChangeKind::Delete).map(Json::leaves);
    let new = after.unwrap_or_default().into_iter().filter(|(pointer, value)| before.get(pointer) != Some(value));
    new.map(|(pointer, value)| Edit { place, deed, pointer, value }).collect()
}

/// An item that no record was made of: it is gone again, or a person has it, or it may be what a write in doubt has made.
fn decide_unknown(material: &Material, findings: &mut Findings, place: &Place, deed: &Deed) {
    let key = deed.change.key.as_str();
    let is_there = material.systems.get(place).is_some_and(|system| system.items().contains_key(key));
    if is_there && !material.is_parked(place, Some(key), None) && !material.has_doubt_at(place) {
        let text = format!("the item {}/{} {key:?} is in no record", place.entity, place.source);
        findings.found("I2", text, Vec::new());
    }
}

fn is_accounted(material: &Material, record: &RecordName, fate: &Fate<'_>, edit: &Edit<'_>) -> bool {
    is_everywhere(material, fate, edit)
        || is_replaced(material, fate, edit)
        || is_named(material, record, edit)
        || is_outvoted(material, record, fate, edit)
        || is_pending(material, record, fate, edit)
        || is_in_the_window(material, fate, edit)
        || material.is_taken_for_tidying(edit.place, &edit.deed.change)
        || material.is_in_doubt(record, Some(&edit.place.source))
        || material.is_parked(edit.place, Some(&edit.deed.change.key), Some(record.1))
}

/// Says whether what stands at a pointer is that value, or what a system that tidies made of it.
fn is_at(material: &Material, edit: &Edit<'_>, document: Option<&Json>) -> bool {
    let found = document.and_then(|document| document.leaves().get(&edit.pointer).copied().cloned());
    let tidies = material.tidies(&edit.place.entity);
    found.is_some_and(|found| found == *edit.value || (tidies && found.tidied() == edit.value.tidied()))
}

/// Every copy that can hold it does.
fn is_everywhere(material: &Material, fate: &Fate<'_>, edit: &Edit<'_>) -> bool {
    let mut holders = fate
        .copies
        .iter()
        .filter(|(place, _)| material.systems.get(place).is_some_and(|system| system.holds(&edit.pointer)))
        .peekable();
    holders.peek().is_some() && holders.all(|(_, item)| is_at(material, edit, Some(item.document)))
}

/// A user has written something else over it, or removed the copy, with it before their eyes.
fn is_replaced(material: &Material, fate: &Fate<'_>, edit: &Edit<'_>) -> bool {
    fate.users.iter().any(|later| {
        let is_other = !std::ptr::eq(*later, edit.deed);
        let seen = later.seen.as_ref().and_then(|seen| seen.member(&edit.pointer));
        let tidies = material.tidies(&edit.place.entity);
        let was_seen = seen.is_some_and(|seen| seen == edit.value || (tidies && seen.tidied() == edit.value.tidied()));
        let was_there = is_at(material, edit, later.before.as_ref()) && !is_at(material, edit, later.after.as_ref());
        is_other && (was_seen || was_there)
    })
}

/// History says that it was overruled, or a conflict that it stood in it; or a person's decision took it away.
fn is_named(material: &Material, record: &RecordName, edit: &Edit<'_>) -> bool {
    let tidies = material.tidies(&record.0);
    let names = |told: &Json| told.contains(edit.value) || (tidies && told.tidied().contains(&edit.value.tidied()));
    let versions = material.database.versions.get(record).into_iter().flatten();
    let in_history = versions.into_iter().any(|version| {
        let is_taken_back = version.kind() != "sync"
            && version.changes.elements().iter().any(|change| change.member("before").is_some_and(names));
        names(&version.overruled) || is_taken_back
    });
    in_history
        || material.conflicts_of(record).any(|conflict| names(&conflict.contended) || names(&conflict.contenders))
}

/// It was agreed, and then a policy that decides by itself preferred what somebody else wrote who had not seen it: history has
/// both, side by side. What retcon itself had last written at that source counts for nobody's wish.
fn is_outvoted(material: &Material, record: &RecordName, fate: &Fate<'_>, edit: &Edit<'_>) -> bool {
    let entity = material.facts.entities.iter().find(|entity| entity.name == record.0);
    if entity.is_none_or(|entity| !["accept-all", "prefer"].iter().any(|name| entity.merge_policy.starts_with(name))) {
        return false;
    }
    let tidies = material.tidies(&record.0);
    let names = |told: &Json| told.contains(edit.value) || (tidies && told.tidied().contains(&edit.value.tidied()));
    let mut versions = material.database.versions.get(record).into_iter().flatten();
    versions.any(|version| {
        version.changes.elements().iter().any(|change| {
            let is_here = change.member("before").is_some_and(names);
            let by = fate.deeds.iter().filter(|(place, deed)| {
                let text = change.member("sources").map(ToString::to_string).unwrap_or_default();
                let touches =
                    |document: Option<&Json>| document.and_then(|d| d.leaves().get(&edit.pointer).copied().cloned());
                text.contains(&format!("{:?}", place.source))
                    && deed.change.at <= version.at
                    && (deed.change.kind == ChangeKind::Delete
                        || touches(deed.before.as_ref()) != touches(deed.after.as_ref()))
            });
            let last = by.max_by_key(|(_, deed)| deed.change.at);
            is_here && last.is_some_and(|(_, deed)| !deed.is_ours())
        })
    })
}

/// It stands where it was written, and the record waits for a person there.
fn is_pending(material: &Material, record: &RecordName, fate: &Fate<'_>, edit: &Edit<'_>) -> bool {
    let waits = material
        .conflicts_of(record)
        .any(|conflict| conflict.closed_by.is_none() && is_within(&conflict.path, &edit.pointer));
    waits && fate.copies.iter().any(|(place, item)| *place == edit.place && is_at(material, edit, Some(item.document)))
}

/// It was made between our last read and our write, at a system that does not compare: no rule can save it.
fn is_in_the_window(material: &Material, fate: &Fate<'_>, edit: &Edit<'_>) -> bool {
    let Some(system) = material.systems.get(edit.place).filter(|system| !system.traits.compares) else { return false };
    let over = fate.deeds.iter().find(|(place, deed)| {
        *place == edit.place
            && deed.is_ours()
            && deed.change.seq > edit.deed.change.seq
            && is_at(material, edit, deed.before.as_ref())
            && !is_at(material, edit, deed.after.as_ref())
    });
    over.is_some_and(|(_, deed)| {
        let was_read = |run: &super::material::Run| {
            run.operation == "read"
                && run.key.as_deref() == Some(&edit.deed.change.key)
                && (edit.deed.change.at..deed.change.at).contains(&run.start)
        };
        !system.runs.iter().any(was_read)
    })
}
