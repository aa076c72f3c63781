//! How many invocations a second go through a source actor, and through eight of them at once: `make bench`.
//!
//! They stand beside their floor: the same program started by bare `posix_spawn`, with the same pipes, as many at a time.

mod bare;
mod daemon;
mod report;
mod site;
mod socket;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use actix::{Addr, Arbiter, ArbiterHandle, System, SystemRunner};
use bare::Bare;
use futures_util::future::join_all;
use report::{Bound, Report};
use retcon::actor::crew::Crew;
use retcon::actor::errand::{Read, Taken};
use retcon::actor::source::{SourceActor, Visit, start_alone};
use retcon::actor::supervisor::runtime;
use retcon::config::model::{Command, Commands, Log, LogFormat, ReadBack, Severity, Source, Throttle};
use retcon::domain::key::{ForeignKey, InternalKey};
use retcon::domain::name::EntityName;
use retcon::domain::record::Reading;
use retcon::source::contract::Program;
use retcon::source::gate::Gate;
use retcon::source::guardian::{Guardian, Post, stand_guard};
use retcon::source::process::cancel::Cancel;
use retcon::source::tenure::Tenure;
use retcon::source::visit::Visitor;
use site::{ENTITY, Site, document};
use slog::Logger;

/// How many sources there are, and how many of them are asked at once.
const SOURCES: usize = 8;
const AT_ONCE: [usize; 2] = [1, SOURCES];
/// How many invocations a measurement has, and how many measurements of each there are, in turns.
const RUNS: usize = 1600;
const ROUNDS: usize = 7;

fn main() -> ExitCode {
    // The guardian of the runs is this program once more.
    if let Some(code) = stand_guard() {
        return code;
    }
    let mut report = Report::new(
        "invoke",
        "Invocations (reads) a second through source actors, one visit at a time each; beside loops of bare posix_spawn with \
         the same program and pipes, as many at a time.",
    );
    let site = Site::new(SOURCES);
    site.sources.iter().for_each(|source| site.put(source, "k1", &document(1, 0)));
    let guardian = guardian(site.path());
    // Who looks is on the thread of the actors, as in a daemon.
    let system = System::with_tokio_rt(|| runtime(1).expect("descriptors are left"));
    let actors = system.block_on(async { start(&site, &guardian, &Arbiter::current()) });
    for at_once in AT_ONCE {
        let actors = &actors[..at_once];
        let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (visits(&system, actors), bare(&site, at_once))).collect();
        report.compare(&format!("{at_once} at a time"), "/s", &rounds, Bound::AtLeast(0.90));
    }
    report.write();
    guardian.end();
    ExitCode::SUCCESS
}

fn guardian(state_dir: &Path) -> Guardian {
    let log = Log { level: Severity::Alert, format: LogFormat::Text };
    Guardian::start(Post::new(state_dir, &log), &discard()).expect("a guardian")
}

/// Starts an actor for each source of a site, as a daemon would.
fn start(site: &Site, guardian: &Guardian, arbiter: &ArbiterHandle) -> Vec<Addr<SourceActor>> {
    let entity: EntityName = ENTITY.parse().expect("it is a name");
    let gate = Arc::new(Gate::new(&Throttle { rate: 0.0, burst: 1, in_flight: 8 }));
    let crew = Crew::start().expect("a thread is left");
    let tenure = Arc::new(Tenure::unlimited(Cancel::new().expect("descriptors are left")));
    let one = |name: &String| {
        let source = Arc::new(source(site, name));
        let name = source.name.clone();
        let program = Program::new(entity.clone(), source, site.path()).guarded_by(Some(guardian.clone()));
        let visitor = Visitor::new(Arc::new(program), Arc::clone(&gate), Arc::clone(&tenure), discard());
        start_alone(arbiter, (entity.clone(), name), (visitor, crew.clone()), discard())
    };
    site.sources.iter().map(one).collect()
}

fn source(site: &Site, name: &str) -> Source {
    let command = |word: &str| Command { program: site.program().to_owned(), args: vec![word.to_owned()] };
    Source {
        name: name.parse().expect("it is a name"),
        description: String::new(),
        commands: Commands { create: None, read: command("read"), update: None, delete: None, list: None, find: None },
        timeout: Duration::from_secs(30),
        list_timeout: Duration::from_secs(30),
        fields: None,
        read_back: ReadBack::Auto,
        recheck: Duration::from_millis(250),
        create_is_idempotent: false,
        renamed_from: None,
        env: [("STORE".to_owned(), site.store(name).display().to_string())].into(),
        directory: site.path().to_owned(),
    }
}

/// Has each of the actors make its share of the visits; gives the visits a second.
fn visits(system: &SystemRunner, actors: &[Addr<SourceActor>]) -> f64 {
    let key: ForeignKey = "k1".parse().expect("it is a key");
    let loops = actors.iter().map(|actor| {
        let (actor, key) = (actor.clone(), key.clone());
        async move {
            for _ in 0..RUNS / actors.len() {
                let read = Read { key: key.clone(), record: Some(InternalKey(1)) };
                let taken: Taken = actor.send(Visit(Arc::new(read))).await.expect("the actor is there");
                assert!(matches!(taken.reading, Reading::Present(_)), "{:?}", taken.reading);
            }
        }
    });
    let began = Instant::now();
    system.block_on(join_all(loops));
    RUNS as f64 / began.elapsed().as_secs_f64()
}

/// Makes the same runs in as many bare loops; gives the runs a second.
fn bare(site: &Site, at_once: usize) -> f64 {
    let began = Instant::now();
    thread::scope(|scope| {
        for source in &site.sources[..at_once] {
            scope.spawn(move || {
                let store = site.store(source).display().to_string();
                let read = Bare::new(site.program(), &[("STORE", &store)]).told("read", "k1");
                for _ in 0..RUNS / at_once {
                    let end = read.run(None);
                    assert!(end.status == Some(0) && !end.stdout.is_empty(), "{end:?}");
                }
            });
        }
    });
    RUNS as f64 / began.elapsed().as_secs_f64()
}

fn discard() -> Logger {
    retcon::log::discard()
}
