//! Sessions of the database that end in the middle of work: no actor fails for it, and nothing stays claimed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use retcon::actor::supervisor::Notify;
use retcon::log::discard;
use rstest::rstest;

use crate::support::actors::{Actors, policy};
use crate::support::postgres::block_on;
use crate::support::runs::{RunEnd, RunEvent, Runs};
use crate::support::scene::{CUSTOMER, KINDS, PRODUCT, Scene};
use crate::support::store::rows;
use crate::support::wait::until;
use crate::support::wire::{Moment, Wire};

/// Ends what is at work on a claim or at the end of a transaction, and gives the number of sessions.
const END_CLAIMS: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
      and (query like '-- Claims the looks%' or query like '-- Lists what is claimed%' or query = 'COMMIT')";

/// Ends every session.
const END_ALL: &str = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";

/// Edits in both entities, for some rounds at least, while sessions are ended as fast as that can be done; and until enough
/// were ended, which is a matter of luck where the machine is busy.
#[track_caller]
fn check(end: &str, rounds: usize) {
    let scene = Scene::new();
    let actors = Actors::start(&scene.site);
    let before = actors.lives();
    let (goes_on, ended) = (AtomicBool::new(true), AtomicUsize::new(0));
    let database = scene.site.database();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while goes_on.load(Ordering::Relaxed) {
                ended.fetch_add(block_on(rows(database, end)).len(), Ordering::Relaxed);
                std::thread::yield_now();
            }
        });
        let keys: Vec<_> = (0..5).map(|key| key.to_string()).collect();
        for round in 0..20 * rounds {
            if round >= rounds && ended.load(Ordering::Relaxed) > 10 {
                break;
            }
            for key in &keys {
                KINDS.iter().for_each(|kind| scene.tell(&actors, *kind, key, &format!("name {round}")));
            }
        }
        goes_on.store(false, Ordering::Relaxed);
    });
    let ended = ended.into_inner();
    assert!(ended > 10, "{ended} sessions were ended: that shows nothing");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    scene.assert_nothing_held();
    assert_eq!(actors.lives(), before);
    actors.stop();
}

#[test]
fn sessions_that_end_in_the_middle_of_claims_leave_nothing_claimed() {
    check(END_CLAIMS, 6);
}

#[test]
fn sessions_that_end_at_any_time_restart_no_actor() {
    check(END_ALL, 4);
}

#[rstest]
#[case::a_notification_is_stored("-- Stores notifications")]
#[case::work_is_claimed("-- Claims the looks")]
#[case::items_become_records("-- Makes records of the keys")]
#[case::a_look_has_decided("-- Records the next version")]
#[case::a_write_begins("-- Records that the program of a write")]
#[case::results_are_recorded("-- Settles writes")]
#[case::what_is_nobodys_is_put_back("-- Lists what is claimed")]
fn a_wire_that_is_cut_at_a_commit_loses_and_doubles_nothing(
    #[case] statement: &'static str,
    #[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment,
) {
    let scene = Scene::new();
    let wire = Wire::new(scene.site.path(), scene.site.database(), statement, moment, 5);
    let actors = Actors::start_on(wire.store(), &scene.site, policy(), discard());
    let before = actors.lives();
    for name in ["Ann", "Bob"] {
        for key in ["1", "2", "3", "4", "5"] {
            scene.tell(&actors, CUSTOMER, key, name);
        }
        scene.tell(&actors, PRODUCT, "1", name);
        actors.wait_until_at_rest();
        scene.assert_in_step(&actors);
        scene.assert_nothing_held();
    }
    assert_eq!(actors.lives(), before);
    for source in &CUSTOMER.sources[1..] {
        assert_eq!(scene.runs(CUSTOMER).count(source, "create"), 5, "{source}");
    }
    assert_eq!(wire.left(), 0);
    actors.stop();
}

/// The order of the runs of an operation at a source, among all that were started.
fn places(runs: &Runs, source: &str, operation: &str) -> Vec<usize> {
    let is_one = |run: &RunEvent| run.source == source && run.operation == operation;
    runs.started().enumerate().filter(|(_, run)| is_one(run)).map(|(place, _)| place).collect()
}

#[rstest]
fn what_was_read_before_its_claim_was_lost_is_read_again_before_anything_is_written(
    #[values(Moment::BeforeCommit, Moment::AfterCommit)] moment: Moment,
) {
    let scene = Scene::new();
    let actors = Actors::start(&scene.site);
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    actors.wait_until_at_rest();
    actors.stop();
    let before = scene.runs(CUSTOMER).started().count();
    let wire = Wire::new(scene.site.path(), scene.site.database(), "-- Claims the looks", moment, 1);
    let actors = Actors::start_on(wire.store(), &scene.site, policy(), discard());
    let held = wire.hold();
    // Two at once are stored first, and claimed then.
    let edited = scene.edit(CUSTOMER, "1", "Anne");
    actors.ask(Notify(vec![edited.clone(), edited])).expect("they are stored");
    let reads = CUSTOMER.sources.len();
    let runs = || scene.runs(CUSTOMER);
    let ended = || runs().0.iter().filter(|run| run.end == RunEnd::Ended(0)).count();
    until(|| (ended() == before + reads).then_some(()), || format!("{:#?}", runs()));
    let state = "select state from work_item where state <> 'done'";
    assert_eq!(block_on(rows(scene.site.database(), state)), ["ready"], "it is not claimed yet");
    drop(held);
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    scene.assert_nothing_held();
    let runs = runs();
    for source in &CUSTOMER.sources[1..] {
        let (read, updated) = (places(&runs, source, "read"), places(&runs, source, "update"));
        let since = |places: Vec<usize>| places.into_iter().filter(|place| *place >= before).collect::<Vec<_>>();
        let (read, updated) = (since(read), since(updated));
        assert_eq!((read.len(), updated.len()), (2, 1), "{source}: {runs:#?}");
        assert!(read[1] < updated[0], "{source}: {runs:#?}");
    }
    assert_eq!(wire.left(), 0);
    actors.stop();
}

#[test]
fn what_changes_while_nobody_knows_whether_a_look_has_ended_is_left_to_the_next_one() {
    let scene = Scene::new();
    let actors = Actors::start(&scene.site);
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    actors.wait_until_at_rest();
    actors.stop();
    let reads = || scene.runs(CUSTOMER).count("ldap", "read");
    let (before, end) = (reads(), "-- Ends running items as done");
    let wire = Wire::new(scene.site.path(), scene.site.database(), end, Moment::AfterCommit, 1);
    let actors = Actors::start_on(wire.store(), &scene.site, policy(), discard());
    let held = wire.hold();
    actors.notify(&CUSTOMER.notification("1"));
    until(|| (wire.left() == 0).then_some(()), || "no look ends".to_owned());
    let edited = scene.edit(CUSTOMER, "1", "Anne");
    drop(held);
    actors.wait_until_at_rest();
    actors.notify(&edited);
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    assert_eq!(reads() - before, 2, "each look has read once");
    scene.assert_nothing_held();
    actors.stop();
}

#[test]
fn a_look_that_began_in_vain_holds_up_no_notification_however_long_its_source_takes() {
    let scene = Scene::new();
    let actors = Actors::start(&scene.site);
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    actors.wait_until_at_rest();
    actors.stop();
    let slow = scene.system(CUSTOMER, "ldap");
    slow.fault("read", "while [ ! -e \"$system/go\" ]; do sleep 0.05; done");
    let is_end = |run: &&RunEvent| (&*run.source, &*run.operation, run.end) == ("ldap", "read", RunEnd::Ended(0));
    let ended = || scene.runs(CUSTOMER).0.iter().filter(is_end).count();
    let reads = || scene.runs(CUSTOMER).count("ldap", "read");
    let claim = "-- Claims what claim.sql would";
    let wire = Wire::new(scene.site.path(), scene.site.database(), claim, Moment::BeforeCommit, 1);
    let actors = Actors::start_on(wire.store(), &scene.site, policy(), discard());
    let go = slow.dir().join("go");
    let edited = scene.edit(CUSTOMER, "1", "Anne");
    // One that comes while the entity looks for work is stored in the ordinary way.
    let is_cut_off = || {
        let before = reads();
        let held = wire.hold();
        std::thread::scope(|scope| {
            let told = scope.spawn(|| actors.try_to_notify(&edited));
            until(|| (reads() > before).then_some(()), || "nothing is read".to_owned());
            drop(held);
            told.join().expect("it is answered").is_err()
        })
    };
    while !is_cut_off() {
        std::fs::write(&go, "").expect("a file");
        actors.wait_until_at_rest();
        std::fs::remove_file(&go).expect("a file");
    }
    let before = ended();
    scene.tell(&actors, PRODUCT, "1", "Pen");
    assert_eq!((ended(), wire.left()), (before, 0), "the read in vain has not ended yet");
    std::fs::write(&go, "").expect("a file");
    // If that had been waited for, it would have been killed by now.
    until(|| (ended() > before).then_some(()), || format!("{:#?}", scene.runs(CUSTOMER)));
    actors.notify(&edited);
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    scene.assert_nothing_held();
    actors.stop();
}
