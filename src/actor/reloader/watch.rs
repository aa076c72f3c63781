//! The watched files: asks for a reload when the configuration, or a JSON Schema of it, holds something else than was read.
//!
//! The directories are watched, and not the files: editors and Kubernetes replace files, by a rename or by another link. An
//! event says only that it is time to look; what counts is what the files hold. So whatever else happens in these directories
//! has no effect, and a file that is broken is read once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Addr;
use slog::{Logger, info, warn};
use tokio::io::unix::AsyncFd;

use super::super::lock::whole;
use super::{Means, Reload, Reloader, aside};
use crate::config::{Inputs, InputsWatch};
use crate::log::{chain, key};

/// How long the files must hold the same: whoever writes one in several steps is not interrupted.
const QUIET: Duration = Duration::from_millis(250);
/// From an event to the look: events come in crowds, and a log in the same directory brings forth many.
const LULL: Duration = Duration::from_millis(50);
/// How long until a reload that failed is asked for again.
const AGAIN: Duration = Duration::from_secs(5);
/// Asks for a reload whenever the files have changed, as long as `reload.watch` is in force.
pub(super) async fn keep(means: Arc<Means>, reloader: Addr<Reloader>) {
    let (mut in_force, mut inputs) = (means.in_force.subscribe(), means.inputs.subscribe());
    let mut eyes: Option<Eyes> = None;
    loop {
        // What the system had no room for may have room since.
        eyes = eyes.filter(Eyes::can_see);
        let is_wanted = in_force.borrow_and_update().reload.watch;
        let read = inputs.borrow_and_update().clone();
        let change = async {
            if is_wanted {
                eyes.get_or_insert_with(|| Eyes::open(&means.log)).see_change(&read).await;
            } else {
                eyes = None;
                std::future::pending().await
            }
        };
        tokio::select! {
            // Those who send are among the means.
            _ = in_force.changed() => {}
            _ = inputs.changed() => {}
            () = change => {
                info!(means.log, "configuration file changed");
                if !matches!(reloader.send(Reload).await, Ok(Ok(_))) {
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

/// What sees the files change.
struct Eyes(Arc<Watch>);

/// The watch over them, and what was said of it.
struct Watch {
    /// `None`: the system watches nothing more for us.
    told: Option<AsyncFd<InputsWatch>>,
    /// The directories that cannot be watched, of which that was said.
    failed: Mutex<BTreeSet<PathBuf>>,
    log: Logger,
}

impl Eyes {
    fn open(log: &Logger) -> Self {
        // SAFETY: the descriptor is owned by what is registered, which neither closes it before nor puts another in its place.
        let told = InputsWatch::open().and_then(|watch| unsafe { Ok(AsyncFd::register(watch)?) });
        let told = told.inspect_err(|error| {
            warn!(log, "configuration file cannot be watched"; key::ERROR => chain(error));
        });
        Self(Arc::new(Watch { told: told.ok(), failed: Mutex::default(), log: log.clone() }))
    }

    fn can_see(&self) -> bool {
        self.0.told.is_some()
    }

    /// Waits until the files hold something else than `read`, and have done so for a moment. May be given up at any time.
    async fn see_change(&self, read: &Inputs) {
        loop {
            let mut seen = self.look(read).await;
            while seen != *read {
                tokio::time::sleep(QUIET).await;
                let again = self.look(read).await;
                if again == seen {
                    return;
                }
                seen = again;
            }
            self.0.something_happens().await;
            tokio::time::sleep(LULL).await;
        }
    }

    /// Returns what the files hold; what happens from now on is told.
    async fn look(&self, read: &Inputs) -> Inputs {
        let (watch, read) = (Arc::clone(&self.0), read.clone());
        aside(move || {
            watch.follow(&read);
            read.read_again()
        })
        .await
    }
}

impl Watch {
    /// Watches the directories of these files, and says once of each that it cannot be.
    fn follow(&self, files: &Inputs) {
        let Some(told) = &self.told else { return };
        let failures = told.get_ref().follow(files);
        let mut failed = whole(&self.failed);
        for (directory, error) in failures.iter().filter(|(directory, _)| !failed.contains(directory)) {
            warn!(self.log, "configuration file cannot be watched"; "directory" => %directory.display(),
                key::ERROR => chain(error));
        }
        *failed = failures.into_iter().map(|(directory, _)| directory).collect();
    }

    /// Waits for something to happen; for ever where nothing is watched.
    async fn something_happens(&self) {
        let Some(told) = &self.told else { return std::future::pending().await };
        // An error of its driver comes with the end of the runtime alone.
        if let Ok(mut ready) = told.readable().await {
            ready.clear_ready();
        }
    }
}
