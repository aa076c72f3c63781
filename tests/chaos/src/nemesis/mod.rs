//! The one who breaks things: one fault after another, in an order that the seed determines, each seen to recover.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::books::{FaultLine, FaultPhase, RunDir, append};
use crate::chance::Chance;
use crate::client;
use crate::clock;
use crate::crowd::Crowd;
use crate::scenario::PULSE;
use crate::stage::Stage;
use crate::stage::postgres::PostgresError;

mod daemons;
mod database;
pub mod sources;

/// How long a recovery may take before it counts as none.
const RECOVERY: Duration = Duration::from_secs(120);
/// The same for a daemon with a planted mistake, which may never recover.
const RECOVERY_OF_PLANTED: Duration = Duration::from_secs(15);

/// A class of fault that is done to daemons, to their database, or to their configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    KillAnywhere,
    KillAtPoint,
    Terminate,
    Freeze,
    Takeover,
    PostgresFast,
    PostgresImmediate,
    PostgresKill,
    BackendKill,
    CommitUnknown,
    Failover,
    DiskFull,
    ReloadValid,
    ReloadBroken,
    ReloadHalf,
}

impl Class {
    /// All classes, with their names.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::KillAnywhere, "kill9-random"),
        (Self::KillAtPoint, "kill9-point"),
        (Self::Terminate, "sigterm"),
        (Self::Freeze, "sigstop"),
        (Self::Takeover, "takeover"),
        (Self::PostgresFast, "postgres-restart"),
        (Self::PostgresImmediate, "postgres-immediate"),
        (Self::PostgresKill, "postgres-kill9"),
        (Self::BackendKill, "backend-kill"),
        (Self::CommitUnknown, "commit-unknown"),
        (Self::Failover, "failover"),
        (Self::DiskFull, "disk-full"),
        (Self::ReloadValid, "reload-valid"),
        (Self::ReloadBroken, "reload-broken"),
        (Self::ReloadHalf, "reload-half"),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(class, _)| *class == self).map_or("", |(_, name)| name)
    }

    /// Gives the class of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, found)| *found == name).map(|(class, _)| *class)
    }
}

/// Why a fault cannot be made: the stage itself has failed.
#[derive(Debug, thiserror::Error)]
pub enum NemesisError {
    #[error("cannot use a daemon")]
    Daemon(#[from] io::Error),
    #[error("cannot use PostgreSQL")]
    Postgres(#[from] PostgresError),
    #[error("cannot ask PostgreSQL")]
    Query(#[from] postgres::Error),
}

/// Whether a fault that was ordered took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Fired,
    Missed,
}

/// Enters a line in the book of faults.
pub fn note(run: &RunDir, class: &str, target: &str, phase: FaultPhase, detail: &str) {
    let (class, target, detail) = (class.to_owned(), target.to_owned(), detail.to_owned());
    let line = FaultLine { at: clock::now(), class, target, phase, detail };
    // Without its book the run is void: the report sees that no fault fired.
    let _ = append(&run.faults_path(), &line);
}

/// Breaks things until the crowd is calm; each class once before any is repeated.
///
/// # Errors
/// [`NemesisError`]: the run shows nothing.
pub fn rage(stage: &mut Stage, crowd: &Crowd, pulse: &str) -> Result<(), NemesisError> {
    let mut chance = Chance::new(crowd.facts.seed, "nemesis");
    let all: Vec<Class> = crowd.facts.classes.iter().filter_map(|name| Class::of(name)).collect();
    let mut left = all.clone();
    while crowd.is_busy() {
        if left.is_empty() {
            crowd.set_tried();
            left.clone_from(&all);
        }
        if all.is_empty() {
            thread::sleep(Duration::from_millis(100));
            continue;
        }
        let class = left.swap_remove(usize::try_from(chance.below(left.len() as u64)).unwrap_or(0));
        thread::sleep(Duration::from_millis(chance.within(300..1500)));
        let mut nemesis = Nemesis { stage, crowd, chance: &mut chance, class };
        if nemesis.strike()? == Outcome::Missed {
            left.push(class);
        } else {
            await_recovery(crowd, class.name(), pulse);
        }
    }
    Ok(())
}

/// Waits until a notification of the pulse is served, and enters that as the fault's end.
pub fn await_recovery(crowd: &Crowd, class: &str, pulse: &str) {
    let began = Instant::now();
    let patience = if crowd.facts.plant.is_some() { RECOVERY_OF_PLANTED } else { RECOVERY };
    while began.elapsed() < patience && crowd.is_there() {
        for daemon in 1..=crowd.facts.daemons {
            if beats(crowd, daemon, pulse) {
                note(&crowd.run, class, PULSE, FaultPhase::End, "served again");
                return;
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Tells whether a daemon takes a notification of the pulse and somebody serves it soon.
fn beats(crowd: &Crowd, daemon: u32, key: &str) -> bool {
    let copy = (PULSE, "north", key);
    if !client::notify(&crowd.run, "pulse", daemon, copy, Duration::from_secs(5)) {
        return false;
    }
    let deadline = Instant::now() + Duration::from_secs(3);
    while Instant::now() < deadline {
        let path = format!("/v1/work-items?entity={PULSE}&state=");
        let count = |state: &str| {
            let shown = crate::stage::daemon::get(&crowd.run, daemon, &format!("{path}{state}"))?;
            Some(shown["items"].as_array().map_or(0, Vec::len))
        };
        if ["ready", "running", "waiting"].iter().all(|state| count(state) == Some(0)) {
            return true;
        }
        thread::sleep(Duration::from_millis(30));
    }
    false
}

/// One fault in the making.
struct Nemesis<'a> {
    stage: &'a mut Stage,
    crowd: &'a Crowd,
    chance: &'a mut Chance,
    class: Class,
}

impl Nemesis<'_> {
    fn strike(&mut self) -> Result<Outcome, NemesisError> {
        match self.class {
            Class::KillAnywhere => self.kill_anywhere(),
            Class::KillAtPoint => self.kill_at_point(),
            Class::Terminate => self.terminate(),
            Class::Freeze => self.freeze(),
            Class::Takeover => self.take_over(),
            Class::PostgresFast | Class::PostgresImmediate | Class::PostgresKill => self.restart_postgres(),
            Class::BackendKill => self.kill_backends(),
            Class::CommitUnknown => self.cut_commit(),
            Class::Failover => self.fail_over(),
            Class::DiskFull => self.fill_disk(),
            Class::ReloadValid => self.reload_valid(),
            Class::ReloadBroken | Class::ReloadHalf => self.reload_broken(),
        }
    }

    fn note(&self, target: &str, phase: FaultPhase, detail: &str) {
        note(&self.crowd.run, self.class.name(), target, phase, detail);
    }

    fn pause(&mut self, milliseconds: std::ops::Range<u64>) {
        thread::sleep(Duration::from_millis(self.chance.within(milliseconds)));
    }

    /// Waits for something that is to happen soon.
    fn soon(&mut self, patience: Duration, mut is_so: impl FnMut(&mut Self) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if is_so(self) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}
