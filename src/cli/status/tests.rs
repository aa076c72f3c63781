//! Tests of what `retcon status` says, and of the room that it takes.

use super::remarks::{self, Weight};
use super::screen::{self, Extent};
use crate::api::wire::status::{ConfigState, ConfigStatus, DatabaseStatus, EntityStatus, Queue, SourceStatus, Status};
use crate::api::wire::supervision::{Action, Actor, Exit, Kind, Next, State, Supervision};

fn entity(name: &str, state: &str) -> EntityStatus {
    let source = |name: &str| SourceStatus {
        name: name.to_owned(),
        state: "up".to_owned(),
        paused: None,
        restarts: 0,
        last_error: None,
        next_probe_ms: None,
    };
    EntityStatus {
        name: name.to_owned(),
        state: state.to_owned(),
        paused: None,
        served_by: None,
        queue: Queue { ready: 1, running: 0, waiting: 2, parked: 0, oldest_s: 61 },
        records: 10,
        conflicts: 0,
        in_doubt: 0,
        deletes_held: 0,
        syncing: 0,
        throttle: None,
        sources: vec![source("billing"), source("crm"), source("shop")],
    }
}

fn status(entities: Vec<EntityStatus>) -> Status {
    Status {
        version: "0.1.0".to_owned(),
        uptime_s: 3_725,
        config: ConfigStatus {
            path: "/etc/retcon/retcon.toml".to_owned(),
            state: ConfigState::Applied,
            loaded_at: "2026-11-05T10:00:00Z".to_owned(),
            read_at: "2026-11-05T10:00:00Z".to_owned(),
            errors: Vec::new(),
            needs_restart: Vec::new(),
        },
        database: DatabaseStatus { state: "up".to_owned(), error: None },
        entities,
    }
}

fn actor(path: &str, kind: Kind, state: State) -> Actor {
    let since = "2026-11-05T10:00:00Z".to_owned();
    Actor { path: path.to_owned(), kind, id: 1, state, since, restarts: 0, last_exit: None, error: None, next: None }
}

fn failed(mut actor: Actor, action: Action, in_ms: u64, error: &str) -> Actor {
    let at = "2026-11-05T10:00:12Z".to_owned();
    actor.next = Some(Next { action, at: at.clone(), in_ms });
    match action {
        Action::Probe => actor.error = Some(error.to_owned()),
        Action::Restart => actor.last_exit = Some(Exit { at, error: error.to_owned() }),
    }
    actor
}

fn supervision(actors: Vec<Actor>) -> Supervision {
    Supervision { actors, events: Vec::new() }
}

#[track_caller]
fn check(text: &str, lines: &[&str]) {
    assert_eq!(text.lines().collect::<Vec<_>>(), lines, "\n{text}");
}

#[test]
fn the_gravest_comes_first_with_what_will_be_tried_next() {
    let mut customer = entity("customer", "up");
    (customer.queue.parked, customer.conflicts, customer.in_doubt) = (3, 2, 1);
    customer.deletes_held = 4;
    let starting = actor("order", Kind::Entity, State::Starting);
    let restarting = actor("order/crm", Kind::Source, State::Restarting);
    let down = actor("customer/crm", Kind::Source, State::Down);
    let given_up = actor("product", Kind::Entity, State::GivenUp);
    let actors = vec![
        actor("store", Kind::Store, State::Up),
        starting,
        failed(restarting, Action::Restart, 2_100, "panicked: a bug"),
        failed(down, Action::Probe, 12_000, "exit 1:\nno route"),
        failed(given_up, Action::Restart, 240_000, "panicked: the same again"),
    ];
    let remarks = remarks::of(&status(vec![customer]), &supervision(actors));
    let lines = [
        "! product is given-up: panicked: the same again (restart in 4m 0s)",
        "! customer/crm is down: exit 1: no route (probe in 12s)",
        "! customer: 3 parked (retcon work --state parked)",
        "! customer: 2 in conflict (retcon conflicts customer)",
        "! customer: 4 deletions held (retcon deletes customer)",
        "! customer: 1 in doubt (retcon doubts customer)",
        "- order is starting",
        "- order/crm is restarting: panicked: a bug (restart in 3s)",
    ];
    check(&screen::remarks(&remarks, Extent::Screen), &lines);
}

#[test]
fn what_passes_by_itself_is_no_trouble() {
    let restarting = actor("order", Kind::Entity, State::Restarting);
    let remarks = remarks::of(&status(vec![entity("order", "restarting")]), &supervision(vec![restarting]));
    assert!(remarks.iter().all(|remark| remark.weight == Weight::Passing), "{remarks:?}");
    check(&screen::remarks(&remarks, Extent::Screen), &["nothing needs a person", "- order is restarting"]);
    check(&screen::remarks(&[], Extent::Screen), &["all is well"]);
}

#[test]
fn a_database_that_is_away_is_said_to_be_so() {
    let mut store = actor("store", Kind::Store, State::Down);
    store.error = Some("cannot reach the database: refused".to_owned());
    let known = supervision(vec![store, actor("customer", Kind::Entity, State::Up)]);
    let remarks = remarks::without_status("cannot count", &known);
    check(&screen::remarks(&remarks, Extent::Screen), &["! the database is away: cannot reach the database: refused"]);
    let remarks = remarks::without_status("the daemon is starting", &supervision(Vec::new()));
    check(&screen::remarks(&remarks, Extent::Screen), &["! the daemon is starting"]);
}

#[test]
fn a_thousand_entities_fit_a_screen_and_all_of_them_are_shown_when_asked_for() {
    let name = |n: usize| format!("e{n}");
    let entities = (0..1_000).map(|n| entity(&name(n), if n == 7 { "starting" } else { "up" })).collect();
    let down = |n: usize| actor(&format!("e{n}/crm"), Kind::Source, State::Down);
    let (status, supervision) = (status(entities), supervision((0..40).map(down).collect()));
    let remarks = remarks::of(&status, &supervision);

    let text = screen::remarks(&remarks, Extent::Screen) + &screen::status(&status, Extent::Screen);
    assert!(text.lines().count() <= 30, "{text}");
    assert!(text.contains("\n... and 25 more (--all shows them)\n"), "{text}");
    assert!(text.contains("\nentities  1000: 999 up, 1 starting\nsources   3000: 3000 up\n"), "{text}");
    assert!(text.contains("\nwork      1000 ready, 0 running, 2000 waiting, 0 parked; the oldest 1m 1s\n"), "{text}");

    let text = screen::remarks(&remarks, Extent::All) + &screen::status(&status, Extent::All);
    for shown in ["\n! e39/crm is down\n", "\ne999  ", "\ne999/shop  "] {
        assert!(text.contains(shown), "no {shown:?}");
    }
    assert!(!text.contains("--all"), "nothing is left out");
}
