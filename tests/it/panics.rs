//! What panics costs one attempt, and nobody else anything.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use retcon::actor::supervision;
use retcon::store::requests::queue::WorkItemId;
use retcon::store::requests::view::{FindWorkItem, WorkItemRow, WorkState};
use retcon::store::{Fault, Mode, Request, Session, StoreError};
use slog::{Drain, KV, Logger, OwnedKVList, Record, Serializer};

use crate::support::actors::{Actors, of_entity, policy};
use crate::support::scene::{CUSTOMER, PRODUCT, Scene};
use crate::support::wait::until;

/// A log that panics at events in which all words of one of these lists stand, so many times.
struct Tripwire {
    lists: &'static [&'static [&'static str]],
    left: Arc<AtomicUsize>,
}

impl Tripwire {
    fn log(lists: &'static [&'static [&'static str]], times: usize) -> Logger {
        Self::counted(lists, times).0
    }

    /// Likewise; how often it is still to panic is told, too.
    fn counted(lists: &'static [&'static [&'static str]], times: usize) -> (Logger, Arc<AtomicUsize>) {
        let left = Arc::new(AtomicUsize::new(times));
        (Logger::root(Self { lists, left: Arc::clone(&left) }, slog::o!()), left)
    }
}

impl Drain for Tripwire {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &Record<'_>, context: &OwnedKVList) -> Result<(), slog::Never> {
        let mut text = Text(record.msg().to_string());
        let told = record.kv().serialize(record, &mut text).and_then(|()| context.serialize(record, &mut text));
        told.expect("a text takes everything");
        let is_wanted = self.lists.iter().any(|words| words.iter().all(|word| text.0.contains(word)));
        let take = |left: usize| left.checked_sub(1);
        if is_wanted && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            panic!("tripped");
        }
        Ok(())
    }
}

/// An event in one line, each value as ` key=value`.
struct Text(String);

impl Serializer for Text {
    fn emit_arguments(&mut self, key: slog::Key, value: &fmt::Arguments<'_>) -> slog::Result {
        Ok(write!(self.0, " {key}={value};")?)
    }
}

/// A document of which the merge says something: its elements are not what the configuration says.
const DOUBTFUL: &str = r#"{"phones":[{"type":"home"},{"type":"home"}]}"#;

/// A scene in which the merge warns of [`DOUBTFUL`].
fn scene() -> Scene {
    let scene = Scene::new();
    scene.configure(&[CUSTOMER.with("[entities.customer.arrays.\"/phones\"]\nkey = \"type\"\n"), PRODUCT.whole()]);
    scene
}

#[track_caller]
fn item(actors: &Actors<'_>, id: WorkItemId) -> WorkItemRow {
    actors.ask_store(FindWorkItem { id }).expect("the database answers").expect("there is such an item")
}

/// Tells of the copy `bad` and of others, and waits for all: the item of the bad one is parked with the panic, all others are
/// in step, and no actor was restarted.
#[track_caller]
fn expect_parked(scene: &Scene, actors: &Actors<'_>) {
    let before = actors.lives();
    scene.tell(actors, CUSTOMER, "1", "Ann");
    let bad = actors.notify(&CUSTOMER.notification("bad")).id;
    scene.tell(actors, CUSTOMER, "2", "Ann");
    scene.tell(actors, PRODUCT, "1", "Ann");
    actors.wait_until_at_rest();
    let parked = item(actors, bad);
    assert_eq!((parked.state, parked.attempts), (WorkState::Parked, 3), "{parked:?}");
    let error = parked.last_error.clone().unwrap_or_default();
    assert!(error.contains("panicked: tripped"), "{parked:?}");
    scene.assert_copies(CUSTOMER, &["billing", "ldap"]);
    scene.assert_copies(PRODUCT, &PRODUCT.sources);
    scene.assert_nothing_held();
    assert_eq!(actors.lives(), before);
}

#[test]
fn a_document_that_brings_its_look_down_each_time_is_parked_and_the_others_go_on() {
    let scene = scene();
    let actors = Actors::start_with(&scene.site, policy(), Tripwire::log(&[&["merged with a warning"]], usize::MAX));
    scene.system(CUSTOMER, "crm").put("bad", DOUBTFUL);
    expect_parked(&scene, &actors);
    // A better one is taken on as ever.
    scene.tell(&actors, CUSTOMER, "bad", "Bob");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    actors.stop();
}

#[test]
fn a_visit_that_panics_each_time_parks_its_item_and_the_others_go_on() {
    let scene = scene();
    let words: &[&[&str]] = &[&["source run finished", " operation=read;", " foreign_key=bad;"]];
    let actors = Actors::start_with(&scene.site, policy(), Tripwire::log(words, usize::MAX));
    scene.system(CUSTOMER, "crm").put("bad", "{}");
    expect_parked(&scene, &actors);
    actors.stop();
}

#[test]
fn a_write_whose_visit_panics_is_not_made_twice() {
    let scene = scene();
    let words: &[&[&str]] = &[&["source run finished", " source=billing;", " operation=update;"]];
    let actors = Actors::start_with(&scene.site, policy(), Tripwire::log(words, 1));
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    actors.wait_until_at_rest();
    scene.tell(&actors, CUSTOMER, "1", "Bob");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    assert_eq!(scene.runs(CUSTOMER).count("billing", "update"), 1);
    actors.stop();
}

#[test]
fn a_look_whose_end_panics_too_leaves_its_item_to_another() {
    let scene = scene();
    let words: &[&[&str]] = &[&["merged with a warning"], &["look failed"]];
    let actors = Actors::start_with(&scene.site, policy(), Tripwire::log(words, 2));
    let before = actors.lives();
    scene.system(CUSTOMER, "crm").put("bad", DOUBTFUL);
    let bad = actors.notify(&CUSTOMER.notification("bad")).id;
    actors.wait_until_at_rest();
    assert_eq!(item(&actors, bad).state, WorkState::Done);
    assert_eq!(scene.system(CUSTOMER, "ldap").documents(), [DOUBTFUL]);
    assert_eq!(actors.lives(), before);
    actors.stop();
}

#[test]
fn an_item_that_was_to_be_put_back_is_also_if_the_actor_fails_before_it_can_do_so() {
    let scene = scene();
    let words: &[&[&str]] = &[&["merged with a warning"], &["look failed"]];
    let (log, left) = Tripwire::counted(words, 2);
    let actors = Actors::start_with(&scene.site, policy(), log);
    scene.system(CUSTOMER, "crm").put("bad", DOUBTFUL);
    let bad = actors.notify(&CUSTOMER.notification("bad")).id;
    let in_flight = || actors.status().entities.iter().map(|entity| entity.in_flight).sum::<u32>();
    let is_over = || left.load(Ordering::Relaxed) == 0 && in_flight() == 0;
    until(|| is_over().then_some(()), || format!("{:?}", item(&actors, bad)));
    actors.drill(&of_entity("customer"), supervision::Moment::Handler, supervision::Fault::Panic);
    actors.wait_until_at_rest();
    assert_eq!(item(&actors, bad).state, WorkState::Done);
    assert_eq!(scene.system(CUSTOMER, "ldap").documents(), [DOUBTFUL]);
    actors.stop();
}

/// A request that panics.
struct Bomb;

impl Request for Bomb {
    type Reply = ();

    const ACTION: &'static str = "go off";

    const MODE: Mode = Mode::Transaction;

    async fn attempt(&self, _: &Session<'_>) -> Result<(), Fault> {
        panic!("boom");
    }
}

#[test]
fn a_request_to_the_store_that_panics_fails_alone() {
    let scene = scene();
    let actors = Actors::start(&scene.site);
    let before = actors.lives();
    // More than there are sessions.
    for round in 0..20 {
        match actors.ask_store(Bomb) {
            Err(StoreError::Failed { action, why }) => assert_eq!((action, &*why), ("go off", "panicked: boom")),
            other => panic!("{round}: {other:?}"),
        }
    }
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    assert_eq!(actors.lives(), before);
    actors.stop();
}
