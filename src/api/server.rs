//! The HTTP server on the daemon's unix socket.

use std::future::Future;
use std::io;
use std::path::Path;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use super::body::{self, Bounds};
use super::{Service, count, input, routes, socket};

pub use super::socket::ServeError;

/// The threads that answer requests; all that takes time is done elsewhere.
const WORKERS: usize = 2;

/// How long a request under way may still take once the server is told to stop gracefully, in seconds.
const SHUTDOWN_S: u64 = 10;

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
    let tally = service.tally.clone();
    let service = web::Data::new(service);
    let bounded = |request, next| body::read_whole(Bounds::API, request, next);
    let app = move || {
        let tally = tally.clone();
        let counted = move |request, next| count::count(tally.clone(), request, next);
        App::new()
            .app_data(service.clone())
            .app_data(web::PayloadConfig::new(Bounds::API.size))
            .app_data(web::PathConfig::default().error_handler(|error, _| input::malformed(error).into()))
            .wrap(from_fn(bounded))
            .wrap(from_fn(counted))
            .configure(routes::configure)
    };
    let server = HttpServer::new(app)
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
