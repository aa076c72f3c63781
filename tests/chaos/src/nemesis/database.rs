//! What is done to the database, and to the wire that leads to it.

use std::time::Duration;

use super::{Class, Nemesis, NemesisError, Outcome};
use crate::books::FaultPhase;
use crate::stage::postgres::Stop;
use crate::stage::space::Space;
use crate::stage::wire::Moment;

/// How long it may take until something is committed.
const TO_COMMIT: Duration = Duration::from_secs(10);

impl Nemesis<'_> {
    pub(super) fn restart_postgres(&mut self) -> Result<Outcome, NemesisError> {
        let how = match self.class {
            Class::PostgresFast => Stop::Fast,
            Class::PostgresImmediate => Stop::Immediate,
            _ => Stop::Kill,
        };
        self.note("primary", FaultPhase::Begin, "");
        self.stage.primary().stop(how)?;
        self.note("primary", FaultPhase::Fired, "");
        self.pause(0..2500);
        self.stage.primary().start()?;
        Ok(Outcome::Fired)
    }

    /// Ends sessions of daemons, some of them in the middle of something.
    pub(super) fn kill_backends(&mut self) -> Result<Outcome, NemesisError> {
        self.note("primary", FaultPhase::Begin, "");
        let share = self.chance.within(1..4);
        let mut ended = 0;
        let mut session = self.stage.primary().connect("postgres")?;
        for _ in 0..20 {
            let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                       where datname = 'retcon' and (state <> 'idle' or pid % 3 < $1)";
            ended += session.query_one(sql, &[&i32::try_from(share).unwrap_or(1)])?.get::<_, i64>(0);
            self.pause(20..150);
        }
        if ended == 0 {
            return Ok(Outcome::Missed);
        }
        self.note("primary", FaultPhase::Fired, &format!("{ended} sessions"));
        Ok(Outcome::Fired)
    }

    /// Cuts the wire so that a daemon cannot know whether its transaction was committed.
    pub(super) fn cut_commit(&mut self) -> Result<Outcome, NemesisError> {
        let mut cuts = 0;
        self.note("primary", FaultPhase::Begin, "");
        for _ in 0..self.chance.within(2..6) {
            let moments = [Moment::AtCommit, Moment::AfterCommit, Moment::AfterAnswer];
            let Some(moment) = self.chance.pick(&moments).copied() else { break };
            let before = self.stage.wire().cuts();
            self.stage.wire().arm(moment);
            if self.soon(TO_COMMIT, |nemesis| nemesis.stage.wire().cuts() > before) {
                self.note("primary", FaultPhase::Fired, &format!("{moment:?}"));
                cuts += 1;
            }
            self.stage.wire().disarm();
            self.pause(0..400);
        }
        Ok(if cuts > 0 { Outcome::Fired } else { Outcome::Missed })
    }

    /// Has the standby take the primary's place; the old primary comes back for a while, and is made a standby then.
    pub(super) fn fail_over(&mut self) -> Result<Outcome, NemesisError> {
        let target = self.stage.primary_name();
        self.note(&target, FaultPhase::Begin, "");
        let how = if self.chance.per_mille(500) { Stop::Kill } else { Stop::Immediate };
        self.stage.primary().stop(how)?;
        self.note(&target, FaultPhase::Fired, &format!("{how:?}"));
        self.stage.promote()?;
        let pulse = self.stage.pulse.clone();
        super::await_recovery(self.crowd, self.class.name(), &pulse);
        for daemon in &mut self.stage.daemons {
            daemon.wait_until_ready(Duration::from_secs(30));
        }
        self.stage.return_old_primary()?;
        self.note(&target, FaultPhase::Begin, "the old primary is back, on its lower timeline");
        let mut session = self.stage.primary().connect("postgres")?;
        // New sessions must be opened while both take writes.
        session.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'retcon'", &[])?;
        self.pause(3000..6000);
        self.stage.rebuild_standby()?;
        Ok(Outcome::Fired)
    }

    /// Leaves no room where the database's tables are.
    pub(super) fn fill_disk(&mut self) -> Result<Outcome, NemesisError> {
        self.note("primary", FaultPhase::Begin, "");
        if self.stage.space().is_none() {
            return Ok(Outcome::Missed);
        }
        let before = self.stage.refusals();
        self.stage.space().map_or(Ok(()), Space::fill)?;
        let is_full = self.soon(Duration::from_secs(20), |nemesis| nemesis.stage.refusals() > before);
        if is_full {
            self.note("primary", FaultPhase::Fired, "53100");
            self.pause(2000..6000);
        }
        self.stage.space().map_or(Ok(()), Space::free)?;
        Ok(if is_full { Outcome::Fired } else { Outcome::Missed })
    }
}
