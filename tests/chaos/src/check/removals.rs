//! I4, no resurrection, and I5, no delete without evidence.

use super::Findings;
use super::database::RecordName;
use super::material::{Deed, Material, Place, Run};
use crate::books::ChangeKind;
use crate::clock::Micros;

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    let removals = material.database.versions.values().flatten().filter(|version| !version.is_live).count();
    let mut deletes = 0;
    for (place, deed) in material.deeds().filter(|(_, deed)| deed.is_ours()) {
        let Some(record) = material.record_changed(place, &deed.change) else { continue };
        let record = (place.entity.clone(), record);
        let began = began(material, place, deed);
        match deed.change.kind {
            ChangeKind::Create if is_removed(material, &record, began) => {
                let key = &deed.change.key;
                let text =
                    format!("{}/{} {key:?} was made for the removed record {}", record.0, place.source, record.1);
                findings.found("I4", text, material.timeline(&record));
            }
            ChangeKind::Delete => {
                deletes += 1;
                if !has_evidence(material, &record, began) && !is_ordered(material, &record, began) {
                    let key = &deed.change.key;
                    let text = format!(
                        "{}/{} {key:?} of record {} was deleted without evidence",
                        record.0, place.source, record.1
                    );
                    findings.found("I5", text, material.timeline(&record));
                }
            }
            ChangeKind::Create | ChangeKind::Update => {}
        }
    }
    findings.decided("I4", removals, "removals");
    findings.decided("I5", deletes, "deletes of ours");
}

/// When the run began that made a change.
fn began(material: &Material, place: &Place, deed: &Deed) -> Micros {
    let run = deed.change.run.as_ref().and_then(|name| material.systems.get(place)?.run(name));
    run.map_or(deed.change.at, |run| run.start)
}

/// The removal was on record by then, and nobody had taken it back.
fn is_removed(material: &Material, record: &RecordName, by: Micros) -> bool {
    let versions = material.database.versions.get(record).map(Vec::as_slice).unwrap_or_default();
    versions.iter().rfind(|version| version.at <= by).is_some_and(|version| !version.is_live)
}

/// A read of one of its copies had ended with exit 2 by then, and that copy was really gone: it had no other key.
fn has_evidence(material: &Material, record: &RecordName, by: Micros) -> bool {
    material.systems_of(&record.0).any(|(_, system)| {
        let is_evidence = |run: &Run| {
            let was_renamed = system.deeds.iter().any(|deed| {
                deed.change.former_key.is_some() && deed.change.former_key == run.key && deed.change.at <= run.start
            });
            run.operation == "read"
                && run.record == Some(record.1)
                && run.exit == Some(2)
                && run.end.is_some_and(|end| end <= by)
                && !was_renamed
        };
        system.runs.iter().any(is_evidence)
    })
}

/// A person has decided that the record is to go, or said that a copy in doubt is gone.
fn is_ordered(material: &Material, record: &RecordName, by: Micros) -> bool {
    if material.was_said_absent(record, None, by) {
        return true;
    }
    let versions = material.database.versions.get(record).into_iter().flatten();
    versions.into_iter().any(|version| version.at <= by && !version.is_live && version.kind() != "sync")
}
