//! Everything at once: actors fail, configurations change, entities come and go, the wire to the database is cut, and users edit.

use retcon::actor::supervision::{ActorPath, Fault, Moment, Policy};
use retcon::log::discard;

use crate::support::actors::{Actors, of_entity, of_source, policy};
use crate::support::scene::{CUSTOMER, KINDS, PRODUCT, Scene};
use crate::support::wire::{self, Wire};

/// How many items each entity has.
const ITEMS: usize = 10;

/// A configuration for each round; every third one is without `product`.
fn configure(scene: &Scene, round: usize) {
    let billing = CUSTOMER.source_with("billing", &format!("timeout = \"{}s\"", 30 + round % 2));
    let customer = CUSTOMER.table("") + &CUSTOMER.source("crm") + &billing + &CUSTOMER.source("ldap");
    let product = PRODUCT.with(&format!("throttle = {{ in_flight = {} }}", 1 + round % 4));
    match round % 3 {
        1 => scene.configure(&[customer]),
        _ => scene.configure(&[customer, product]),
    }
}

/// Users have edited every item, each round some of them; all edits are everywhere, each item once, and no actor is gone.
#[track_caller]
fn expect_well(scene: &Scene, actors: Actors<'_>) {
    actors.wait_until_up();
    for kind in KINDS {
        (0..ITEMS).for_each(|key| scene.tell(&actors, kind, &key.to_string(), "at last"));
    }
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    scene.assert_nothing_held();
    for kind in KINDS {
        for source in &kind.sources[1..] {
            assert_eq!(scene.runs(kind).count(source, "create"), ITEMS, "{source}");
        }
    }
    actors.stop();
}

#[test]
fn an_entity_that_comes_and_goes_under_load_loses_nothing_and_doubles_nothing() {
    let scene = Scene::new();
    let mut actors = Actors::start(&scene.site);
    for round in 0..30 {
        let key = (round % ITEMS).to_string();
        KINDS.iter().for_each(|kind| scene.tell(&actors, *kind, &key, &format!("name {round}")));
        for tables in [vec![CUSTOMER.whole()], vec![CUSTOMER.whole(), PRODUCT.whole()]] {
            scene.configure(&tables);
            actors.reconfigure();
        }
    }
    expect_well(&scene, actors);
}

#[test]
fn whatever_fails_whenever_the_configuration_changes_nothing_is_lost_and_nothing_is_doubled() {
    let scene = Scene::new();
    let wire =
        Wire::new(scene.site.path(), scene.site.database(), "-- Claims the looks", wire::Moment::AfterCommit, 10);
    // Nobody is given up.
    let patient = Policy { intensity: usize::MAX, ..policy() };
    let mut actors = Actors::start_on(wire.store(), &scene.site, patient, discard());
    let paths = [
        ActorPath::Store,
        of_entity("customer"),
        of_source("customer", "billing"),
        of_entity("product"),
        of_source("product", "shop"),
        ActorPath::Supervisor,
        of_source("customer", "crm"),
    ];
    let moments = [Moment::Handler, Moment::Spawned, Moment::Start];
    let faults = [Fault::Panic, Fault::Error, Fault::Stop];
    for round in 0..42 {
        let key = (round % ITEMS).to_string();
        scene.tell(&actors, CUSTOMER, &key, &format!("name {round}"));
        actors.drill(&paths[round % 7], moments[round % 3], faults[round / 3 % 3]);
        if round % 3 != 2 {
            scene.tell(&actors, PRODUCT, &key, &format!("name {round}"));
        }
        configure(&scene, round);
        actors.reconfigure();
    }
    scene.configure(&[CUSTOMER.whole(), PRODUCT.whole()]);
    actors.reconfigure();
    assert_eq!(wire.left(), 0);
    let failed = actors.ledger().events.iter().filter(|event| event.event == "actor failed").count();
    assert!(failed > 20, "{failed} failures show nothing");
    expect_well(&scene, actors);
}
