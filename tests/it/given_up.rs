//! Actors that fail at every start: they are given up, and nobody else is; and what cannot go on at all.

use std::time::Duration;

use retcon::actor::supervision::{ActorPath, ActorState, Fault, Moment, Policy};
use retcon::log::discard;
use retcon::store::migrate::{MIGRATIONS, Migration};
use rstest::rstest;

use crate::support::actors::{Actors, of_entity, of_source, policy};
use crate::support::daemon::Daemon;
use crate::support::postgres::block_on;
use crate::support::scene::{CUSTOMER, PRODUCT, Scene};
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::wait::until;

const HOUR: Duration = Duration::from_secs(3600);

/// With it, whoever fails twice is given up.
fn strict(long_pause: Duration) -> Policy {
    Policy { intensity: 1, long_pause, ..policy() }
}

/// With it, whoever fails is given up.
fn strictest() -> Policy {
    Policy { intensity: 0, ..strict(HOUR) }
}

/// Waits until an entity has this many items ready, running and waiting.
#[track_caller]
fn wait_for_work(actors: &Actors<'_>, entity: &str, expected: [i64; 3]) {
    let work = || {
        let status = actors.status();
        let counts =
            status.entities.into_iter().find(|status| status.name.as_str() == entity).expect("it is there").counts;
        [counts.ready, counts.running, counts.waiting]
    };
    until(|| (work() == expected).then_some(()), || format!("{:?}; {:#?}", work(), actors.ledger()));
}

/// Has an actor fail at every start until it is given up; then users edit, and all but its work is done.
#[track_caller]
fn give_up(scene: &Scene, actors: &Actors<'_>, path: &ActorPath) {
    actors.drill(path, Moment::Start, Fault::Panic);
    actors.wait_for_state(path, ActorState::GivenUp);
    assert_eq!(actors.happened(path, "actor gave up"), 1);
    let given_up = actors.actor(path);
    assert_eq!(given_up.last_failure.expect("it failed").error, "panicked: a drill");
    assert!(given_up.next_start.is_some());
    for key in ["1", "2", "3"] {
        scene.tell(actors, CUSTOMER, key, "Ann");
        scene.tell(actors, PRODUCT, key, "Ann");
    }
    wait_for_work(actors, PRODUCT.name, [0; 3]);
    scene.assert_copies(PRODUCT, &PRODUCT.sources);
}

/// The lives of all actors but those of one entity.
fn others(actors: &Actors<'_>, entity: &str) -> Vec<(String, (u64, u64))> {
    actors.lives().into_iter().filter(|(path, _)| !path.starts_with(entity)).collect()
}

#[test]
fn the_work_of_a_source_that_is_given_up_waits_until_a_reload_starts_it_anew() {
    let (scene, path) = (Scene::new(), of_source("customer", "billing"));
    let mut actors = Actors::start_with(&scene.site, strict(HOUR), discard());
    let before = actors.lives();
    give_up(&scene, &actors, &path);
    wait_for_work(&actors, CUSTOMER.name, [0, 0, 3]);
    scene.assert_copies(CUSTOMER, &["crm", "ldap"]);
    assert_eq!(scene.system(CUSTOMER, "billing").documents(), [""; 0]);
    let status = actors.status();
    let sources =
        &status.entities.iter().find(|entity| entity.name.as_str() == "customer").expect("it is there").sources;
    let states: Vec<_> = sources.values().map(|source| source.state).collect();
    assert_eq!(states, ["given-up", "up", "up"]);
    assert_eq!(
        sources.values().next().and_then(|source| source.last_error.clone()).as_deref(),
        Some("panicked: a drill")
    );

    assert!(actors.reconfigure().is_empty());
    actors.wait_until_up();
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    let (mut now, mut before) = (actors.lives(), before);
    let (new, old) = (now.remove("customer/billing"), before.remove("customer/billing"));
    assert_eq!(now, before);
    let (new, old) = (new.expect("it is there"), old.expect("it was there"));
    assert_ne!(new.0, old.0);
    assert_eq!(new.1, 2);
    actors.stop();
}

#[test]
fn the_work_of_an_entity_that_is_given_up_waits_until_a_reload_starts_it_anew() {
    let (scene, path) = (Scene::new(), of_entity("customer"));
    let mut actors = Actors::start_with(&scene.site, strict(HOUR), discard());
    let before = others(&actors, "customer");
    give_up(&scene, &actors, &path);
    wait_for_work(&actors, CUSTOMER.name, [3, 0, 0]);
    let states: Vec<_> = actors.status().entities.into_iter().map(|entity| entity.state).collect();
    assert_eq!(states, ["given-up", "up"]);
    assert!(!actors.status().ready);

    assert!(actors.reconfigure().is_empty());
    actors.wait_until_up();
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    assert_eq!(others(&actors, "customer"), before);
    assert_eq!(actors.actor(&path).restarts, 2);
    actors.stop();
}

#[rstest]
#[case::a_source(of_source("customer", "billing"))]
#[case::an_entity(of_entity("customer"))]
fn who_was_given_up_is_started_anew_after_a_long_pause(#[case] path: ActorPath) {
    let scene = Scene::new();
    let actors = Actors::start_with(&scene.site, strict(Duration::from_millis(300)), discard());
    let before = actors.actor(&path).id;
    actors.drill(&path, Moment::Start, Fault::Stop);
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    let is_anew = || actors.actor(&path).id != before && actors.actor(&path).state == ActorState::Up;
    until(|| is_anew().then_some(()), || format!("{:#?}", actors.ledger()));
    assert_eq!(actors.happened(&path, "actor gave up"), 1);
    scene.tell(&actors, CUSTOMER, "2", "Ann");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    actors.stop();
}

/// A read of the users' system goes on until it is let go.
fn hold_reads(scene: &Scene) {
    scene.system(CUSTOMER, "crm").fault("read", "while [ ! -e \"$system/go\" ]; do sleep 0.01; done");
}

/// Has the actor of `customer` begin a look that is held up.
fn begin_a_look(scene: &Scene, actors: &Actors) {
    hold_reads(scene);
    scene.tell(actors, CUSTOMER, "1", "Ann");
    scene.wait_for_run(CUSTOMER, "crm", "read");
}

/// Has the actor of `customer` given up while a look that it began is held up.
fn give_up_in_the_middle_of_a_look(scene: &Scene, actors: &Actors, path: &ActorPath) {
    begin_a_look(scene, actors);
    actors.drill(path, Moment::Start, Fault::Error);
    actors.wait_for_state(path, ActorState::GivenUp);
}

fn let_reads_go(scene: &Scene) {
    std::fs::write(scene.system(CUSTOMER, "crm").dir().join("go"), "").expect("a file");
}

#[test]
fn a_look_outlives_the_actor_that_began_it() {
    let (scene, path) = (Scene::new(), of_entity("customer"));
    let mut actors = Actors::start_with(&scene.site, strict(HOUR), discard());
    give_up_in_the_middle_of_a_look(&scene, &actors, &path);
    // Another look at the same copy, which must not begin before the one under way has ended.
    scene.tell(&actors, CUSTOMER, "1", "Bob");
    actors.reconfigure();
    actors.wait_for_state(&path, ActorState::Up);
    assert_eq!(scene.runs(CUSTOMER).started().count(), 1);
    let_reads_go(&scene);
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    assert_eq!(scene.rows("select max(attempts) from work_item"), ["0"]);
    actors.stop();
}

#[test]
fn what_a_look_waits_for_is_known_to_whoever_came_after_the_actor_that_began_it() {
    let (scene, path) = (Scene::new(), of_entity("customer"));
    let mut actors = Actors::start_with(&scene.site, strict(HOUR), discard());
    scene.system(CUSTOMER, "billing").fault("create", "exit 1");
    give_up_in_the_middle_of_a_look(&scene, &actors, &path);
    actors.reconfigure();
    actors.wait_for_state(&path, ActorState::Up);
    let_reads_go(&scene);
    // Two that failed: the look that was under way, and one that only the new actor can have begun.
    let attempts = || scene.runs(CUSTOMER).count("billing", "create");
    until(|| (attempts() >= 2).then_some(()), || format!("{:#?}", scene.runs(CUSTOMER)));
    scene.system(CUSTOMER, "billing").heal();
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    actors.stop();
}

#[test]
fn an_entity_that_was_given_up_is_removed_and_comes_back() {
    let (scene, path) = (Scene::new(), of_entity("customer"));
    let mut actors = Actors::start_with(&scene.site, strict(HOUR), discard());
    give_up_in_the_middle_of_a_look(&scene, &actors, &path);
    scene.configure(&[PRODUCT.whole()]);
    actors.reconfigure();
    actors.wait_until_gone(&path);
    scene.configure(&[CUSTOMER.whole(), PRODUCT.whole()]);
    actors.reconfigure();
    actors.wait_until_up();
    scene.tell(&actors, CUSTOMER, "2", "Ann");
    let_reads_go(&scene);
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    actors.stop();
}

/// When the actor of an entity that is removed from the configuration is given up.
#[derive(Debug, Clone, Copy)]
enum GivenUp {
    Before,
    WhileItLeaves,
}

#[rstest]
fn an_entity_that_was_given_up_and_removed_is_left_to_others_when_its_looks_are_over(
    #[values(GivenUp::Before, GivenUp::WhileItLeaves)] given_up: GivenUp,
) {
    let (scene, path) = (Scene::new(), of_entity("customer"));
    let mut actors = Actors::start_with(&scene.site, strict(HOUR), discard());
    let served = || scene.rows("select entity from lease where holder is not null order by entity");
    match given_up {
        GivenUp::Before => give_up_in_the_middle_of_a_look(&scene, &actors, &path),
        GivenUp::WhileItLeaves => begin_a_look(&scene, &actors),
    }
    assert_eq!(served(), ["customer", "product"]);
    scene.configure(&[PRODUCT.whole()]);
    actors.reconfigure();
    if let GivenUp::WhileItLeaves = given_up {
        actors.drill(&path, Moment::Start, Fault::Error);
    }
    actors.wait_until_gone(&path);
    // The other one, which leaves after it and has nothing under way, shows that its lease would be given up by now.
    scene.configure(&[]);
    actors.reconfigure();
    until(|| (!served().contains(&"product".to_owned())).then_some(()), || format!("{:#?}", actors.ledger()));
    assert_eq!(served(), ["customer"]);
    let_reads_go(&scene);
    until(|| served().is_empty().then_some(()), || format!("{:?}; {:#?}", served(), actors.ledger()));
    // Its look has written, and recorded it.
    scene.assert_copies(CUSTOMER, &CUSTOMER.sources);
    scene.assert_nothing_held();
    actors.stop();
}

#[test]
fn a_stop_waits_for_what_an_entity_that_was_given_up_has_begun() {
    let (scene, path) = (Scene::new(), of_entity("customer"));
    let actors = Actors::start_with(&scene.site, strict(HOUR), discard());
    give_up_in_the_middle_of_a_look(&scene, &actors, &path);
    actors.tell_to_stop();
    actors.wait_until_gone(&of_entity("product"));
    let_reads_go(&scene);
    let ended = actors.ledger_after_end();
    assert_eq!(ended.actors.into_iter().map(|actor| actor.path).collect::<Vec<_>>(), [path]);
    scene.assert_copies(CUSTOMER, &CUSTOMER.sources);
    scene.assert_nothing_held();
}

#[test]
fn without_the_store_the_supervisor_ends_with_the_reason() {
    let scene = Scene::new();
    let actors = Actors::start_with(&scene.site, strictest(), discard());
    actors.drill(&ActorPath::Store, Moment::Handler, Fault::Error);
    assert_eq!(actors.wait_for_end().as_deref(), Some("the store was given up: a drill"));
}

#[test]
fn a_supervisor_that_is_given_up_leaves_no_program_behind() {
    let scene = Scene::new();
    let actors = Actors::start_with(&scene.site, strictest(), discard());
    begin_a_look(&scene, &actors);
    actors.drill(&ActorPath::Supervisor, Moment::Handler, Fault::Panic);
    assert_eq!(actors.wait_for_end().as_deref(), Some("panicked: a drill"));
    scene.assert_nothing_held();
}

#[rstest]
fn a_supervisor_that_fails_is_started_again_and_its_children_live_on(
    #[values(Moment::Start, Moment::Handler, Moment::Spawned, Moment::Stopping)] moment: Moment,
    #[values(Fault::Panic, Fault::Error, Fault::Stop)] fault: Fault,
) {
    let scene = Scene::new();
    let mut actors = Actors::start(&scene.site);
    let before = actors.lives();
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    actors.drill(&ActorPath::Supervisor, moment, fault);
    let failures = match moment {
        Moment::Start => 2,
        Moment::Handler | Moment::Spawned => 1,
        Moment::Stopping => 0,
    };
    until(
        || (actors.actor(&ActorPath::Supervisor).restarts == failures).then_some(()),
        || format!("{:#?}", actors.ledger()),
    );
    actors.wait_until_up();
    scene.tell(&actors, CUSTOMER, "2", "Ann");
    scene.configure(&[CUSTOMER.whole(), PRODUCT.with("throttle = { in_flight = 2 }")]);
    assert!(!actors.reconfigure().is_empty());
    scene.tell(&actors, PRODUCT, "1", "Ann");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    let mut expected = before;
    expected.get_mut("supervisor").expect("it was there").1 = failures;
    assert_eq!(actors.lives(), expected);
    actors.stop();
}

#[test]
fn a_database_of_a_newer_retcon_ends_the_daemon_with_the_reason() {
    let site = Site::new(&[Language::Sh.source("crm")]);
    let number = i32::try_from(MIGRATIONS.len()).expect("small") + 1;
    let later = Migration { number, name: "V99__later.sql", sql: "create table later ()" };
    let newer: Vec<_> = MIGRATIONS.iter().copied().chain([later]).collect();
    block_on(site.database().migrate_with(&newer)).expect("the newer one migrates");
    let mut daemon = Daemon::spawn(&site);
    assert_eq!(daemon.wait().code(), Some(1), "{}", daemon.log_text());
    let end = daemon.wait_for_event(|event| event["msg"] == "daemon cannot go on");
    assert_eq!(end["level"], "ALERT");
    let error = end["error"].as_str().expect("a text");
    assert!(error.contains("it was migrated by a newer retcon"), "{error}");
}
