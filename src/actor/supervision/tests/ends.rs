//! How children end: in order, given up, or with their thread.

use std::time::Duration;

use actix::{Arbiter, MailboxError};
use rstest::rstest;
use tokio::time::Instant;

use super::toy::{Finish, How, Place, Toybox, Word, path};
use super::{finish, quick, say};
use crate::actor::supervision::{ActorState, Ended, Policy};

/// Runs on the thread of the test, on a clock that jumps to the next thing that is waited for.
fn on_a_paused_clock() -> actix::ArbiterHandle {
    tokio::time::pause();
    Arbiter::current()
}

#[rstest]
#[actix::test]
async fn an_actor_that_fails_at_every_start_is_given_up_after_growing_pauses(
    #[values(How::Panic, How::Error, How::Stop)] how: How,
) {
    let (arbiter, toybox) = (on_a_paused_clock(), Toybox::default());
    toybox.fault(Place::Started, how, 1_000);
    let child = toybox.start(&arbiter, &path("toy"), Policy::default());
    child.ended().await;
    let Ended::GivenUp(error) = toybox.reported().await else { panic!("{toybox:?}") };
    let starts = toybox.times(Place::Started);
    assert_eq!(starts.len(), 6, "once, and once more for each failure that is borne: {toybox:?}");
    for (n, pair) in starts.windows(2).enumerate() {
        let pause = Duration::from_millis(100 << n);
        let (shortest, longest) = (pause.mul_f64(0.8), pause.mul_f64(1.2) + Duration::from_millis(1));
        assert!((shortest..=longest).contains(&(pair[1] - pair[0])), "{n}: {:?}", pair[1] - pair[0]);
    }
    assert!(matches!(child.addr.send(Word("anybody?")).await, Err(MailboxError::Closed)));
    let status = toybox.ledger().find(&path("toy")).expect("it stays entered");
    assert_eq!((status.state, status.restarts), (ActorState::GivenUp, 5));
    assert_eq!(status.last_failure.map(|failure| failure.error), Some(error));
    let pause = status.next_start.expect("it is tried again").duration_since(status.since);
    assert_eq!(pause.as_secs(), 300);
    assert_eq!((toybox.reports().len(), toybox.times(Place::Make).len()), (1, 1), "{toybox:?}");
}

#[actix::test]
async fn failures_far_apart_are_borne_for_ever() {
    let (arbiter, toybox) = (on_a_paused_clock(), Toybox::default());
    let child = toybox.start(&arbiter, &path("toy"), Policy::default());
    let begun = Instant::now();
    for _ in 0..100 {
        toybox.fault(Place::Handler, How::Panic, 1);
        assert!(child.addr.send(Word("fails")).await.is_err());
        tokio::time::sleep(Duration::from_secs(13)).await;
    }
    say(&child, "is there").await;
    let status = toybox.ledger().find(&path("toy")).expect("it is entered");
    assert_eq!((status.state, status.restarts), (ActorState::Up, 100), "after {:?}", begun.elapsed());
    finish(&child, &toybox).await;
}

#[actix::test]
async fn an_actor_whose_address_nobody_holds_ends_in_order() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    say(&child, "is there").await;
    let ended = child.ended();
    drop(child);
    ended.await;
    assert_eq!(toybox.reported().await, Ended::InOrder);
    assert_eq!(toybox.events(), ["actor started", "actor stopped"]);
    assert_eq!(toybox.ledger().find(&path("toy")), None);
}

#[actix::test]
async fn an_actor_that_fails_when_nobody_holds_its_address_is_logged_and_not_started_again() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    toybox.fault(Place::Handler, How::Panic, 1);
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    let ended = child.ended();
    child.addr.do_send(Word("fails"));
    drop(child);
    ended.await;
    assert_eq!(toybox.reported().await, Ended::InOrder);
    assert_eq!(toybox.events(), ["actor started", "actor failed", "actor stopped"], "{toybox:?}");
    assert_eq!(toybox.times(Place::Started).len(), 1);
}

#[rstest]
#[actix::test]
async fn an_actor_that_was_told_to_end_does_so_whatever_fails_then(
    #[values(Place::Stopping, Place::Stopped, Place::Drop)] place: Place,
    #[values(How::Panic, How::Error, How::Stop)] how: How,
) {
    let (arbiter, toybox, neighbours) = (Arbiter::new(), Toybox::default(), Toybox::default());
    let neighbour = neighbours.start(&arbiter.handle(), &path("neighbour"), quick());
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    say(&child, "is there").await;
    toybox.fault(place, how, 1);
    finish(&child, &toybox).await;
    let failed = how == How::Panic || (how == How::Error && place != Place::Drop) || place == Place::Drop;
    let events = toybox.events();
    assert_eq!(events.contains(&"actor failed"), failed, "{toybox:?}");
    assert_eq!(events.last(), Some(&"actor stopped"));
    assert_eq!(toybox.times(Place::Started).len(), 1);
    assert_eq!(say(&neighbour, "after").await, 1);
    finish(&neighbour, &neighbours).await;
}

#[rstest]
#[actix::test]
async fn an_actor_that_fails_as_it_stops_unasked_is_started_again(
    #[values(Place::Stopping, Place::Stopped)] place: Place,
) {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    toybox.fault(place, How::Panic, 1).fault(Place::Handler, How::Error, 1);
    assert_eq!(say(&child, "fails").await, 1);
    toybox.until(super::is_up_again).await;
    let error = toybox.ledger().find(&path("toy")).and_then(|status| status.last_failure).expect("it failed").error;
    assert_eq!(error, format!("error in Handler; then it panicked: in {place:?}"));
    finish(&child, &toybox).await;
}

#[actix::test]
async fn an_actor_that_cannot_be_made_is_given_up_with_the_reason() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    toybox.fault(Place::Make, How::Panic, 1);
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    child.ended().await;
    assert_eq!(toybox.reported().await, Ended::GivenUp("panicked: in Make".to_owned()));
    let status = toybox.ledger().find(&path("toy")).expect("it stays entered");
    assert_eq!(status.last_failure.map(|failure| failure.error), Some("panicked: in Make".to_owned()));
    assert_eq!(toybox.events(), ["actor failed", "actor gave up"]);
}

#[actix::test]
async fn an_actor_that_gives_up_is_not_started_again() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    toybox.fault(Place::Handler, How::GiveUp, 1);
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    assert_eq!(say(&child, "gives up").await, 1);
    child.ended().await;
    assert_eq!(toybox.reported().await, Ended::GivenUp("given up in Handler".to_owned()));
    assert_eq!(toybox.events(), ["actor started", "actor failed", "actor gave up"]);
    assert_eq!(toybox.times(Place::Started).len(), 1);
}

#[actix::test]
async fn an_actor_that_cannot_be_set_back_is_given_up_with_both_reasons() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    toybox.fault(Place::Handler, How::Error, 1).fault(Place::Restarting, How::Panic, 1);
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    child.addr.do_send(Word("fails"));
    child.ended().await;
    let reason = "error in Handler; then, being set back, it panicked: in Restarting";
    assert_eq!(toybox.reported().await, Ended::GivenUp(reason.to_owned()));
    assert_eq!(toybox.events(), ["actor started", "actor failed", "actor gave up"]);
    assert_eq!(toybox.times(Place::Started).len(), 1, "it is not started for its end: {toybox:?}");
}

#[rstest]
#[actix::test]
async fn an_actor_whose_thread_ends_is_given_up(#[values(Place::Handler, Place::Drop)] fault: Place) {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    let policy = Policy { first: Duration::from_secs(3600), max: Duration::from_secs(3600), ..Policy::default() };
    toybox.fault(fault, How::Panic, 1);
    let child = toybox.start(&arbiter.handle(), &path("toy"), policy);
    // Either it is up, or it is in the pause before it is started again.
    let _ = child.addr.send(Word("may fail")).await;
    arbiter.stop();
    child.ended().await;
    assert_eq!(toybox.reported().await, Ended::GivenUp("its thread is gone".to_owned()), "{toybox:?}");
    let events = toybox.events();
    assert_eq!(events[events.len() - 2..], ["actor failed", "actor gave up"], "{toybox:?}");
    assert_eq!((toybox.times(Place::Started).len(), toybox.reports().len()), (1, 1), "{toybox:?}");
    assert!(toybox.seen().contains(&"Drop".to_owned()), "{toybox:?}");
    assert!(child.addr.send(Word("anybody?")).await.is_err());
}

#[actix::test]
async fn an_actor_on_a_thread_that_is_gone_already_is_given_up_at_once() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    let handle = arbiter.handle();
    arbiter.stop();
    arbiter.join().expect("its thread ends");
    let child = toybox.start(&handle, &path("toy"), quick());
    child.ended().await;
    assert_eq!(toybox.reported().await, Ended::GivenUp("its thread is gone".to_owned()));
    assert_eq!(toybox.reports().len(), 1);
    assert!(child.addr.send(Word("anybody?")).await.is_err());
    assert_eq!(toybox.times(Place::Make).len(), 0);
}

#[actix::test]
async fn what_still_waits_when_an_actor_ends_is_answered_with_an_error() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    let child = toybox.start(&arbiter.handle(), &path("toy"), quick());
    child.addr.do_send(Finish);
    let unanswered = child.addr.send(Word("too late")).await;
    assert!(matches!(unanswered, Err(MailboxError::Closed)), "{unanswered:?}; {toybox:?}");
    child.ended().await;
}
