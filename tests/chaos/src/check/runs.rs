//! I6, serialization, and I8, quiet at rest.

use std::collections::BTreeMap;

use super::Findings;
use super::material::{Deed, Material, Place, Run, System};
use crate::books::{Author, Tidying};

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    let mut runs = 0;
    for (place, system) in &material.systems {
        runs += system.runs.len();
        decide_meetings(findings, place, system);
        decide_repetitions(findings, place, system);
    }
    findings.decided("I6", runs, "runs");
    decide_quiet(material, findings);
    for entity in &material.facts.entities {
        decide_thrift(material, findings, &entity.name);
    }
}

/// No run met another that it must not meet: by the locks that programs hold, and by the times they entered.
fn decide_meetings(findings: &mut Findings, place: &Place, system: &System) {
    let mut last: Option<&Run> = None;
    for run in &system.runs {
        for (of, other) in &run.overlaps {
            let text = format!("{} ({}) met {other:?} of the same {of}", run.name, run.operation);
            findings.found("I6", text, Vec::new());
        }
        if run.operation == "list" {
            continue;
        }
        if let Some(before) = last.filter(|before| before.end.is_some_and(|end| end > run.start)) {
            let text = format!("{} and {} of {}/{} ran at once", before.name, run.name, place.entity, place.source);
            findings.found("I6", text, Vec::new());
        }
        last = Some(run);
    }
}

/// No operation took effect twice. One that a system tidied is written once more, to see what it stores.
fn decide_repetitions(findings: &mut Findings, place: &Place, system: &System) {
    let mut effects: BTreeMap<&str, usize> = BTreeMap::new();
    let ours = system.deeds.iter().filter(|deed| deed.is_ours() && deed.before != deed.after && !deed.change.excused);
    for operation in ours.filter_map(|deed: &Deed| deed.change.operation.as_deref()) {
        *effects.entry(operation).or_default() += 1;
    }
    let is_repeated = |times: usize| times > 1 && system.traits.tidies == Tidying::Never;
    for (operation, times) in effects.into_iter().filter(|(_, times)| is_repeated(*times)) {
        let text = format!("the operation {operation} took effect {times} times in {}/{}", place.entity, place.source);
        findings.found("I6", text, Vec::new());
    }
}

fn decide_quiet(material: &Material, findings: &mut Findings) {
    let (Some(rest), Some(ended)) = (material.facts.phases.rest, material.facts.phases.ended) else {
        return findings.decided("I8", 0, "time of quiet");
    };
    for (place, system) in &material.systems {
        for run in system.runs.iter().filter(|run| run.changes_something() && (rest..ended).contains(&run.start)) {
            let text = format!("at rest, {} of {}/{} was run: {}", run.operation, place.entity, place.source, run.name);
            let evidence = run.record.map(|record| material.timeline(&(place.entity.clone(), record)));
            findings.found("I8", text, evidence.unwrap_or_default());
        }
    }
    findings.decided("I8", usize::try_from((ended - rest) / 1_000_000).unwrap_or(0), "seconds of quiet");
}

/// Nothing is written more often than what was changed explains.
fn decide_thrift(material: &Material, findings: &mut Findings, entity: &str) {
    let (mut sources, mut edits, mut changing, mut failed) = (0, 0, 0, 0);
    for (_, system) in material.systems_of(entity) {
        sources += 1;
        edits += system.deeds.iter().filter(|deed| deed.change.author != Author::Retcon).count();
        let runs = system.runs.iter().filter(|run| run.changes_something());
        changing += runs.clone().count();
        failed += runs.filter(|run| run.exit != Some(0)).count();
    }
    let decisions =
        material.decisions.iter().filter(|decision| decision.order.entity.as_deref() == Some(entity)).count();
    let explained = (edits + decisions) * sources + failed;
    if changing > explained {
        let text = format!(
            "{entity} was written to {changing} times, and {edits} edits, {decisions} decisions and {failed} failed runs \
             explain {explained} at most"
        );
        findings.found("I8", text, Vec::new());
    }
}
