//! Has people told of what needs one: runs the command of `[alerts]` for events, each until it succeeds.
//!
//! How far they were told is on record, so a restart leaves nothing out; one that was told right before a crash is told again. Of
//! several daemons one does it. Nothing waits for it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use actix::Addr;
use slog::{Logger, error, warn};
use tokio::sync::watch;

use crate::config::model::{AlertKind, Alerts};
use crate::domain::event::EventKind;
use crate::log::{chain, key};
use crate::source::alert;
use crate::source::guardian::Guardian;
use crate::source::process::cancel::Cancel;

use super::herald::{Follower, Herald};
use super::store::requests::event::{AdvanceReader, EventFilter, EventRow, LeaveReader, ListEvents, TakeReader};
use super::store::requests::lease::DaemonId;
use super::store::{Ask, StoreActor, StoreError, put};

/// Under which name it is kept how far events were told.
const NAME: &str = "alerts";
/// For how long a daemon does it until another one may: longer than the command may take, and a turn.
const TERM: Duration = Duration::from_secs(60);
/// How often that time is prolonged, and how soon it is seen that another daemon does it no more.
const TURN: Duration = Duration::from_secs(10);
/// The pauses between attempts at one event: doubling from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// After so many attempts, which take about an hour, the next event is told.
const ATTEMPTS: u32 = 20;
/// How many numbers are looked through at a time, and how many events are read.
const STRETCH: i64 = 10_000;
const PAGE: i64 = 100;

/// Who has people told.
pub(super) struct Teller {
    pub(super) herald: Herald,
    pub(super) store: Addr<StoreActor>,
    pub(super) daemon: DaemonId,
    /// Another one that is known to be dead.
    pub(super) former: Option<DaemonId>,
    pub(super) guardian: Option<Guardian>,
    pub(super) cancel: Cancel,
    pub(super) log: Logger,
}

/// How far one has come.
struct Place {
    /// All up to here have been told that are to be.
    position: i64,
    recorded: i64,
    /// When the time was prolonged.
    taken: Instant,
}

/// Why the reading stops for a while.
enum Pause {
    /// Another daemon does it, or the database is away.
    NotOurs,
    /// The daemon stops.
    Ending,
}

impl Teller {
    /// Tells for as long as the daemon works, by the configuration of each moment.
    pub(super) async fn work(self, mut alerts: watch::Receiver<Alerts>) {
        loop {
            let wanted = alerts.borrow_and_update().clone();
            if wanted.command.is_empty() || wanted.on.is_empty() {
                if alerts.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let Some(mut follower) = self.herald.follow(usize::MAX) else { return };
            tokio::select! {
                // An event that is being told is told again by the new configuration.
                changed = alerts.changed() => if changed.is_err() { return },
                () = self.tell_all(&wanted, &mut follower) => return self.leave().await,
            }
        }
    }

    /// Tells all that happens; resolves when the daemon stops.
    async fn tell_all(&self, alerts: &Alerts, follower: &mut Follower) {
        loop {
            match self.tell_new(alerts, follower).await {
                Ok(Pause::Ending) => return,
                Ok(Pause::NotOurs) | Err(StoreError::Unavailable(_)) => {}
                Err(error) => error!(self.log, "events cannot be read"; key::ERROR => chain(&error)),
            }
            tokio::time::sleep(TURN).await;
        }
    }

    /// Tells what is new, and waits for more, for as long as it is for this daemon to do.
    async fn tell_new(&self, alerts: &Alerts, follower: &mut Follower) -> Result<Pause, StoreError> {
        let kinds = alerts.on.iter().copied().map(kind).collect();
        let filter = EventFilter { entity: None, kinds };
        let Some(position) = self.take().await? else { return Ok(Pause::NotOurs) };
        let mut place = Place { position, recorded: position, taken: Instant::now() };
        loop {
            let last = follower.recent().last;
            while place.position < last {
                let up_to = last.min(place.position + STRETCH);
                let list = ListEvents { after: place.position, up_to, limit: PAGE, filter: filter.clone() };
                let events = put(&self.store, Ask(list)).await?;
                for event in &events {
                    if let ControlFlow::Break(pause) = self.tell(alerts, event, follower).await? {
                        return Ok(pause);
                    }
                    self.advance(event.number).await?;
                    place.recorded = event.number;
                }
                let is_full = events.len() as i64 == PAGE;
                place.position = events.last().filter(|_| is_full).map_or(up_to, |event| event.number);
            }
            if !self.keep(&mut place).await? {
                return Ok(Pause::NotOurs);
            }
            if let Ok(false) = tokio::time::timeout(TURN, follower.wait()).await {
                return Ok(Pause::Ending);
            }
        }
    }

    /// Prolongs the time, and records how far events were read, every now and then; `false` if another daemon does it by now.
    async fn keep(&self, place: &mut Place) -> Result<bool, StoreError> {
        if place.taken.elapsed() < TURN {
            return Ok(true);
        }
        place.taken = Instant::now();
        if place.recorded < place.position {
            self.advance(place.position).await?;
            place.recorded = place.position;
        }
        Ok(self.take().await?.is_some())
    }

    /// Has one event told, and again until that succeeds.
    async fn tell(
        &self,
        alerts: &Alerts,
        event: &EventRow,
        follower: &mut Follower,
    ) -> Result<ControlFlow<Pause>, StoreError> {
        let mut pause = PAUSES.0;
        for attempt in 1..=ATTEMPTS {
            let Err(why) = self.run(alerts, event).await else { return Ok(ControlFlow::Continue(())) };
            warn!(self.log, "alert not delivered"; "event" => event.number, "kind" => event.kind.as_str(),
                key::ATTEMPT => attempt, key::ERROR => why, key::DELAY_MS => pause.as_millis() as u64);
            let mut left = pause;
            while !left.is_zero() {
                let turn = left.min(TURN);
                if tokio::time::timeout(turn, follower.closed()).await.is_ok() {
                    return Ok(ControlFlow::Break(Pause::Ending));
                }
                left -= turn;
                if self.take().await?.is_none() {
                    return Ok(ControlFlow::Break(Pause::NotOurs));
                }
            }
            pause = (pause * 2).min(PAUSES.1);
        }
        error!(self.log, "alert given up"; "event" => event.number, "kind" => event.kind.as_str());
        Ok(ControlFlow::Continue(()))
    }

    /// Runs the command on a thread where it may block.
    async fn run(&self, alerts: &Alerts, event: &EventRow) -> Result<(), String> {
        let (alerts, event) = (alerts.clone(), event.to_json().to_string());
        let (cancel, guardian) = (self.cancel.clone(), self.guardian.clone());
        let told = tokio::task::spawn_blocking(move || alert::tell(&alerts, &event, &cancel, guardian.as_ref()));
        told.await.unwrap_or_else(|failed| Err(failed.to_string()))
    }

    async fn take(&self) -> Result<Option<i64>, StoreError> {
        let take = TakeReader { name: NAME, daemon: self.daemon, former: self.former, term: TERM };
        put(&self.store, Ask(take)).await
    }

    async fn advance(&self, position: i64) -> Result<(), StoreError> {
        put(&self.store, Ask(AdvanceReader { name: NAME, daemon: self.daemon, position })).await
    }

    /// Lets another daemon go on at once.
    async fn leave(&self) {
        let left = put(&self.store, Ask(LeaveReader { name: NAME, daemon: self.daemon })).await;
        if let Err(error) = left {
            warn!(self.log, "alerts cannot be left to other daemons"; key::ERROR => chain(&error));
        }
    }
}

/// Returns the events that are worth this alert.
fn kind(alert: AlertKind) -> EventKind {
    match alert {
        AlertKind::Conflict => EventKind::Conflict,
        AlertKind::Parked => EventKind::Parked,
        AlertKind::InDoubt => EventKind::InDoubt,
        AlertKind::SourceDown => EventKind::SourceDown,
        AlertKind::DeletesHeld => EventKind::DeletesHeld,
        AlertKind::ActorGaveUp => EventKind::ActorGaveUp,
    }
}
