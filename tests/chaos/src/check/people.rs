//! I15, one resolution: what a person decided is applied once, and to what they saw. Of I12: what they were told came of it.

use std::collections::BTreeSet;

use super::Findings;
use super::database::ConflictRow;
use super::json::Json;
use super::material::Material;
use crate::books::Decision;

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    decide_acknowledged(material, findings);
    let mut resolved = 0;
    for conflict in &material.database.conflicts {
        let times = resolutions(material, conflict);
        if times == 0 && !is_closed_so(conflict) {
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

/// A resolution that was said to be applied has closed its conflict, and an order that was said to be stored has its work item.
fn decide_acknowledged(material: &Material, findings: &mut Findings) {
    for decision in material.decisions.iter().filter(|decision| decision.is_accepted()) {
        let (order, body) = (&decision.order, decision.answer.as_ref().map(|answer| &answer.body));
        let item = body.and_then(|body| body["work_item"].as_i64());
        if let Some(item) = item.filter(|item| !material.database.items.contains_key(item)) {
            let text =
                format!("{} {} was acknowledged as work item {item}, which is not there", order.kind, order.subject);
            findings.found("I12", text, Vec::new());
        }
        let is_applied = order.kind == "resolve" && body.is_some_and(|body| body["state"] == "applied");
        let conflict = material.database.conflicts.iter().find(|conflict| conflict.id.to_string() == order.subject);
        if is_applied && !conflict.is_some_and(is_closed_so) {
            let text =
                format!("conflict {} is not closed by the resolution that was said to be applied", order.subject);
            let evidence = conflict.map(|conflict| material.timeline(&conflict.record));
            findings.found("I12", text, evidence.unwrap_or_default());
        }
    }
}

fn is_closed_so(conflict: &ConflictRow) -> bool {
    conflict.closed_by.as_ref().and_then(|by| by.member("kind")).and_then(Json::text) == Some("resolution")
}

/// Counts the versions that a conflict's resolution made.
fn resolutions(material: &Material, conflict: &ConflictRow) -> usize {
    let versions = material.database.versions.get(&conflict.record).into_iter().flatten();
    let is_its = |cause: &Json| cause.member("conflict").and_then(Json::whole) == Some(conflict.id);
    versions.into_iter().filter(|version| version.kind() == "resolution" && is_its(&version.cause)).count()
}

/// The resolutions that were ordered and not refused. An order without an answer may be stored, and carried out at any time.
fn decisions<'a>(material: &'a Material, conflict: &'a ConflictRow) -> impl Iterator<Item = &'a Decision> {
    let id = conflict.id.to_string();
    material.decisions.iter().filter(move |decision| {
        decision.order.kind == "resolve" && decision.order.subject == id && decision.may_apply()
    })
}

/// Says whether somebody decided on what the conflict was when it was closed.
fn rests_on(decision: &Decision, conflict: &ConflictRow) -> bool {
    let revision = decision.order.asked.get("revision").and_then(serde_json::Value::as_i64);
    let seen = decision.order.seen.get("contenders").and_then(|seen| Json::parse(&seen.to_string()).ok());
    let is_same = seen.is_none_or(|seen| values(&seen) == values(&conflict.contenders));
    revision.is_none_or(|revision| revision == conflict.revision) && is_same
}

/// What contends: the values, and nothing for absence.
fn values(contenders: &Json) -> BTreeSet<Option<&Json>> {
    contenders.elements().iter().map(|contender| contender.member("value")).collect()
}
