//! Tests of the tree's text.

use super::text;
use crate::api::wire::supervision::{Action, Actor, Exit, Kind, Next, State, Supervision};

fn actor(path: &str, kind: Kind, state: State) -> Actor {
    Actor {
        path: path.to_owned(),
        kind,
        id: 1,
        state,
        since: "2026-11-05T10:00:00.123456Z".to_owned(),
        restarts: 0,
        last_exit: None,
        error: None,
        next: None,
    }
}

fn up(path: &str, kind: Kind) -> Actor {
    actor(path, kind, State::Up)
}

fn next(action: Action, in_ms: u64) -> Option<Next> {
    Some(Next { action, at: "2026-11-05T10:00:12Z".to_owned(), in_ms })
}

fn exit(error: &str) -> Option<Exit> {
    Some(Exit { at: "2026-11-05T09:59:59.5Z".to_owned(), error: error.to_owned() })
}

#[track_caller]
fn check(actors: Vec<Actor>, lines: &[&str]) {
    let text = text(&Supervision { actors, events: Vec::new() });
    assert_eq!(text.lines().collect::<Vec<_>>(), lines, "\n{text}");
}

#[test]
fn a_tree_has_a_line_an_actor_with_what_is_tried_next() {
    let down = Actor {
        error: Some("exit 1:\nno route".to_owned()),
        next: next(Action::Probe, 11_001),
        ..actor("customer/crm", Kind::Source, State::Down)
    };
    let restarting = Actor {
        restarts: 3,
        last_exit: exit("panicked: a drill"),
        next: next(Action::Restart, 0),
        ..actor("order", Kind::Entity, State::Restarting)
    };
    let given_up = Actor {
        restarts: 5,
        last_exit: exit("panicked: again"),
        next: next(Action::Restart, 299_500),
        ..actor("order/shop", Kind::Source, State::GivenUp)
    };
    let actors = vec![
        up("supervisor", Kind::Supervisor),
        up("store", Kind::Store),
        up("customer", Kind::Entity),
        up("customer/billing", Kind::Source),
        down,
        restarting,
        given_up,
    ];
    let lines = [
        "ACTOR          STATE       SINCE                 RESTARTS  NEXT              LAST FAILURE",
        "supervisor     up          2026-11-05T10:00:00Z  0",
        "├─ store       up          2026-11-05T10:00:00Z  0",
        "├─ customer    up          2026-11-05T10:00:00Z  0",
        "│  ├─ billing  up          2026-11-05T10:00:00Z  0",
        "│  └─ crm      down        2026-11-05T10:00:00Z  0         probe in 12s      exit 1: no route",
        "└─ order       restarting  2026-11-05T10:00:00Z  3         restart is due    2026-11-05T09:59:59Z: panicked: a drill",
        "   └─ shop     given-up    2026-11-05T10:00:00Z  5         restart in 5m 0s  2026-11-05T09:59:59Z: panicked: again",
    ];
    check(actors, &lines);
}

#[test]
fn an_entity_without_sources_and_a_failure_long_ago_are_shown_too() {
    let failed_once = Actor { restarts: 1, last_exit: exit(&"ä".repeat(300)), ..up("b", Kind::Entity) };
    let actors = vec![up("supervisor", Kind::Supervisor), up("a", Kind::Entity), failed_once];
    let shown =
        format!("└─ b        up     2026-11-05T10:00:00Z  1               2026-11-05T09:59:59Z: {}…", "ä".repeat(100));
    let lines = [
        "ACTOR       STATE  SINCE                 RESTARTS  NEXT  LAST FAILURE",
        "supervisor  up     2026-11-05T10:00:00Z  0",
        "├─ a        up     2026-11-05T10:00:00Z  0",
        &shown,
    ];
    check(actors, &lines);
}

#[test]
fn thousands_of_actors_are_a_line_each() {
    let entity = |n: usize| {
        let source = move |name: &str| up(&format!("e{n}/{name}"), Kind::Source);
        [up(&format!("e{n}"), Kind::Entity), source("a"), source("b"), source("c")]
    };
    let actors: Vec<Actor> =
        std::iter::once(up("supervisor", Kind::Supervisor)).chain((0..1_000).flat_map(entity)).collect();
    let text = text(&Supervision { actors, events: Vec::new() });
    assert_eq!(text.lines().count(), 1 + 1 + 4_000);
    let last = ["└─ e999", "   ├─ a", "   ├─ b", "   └─ c"];
    for (line, begins) in text.lines().skip(3_998).zip(last) {
        assert!(line.starts_with(begins), "{line}");
    }
}
