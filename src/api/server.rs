//! The HTTP servers: one on the daemon's unix socket, and another one over TCP, with threads of its own.

use std::future::Future;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_server::{Server, ServerHandle};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Extensions, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::rt::net::UnixStream;
use actix_web::{App, Error, web};
use slog::info;

use super::access::{Connection, Guard, Peer, admit, record};
use super::body::{self, Bounds, Intake};
use super::patient::Patient;
use super::screen::Screen;
use super::{Service, count, input, pages, routes, socket};

pub use super::socket::ServeError;
pub use super::tcp::{Stopper, Tcp, TlsError};

/// The threads that answer requests at the unix socket; all that takes time is done elsewhere.
const WORKERS: usize = 2;

/// How long the head of a request may take, from its first byte; that of the first one from the beginning.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(5);

/// How long a connection may stay open that asks nothing.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How long a connection may take to close.
pub(super) const CLOSING: Duration = Duration::from_secs(1);

/// How long a request under way may still take once the server is told to stop gracefully, in seconds.
pub(super) const SHUTDOWN_S: u64 = 10;

/// Serves the API at `path`, mode 0600, until the handle stops it; the socket's file is gone when the future ends.
///
/// Handles no signals. Must be called within an actix system.
/// # Errors
/// [`ServeError`] if another daemon listens there, or the socket cannot be made.
pub fn serve(
    path: &Path,
    service: Service,
) -> Result<(impl Future<Output = io::Result<()>> + use<>, ServerHandle), ServeError> {
    let failed = |source| ServeError::Listen { path: path.to_owned(), source };
    let (listener, file) = socket::listen(path)?;
    let server = at_socket(listener, service).map_err(failed)?;
    let handle = server.handle();
    let run = async move {
        let end = server.await;
        drop(file);
        end
    };
    Ok((run, handle))
}

/// Makes the server at the unix socket.
fn at_socket(listener: UnixListener, service: Service) -> io::Result<Server> {
    let (log, tally) = (service.log.clone(), service.tally.clone());
    let parts = Parts::new(service);
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let factory = move || {
        let (log, tally, stopping) = (log.clone(), tally.clone(), stopping.clone());
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            // The screen sees to it, for every request.
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(CLOSING)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(move |connection: &Patient<Screen<UnixStream>>, known| {
                known.insert(connection.inner().verdict());
                introduce(connection.inner().inner(), known, &log);
            })
            .finish(map_config(app(&parts).into_factory(), |_| AppConfig::default()));
        fn_service(move |stream: UnixStream| {
            let screen = Screen::new(stream, tally.clone());
            async { Ok((Patient::new(screen), Protocol::Http1, None)) }
        })
        .and_then(http)
    };
    let builder = builder.workers(WORKERS).disable_signals().shutdown_timeout(SHUTDOWN_S);
    Ok(builder.listen_uds("retcon-socket", listener, factory)?.run())
}

/// Takes down who is at the other end of the unix socket.
fn introduce(connection: &UnixStream, known: &mut Extensions, log: &slog::Logger) {
    let credentials = connection.peer_cred().ok();
    let peer = Peer { uid: credentials.map(|peer| peer.uid()), pid: credentials.and_then(|peer| peer.pid()) };
    info!(log, "connection to the socket"; "uid" => peer.uid, "pid" => peer.pid);
    known.insert(Connection::Unix(peer));
}

/// What every server of the API is made of.
#[derive(Clone)]
pub(super) struct Parts {
    service: web::Data<Service>,
    guard: Arc<Guard>,
    intake: Intake,
}

impl Parts {
    pub(super) fn new(service: Service) -> Self {
        let service = web::Data::new(service);
        let guard = Arc::new(Guard::new(service.clone(), routes::needs()));
        Self { service, guard, intake: Intake::of_api() }
    }
}

/// The routes, behind those who look at a request before them: who asks, what its body is, and what is entered into the trail.
pub(super) fn app(
    parts: &Parts,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let Parts { service, guard, intake } = parts.clone();
    let (recording, tally) = (service.clone(), service.tally.clone());
    App::new()
        .app_data(service)
        .app_data(web::PayloadConfig::new(Bounds::API.size))
        .app_data(web::PathConfig::default().error_handler(|error, _| input::malformed(error).into()))
        .wrap(from_fn(move |request, next| record(recording.clone(), request, next)))
        .wrap(from_fn(move |request, next| body::read_whole(intake.clone(), request, next)))
        .wrap(from_fn(move |request, next| admit(Arc::clone(&guard), request, next)))
        .wrap(from_fn(pages::for_people))
        .wrap(from_fn(move |request, next| count::count(tally.clone(), request, next)))
        .configure(routes::configure)
}
