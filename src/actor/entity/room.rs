//! How many looks are claimed, and when: as many as there is room for and, where much is due and looks are short, some more, so that
//! whoever makes room finds the next look ready, and one claim serves many.
//!
//! What is claimed ahead has not begun: it is looked at by the configuration of its time, and goes back into the queue where nothing is to
//! be begun any more, or where it has waited for longer than was expected.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Context;

use super::super::supervision::Alarm;
use super::{ClaimEnded, EntityActor, Phase, claim};

/// Within what time a look that is claimed ahead is expected to begin.
const SOON: Duration = Duration::from_millis(50);

/// How long it may take at most.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many looks are claimed ahead at most.
const MOST: u32 = 32;

impl EntityActor {
    /// For how many looks more there is room.
    pub(super) fn room(&self) -> u32 {
        self.entity.throttle.in_flight.saturating_sub(self.workshop.looks())
    }

    /// Goes on when a look has ended: with one that waits for room, and with a claim of more. Where much is due, not before several looks
    /// can be claimed: a claim of one costs as much.
    pub(super) fn go_on(&mut self) {
        self.begin_ready();
        if !self.backlog || self.ahead() > 0 || self.room().saturating_mul(3) >= self.entity.throttle.in_flight {
            self.pump();
        }
    }

    /// Claims looks, and begins those that there is room for.
    pub(super) fn pump(&mut self) {
        self.begin_ready();
        let wanted = claim::Wanted { now: self.room(), ahead: self.ahead() };
        let Some(desk) = self.desk() else { return };
        if self.workshop.paused.is_entity() {
            return;
        }
        if self.phase != Phase::Working || wanted.now + wanted.ahead == 0 {
            // Who wakes it while it recovers may tell of what the recovery has not seen.
            self.again |= self.phase == Phase::Recovering;
            return;
        }
        let Some(claiming) = self.workshop.claim() else {
            self.again = true;
            return;
        };
        let (current, workshop) = (Rc::clone(&self.desk), Arc::clone(&self.workshop));
        actix::spawn(async move {
            let claimed = claim::claim(&desk, &current, wanted, &claiming).await;
            drop(claiming);
            workshop.tell(ClaimEnded(claimed));
        });
    }

    /// How many looks are claimed beyond those that there is room for: none as long as enough wait for room.
    pub(super) fn ahead(&self) -> u32 {
        let most =
            self.pace.filter(|_| self.backlog).map_or(0, |pace| most_ahead(self.entity.throttle.in_flight, pace));
        let ready = self.workshop.ready();
        if ready.saturating_mul(4) > most { 0 } else { most - ready }
    }

    /// Begins as many of the looks that wait for room as there is room for.
    fn begin_ready(&self) {
        let Some(desk) = self.desk() else { return };
        while self.phase == Phase::Working && !self.workshop.paused.is_entity() && self.room() > 0 {
            let Some((claimed, alone)) = self.workshop.next_ready(&desk.fence) else { return };
            claim::begin_ready(&desk, claimed, alone);
        }
    }

    /// Sees to what a claim has brought that waits for room.
    pub(super) fn take_in_ready(&mut self, ctx: &mut Context<Self>) {
        if self.workshop.paused.is_entity() {
            self.give_back();
        }
        // What there was no room for then, there may be now.
        self.begin_ready();
        self.be_patient(ctx);
    }

    /// Waits for a while, and gives back what has waited for longer: what was expected of it has turned out wrong.
    fn be_patient(&mut self, ctx: &mut Context<Self>) {
        if self.patience.is_some() || self.workshop.ready() == 0 {
            return;
        }
        self.patience = Some(Alarm::set(ctx, PATIENCE, |actor: &mut Self, ctx| {
            actor.patience = None;
            if actor.workshop.oldest_ready().is_some_and(|age| age >= PATIENCE) {
                actor.pace = None;
                actor.give_back();
            }
            actor.be_patient(ctx);
        }));
    }

    /// Puts what waits for room back into the queue.
    pub(super) fn give_back(&self) {
        let items = self.workshop.let_go();
        // Without a desk it is nobody's, and put back by whoever takes the queue over.
        if let Some(desk) = self.desk().filter(|_| !items.is_empty()) {
            claim::give_back(&desk, items);
        }
    }
}

/// How many looks may wait for room so that the last of them has it soon, going by how long the last one took.
fn most_ahead(in_flight: u32, pace: Duration) -> u32 {
    let in_time = SOON.as_micros() * u128::from(in_flight) / pace.as_micros().max(1);
    let in_time = u32::try_from(in_time).unwrap_or(u32::MAX);
    in_time.min(in_flight.saturating_mul(2)).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_looks_are_claimed_ahead_than_will_have_room_soon() {
        assert_eq!(most_ahead(8, SOON / 4), 16);
        assert_eq!(most_ahead(8, SOON), 8);
        assert_eq!(most_ahead(8, SOON * 4), 2);
        assert_eq!(most_ahead(8, SOON * 9), 0);
        assert_eq!(most_ahead(8, Duration::MAX), 0);
        assert_eq!(most_ahead(1, Duration::ZERO), 2);
        assert_eq!(most_ahead(10_000, Duration::ZERO), MOST);
    }
}
