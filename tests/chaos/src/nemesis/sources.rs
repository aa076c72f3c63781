//! What is done to sources: their programs are told which faults to make.

use std::thread;
use std::time::Duration;

use super::note;
use crate::books::{FaultPhase, FaultPlan, write_json};
use crate::chance::Chance;
use crate::crowd::Crowd;
use crate::scenario::PULSE;

/// The classes that programs make, by their traits or by their plans.
pub const CLASSES: [&str; 11] = [
    "source-outage",
    "source-hang",
    "source-garbage",
    "source-flood",
    "source-apply-then-fail",
    "source-reject",
    "source-fail",
    "source-slow",
    "source-stale-read",
    "source-re-key",
    "source-talk-first",
];

/// Gives programs other faults again and again, until the crowd is calm; heals all at the end.
pub fn rage(crowd: &Crowd) {
    let mut chance = Chance::new(crowd.facts.seed, "sources");
    let mut deck: Vec<u64> = Vec::new();
    while crowd.is_busy() {
        for (entity, source) in sources(crowd) {
            if deck.is_empty() {
                deck = (0..KINDS).collect();
            }
            let card = usize::try_from(chance.below(deck.len() as u64)).unwrap_or(0);
            let plan = plan(deck.swap_remove(card));
            if plan.outage {
                note(&crowd.run, "source-outage", &format!("{entity}.{source}"), FaultPhase::Begin, "");
            }
            set(crowd, entity, source, plan);
        }
        let until = chance.within(1500..5000);
        (0..until / 100).take_while(|_| crowd.is_busy()).for_each(|_| thread::sleep(Duration::from_millis(100)));
    }
    heal(crowd);
}

/// Has all programs keep their contracts.
pub fn heal(crowd: &Crowd) {
    for (entity, source) in sources(crowd) {
        set(crowd, entity, source, FaultPlan::default());
    }
}

fn set(crowd: &Crowd, entity: &str, source: &str, plan: FaultPlan) {
    // A program that finds no plan makes no fault: the report sees that none fired.
    let _ = write_json(&crowd.run.plan_path(entity, source), &plan);
}

fn sources(crowd: &Crowd) -> impl Iterator<Item = (&str, &str)> {
    let entities = crowd.facts.entities.iter().filter(|entity| entity.name != PULSE);
    entities.flat_map(|entity| entity.sources.iter().map(|source| (entity.name.as_str(), source.name.as_str())))
}

/// How many kinds of plans there are: each comes once before any comes again.
const KINDS: u64 = 16;

/// Gives what a program does for some seconds: nothing wrong, one thing often, or everything now and then.
fn plan(kind: u64) -> FaultPlan {
    let healthy = FaultPlan::default();
    match kind {
        0..3 => healthy,
        3 => FaultPlan { outage: true, ..healthy },
        4 => FaultPlan { hang: 60, ..healthy },
        5 => FaultPlan { garbage: 150, ..healthy },
        6 => FaultPlan { flood: 40, ..healthy },
        7 | 8 => FaultPlan { apply_fail: 350, ..healthy },
        9 => FaultPlan { reject: 200, fail: 250, ..healthy },
        10 => FaultPlan { slow: 400, ..healthy },
        11 => FaultPlan { stale: 1000, ..healthy },
        _ => FaultPlan {
            outage: false,
            hang: 8,
            garbage: 40,
            flood: 5,
            apply_fail: 100,
            reject: 30,
            fail: 60,
            stale: 800,
            slow: 80,
        },
    }
}
