use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;

use actix::{Arbiter, System};
use futures_util::poll;
use slog::{Discard, o};
use tempfile::TempDir;
use uuid::Uuid;

use super::super::errand::{Read, Taken};
use super::*;
use crate::config::model::{Command, Commands, ReadBack, Source};
use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::record::{OperationId, Reading};
use crate::domain::rules::Fields;
use crate::source::boot_time::BootTime;
use crate::source::contract::Program;
use crate::source::gate::Gate;
use crate::source::process::cancel::Cancel;
use crate::source::tenure::Tenure;

fn line(pace: Option<Duration>, waiting: usize) -> Line {
    let visit = || -> Waiting { Box::new(|_| (Reach::Unknown, Box::new(|| {}))) };
    let waiting = std::iter::repeat_with(visit).take(waiting).collect();
    Line { waiting, visiting: None, turns: 0, pace, health: Health::Up }
}

#[test]
fn a_turn_is_near_where_those_before_it_take_no_longer_than_the_last_visit_did() {
    let pace = SOON / 4;
    assert!([0, 1, 2, 3].iter().all(|ahead| line(Some(pace), *ahead).is_short()));
    assert!(!line(Some(pace), 4).is_short());
    assert!(!line(Some(SOON * 2), 0).is_short());
    assert!(!line(Some(Duration::MAX), 3).is_short());
    assert!(!line(None, 0).is_short(), "nobody knows how long a visit takes");
}

#[test]
fn a_turn_is_not_near_behind_a_visit_that_takes_longer_than_the_last_one_did() {
    let behind = |since: Instant| {
        let visiting = Some(Visiting { number: 1, since });
        Line { visiting, ..line(Some(SOON / 4), 0) }.is_short()
    };
    assert!(behind(Instant::now() + SOON), "it has only begun");
    assert!(!behind(Instant::now() - SOON * 2));
}

/// Where a read is answered at once, and an update takes longer than is soon.
const SLOW_TO_WRITE: &str = r#"[ "$RETCON_OPERATION" = read ] && { echo '{}'; exit; }; sleep 0.06"#;

/// Where a program has begun when there is one file, goes on when there is another, and has ended when there is a third.
const HELD_UP: &str = ": > begun; until [ -e go ]; do sleep 0.01; done; : > ended; echo '{}'";

fn source(directory: &Path, shell: &str) -> Source {
    let words = ["-c", shell].map(String::from);
    let command = Command { program: "/bin/sh".into(), args: words.to_vec() };
    let one = Some(command.clone());
    Source {
        name: "crm".parse().expect("it is a name"),
        description: String::new(),
        commands: Commands {
            create: one.clone(),
            read: command,
            update: one.clone(),
            delete: one.clone(),
            list: one.clone(),
            find: one,
        },
        timeout: Duration::from_secs(60),
        list_timeout: Duration::from_secs(60),
        fields: Fields::default(),
        read_back: ReadBack::Never,
        recheck: Duration::from_secs(60),
        create_is_idempotent: false,
        renamed_from: None,
        env: BTreeMap::new(),
        directory: directory.to_owned(),
    }
}

fn key() -> ForeignKey {
    "1".parse().expect("it is a key")
}

fn update(basis: &Taken) -> WriteOrder {
    WriteOrder {
        record: InternalKey(1),
        operation: OperationId(Uuid::nil()),
        kind: OperationKind::Update,
        key: Some(key()),
        document: Json::parse(b"{}").ok(),
        basis: Some(basis.clone()),
        recheck: Duration::from_secs(60),
        read_back: false,
    }
}

/// A source of an entity without an actor.
struct Alone {
    dir: TempDir,
    workshop: Arc<Workshop>,
    actor: Addr<SourceActor>,
}

impl Alone {
    /// Starts it with this shell for all its programs; to be called on a thread of actors.
    fn start(shell: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (entity, source) = ("customer".parse::<EntityName>().expect("it is a name"), source(dir.path(), shell));
        let name = source.name.clone();
        let program = Arc::new(Program::new(entity.clone(), Arc::new(source), dir.path()));
        let throttle = Throttle { rate: 0.0, burst: 1, in_flight: 8 };
        let gate = Arc::new(Gate::new(&throttle));
        let log = Logger::root(Discard, o!());
        let visitor = Visitor::new(program, gate, Arc::new(Tenure::unlimited(Cancel::never())), log.clone());
        let (crew, workshop) = (Crew::start().expect("a thread is left"), Workshop::open(&throttle));
        let actor = start_in(&Arbiter::current(), (entity, name), (visitor, crew), Arc::clone(&workshop), log);
        Self { dir, workshop, actor }
    }
}

#[test]
fn a_write_that_had_its_turn_kept_for_it_says_how_long_visits_take_as_any_other_does() {
    System::new().block_on(async {
        let Alone { actor, dir: _dir, .. } = Alone::start(SLOW_TO_WRITE);
        let taken = visit(&actor, Read { key: key(), record: None }).await;
        assert!(matches!(taken.reading, Reading::Present(_)), "{taken:?}");
        assert!(BootTime::now() - taken.at < Duration::from_secs(60), "it need not be read again");
        let reserved = actor.send(Reserve(update(&taken))).await.expect("it lives").expect("nobody else is there");
        assert_eq!(reserved.make().await.result, WriteResult::Done { key: None, stored: None });
        assert!(!actor.send(Foresee(update(&taken))).await.expect("it lives"), "the next one may take as long");
    });
}

#[test]
fn an_entity_is_busy_for_as_long_as_a_program_runs_for_which_nobody_waits_any_more() {
    System::new().block_on(async {
        let Alone { dir, workshop, actor } = Alone::start(HELD_UP);
        {
            let mut read = pin!(visit(&actor, Read { key: key(), record: None }));
            while !dir.path().join("begun").exists() {
                assert!(poll!(&mut read).is_pending(), "it is held up");
                tokio::task::yield_now().await;
            }
        }
        assert!(!workshop.is_idle(), "the program runs");
        std::fs::write(dir.path().join("go"), "").expect("it can be written");
        workshop.idle().await;
        assert!(dir.path().join("ended").exists());
        let taken = visit(&actor, Read { key: key(), record: None }).await;
        assert!(matches!(taken.reading, Reading::Present(_)) && workshop.is_idle(), "{taken:?}");
    });
}
