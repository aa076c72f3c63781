//! For how long this daemon may run programs: two daemons that share a database must never run one at the same time.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::boot_time::BootTime;
use super::process::cancel::Cancel;
use crate::points::{Mistake, planted};

/// How long somebody who waits may take to notice that he is cancelled.
const HEED: Duration = Duration::from_millis(100);

/// A daemon's time in office. It is prolonged from time to time; when it has run out what runs is cut off, and what comes waits until
/// it is prolonged again. Once it is over it stays so.
///
/// It passes while the machine sleeps, too: the database's clock goes on meanwhile.
#[derive(Debug)]
pub struct Tenure {
    /// Ends everything, whatever the tenure.
    all: Cancel,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
enum State {
    /// Programs may run until then; what runs is cancelled by this.
    Granted {
        until: Option<BootTime>,
        cancel: Cancel,
    },
    Suspended,
    Over,
}

/// Nothing may be started any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this daemon does not serve the entity any more, or stops")]
pub struct Over;

impl Tenure {
    /// Makes one that lasts until `all` is triggered.
    pub fn unlimited(all: Cancel) -> Self {
        let state = Mutex::new(State::Granted { until: None, cancel: all.clone() });
        Self { all, state, changed: Condvar::new() }
    }

    /// Makes one under which nothing may be started before it is prolonged for the first time.
    pub fn suspended(all: Cancel) -> Self {
        Self { all, state: Mutex::new(State::Suspended), changed: Condvar::new() }
    }

    /// Lets programs run until then.
    ///
    /// # Errors
    /// No descriptor is left for what would cancel them; nothing has changed.
    pub fn prolong(&self, until: BootTime) -> io::Result<()> {
        let mut state = self.state();
        match &mut *state {
            State::Granted { until: granted, .. } => *granted = Some(until),
            State::Suspended => *state = State::Granted { until: Some(until), cancel: self.all.child()? },
            State::Over => {}
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Cuts off what runs, if the time has run out; tells when it will have otherwise.
    pub fn check(&self) -> Option<BootTime> {
        let mut state = self.state();
        match &*state {
            _ if planted(Mistake::NoFencing) => None,
            State::Granted { until: Some(until), cancel } if *until <= BootTime::now() => {
                cancel.trigger();
                *state = State::Suspended;
                None
            }
            State::Granted { until, .. } => *until,
            State::Suspended | State::Over => None,
        }
    }

    /// Ends it for good: cuts off what runs.
    pub fn end(&self) {
        let former = std::mem::replace(&mut *self.state(), State::Over);
        if let State::Granted { cancel, .. } = former {
            cancel.trigger();
        }
        self.changed.notify_all();
    }

    /// Waits until programs may run; gives what cancels them. Blocks.
    ///
    /// # Errors
    /// [`Over`]; none may run any more.
    pub fn admit(&self) -> Result<Cancel, Over> {
        let mut state = self.state();
        loop {
            if let Some(cancel) = self.admitted(&state)? {
                return Ok(cancel);
            }
            state = self.changed.wait_timeout(state, HEED).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Gives what cancels programs, if they may run now.
    pub fn admit_at_once(&self) -> Option<Cancel> {
        self.admitted(&self.state()).ok().flatten()
    }

    /// Gives nothing while none may run.
    fn admitted(&self, state: &State) -> Result<Option<Cancel>, Over> {
        match state {
            _ if self.all.is_triggered() => Err(Over),
            _ if planted(Mistake::NoFencing) => Ok(Some(self.all.clone())),
            State::Over => Err(Over),
            State::Granted { until, cancel } if until.is_none_or(|until| BootTime::now() < until) => {
                Ok(Some(cancel.clone()))
            }
            State::Granted { .. } | State::Suspended => Ok(None),
        }
    }

    /// Its state is whole between any two statements of ours: that one who held it panicked does not matter.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::super::boot_time::BootTime;
    use super::super::process::cancel::Cancel;
    use super::{Over, Tenure};

    fn later() -> BootTime {
        BootTime::now() + Duration::from_secs(3600)
    }

    #[test]
    fn what_runs_is_cut_off_when_the_time_has_run_out_and_what_comes_waits_for_the_next() {
        let tenure = Arc::new(Tenure::suspended(Cancel::new().expect("descriptors are left")));
        tenure.prolong(later()).expect("descriptors are left");
        let running = tenure.admit().expect("it was prolonged");
        tenure.prolong(BootTime::now()).expect("descriptors are left");
        assert_eq!(tenure.check(), None);
        assert!(running.is_triggered());
        let of_thread = Arc::clone(&tenure);
        let waiting = thread::spawn(move || of_thread.admit().map(|cancel| cancel.is_triggered()));
        tenure.prolong(later()).expect("descriptors are left");
        assert_eq!(waiting.join().expect("it does not panic"), Ok(false));
    }

    #[test]
    fn a_tenure_that_is_over_cuts_off_what_runs_and_admits_nothing_however_it_is_prolonged() {
        let tenure = Tenure::suspended(Cancel::new().expect("descriptors are left"));
        tenure.prolong(later()).expect("descriptors are left");
        let running = tenure.admit().expect("it was prolonged");
        tenure.end();
        assert!(running.is_triggered());
        tenure.prolong(later()).expect("descriptors are left");
        assert_eq!(tenure.admit().err(), Some(Over));
    }

    #[test]
    fn what_ends_everything_cuts_off_what_runs_under_any_tenure_and_whoever_waits_for_one() {
        let all = Cancel::new().expect("descriptors are left");
        let (granted, waited_for) = (Tenure::suspended(all.clone()), Tenure::suspended(all.clone()));
        granted.prolong(later()).expect("descriptors are left");
        let running = granted.admit().expect("it was prolonged");
        let waiting = thread::spawn(move || waited_for.admit().err());
        all.trigger();
        assert!(running.is_triggered());
        assert_eq!(waiting.join().expect("it does not panic"), Some(Over));
    }
}
