//! I9, bounded, and I10, fair and throttled.

use super::Findings;
use super::material::{Material, Place};
use crate::books::{EntityFacts, Throttle};
use crate::clock::Micros;

/// The longest reason that may be kept of a failure, in characters.
const REASON: i64 = 4096;
/// How late a start may be entered in the books on a machine that is busy, in seconds.
const LATE: f64 = 1.0;
/// How long an entity may wait while others are served, in microseconds, and how much of them that must be.
const PATIENCE: Micros = 40_000_000;
const OTHERS: usize = 60;

pub(super) fn decide(material: &Material, findings: &mut Findings) {
    decide_bounds(material, findings);
    let mut throttled = 0;
    for entity in &material.facts.entities {
        if let Some(throttle) = entity.throttle {
            throttled += decide_throttle(material, findings, entity, throttle);
        }
        decide_fairness(material, findings, entity);
    }
    findings.decided("I10", throttled, "starts of throttled entities");
}

fn decide_bounds(material: &Material, findings: &mut Findings) {
    for left in &material.left_behind {
        findings.found("I9", format!("a program was left behind: {left}"), Vec::new());
    }
    let longest = material.database.longest_reason;
    if longest > REASON {
        findings.found("I9", format!("a reason of {longest} characters is kept"), Vec::new());
    }
    let runs = material.systems.values().map(|system| system.runs.len()).sum();
    findings.decided("I9", runs, "runs");
}

/// Pours every start into a bucket that leaks at the throttle's rate: it never overflows.
fn decide_throttle(material: &Material, findings: &mut Findings, entity: &EntityFacts, throttle: Throttle) -> usize {
    let systems = material.systems_of(&entity.name);
    let mut starts: Vec<Micros> = systems.flat_map(|(_, system)| system.runs.iter().map(|run| run.start)).collect();
    starts.sort_unstable();
    let room = f64::from(throttle.burst) + throttle.rate * LATE;
    let (mut level, mut before) = (0.0_f64, starts.first().copied().unwrap_or(0));
    for start in &starts {
        let elapsed = (start - before) as f64 / 1e6;
        level = (level - elapsed * throttle.rate).max(0.0) + 1.0;
        before = *start;
        if level > room {
            let Throttle { rate, burst } = throttle;
            let text = format!(
                "{} was started {level:.0} times more than its {rate} a second allow, at {start}; its burst is {burst}",
                entity.name
            );
            findings.found("I10", text, Vec::new());
            break;
        }
    }
    starts.len()
}

/// An entity whose sources never failed does not wait long for the read that was asked for, while others are served.
fn decide_fairness(material: &Material, findings: &mut Findings, entity: &EntityFacts) {
    let is_sound = |run: &super::material::Run| run.exit == Some(0) || run.exit == Some(2) || run.exit.is_none();
    if !material.systems_of(&entity.name).all(|(_, system)| system.runs.iter().all(is_sound)) {
        return;
    }
    for line in material.clients.iter().filter(|line| line.status == Some(202)) {
        for item in line.items.iter().filter(|item| item.entity == entity.name) {
            let place = Place { entity: item.entity.clone(), source: item.source.clone() };
            let runs = material.systems.get(&place).map(|system| system.runs.as_slice()).unwrap_or_default();
            let answered = line.answered.unwrap_or(line.sent);
            let next = runs.iter().map(|run| run.start).find(|start| *start >= answered);
            let Some(next) = next.filter(|next| next - answered > PATIENCE) else { continue };
            let others = material.systems.iter().filter(|(other, _)| other.entity != entity.name);
            let served = others.flat_map(|(_, system)| &system.runs);
            let served = served.filter(|run| (answered..next).contains(&run.start)).count();
            if served > OTHERS {
                let (name, seconds) = (&entity.name, (next - answered) / 1_000_000);
                let text = format!("{name} waited {seconds} s for a start, in which others had {served}");
                findings.found("I10", text, Vec::new());
            }
        }
    }
}
