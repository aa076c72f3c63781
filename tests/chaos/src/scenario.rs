//! The entities and sources of every run: what the contract allows systems to be, once each.

use crate::books::{EntityFacts, SourceFacts, Throttle, Tidying};
use crate::clock::Micros;

/// `timeout` of all sources, and `retry.attempts` of all entities.
pub const TIMEOUT: Micros = 3_000_000;
pub const ATTEMPTS: u32 = 8;
/// The entity that nobody edits and whose sources never fail: it shows whether the daemons serve at all.
pub const PULSE: &str = "pulse";

fn source(name: &str) -> SourceFacts {
    SourceFacts {
        name: name.to_owned(),
        find: false,
        list: false,
        idempotent: false,
        tidies: Tidying::Never,
        rekeys: false,
        compares: true,
        talks_first: false,
        fields: Vec::new(),
        timeout: TIMEOUT,
    }
}

fn entity(name: &str, merge_policy: &str, sources: Vec<SourceFacts>) -> EntityFacts {
    EntityFacts {
        name: name.to_owned(),
        merge_policy: merge_policy.to_owned(),
        on_delete: "propagate".to_owned(),
        matching: Vec::new(),
        throttle: None,
        attempts: ATTEMPTS,
        sources,
    }
}

/// Gives the entities of a run.
pub fn entities() -> Vec<EntityFacts> {
    let customer = EntityFacts {
        matching: vec!["/id".to_owned()],
        ..entity(
            "customer",
            "ignore-conflicts",
            vec![
                SourceFacts { find: true, ..source("crm") },
                SourceFacts { list: true, tidies: Tidying::AtWrite, ..source("billing") },
                SourceFacts { idempotent: true, talks_first: true, ..source("shop") },
            ],
        )
    };
    let product = entity(
        "product",
        "accept-all",
        vec![
            SourceFacts { find: true, rekeys: true, ..source("depot") },
            SourceFacts { list: true, tidies: Tidying::Later, talks_first: true, ..source("store") },
            SourceFacts { find: true, idempotent: true, ..source("web") },
        ],
    );
    let ticket = EntityFacts {
        throttle: Some(Throttle { rate: 15.0, burst: 5 }),
        ..entity(
            "ticket",
            "prefer:desk",
            vec![
                SourceFacts { talks_first: true, ..source("desk") },
                SourceFacts { fields: ["/id", "/a", "/n"].map(str::to_owned).to_vec(), ..source("mail") },
            ],
        )
    };
    let pulse = entity(PULSE, "accept-all", vec![SourceFacts { list: true, ..source("north") }, source("south")]);
    vec![customer, product, ticket, pulse]
}
