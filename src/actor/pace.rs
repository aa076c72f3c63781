//! Whether the database's clock keeps step with our own: whoever was heard of before it jumped seems to have been silent since.

use std::time::Duration;

use crate::source::boot_time::BootTime;

use super::store::requests::lease::DatabaseTime;

/// By how much the two may differ before that is a jump. Others wait for longer than programs run, by more than this.
const TOLERANCE: Duration = Duration::from_secs(1);

/// What is known of the database's clock.
#[derive(Debug)]
pub(super) struct Pace {
    /// How long it takes until all who live have been heard of by the clock as it is after a jump.
    patience: Duration,
    /// Since when it keeps step. Not the latest reading: many small jumps are a great one.
    anchor: Option<Reading>,
    latest: Option<DatabaseTime>,
    /// Until when nobody counts as silent.
    patient_until: Option<BootTime>,
}

/// A time that the database told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// By our own clock: it was read at some time between these two.
    pub(super) asked: BootTime,
    pub(super) heard: BootTime,
    pub(super) told: DatabaseTime,
}

/// The database's clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Jump {
    /// At least; negative: it was set back.
    pub(super) seconds: i64,
}

impl Pace {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, anchor: None, latest: None, patient_until: None }
    }

    /// Takes a reading in; says if the clock has jumped before it.
    pub(super) fn take_in(&mut self, reading: Reading) -> Option<Jump> {
        self.latest = Some(reading.told);
        let jump = self.anchor.and_then(|anchor| jump(anchor, reading));
        if jump.is_some() {
            self.patient_until = Some(reading.heard + self.patience);
        }
        if jump.is_some() || self.anchor.is_none() {
            self.anchor = Some(reading);
        }
        jump
    }

    /// Gives the latest time of the database by which somebody may count as silent; `None`: nobody may now.
    pub(super) fn as_of(&self, now: BootTime) -> Option<DatabaseTime> {
        self.latest.filter(|_| self.patient_until.is_none_or(|until| until <= now))
    }
}

/// Compares what has passed between two readings by either clock.
fn jump(from: Reading, to: Reading) -> Option<Jump> {
    let told = i128::from(to.told.0) - i128::from(from.told.0);
    let [least, most, tolerance] =
        [to.asked - from.heard, to.heard - from.asked, TOLERANCE].map(|time| time.as_micros().cast_signed());
    let off = match told {
        _ if told > most + tolerance => told - most,
        _ if told < least - tolerance => told - least,
        _ => return None,
    };
    Some(Jump { seconds: i64::try_from(off / 1_000_000).unwrap_or(if off < 0 { i64::MIN } else { i64::MAX }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(11);
    const SECOND: i64 = 1_000_000;

    /// A reading that was asked for at `asked`, took as long as `took`, and told `told`: all in seconds.
    fn reading(start: BootTime, asked: u64, took: u64, told: i64) -> Reading {
        let asked = start + Duration::from_secs(asked);
        Reading { asked, heard: asked + Duration::from_secs(took), told: DatabaseTime(told * SECOND) }
    }

    /// Takes in readings that each took so long, and gives by how many seconds the clock jumped before each.
    fn jumps<const N: usize>(readings: [(u64, u64, i64); N]) -> [i64; N] {
        let (start, mut pace) = (BootTime::now(), Pace::new(PATIENCE));
        readings
            .map(|(asked, took, told)| pace.take_in(reading(start, asked, took, told)).map_or(0, |jump| jump.seconds))
    }

    #[test]
    fn a_clock_that_goes_on_does_not_jump_however_slow_its_answers_are() {
        assert_eq!(jumps([(0, 0, 100), (1, 0, 101), (2, 30, 102), (32, 30, 161), (62, 0, 162)]), [0; 5]);
    }

    #[test]
    fn a_clock_that_is_set_jumps_once() {
        assert_eq!(jumps([(0, 0, 100), (1, 0, 3701), (2, 0, 3702), (3, 0, 103), (4, 0, 104)]), [0, 3600, 0, -3600, 0]);
    }

    #[test]
    fn many_small_steps_are_a_jump() {
        assert_eq!(jumps([(0, 0, 0), (10, 0, 11), (20, 0, 22), (30, 0, 32)]), [0, 0, 2, 0]);
        assert_eq!(jumps([(0, 0, 0), (10, 0, 9), (20, 0, 18), (30, 0, 28)]), [0, 0, -2, 0]);
    }

    #[test]
    fn nobody_counts_as_silent_before_a_first_reading_and_for_a_while_after_a_jump() {
        let (start, mut pace) = (BootTime::now(), Pace::new(PATIENCE));
        assert_eq!(pace.as_of(start), None);
        pace.take_in(reading(start, 0, 0, 100));
        assert_eq!(pace.as_of(start), Some(DatabaseTime(100 * SECOND)));
        pace.take_in(reading(start, 1, 0, 500));
        assert_eq!(pace.as_of(start + Duration::from_secs(2)), None);
        pace.take_in(reading(start, 11, 0, 510));
        assert_eq!(pace.as_of(start + Duration::from_millis(11_999)), None);
        assert_eq!(pace.as_of(start + Duration::from_secs(12)), Some(DatabaseTime(510 * SECOND)));
    }
}
