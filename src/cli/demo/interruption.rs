//! Ctrl-C and its relatives: noticed at once, obeyed at the next step, so that everything is cleared away in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::error::DemoError;

/// How often something that takes its time is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whether the user wants to stop.
#[derive(Debug, Clone)]
pub(super) struct Interruption(Arc<AtomicBool>);

impl Interruption {
    /// Takes SIGINT, SIGTERM and SIGHUP over, for the rest of this process.
    pub(super) fn watch() -> Result<Self, DemoError> {
        let flag = Arc::new(AtomicBool::new(false));
        let (ready, watching) = mpsc::channel();
        let raised = Arc::clone(&flag);
        thread::spawn(move || match wait_for_signal(&ready) {
            Ok(()) => raised.store(true, Ordering::Relaxed),
            Err(error) => drop(ready.send(Err(error))),
        });
        let watching = watching.recv().unwrap_or_else(|gone| Err(io::Error::other(gone)));
        watching.map_err(|source| DemoError::SetUp { what: "watch for signals", source })?;
        Ok(Self(flag))
    }

    /// Fails if the user wants to stop.
    pub(super) fn check(&self) -> Result<(), DemoError> {
        if self.0.load(Ordering::Relaxed) { Err(DemoError::Interrupted) } else { Ok(()) }
    }

    /// Asks until there is an answer or the time is over (`None`).
    pub(super) fn wait<T>(
        &self,
        patience: Duration,
        mut ask: impl FnMut() -> Result<Option<T>, DemoError>,
    ) -> Result<Option<T>, DemoError> {
        let start = Instant::now();
        loop {
            self.check()?;
            match ask()? {
                Some(answer) => return Ok(Some(answer)),
                None if start.elapsed() > patience => return Ok(None),
                None => thread::sleep(LOOK_EVERY),
            }
        }
    }
}

/// Says through `ready` that signals are taken, and comes back at the first one.
fn wait_for_signal(ready: &mpsc::Sender<io::Result<()>>) -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        drop(ready.send(Ok(())));
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        Ok(())
    })
}
