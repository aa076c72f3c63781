//! The end of the daemon, in order.

use std::future::Future;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use slog::{Logger, error, warn};

use crate::actor::supervision::Child;
use crate::actor::supervisor::{Finish, StopEntities, Supervisor};
use crate::source::process::cancel::Cancel;

use super::signals::Signals;

/// How long runs that were cancelled at the end of the grace may still take: their own grace, and a moment to record them.
const LAST_MOMENTS: Duration = Duration::from_secs(10);

/// The API, as it is served.
pub(super) struct Server<F> {
    pub(super) handle: ServerHandle,
    /// Resolves when it is served no more.
    pub(super) served: F,
}

/// Ends everything in order: no new claims and no new requests, then what is under way, then the store. When the grace is over,
/// or at another signal, what runs is cancelled.
pub(super) async fn stop(
    supervisor: &Child<Supervisor>,
    Server { handle, served }: Server<impl Future<Output = ()>>,
    signals: &mut Signals,
    cancel: &Cancel,
    grace: Duration,
    log: &Logger,
) {
    let stopped = async {
        // Whoever is gone has nothing under way.
        let _ = tokio::join!(supervisor.addr.send(StopEntities), handle.stop(true));
        served.await;
        supervisor.addr.do_send(Finish);
        supervisor.ended().await;
    };
    tokio::pin!(stopped);
    tokio::select! {
        () = &mut stopped => return,
        () = tokio::time::sleep(grace) => warn!(log, "grace is over"),
        name = signals.end() => warn!(log, "stopping at once"; "signal" => name),
    }
    cancel.trigger();
    drop(handle.stop(false));
    if tokio::time::timeout(LAST_MOMENTS, stopped).await.is_err() {
        error!(log, "looks under way were given up");
    }
}
