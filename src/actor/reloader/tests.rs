//! Tests of the reloader over real files, with one in the supervisor's place who says when a configuration is in force.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use actix::{Actor, Addr, Arbiter, Context, Handler, ResponseFuture};
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::{Means, Reload, Reloaded, Reloader};
use crate::actor::messages::{Reconfigure, Refusal};
use crate::actor::supervision::{ActorPath, ActorState, Drill, Fault, Ledger, Moment};
use crate::config::model::{LogFormat, Severity};
use crate::config::{self, Config};

/// Takes configurations on: as many as it is let.
struct Office {
    taken: Arc<Mutex<Vec<Arc<Config>>>>,
    may: Arc<Semaphore>,
}

impl Actor for Office {
    type Context = Context<Self>;
}

impl Handler<Reconfigure> for Office {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Reconfigure { config }: Reconfigure, _: &mut Context<Self>) -> Self::Result {
        self.taken.lock().expect("nobody panics").push(config);
        let may = Arc::clone(&self.may);
        Box::pin(async move { may.acquire().await.expect("it is never closed").forget() })
    }
}

struct Bench {
    _dir: TempDir,
    path: PathBuf,
    reloader: Addr<Reloader>,
    ledger: Ledger,
    taken: Arc<Mutex<Vec<Arc<Config>>>>,
    may: Arc<Semaphore>,
}

impl Bench {
    fn new(allowed: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let path = dir.path().join("retcon.toml");
        std::fs::write(&path, text(0)).expect("a file can be written");
        let loaded = config::load(&path, []).unwrap_or_else(|errors| panic!("{errors}"));
        let (_, guard) = crate::log::to_stderr(Severity::Emerg, LogFormat::Text);
        let (taken, may, ledger) = (Arc::default(), Arc::new(Semaphore::new(allowed)), Ledger::default());
        let office = Office { taken: Arc::clone(&taken), may: Arc::clone(&may) }.start();
        let (config, log) = (Arc::new(loaded.config), crate::log::discard());
        let means = Means::new(path.clone(), config, loaded.inputs, office.recipient(), guard.control(), log);
        let reloader = super::start(&Arbiter::current(), means, ledger.clone()).addr;
        Self { _dir: dir, path, reloader, ledger, taken, may }
    }

    fn write(&self, days: u32) {
        std::fs::write(&self.path, text(days)).expect("a file can be written");
    }

    async fn reload(&self) -> Result<Reloaded, Refusal> {
        self.reloader.send(Reload).await.expect("it is there")
    }

    /// What was given over to be put in force.
    fn taken(&self) -> Vec<u64> {
        let taken = self.taken.lock().expect("nobody panics");
        taken.iter().map(|config| config.retention.work.map_or(0, |work| work.as_secs() / 86_400)).collect()
    }
}

fn text(days: u32) -> String {
    format!("reload.watch = false\nretention.work = \"{}d\"\n", days + 1)
}

#[actix::test]
async fn those_who_ask_while_a_reload_is_under_way_share_the_next_one() {
    let bench = Bench::new(0);
    bench.write(1);
    let first = actix::spawn(bench.reloader.send(Reload));
    while bench.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    bench.write(2);
    let others = (0..100).map(|_| bench.reloader.send(Reload)).collect::<Vec<_>>();
    let others = actix::spawn(join_all(others));
    // Each of them has arrived before one that is sent after them.
    while bench.reloader.send(Marker).await.expect("it is there") < 100 {
        tokio::task::yield_now().await;
    }
    bench.may.add_permits(100);
    assert!(matches!(first.await, Ok(Ok(Ok(Reloaded::Applied { .. })))));
    for other in others.await.expect("they are answered") {
        assert!(matches!(other, Ok(Ok(Reloaded::Applied { .. }))), "{other:?}");
    }
    assert_eq!(bench.taken(), [2, 3]);
}

/// Asks how many wait for the next reload.
#[derive(actix::Message)]
#[rtype(result = "usize")]
struct Marker;

impl Handler<Marker> for Reloader {
    type Result = usize;

    fn handle(&mut self, _: Marker, _: &mut Context<Self>) -> usize {
        self.waiting.len()
    }
}

#[actix::test]
async fn a_panic_costs_the_reload_under_way_and_no_other() {
    let bench = Bench::new(0);
    bench.write(1);
    let lost = actix::spawn(bench.reloader.send(Reload));
    while bench.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    let waiting = actix::spawn(bench.reloader.send(Reload));
    let drill = Drill { path: ActorPath::Reloader, moment: Moment::Handler, fault: Fault::Panic };
    // The panic takes the answer with it.
    let _ = bench.reloader.send(drill).await;
    assert!(matches!(lost.await, Ok(Ok(Err(Refusal::Away)))));
    bench.may.add_permits(100);
    assert!(matches!(waiting.await, Ok(Ok(Ok(Reloaded::Applied { .. })))));
    let now = bench.ledger.find(&ActorPath::Reloader).expect("it is entered");
    assert_eq!((now.state, now.restarts), (ActorState::Up, 1));
    // The lost one may have been put in force: so it is put there again, and nothing is assumed.
    assert_eq!(bench.taken(), [2, 2]);
}

#[actix::test]
async fn what_may_have_been_put_in_force_is_put_right_even_if_the_file_is_what_it_was() {
    let bench = Bench::new(0);
    bench.write(1);
    let lost = actix::spawn(bench.reloader.send(Reload));
    while bench.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    let drill = Drill { path: ActorPath::Reloader, moment: Moment::Spawned, fault: Fault::Error };
    bench.reloader.send(drill).await.expect("it is there");
    assert!(matches!(lost.await, Ok(Ok(Err(Refusal::Away)))));
    bench.write(0);
    bench.may.add_permits(100);
    assert!(matches!(bench.reload().await, Ok(Reloaded::Unchanged)));
    assert_eq!(bench.taken(), [2, 1]);
}

#[actix::test]
async fn a_reload_that_changes_nothing_is_told_to_the_supervisor_too_which_starts_whom_it_had_given_up() {
    let bench = Bench::new(100);
    assert!(matches!(bench.reload().await, Ok(Reloaded::Unchanged)));
    assert_eq!(bench.taken(), [1]);
}

#[actix::test]
async fn a_daemon_without_entities_takes_a_file_without_a_byte() {
    let bench = Bench::new(100);
    std::fs::write(&bench.path, "").expect("a file can be written");
    assert!(matches!(bench.reload().await, Ok(Reloaded::Applied { .. })));
}
