//! The signals that the daemon obeys.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGINT and SIGHUP, as they come; of one kind, those that come at once are one.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What a signal wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The end, by a signal of this name.
    End(&'static str),
    Reload,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one; those that want the end come first.
    pub(super) async fn next(&mut self) -> Wanted {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Wanted::End("SIGTERM"),
            _ = self.interrupt.recv() => Wanted::End("SIGINT"),
            _ = self.hang_up.recv() => Wanted::Reload,
        }
    }

    /// Waits for the next one that wants the end, and gives its name.
    pub(super) async fn end(&mut self) -> &'static str {
        loop {
            match self.next().await {
                Wanted::End(name) => return name,
                // Too late: nothing is begun any more.
                Wanted::Reload => {}
            }
        }
    }
}
