//! What the ledger and the log say, step by step.

use std::time::Duration;

use actix::Arbiter;

use super::toy::{Finish, How, Place, Toybox, Word, path};
use super::{finish, quick, say};
use crate::actor::supervision::ledger::Happening;
use crate::actor::supervision::{ActorPath, ActorState, Ledger, Policy};

/// A policy that gives up at the first failure.
fn strict() -> Policy {
    Policy { intensity: 0, ..quick() }
}

#[actix::test]
async fn every_event_is_logged_with_its_keys() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    let policy = Policy { intensity: 1, ..quick() };
    toybox.fault(Place::Handler, How::Error, 2);
    let child = toybox.start(&arbiter.handle(), &path("toy"), policy.clone());
    child.addr.do_send(Word("fails"));
    child.addr.do_send(Word("fails"));
    child.ended().await;
    toybox.until(|toybox| toybox.reports().len() == 1).await;
    let second = toybox.start(&arbiter.handle(), &path("toy"), policy);
    say(&second, "is there").await;
    second.addr.do_send(Finish);
    second.ended().await;
    toybox.until(|toybox| toybox.reports().len() == 2).await;
    let pauses = |line: &String| line.replace("delay_ms=0", "delay_ms=1");
    let log: Vec<String> = toybox.log().iter().map(pauses).collect();
    let expected = [
        "info: actor started actor=toys/toy restarts=0",
        "error: actor failed actor=toys/toy error=error in Handler restarts=0",
        "warning: actor restarting actor=toys/toy delay_ms=1 restarts=1",
        "info: actor started actor=toys/toy restarts=1",
        "error: actor failed actor=toys/toy error=error in Handler restarts=1",
        "alert: actor gave up actor=toys/toy error=error in Handler delay_ms=300000 restarts=1",
        "info: actor started actor=toys/toy restarts=2",
        "info: actor stopped actor=toys/toy restarts=2",
    ];
    assert_eq!(log, expected);
}

#[actix::test]
async fn the_ledger_tells_each_step_from_the_start_to_the_end() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    let here = path("toy");
    let find = || toybox.ledger().find(&here).expect("it is entered");
    let child = toybox.start(&arbiter.handle(), &here, strict());
    say(&child, "is there").await;
    let first = find();
    assert_eq!((first.state, first.id, first.restarts), (ActorState::Up, child.id, 0));
    assert_eq!((first.last_failure, first.next_start), (None, None));
    toybox.fault(Place::Handler, How::Error, 1);
    child.addr.do_send(Word("fails"));
    child.ended().await;
    let given_up = find();
    assert_eq!((given_up.state, given_up.id, given_up.restarts), (ActorState::GivenUp, first.id, 0));
    let failure = given_up.last_failure.clone().expect("it failed");
    assert_eq!(failure.error, "error in Handler");
    assert!(given_up.since >= first.since && given_up.next_start > Some(given_up.since), "{given_up:?}");
    let successor = toybox.start(&arbiter.handle(), &here, quick());
    say(&successor, "is there").await;
    let up = find();
    assert_eq!((up.state, up.id, up.restarts, up.next_start), (ActorState::Up, successor.id, 1, None));
    assert!(successor.id > child.id);
    assert_eq!(up.last_failure.expect("it is remembered").error, failure.error);
    finish_last(&successor).await;
    assert_eq!(toybox.ledger().find(&here), None, "an actor that ended in order is struck out");
}

async fn finish_last(child: &crate::actor::supervision::Child<super::Toy>) {
    child.addr.do_send(Finish);
    child.ended().await;
}

#[actix::test]
async fn an_older_actor_at_a_path_does_not_overwrite_the_one_that_took_its_place() {
    let (arbiter, toybox) = (Arbiter::new(), Toybox::default());
    let older = toybox.start(&arbiter.handle(), &path("toy"), quick());
    say(&older, "is there").await;
    let younger = toybox.start(&arbiter.handle(), &path("toy"), quick());
    say(&younger, "is there").await;
    toybox.fault(Place::Handler, How::Error, 1);
    older.addr.do_send(Word("fails"));
    toybox.until(|toybox| toybox.events().len() == 5).await;
    finish(&older, &toybox).await;
    let status = toybox.ledger().find(&path("toy")).expect("the younger one is entered");
    assert_eq!((status.id, status.state), (younger.id, ActorState::Up));
    assert_eq!((status.restarts, status.last_failure), (0, None));
    let events =
        ["actor started", "actor started", "actor failed", "actor restarting", "actor started", "actor stopped"];
    assert_eq!(toybox.events(), events);
    finish_last(&younger).await;
}

#[test]
fn the_latest_256_events_are_kept_and_no_error_at_any_length() {
    let (ledger, here) = (Ledger::default(), path("toy"));
    let id = ledger.enter(&here);
    for n in 0..300 {
        let error = format!("{n} {}", "ä".repeat(5_000));
        ledger.note(&here, id, &Happening::Failed { error: &error });
    }
    let events = ledger.read().events;
    assert_eq!(events.len(), 256);
    let numbers = events.iter().map(|event| event.error.as_deref().and_then(|error| error.split(' ').next()));
    let expected: Vec<String> = (44..300).map(|n| n.to_string()).collect();
    assert!(numbers.eq(expected.iter().map(|n| Some(n.as_str()))));
    assert!(events.iter().all(|event| event.error.as_ref().is_some_and(|error| error.chars().count() == 1_001)));
}

#[test]
fn a_state_lasts_from_its_beginning_and_a_pause_ends_with_the_start() {
    let (ledger, here) = (Ledger::default(), path("toy"));
    let id = ledger.enter(&here);
    let note = |happening: Happening<'_>| {
        ledger.note(&here, id, &happening);
        ledger.find(&here).expect("it is entered")
    };
    let up = note(Happening::Started);
    assert_eq!(note(Happening::Started).since, up.since);
    assert_eq!(note(Happening::Failed { error: "it fell" }).since, up.since);
    let pausing = note(Happening::Restarting { delay: Duration::from_secs(7) });
    assert_eq!(pausing.state, ActorState::Restarting);
    assert_eq!(pausing.next_start.map(|next| next.duration_since(pausing.since).as_secs()), Some(7));
    let starting = note(Happening::Starting);
    assert_eq!((starting.state, starting.next_start, starting.restarts), (ActorState::Starting, None, 1));
    assert_eq!(starting.last_failure.map(|failure| failure.error), Some("it fell".to_owned()));
    assert_eq!(note(Happening::Stopping).state, ActorState::Stopping);
}

#[test]
fn actors_are_listed_as_the_tree_has_them() {
    let ledger = Ledger::default();
    let entity = |name: &str| ActorPath::Entity(name.parse().expect("it is a name"));
    let source = |entity: &str, source: &str| {
        ActorPath::Source(entity.parse().expect("it is a name"), source.parse().expect("it is a name"))
    };
    let tree = [
        ActorPath::Supervisor,
        ActorPath::Store,
        entity("a"),
        source("a", "x"),
        source("a", "y"),
        entity("b"),
        source("b", "a"),
    ];
    for path in tree.iter().rev() {
        ledger.enter(path);
    }
    let listed: Vec<ActorPath> = ledger.read().actors.into_iter().map(|actor| actor.path).collect();
    assert_eq!(listed, tree);
}

#[test]
fn only_an_actor_that_was_given_up_is_struck_out() {
    let (ledger, here) = (Ledger::default(), path("toy"));
    let id = ledger.enter(&here);
    ledger.note(&here, id, &Happening::Started);
    ledger.strike_out(&here);
    assert!(ledger.find(&here).is_some());
    ledger.note(&here, id, &Happening::GaveUp { error: "it fell", delay: Duration::from_secs(300) });
    assert_eq!(
        ledger.find(&here).and_then(|actor| actor.last_failure).map(|failure| failure.error),
        Some("it fell".to_owned())
    );
    ledger.strike_out(&here);
    assert_eq!(ledger.find(&here), None);
}

#[test]
fn what_is_worth_telling_is_told_once_and_each_reader_goes_on_where_it_was() {
    let ledger = Ledger::default();
    let here = path("toy");
    let id = ledger.enter(&here);
    let told = |from: u64| {
        let (events, position) = ledger.told_since(from);
        (events.iter().map(|event| event.event).collect::<Vec<_>>(), position)
    };
    ledger.note(&here, id, &Happening::Started);
    assert_eq!(told(0), (vec![], 0), "a start is nothing to tell of");
    ledger.note(&here, id, &Happening::Failed { error: "a fault" });
    ledger.note(&here, id, &Happening::Restarting { delay: Duration::ZERO });
    ledger.note(&here, id, &Happening::Started);
    assert_eq!(told(0), (vec!["actor failed", "actor started"], 2));
    for _ in 0..3 {
        ledger.note_outage(&here, id, "no route", None);
    }
    ledger.note_reach(&here, id);
    ledger.note_reach(&here, id);
    assert_eq!(told(2), (vec!["source down", "source up again"], 4));
    assert_eq!(told(4), (vec![], 4));
    assert_eq!(told(0).0.len(), 4);
    assert_eq!(*ledger.changed().borrow(), 4);
}
