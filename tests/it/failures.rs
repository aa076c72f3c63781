//! Actors that fail, each alone: every way to fail, at every moment, of every kind of actor, while work flows.

use retcon::actor::supervision::{ActorPath, ActorState, Fault, Moment};
use rstest::rstest;

use crate::support::actors::{Actors, of_entity, of_source};
use crate::support::scene::{CUSTOMER, KINDS, Scene};
use crate::support::wait::until;

/// Whose turn it is to fail.
#[derive(Debug, Clone, Copy)]
enum Who {
    Store,
    Entity,
    Source,
}

impl Who {
    fn path(self) -> ActorPath {
        match self {
            Self::Store => ActorPath::Store,
            Self::Entity => of_entity("customer"),
            Self::Source => of_source("customer", "billing"),
        }
    }
}

/// Users edit these items of both entities, one after the other.
#[track_caller]
fn edit_all(scene: &Scene, actors: &Actors<'_>, keys: &[&str], name: &str) {
    for key in keys {
        KINDS.iter().for_each(|kind| scene.tell(actors, *kind, key, name));
    }
}

/// Waits until work is being done in both entities.
#[track_caller]
fn wait_for_work(scene: &Scene) {
    for kind in KINDS {
        scene.wait_for_run(kind, kind.sources[0], "read");
    }
}

#[rstest]
fn an_actor_that_fails_is_started_again_and_nobody_else_notices(
    #[values(Who::Store, Who::Entity, Who::Source)] who: Who,
    #[values(Moment::Start, Moment::Handler, Moment::Spawned)] moment: Moment,
    #[values(Fault::Panic, Fault::Error, Fault::Stop)] fault: Fault,
) {
    let scene = Scene::new();
    let actors = Actors::start(&scene.site);
    let (before, path) = (actors.lives(), who.path());
    edit_all(&scene, &actors, &["1", "2", "3"], "Ann");
    wait_for_work(&scene);

    actors.drill(&path, moment, fault);
    edit_all(&scene, &actors, &["4", "5", "6"], "Bob");
    // That it may come to a start, it fails once more before.
    let failures = if moment == Moment::Start { 2 } else { 1 };
    let is_back = || {
        let actor = actors.actor(&path);
        (actor.restarts == failures && actor.state == ActorState::Up).then_some(actor)
    };
    let struck = until(is_back, || format!("{:#?}", actors.ledger()));
    assert_eq!(actors.happened(&path, "actor failed") as u64, failures);
    let error = struck.last_failure.expect("it failed").error;
    match fault {
        Fault::Panic => assert_eq!(error, "panicked: a drill"),
        Fault::Error => assert_eq!(error, "a drill"),
        Fault::Stop => assert_eq!(error, "it stopped without having been told to"),
    }

    // It works again.
    edit_all(&scene, &actors, &["1", "2", "3", "7"], "Cid");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    let mut expected = before;
    expected.get_mut(&path.to_string()).expect("it was there").1 = failures;
    assert_eq!(actors.lives(), expected);
    assert_eq!(actors.supervision(), actors.ledger());
    actors.stop();
    scene.assert_nothing_held();
}

#[rstest]
fn an_actor_that_fails_at_its_end_holds_up_nobody_else_end(
    #[values(Who::Store, Who::Entity, Who::Source)] who: Who,
    #[values(Fault::Panic, Fault::Error, Fault::Stop)] fault: Fault,
) {
    let scene = Scene::new();
    let actors = Actors::start(&scene.site);
    edit_all(&scene, &actors, &["1", "2", "3"], "Ann");
    wait_for_work(&scene);

    actors.drill(&who.path(), Moment::Stopping, fault);
    actors.tell_to_stop();
    let ended = actors.ledger_after_end();
    assert_eq!(ended.actors, []);
    let failed: Vec<_> = ended.events.iter().filter(|event| event.event == "actor failed").collect();
    let expected = match fault {
        Fault::Panic | Fault::Error => vec![who.path()],
        // It was about to, anyway.
        Fault::Stop => vec![],
    };
    assert_eq!(failed.iter().map(|event| event.path.clone()).collect::<Vec<_>>(), expected, "{failed:#?}");
    let stopped: Vec<_> = ended.events.iter().filter(|event| event.event == "actor stopped").collect();
    assert_eq!(stopped.len(), 11, "{stopped:#?}");
    assert_eq!(stopped.last().expect("there are").path, ActorPath::Supervisor);
    assert_eq!(stopped[8].path, ActorPath::Leases);
    assert_eq!(stopped[9].path, ActorPath::Store);
    scene.assert_nothing_held();

    // What had not been begun is done by the next one.
    let actors = Actors::start(&scene.site);
    edit_all(&scene, &actors, &["1", "4"], "Bob");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    actors.stop();
}

#[rstest]
fn a_source_whose_actor_fails_during_a_create_creates_once(
    #[values(Fault::Panic, Fault::Error, Fault::Stop)] fault: Fault,
) {
    let scene = Scene::new();
    let actors = Actors::start(&scene.site);
    let (billing, path) = (scene.system(CUSTOMER, "billing"), of_source("customer", "billing"));
    billing.fault("create", "while [ ! -e \"$system/go\" ]; do sleep 0.01; done");
    edit_all(&scene, &actors, &["1"], "Ann");
    scene.wait_for_run(CUSTOMER, "billing", "create");

    actors.drill(&path, Moment::Handler, fault);
    let is_back = || actors.actor(&path).restarts == 1 && actors.actor(&path).state == ActorState::Up;
    until(|| is_back().then_some(()), || format!("{:#?}", actors.ledger()));
    // Their turns come when the create has ended.
    edit_all(&scene, &actors, &["1", "2", "3"], "Bob");
    std::fs::write(billing.dir().join("go"), "").expect("a file");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    assert_eq!(scene.runs(CUSTOMER).count("billing", "create"), 3);
    assert_eq!(scene.rows("select count(*) from operation where state <> 'done'"), ["0"]);
    actors.stop();
}
