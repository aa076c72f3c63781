//! Tests of the layer, with toys on real arbiters; where only pauses matter, on tokio's paused clock.

mod alarms;
mod books;
mod ends;
mod toy;

use std::time::Duration;

use actix::Arbiter;
use rstest::rstest;

use super::{ActorState, Child, Ended, Policy};
use toy::{Busy, CallOffAndFail, Finish, How, Place, Spawn, Toy, Toybox, Word, path};

/// Restarts nearly at once, for tests in which the pauses do not matter.
fn quick() -> Policy {
    Policy { first: Duration::from_millis(1), ..Policy::default() }
}

async fn say(child: &Child<Toy>, word: &'static str) -> u32 {
    child.addr.send(Word(word)).await.expect("it answers")
}

async fn finish(child: &Child<Toy>, toybox: &Toybox) {
    child.addr.do_send(Finish);
    child.ended().await;
    assert_eq!(toybox.reported().await, Ended::InOrder, "{toybox:?}");
}

fn is_up_again(toybox: &Toybox) -> bool {
    let status = toybox.ledger().find(&path("toy")).expect("it is entered");
    status.state == ActorState::Up && status.restarts > 0
}

/// Starts a toy that fails at a place, brings it there, and waits until it is up again.
async fn start_and_fail(arbiter: &Arbiter, toybox: &Toybox, place: Place, how: How) -> Child<Toy> {
    toybox.fault(place, how, 1);
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    match place {
        Place::Handler => assert!(child.addr.send(Word("fails")).await.is_err() || how != How::Panic),
        Place::Spawned => child.addr.send(Spawn).await.expect("it is what it spawned that fails"),
        Place::Make | Place::Started | Place::Restarting | Place::Stopping | Place::Stopped | Place::Drop => {}
    }
    toybox.until(is_up_again).await;
    child
}

#[rstest]
#[actix::test]
async fn a_failure_anywhere_costs_one_attempt_and_a_neighbour_on_the_same_thread_does_not_notice(
    #[values(Place::Started, Place::Handler, Place::Spawned)] place: Place,
    #[values(How::Panic, How::Error, How::Stop)] how: How,
) {
    let arbiter = Arbiter::new();
    let (toybox, neighbours) = (Toybox::default(), Toybox::default());
    let neighbour = neighbours.start(&arbiter.handle(), &path("neighbour"), quick());
    assert_eq!(say(&neighbour, "before").await, 1);
    let child = start_and_fail(&arbiter, &toybox, place, how).await;
    let served = toybox.served();
    assert_eq!(say(&child, "after").await, served + 1, "its address is the same");
    let status = toybox.ledger().find(&path("toy")).expect("it is entered");
    assert_eq!((status.restarts, status.id, status.next_start), (1, child.id, None), "{toybox:?}");
    let error = status.last_failure.expect("it failed").error;
    match how {
        How::Panic => assert_eq!(error, format!("panicked: in {place:?}")),
        How::Error => assert_eq!(error, format!("error in {place:?}")),
        How::Stop => assert_eq!(error, "it stopped without having been told to"),
        How::GiveUp => unreachable!("that is not a failure that is borne"),
    }
    let started_before = usize::from(place != Place::Started);
    assert_eq!(toybox.events()[started_before..], ["actor failed", "actor restarting", "actor started"], "{toybox:?}");
    assert_eq!(say(&neighbour, "after").await, 2);
    assert_eq!(neighbours.events(), ["actor started"]);
    finish(&child, &toybox).await;
    finish(&neighbour, &neighbours).await;
    assert_eq!(toybox.reports().len(), 1, "its parent is told of the end alone");
}

#[actix::test]
async fn what_waits_in_the_mailbox_outlives_a_failure_in_its_order() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    toybox.fault(Place::Started, How::Panic, 1);
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    let words = ["one", "two", "three", "four"];
    words.into_iter().for_each(|word| child.addr.do_send(Word(word)));
    toybox.fault(Place::Handler, How::Panic, 2);
    assert_eq!(say(&child, "last").await, 3, "{toybox:?}");
    let told: Vec<String> = toybox.seen().into_iter().filter(|what| words.contains(&what.as_str())).collect();
    assert_eq!(told, words);
    finish(&child, &toybox).await;
}

#[actix::test]
async fn work_of_its_context_ends_with_a_failure_and_not_after_the_pause() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    let policy = Policy { first: Duration::from_secs(3600), max: Duration::from_secs(3600), ..Policy::default() };
    let child = toybox.start(&arbiter.handle(), &path("toy"), policy);
    child.addr.send(Busy).await.expect("it answers");
    toybox.fault(Place::Handler, How::Panic, 1);
    child.addr.do_send(Word("fails"));
    toybox.until(|toybox| toybox.events().contains(&"actor restarting")).await;
    assert_eq!(toybox.seen().iter().filter(|what| *what == "Let go").count(), 2, "{toybox:?}");
    assert_eq!(toybox.seen().last().map(String::as_str), Some("Restarting"), "{toybox:?}");
    arbiter.stop();
    child.ended().await;
}

/// actix goes round for ever when an actor terminates in the turn in which it called work off.
#[actix::test]
async fn an_actor_that_calls_work_off_and_fails_in_one_turn_is_started_again() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    child.addr.send(Busy).await.expect("it answers");
    child.addr.do_send(CallOffAndFail);
    toybox.until(is_up_again).await;
    finish(&child, &toybox).await;
}

#[actix::test]
async fn thousands_start_fail_and_stop() {
    const TOYS: usize = 6_000;
    let arbiters = [Arbiter::new(), Arbiter::new()];
    let toyboxes: Vec<Toybox> = (0..TOYS).map(|_| Toybox::default()).collect();
    let start =
        |(n, toybox): (usize, &Toybox)| toybox.start(&arbiters[n % 2].handle(), &path(&format!("t{n}")), quick());
    let children: Vec<Child<Toy>> = toyboxes.iter().enumerate().map(start).collect();
    for (child, toybox) in children.iter().zip(&toyboxes).step_by(2) {
        toybox.fault(Place::Handler, How::Panic, 1);
        child.addr.do_send(Word("fails"));
    }
    for (n, child) in children.iter().enumerate() {
        assert_eq!(say(child, "after").await, 1, "{n}");
    }
    for (child, toybox) in children.iter().zip(&toyboxes) {
        finish(child, toybox).await;
    }
    let failed = toyboxes.iter().filter(|toybox| toybox.events().contains(&"actor failed")).count();
    assert_eq!(failed, TOYS / 2);
}
