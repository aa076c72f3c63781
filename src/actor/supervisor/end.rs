//! The end of the supervisor.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::source::process::cancel::Cancel;

use super::super::entity::Finish;
use super::super::supervision::Ended;
use super::super::workshop::Workshops;

/// How long runs that were cancelled may still take before they are left alone: their own grace, and a moment to record them.
const LAST_MOMENTS: Duration = Duration::from_secs(10);

/// Who is told how it ended: why it was given up, or nothing if it was stopped.
pub(super) type Told = Box<dyn Fn(Option<String>) + Send>;

/// Tells of the supervisor's end, once. If it was given up, nobody is left to end what runs: that is done first.
pub(super) fn report(told: Told, workshops: Workshops, cancel: Cancel) -> Box<dyn Fn(u64, Ended) + Send> {
    let told = Mutex::new(Some(told));
    Box::new(move |_, how| {
        let Some(told) = told.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        match how {
            Ended::InOrder => told(None),
            Ended::GivenUp(reason) => {
                workshops.tell(|| Finish);
                cancel.trigger();
                // Whatever thread the supervisor was on may be gone.
                let workshops = workshops.clone();
                std::thread::spawn(move || {
                    wait_for(&workshops);
                    told(Some(reason));
                });
            }
        }
    })
}

/// Waits until nothing is under way, but not for ever.
fn wait_for(workshops: &Workshops) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    if let Ok(runtime) = runtime {
        let _ = runtime.block_on(async { tokio::time::timeout(LAST_MOMENTS, workshops.idle()).await });
    }
}
