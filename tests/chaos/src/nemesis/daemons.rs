//! What is done to daemons.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Nemesis, NemesisError, Outcome};
use crate::books::FaultPhase;
use crate::scenario::PULSE;
use crate::stage::config;
use crate::stage::daemon::Daemon;

/// How long a daemon may take to come to the point at which it is to die.
const TO_POINT: Duration = Duration::from_secs(12);
/// How long a daemon may take to stop in order: its grace, and what it takes besides on a loaded machine.
const TO_STOP: Duration = Duration::from_secs(40);
/// How long a daemon is frozen: longer than any lease.
const FROZEN: std::ops::Range<u64> = 25_000..35_000;

impl Nemesis<'_> {
    /// Picks a daemon.
    fn victim(&mut self) -> usize {
        usize::try_from(self.chance.below(self.stage.daemons.len() as u64)).unwrap_or(0)
    }

    /// Picks the daemon that serves the pulse, so that the others' takeover shows; any, if nobody says that it does.
    fn server_of_pulse(&mut self) -> usize {
        let serves = |daemon: &Daemon| {
            let status = daemon.get("/v1/status")?;
            let entities = status["entities"].as_array()?;
            let pulse = entities.iter().find(|entity| entity["name"] == PULSE)?;
            (pulse["state"] == "up").then_some(())
        };
        let server = self.stage.daemons.iter().position(|daemon| serves(daemon).is_some());
        server.unwrap_or_else(|| self.victim())
    }

    fn target(&self, victim: usize) -> String {
        format!("daemon {}", victim + 1)
    }

    pub(super) fn kill_anywhere(&mut self) -> Result<Outcome, NemesisError> {
        let victim = self.victim();
        self.note(&self.target(victim), FaultPhase::Begin, "");
        self.stage.daemons[victim].kill();
        self.note(&self.target(victim), FaultPhase::Fired, "");
        self.pause(0..800);
        self.stage.daemons[victim].start(None)?;
        Ok(Outcome::Fired)
    }

    /// Starts a daemon, alone, that dies at a point of its way.
    pub(super) fn kill_at_point(&mut self) -> Result<Outcome, NemesisError> {
        let points = self.stage.points.clone();
        let Some(name) = self.chance.pick(&points) else { return Ok(Outcome::Missed) };
        let point = format!("{name}:{}", self.chance.within(1..4));
        let victim = self.victim();
        self.note(&self.target(victim), FaultPhase::Begin, &point);
        self.stage.daemons.iter_mut().for_each(Daemon::kill);
        self.stage.daemons[victim].start(Some(&point))?;
        match name.as_str() {
            "reloaded" => self.provoke_reloads(victim)?,
            "stopping" if self.stage.daemons[victim].wait_until_ready(TO_POINT) => {
                self.stage.daemons[victim].signal(Signal::TERM);
            }
            _ => {}
        }
        let has_died = self.soon(TO_POINT, |nemesis| !nemesis.stage.daemons[victim].is_running());
        if has_died {
            self.note(&self.target(victim), FaultPhase::Fired, &point);
        }
        for daemon in &mut self.stage.daemons {
            daemon.kill();
            daemon.start(None)?;
        }
        Ok(if has_died { Outcome::Fired } else { Outcome::Missed })
    }

    fn provoke_reloads(&mut self, victim: usize) -> Result<(), NemesisError> {
        for _ in 0..4 {
            self.stage.daemons[victim].wait_until_ready(Duration::from_secs(3));
            self.stage.advance(self.chance)?;
            self.stage.daemons[victim].signal(Signal::HUP);
        }
        Ok(())
    }

    /// Has a daemon stop in order: it says that all was well.
    pub(super) fn terminate(&mut self) -> Result<Outcome, NemesisError> {
        let victim = self.victim();
        self.stage.daemons[victim].wait_until_ready(TO_POINT);
        self.note(&self.target(victim), FaultPhase::Begin, "");
        self.stage.daemons[victim].signal(Signal::TERM);
        let is_impatient = self.chance.per_mille(200);
        if is_impatient {
            self.pause(0..300);
            self.stage.daemons[victim].signal(Signal::TERM);
        }
        let status = self.stage.daemons[victim].wait(TO_STOP);
        self.note(&self.target(victim), FaultPhase::Fired, &format!("exit status {status:?}"));
        if status != Some(0) {
            self.note(&self.target(victim), FaultPhase::Begin, "did not stop in order");
            self.stage.disorders.push(format!("daemon {} ended with {status:?} after SIGTERM", victim + 1));
        }
        self.stage.daemons[victim].kill();
        self.stage.daemons[victim].start(None)?;
        Ok(Outcome::Fired)
    }

    pub(super) fn freeze(&mut self) -> Result<Outcome, NemesisError> {
        let victim = self.server_of_pulse();
        self.note(&self.target(victim), FaultPhase::Begin, "");
        self.stage.daemons[victim].signal(Signal::STOP);
        self.note(&self.target(victim), FaultPhase::Fired, "");
        let thaw = Instant::now() + Duration::from_millis(self.chance.within(FROZEN));
        if self.stage.daemons.len() > 1 {
            let pulse = self.stage.pulse.clone();
            super::await_recovery(self.crowd, self.class.name(), &pulse);
        }
        std::thread::sleep(thaw.saturating_duration_since(Instant::now()));
        self.stage.daemons[victim].signal(Signal::CONT);
        self.pause(500..2000);
        if !self.stage.daemons[victim].is_running() {
            self.stage.daemons[victim].start(None)?;
        }
        Ok(Outcome::Fired)
    }

    /// Kills a daemon and leaves it dead until another has its work.
    pub(super) fn take_over(&mut self) -> Result<Outcome, NemesisError> {
        for daemon in &mut self.stage.daemons {
            daemon.wait_until_ready(TO_POINT);
        }
        let victim = self.server_of_pulse();
        self.note(&self.target(victim), FaultPhase::Begin, "");
        self.stage.daemons[victim].kill();
        self.note(&self.target(victim), FaultPhase::Fired, "");
        let pulse = self.stage.pulse.clone();
        super::await_recovery(self.crowd, self.class.name(), &pulse);
        self.pause(1000..5000);
        self.stage.daemons[victim].start(None)?;
        Ok(Outcome::Fired)
    }

    pub(super) fn reload_valid(&mut self) -> Result<Outcome, NemesisError> {
        let generation = self.stage.advance(self.chance)?;
        self.note("all daemons", FaultPhase::Begin, &format!("configuration {}", generation.number));
        // The file is watched; who is told as well reads it once more.
        let storm = self.chance.within(0..20);
        for _ in 0..storm {
            self.stage.daemons.iter_mut().for_each(|daemon| daemon.signal(Signal::HUP));
        }
        let wanted = generation.number.to_string();
        let has_come = self.soon(Duration::from_secs(15), |nemesis| nemesis.stage.was_run_under(&wanted));
        if !has_come {
            return Ok(Outcome::Missed);
        }
        self.note("all daemons", FaultPhase::Fired, &format!("configuration {wanted}, {storm} SIGHUPs"));
        Ok(Outcome::Fired)
    }

    /// Gives every daemon a file with a mistake for a while.
    pub(super) fn reload_broken(&mut self) -> Result<Outcome, NemesisError> {
        let mistake = match self.class {
            super::Class::ReloadHalf => config::Mistake::Half,
            _ if self.chance.per_mille(500) => config::Mistake::UnknownKey,
            _ => config::Mistake::WrongKind,
        };
        for daemon in &mut self.stage.daemons {
            daemon.wait_until_ready(TO_POINT);
        }
        self.note("all daemons", FaultPhase::Begin, &format!("{mistake:?}"));
        self.stage.spoil(mistake)?;
        let is_rejected = self.soon(Duration::from_secs(10), |nemesis| {
            let states = nemesis.stage.daemons.iter().map(|daemon| daemon.get("/v1/status"));
            states.flatten().any(|status| status["config"]["state"] == "rejected")
        });
        if is_rejected {
            self.note("all daemons", FaultPhase::Fired, &format!("{mistake:?}"));
        }
        self.pause(500..2000);
        self.stage.write_configurations()?;
        Ok(if is_rejected { Outcome::Fired } else { Outcome::Missed })
    }
}
