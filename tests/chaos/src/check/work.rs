//! I1, no lost notification, and I12, honest acknowledgement.

use std::collections::BTreeMap;

use super::Findings;
use super::material::{Material, Place};
use crate::books::{ClientLine, NotifiedItem};
use crate::clock::Micros;

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    let reads = Reads::of(material);
    let mut acknowledged = 0;
    for line in material.clients.iter().filter(|line| line.status == Some(202)) {
        for item in &line.items {
            acknowledged += 1;
            if !is_recorded(material, item) {
                let text = format!("{} was acknowledged, and has no work item", named(line, item));
                findings.found("I12", text, Vec::new());
            } else if !reads.has_one_after(material, item, line.sent) && !is_explained(material, item) {
                let place = Place { entity: item.entity.clone(), source: item.source.clone() };
                let record = material.record_of(&place, &item.key);
                let evidence = record.map(|record| material.timeline(&(place.entity.clone(), record)));
                let text = format!("no read of the copy began after {} was sent", named(line, item));
                findings.found("I1", text, evidence.unwrap_or_default());
            }
        }
    }
    findings.decided("I1", acknowledged, "acknowledged notifications");
    findings.decided("I12", acknowledged, "acknowledged notifications");
}

fn named(line: &ClientLine, item: &NotifiedItem) -> String {
    let NotifiedItem { entity, source, key, work_item, .. } = item;
    let (seconds, micros) = (line.sent / 1_000_000, line.sent % 1_000_000);
    format!("{entity}/{source}/{key:?} (work item {work_item:?}, by {} at {seconds}.{micros:06})", line.client)
}

/// When the last read of each copy, and of each record's copy, began.
struct Reads<'a> {
    by_key: BTreeMap<(&'a Place, &'a str), Micros>,
    by_record: BTreeMap<(&'a Place, i64), Micros>,
}

impl<'a> Reads<'a> {
    fn of(material: &'a Material) -> Self {
        let mut reads = Self { by_key: BTreeMap::new(), by_record: BTreeMap::new() };
        for (place, system) in &material.systems {
            // In the order of time.
            for run in system.runs.iter().filter(|run| run.operation == "read") {
                if let Some(key) = &run.key {
                    reads.by_key.insert((place, key), run.start);
                }
                if let Some(record) = run.record {
                    reads.by_record.insert((place, record), run.start);
                }
            }
        }
        reads
    }

    fn has_one_after(&self, material: &Material, item: &NotifiedItem, sent: Micros) -> bool {
        let place = Place { entity: item.entity.clone(), source: item.source.clone() };
        let of_key = self.by_key.get(&(&place, item.key.as_str()));
        let record = material.record_of(&place, &item.key);
        let of_record = record.and_then(|record| self.by_record.get(&(&place, record)));
        of_key.max(of_record).is_some_and(|start| *start >= sent)
    }
}

/// A work item, once acknowledged, is there for good.
fn is_recorded(material: &Material, item: &NotifiedItem) -> bool {
    let row = item.work_item.and_then(|id| material.database.items.get(&id));
    row.is_some_and(|row| {
        let is_copy = row.source.as_ref().is_none_or(|source| *source == item.source)
            && row.key.as_ref().is_none_or(|key| *key == item.key);
        row.entity == item.entity && is_copy
    })
}

/// A person has it, or has put it away.
fn is_explained(material: &Material, item: &NotifiedItem) -> bool {
    let row = item.work_item.and_then(|id| material.database.items.get(&id));
    row.is_some_and(|row| row.state == "parked" || row.outcome.as_deref() == Some("dropped"))
}
