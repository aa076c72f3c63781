//! The HTTP servers: one on the daemon's unix socket, and another one over TCP, with threads of its own.

use std::any::Any;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::rt::net::UnixStream;
use actix_web::{App, Error, HttpServer, web};
use slog::info;

use super::access::{Connection, Guard, Peer, admit, record};
use super::body::{self, Bounds, Intake};
use super::{Service, count, input, routes, socket};

pub use super::socket::ServeError;
pub use super::tcp::{Stopper, Tcp, TlsError};

/// The threads that answer requests at the unix socket; all that takes time is done elsewhere.
const WORKERS: usize = 2;

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
    let log = service.log.clone();
    let parts = Parts::new(service);
    let server = HttpServer::new(move || app(&parts))
        .on_connect(move |connection, known| introduce(connection, known, &log))
        .workers(WORKERS)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_S)
        .listen_uds(listener)
        .map_err(failed)?
        .run();
    let handle = server.handle();
    let run = async move {
        let end = server.await;
        drop(file);
        end
    };
    Ok((run, handle))
}

/// Takes down who is at the other end of the unix socket.
fn introduce(connection: &dyn Any, known: &mut Extensions, log: &slog::Logger) {
    let credentials = connection.downcast_ref::<UnixStream>().and_then(|stream| stream.peer_cred().ok());
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
        let guard = Arc::new(Guard::new(service.clone(), routes::table()));
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
        .wrap(from_fn(move |request, next| count::count(tally.clone(), request, next)))
        .configure(routes::configure)
}
