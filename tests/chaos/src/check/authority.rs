//! I11, one authority, and I16, whole configurations.

use std::collections::BTreeSet;

use super::Findings;
use super::material::{Material, Run};

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    let mut hands = 0;
    for entity in &material.facts.entities {
        let mut runs: Vec<&Run> = material.systems_of(&entity.name).flat_map(|(_, system)| &system.runs).collect();
        runs.sort_by_key(|run| run.start);
        hands += runs.windows(2).filter(|pair| pair[0].parent != pair[1].parent).count();
        decide_authority(findings, &entity.name, &runs);
    }
    findings.decided("I11", hands, "hand-overs between daemons");
    decide_configurations(material, findings);
}

/// No run of one daemon began while one of another was under way.
fn decide_authority(findings: &mut Findings, entity: &str, runs: &[&Run]) {
    let mut under_way: Vec<&Run> = Vec::new();
    for run in runs {
        under_way.retain(|other| other.end.is_some_and(|end| end > run.start));
        if let Some(other) = under_way.iter().find(|other| !is_orphaned(run, other) && other.parent != run.parent) {
            let text = format!(
                "{entity}: {} of daemon {} began while {} of daemon {} was under way",
                run.name, run.parent, other.name, other.parent
            );
            findings.found("I11", text, Vec::new());
        }
        under_way.push(run);
    }
}

/// Whose daemon was gone before it could say who that was cannot be told.
fn is_orphaned(run: &Run, other: &Run) -> bool {
    [run, other].iter().any(|run| run.parent == 1)
}

/// Two settings that change together are seen together, and those of a file with a mistake never.
fn decide_configurations(material: &Material, findings: &mut Findings) {
    let mut seen: BTreeSet<&[String; 2]> = BTreeSet::new();
    for run in material.systems.values().flat_map(|system| &system.runs) {
        let [one, other] = &run.config;
        let is_new = seen.insert(&run.config);
        if is_new && (one != other || one.is_empty() || one.starts_with("broken")) {
            let text = format!("{} was run under the configurations {one:?} and {other:?}", run.name);
            findings.found("I16", text, Vec::new());
        }
    }
    // Under one alone, nothing could be mixed.
    findings.decided("I16", if seen.len() > 1 { seen.len() } else { 0 }, "configurations that runs were made under");
}
