//! The end of the daemon, in order.

use std::future::Future;
use std::io;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use futures_util::FutureExt;
use futures_util::future::{self, LocalBoxFuture, Shared};
use slog::{Logger, error, warn};

use crate::actor::supervision::Child;
use crate::actor::supervisor::{Finish, StopEntities, Supervisor};
use crate::api::server::Stopper;
use crate::source::process::cancel::Cancel;

use super::signals::Signals;

/// How long runs that were cancelled at the end of the grace may still take: their own grace, and a moment to record them.
const LAST_MOMENTS: Duration = Duration::from_secs(10);

/// The API, as it is served.
pub(super) struct Server {
    handle: ServerHandle,
    tcp: Option<Stopper>,
    /// Resolves when it is served no more, at the unix socket and over TCP.
    served: Shared<LocalBoxFuture<'static, ()>>,
    /// Resolves when one of the two ends.
    ended: Shared<LocalBoxFuture<'static, ()>>,
}

impl Server {
    /// Serves at the unix socket, and over TCP where that is wanted.
    pub(super) fn new<T>(
        socket: impl Future<Output = io::Result<()>> + 'static,
        handle: ServerHandle,
        tcp: Option<T>,
        stopper: Option<Stopper>,
    ) -> Self
    where
        T: Future<Output = io::Result<()>> + 'static,
    {
        let socket = actix::spawn(socket).map(drop).boxed_local().shared();
        let tcp = tcp.map_or_else(
            || future::pending().boxed_local().shared(),
            |tcp| actix::spawn(tcp).map(drop).boxed_local().shared(),
        );
        let (one, other) = (socket.clone(), tcp.clone());
        let ended = async move { drop(future::select(one, other).await) }.boxed_local().shared();
        let is_served = stopper.is_some();
        let served = async move {
            socket.await;
            if is_served {
                tcp.await;
            }
        };
        Self { handle, tcp: stopper, served: served.boxed_local().shared(), ended }
    }

    /// Resolves when it is served no more as it was meant to be.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + use<> {
        self.ended.clone()
    }

    /// Has it served no more; resolves when it is.
    async fn stop(&self, graceful: bool) {
        if let Some(tcp) = &self.tcp {
            tcp.stop(graceful);
        }
        self.handle.stop(graceful).await;
        self.served.clone().await;
    }

    /// Ends it at once, whatever is under way.
    fn cut(&self) {
        if let Some(tcp) = &self.tcp {
            tcp.stop(false);
        }
        drop(self.handle.stop(false));
    }
}

/// Ends everything in order: no new claims and no new requests, then what is under way, then the store. When the grace is over,
/// or at another signal, what runs is cancelled.
pub(super) async fn stop(
    supervisor: &Child<Supervisor>,
    server: &Server,
    signals: &mut Signals,
    cancel: &Cancel,
    grace: Duration,
    log: &Logger,
) {
    let stopped = async {
        // Whoever is gone has nothing under way.
        let _ = tokio::join!(supervisor.addr.send(StopEntities), server.stop(true));
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
    server.cut();
    if tokio::time::timeout(LAST_MOMENTS, stopped).await.is_err() {
        error!(log, "looks under way were given up");
    }
}
