//! What many entities cost a daemon that has nothing to do, and what a slow one costs its neighbour: `make bench`.
//!
//! Each figure stands beside its floor: the same daemon with one entity, the same look without the slow neighbour.

mod daemon;
mod report;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use daemon::Daemon;
use report::{Bound, Report};
use retcon::api::client::Client;
use retcon::api::wire::work::{Notification, WorkState};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How many entities are many, and how many sources each of them has.
const ENTITIES: usize = 1000;
const SOURCES: usize = 3;
/// How long what a start has left to do may take before the daemon counts as idle.
const SETTLING: Duration = Duration::from_secs(5);
/// How long the idle daemon is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// How many looks are timed, one after the other.
const LOOKS: usize = 100;

fn main() {
    let mut report = Report::new(
        "entities",
        &format!(
            "A daemon of {ENTITIES} entities with {SOURCES} sources each that has nothing to do, beside one of a single such entity; and \
             a look at a record beside an entity with 200 items whose source takes 5 s a call, beside a look without that neighbour."
        ),
    );
    let site = Site::new();
    site.configure(1);
    drop(site.start());
    let (one, few) = site.measure();
    site.configure(ENTITIES);
    let (many, all) = site.measure();
    let up = (many.as_secs_f64(), one.as_secs_f64());
    report.within("until all are up", "s", &[up], Bound::AtMost(5.0));
    let mib = |idle: &Idle| idle.memory as f64 / 1024.0;
    report.within("memory", "MiB", &[(mib(&all), mib(&few))], Bound::AtMost(64.0));
    report.within("of a core, idle", "%", &[(all.busy * 100.0, few.busy * 100.0)], Bound::AtMost(1.0));
    let looks = in_turns(&Site::new(), &Site::new());
    report.compare("a look beside a slow neighbour", "ms", &looks, Bound::AtMost(2.0));
    report.write();
}

/// Times looks in turns at a site that has a neighbour that is slow, and at one that has not; in milliseconds.
fn in_turns(quiet: &Site, beside: &Site) -> Vec<(f64, f64)> {
    let daemons = [quiet, beside].map(|site| {
        site.configure_neighbours();
        site.start()
    });
    beside.flood("slow");
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let times = (0..LOOKS).map(|key| (millis(beside.look_time(key)), millis(quiet.look_time(key)))).collect();
    drop(daemons);
    times
}

/// A directory in which daemons are started, with a private PostgreSQL of its own.
struct Site {
    dir: TempDir,
    runtime: Runtime,
}

/// What a daemon with nothing to do takes.
struct Idle {
    /// Resident, in KiB.
    memory: u64,
    /// Of one core.
    busy: f64,
}

impl Site {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self { dir: daemon::directory(), runtime: runtime.expect("a runtime") }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, entities: &str) {
        let head = "[server]\nlisten = \"\"\ngrace = \"1s\"\n\n[log]\nlevel = \"alert\"\n\n";
        fs::write(self.path().join("retcon.toml"), format!("{head}{entities}")).expect("a configuration");
    }

    fn configure(&self, entities: usize) {
        let source = |entity, source| format!("[entities.e{entity}.sources.s{source}]\ncommand = [\"/bin/true\"]\n");
        let entity = |entity| (0..SOURCES).map(|number| source(entity, number)).collect::<String>();
        self.write(&(0..entities).map(entity).collect::<String>());
    }

    /// One entity that answers at once, and one that takes its time.
    fn configure_neighbours(&self) {
        let source = |entity: &str, name: &str, shell: &str| {
            format!(
                "[entities.{entity}.sources.{name}]\nread = [\"/bin/sh\", \"-c\", {shell:?}, \"sh\"]\ncreate = \"/bin/true\"\nupdate = \"/bin/true\"\ndelete = \"/bin/true\"\n"
            )
        };
        let quick = source("quick", "one", "exit 2") + &source("quick", "other", "exit 2");
        let slow = source("slow", "one", "sleep 5; exit 2") + &source("slow", "other", "sleep 5; exit 2");
        self.write(&(quick + &slow));
    }

    fn client(&self) -> Client {
        Client::over_socket(&self.path().join("state/retcon.sock")).expect("a client")
    }

    fn start(&self) -> Daemon {
        let client = self.client();
        Daemon::start(self.path(), || {
            let status = self.runtime.block_on(client.status());
            status.is_ok_and(|status| status.value.entities.iter().all(|entity| entity.state == "up"))
        })
    }

    /// Measures how long a start takes, and what the daemon takes then.
    fn measure(&self) -> (Duration, Idle) {
        let began = Instant::now();
        let daemon = self.start();
        let up_after = began.elapsed();
        sleep(SETTLING);
        let before = daemon.cpu();
        sleep(WATCHED);
        let busy = (daemon.cpu() - before).as_secs_f64() / WATCHED.as_secs_f64();
        (up_after, Idle { memory: daemon.memory(), busy })
    }

    /// Has a source of an entity told of many keys at once.
    fn flood(&self, entity: &str) {
        let client = self.client();
        for key in 0..200 {
            self.runtime.block_on(client.notify(&hint(entity, key))).expect("a daemon that takes work on");
        }
    }

    /// Returns the time from a notification to the end of its look.
    fn look_time(&self, key: usize) -> Duration {
        self.runtime.block_on(look_time(&self.client(), &hint("quick", key)))
    }
}

fn hint(entity: &str, key: usize) -> Notification {
    Notification { entity: entity.into(), source: "one".into(), key: format!("k{key}") }
}

async fn look_time(client: &Client, hint: &Notification) -> Duration {
    let began = Instant::now();
    let accepted = client.notify(hint).await.expect("a daemon that takes work on").value;
    let item = accepted.work_items.first().expect("an item for each").id;
    loop {
        if client.work_item(item).await.is_ok_and(|item| item.value.state == WorkState::Done) {
            return began.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
