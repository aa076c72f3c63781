//! The entities and their sources: what the database holds of them, and how they are served here.

use super::truth;
use crate::actor::store::requests::view::Counts;
use crate::actor::supervisor::{EntityStatus, Survey};
use crate::config::Config;
use crate::metrics::{Kind, Page};

/// One number of an entity that the database knows.
struct Gauge {
    name: &'static str,
    help: &'static str,
    value: fn(&Counts) -> i64,
}

const GAUGES: [Gauge; 5] = [
    Gauge {
        name: "retcon_work_oldest_age_seconds",
        help: "The age of the oldest work item that is not done; 0 if there is none.",
        value: |counts| counts.oldest_s,
    },
    Gauge { name: "retcon_records", help: "Live records.", value: |counts| counts.records },
    Gauge { name: "retcon_conflicts", help: "Open conflicts.", value: |counts| counts.conflicts },
    Gauge { name: "retcon_doubts", help: "Writes in doubt.", value: |counts| counts.in_doubt },
    Gauge {
        name: "retcon_deletes_held",
        help: "Deletions that max_deletes holds for a person.",
        value: |counts| counts.deletes_held,
    },
];

pub(super) fn write(page: &mut Page, survey: &Survey, config: &Config) {
    // What the database knows is left out, and not zero, while it is away.
    let counted: &[EntityStatus] = if survey.knows_counts { &survey.entities } else { &[] };
    let help = "Work items that are not done, by state.";
    let mut work = page.family("retcon_work_items", Kind::Gauge, help);
    for entity in counted {
        let Counts { ready, running, waiting, parked, .. } = entity.counts;
        for (state, number) in [("ready", ready), ("running", running), ("waiting", waiting), ("parked", parked)] {
            work.sample(&[("entity", entity.name.as_str()), ("state", state)], number as f64);
        }
    }
    for gauge in GAUGES {
        let mut family = page.family(gauge.name, Kind::Gauge, gauge.help);
        for entity in counted {
            family.sample(&[("entity", entity.name.as_str())], (gauge.value)(&entity.counts) as f64);
        }
    }
    serving(page, survey);
    pauses(page, survey);
    throttles(page, survey, config);
}

/// How the entities are served here.
fn serving(page: &mut Page, survey: &Survey) {
    let help = "Whether this daemon serves the entity: 0 where another one does, and before it has begun.";
    let mut serving = page.family("retcon_entity_serving", Kind::Gauge, help);
    for entity in &survey.entities {
        serving.sample(&[("entity", entity.name.as_str())], truth(matches!(entity.state, "up" | "paused")));
    }
    let help = "Records that are being looked at; an entity without any is left out.";
    let mut looks = page.family("retcon_looks_in_flight", Kind::Gauge, help);
    for entity in survey.entities.iter().filter(|entity| entity.in_flight > 0) {
        looks.count(&[("entity", entity.name.as_str())], entity.in_flight.into());
    }
    let help = "Whether the source can be reached, where this daemon serves its entity.";
    let mut up = page.family("retcon_source_up", Kind::Gauge, help);
    for entity in &survey.entities {
        for (source, status) in entity.sources.iter().filter(|(_, status)| status.state != "standby") {
            let labels = [("entity", entity.name.as_str()), ("source", source.as_str())];
            up.sample(&labels, truth(!matches!(status.state, "down" | "given-up")));
        }
    }
}

/// What a person has stopped.
fn pauses(page: &mut Page, survey: &Survey) {
    let help = "What is paused: a source, or an entity, whose source is empty then; what is not is left out.";
    let mut paused = page.family("retcon_paused", Kind::Gauge, help);
    for entity in &survey.entities {
        let sources = entity.sources.iter().map(|(source, status)| (source.as_str(), status.state));
        for (source, _) in sources.chain([("", entity.state)]).filter(|(_, state)| *state == "paused") {
            paused.sample(&[("entity", entity.name.as_str()), ("source", source)], 1.0);
        }
    }
}

/// Who waits for the throttle, where there is one.
fn throttles(page: &mut Page, survey: &Survey, config: &Config) {
    let is_throttled = |entity: &&EntityStatus| {
        entity.state != "standby" && config.entities.get(&entity.name).is_some_and(|of| of.throttle.rate > 0.0)
    };
    let help = "How long an invocation that came now would wait for its entity's throttle; only where there is a rate.";
    let mut wait = page.family("retcon_throttle_wait_seconds", Kind::Gauge, help);
    for entity in survey.entities.iter().filter(is_throttled) {
        wait.sample(&[("entity", entity.name.as_str())], entity.throttle.wait.as_secs_f64());
    }
    let help = "Invocations that wait for their entity's throttle; only where there is a rate.";
    let mut waiting = page.family("retcon_throttle_waiting", Kind::Gauge, help);
    for entity in survey.entities.iter().filter(is_throttled) {
        waiting.count(&[("entity", entity.name.as_str())], entity.throttle.waiting as u64);
    }
}
