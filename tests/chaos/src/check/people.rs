//! I15, one resolution: what a person decided is applied once, and to what they saw.

use std::collections::BTreeSet;

use super::Findings;
use super::database::ConflictRow;
use super::json::Json;
use super::material::Material;
use crate::books::DecisionLine;

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    let mut resolved = 0;
    for conflict in &material.database.conflicts {
        let times = resolutions(material, conflict);
        let is_closed_so =
            conflict.closed_by.as_ref().and_then(|by| by.member("kind")).and_then(Json::text) == Some("resolution");
        if times == 0 && !is_closed_so {
            continue;
        }
        resolved += 1;
        let mut wrong = Vec::new();
        if times > 1 {
            wrong.push(format!("was applied {times} times"));
        }
        if !decisions(material, conflict).any(|decision| rests_on(decision, conflict)) {
            let revision = conflict.revision;
            wrong.push(format!("was applied to revision {revision}, which nobody who resolved it has seen"));
        }
        for what in wrong {
            let text = format!("the resolution of conflict {} {what}", conflict.id);
            findings.found("I15", text, material.timeline(&conflict.record));
        }
    }
    findings.decided("I15", resolved, "resolutions");
}

/// Counts the versions that a conflict's resolution made.
fn resolutions(material: &Material, conflict: &ConflictRow) -> usize {
    let versions = material.database.versions.get(&conflict.record).into_iter().flatten();
    let is_its = |cause: &Json| cause.member("conflict").and_then(Json::whole) == Some(conflict.id);
    versions.into_iter().filter(|version| version.kind() == "resolution" && is_its(&version.cause)).count()
}

/// The resolutions that were asked for and not refused; of some it is not known whether the order was stored.
fn decisions<'a>(material: &'a Material, conflict: &'a ConflictRow) -> impl Iterator<Item = &'a DecisionLine> {
    let id = conflict.id.to_string();
    material.decisions.iter().filter(move |decision| {
        decision.kind == "resolve"
            && decision.subject.as_ref() == Some(&id)
            && decision.status.is_none_or(|status| !(300..500).contains(&status))
    })
}

/// Says whether somebody decided on what the conflict was when it was closed.
fn rests_on(decision: &DecisionLine, conflict: &ConflictRow) -> bool {
    let revision = decision.asked.get("revision").and_then(serde_json::Value::as_i64);
    let seen = decision.seen.get("contenders").and_then(|seen| Json::parse(&seen.to_string()).ok());
    let is_same = seen.is_none_or(|seen| values(&seen) == values(&conflict.contenders));
    revision.is_none_or(|revision| revision == conflict.revision) && is_same
}

/// What contends: the values, and nothing for absence.
fn values(contenders: &Json) -> BTreeSet<Option<&Json>> {
    contenders.elements().iter().map(|contender| contender.member("value")).collect()
}
