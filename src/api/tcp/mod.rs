//! The API over TCP: with threads of its own, so that whatever happens here, the unix socket answers.

mod gate;
mod opened;
mod tls;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::{HttpService, error::DispatchError};
use actix_server::{Server, ServerHandle};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use slog::{Logger, error, info, warn};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::Service;
use super::access::Tokens;
use super::patient::Patient;
use super::screen::Screen;
use super::server::{CLOSING, KEEP_ALIVE, Parts, SHUTDOWN_S, app};
use super::socket::ServeError;
use crate::config::model;
use crate::log::{chain, key};

pub use tls::TlsError;

use gate::{Gate, Room};
use opened::Opened;

/// The threads that answer requests over TCP.
const WORKERS: usize = 2;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// The pause before it is looked again whether there is a token, or tried again to listen.
const PAUSE: Duration = Duration::from_secs(1);

/// The API over TCP, prepared.
pub struct Tcp {
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    /// `None`: beyond loopback nobody listens before there is a token.
    listener: Option<TcpListener>,
}

/// Stops the API over TCP.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<Wanted>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Service,
    Stop { graceful: bool },
}

/// Why the API over TCP is served no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Stopped,
    /// The last token was revoked.
    Useless,
}

impl Stopper {
    /// Has it served no more. Gracefully: requests under way are answered.
    pub fn stop(&self, graceful: bool) {
        self.0.send_replace(Wanted::Stop { graceful });
    }
}

impl Tcp {
    /// Begins to listen as `server` says; `None` if it says not to.
    ///
    /// # Errors
    /// [`ServeError`] if the address is taken or not ours, or the certificate cannot be used.
    pub fn prepare(server: &model::Server) -> Result<Option<Self>, ServeError> {
        let Some(address) = server.listen else { return Ok(None) };
        let tls = server.tls.as_ref().map(tls::acceptor).transpose()?;
        let listener = if address.ip().is_loopback() { Some(listen(address)?) } else { None };
        Ok(Some(Self { address, tls, listener }))
    }

    /// Serves until it is stopped. Handles no signals; must be called within an actix system.
    pub fn serve(self, service: Service) -> (impl Future<Output = io::Result<()>> + use<>, Stopper) {
        let (wanted, told) = watch::channel(Wanted::Service);
        (self.run(service, told), Stopper(wanted))
    }

    async fn run(mut self, service: Service, mut told: watch::Receiver<Wanted>) -> io::Result<()> {
        let stopped = async |told: &mut watch::Receiver<Wanted>| {
            // Whoever could stop it is gone: it ends as well.
            drop(told.wait_for(|wanted| *wanted != Wanted::Service).await);
        };
        loop {
            let listener = tokio::select! {
                listener = self.listener(&service.tokens, &service.log) => listener,
                () = stopped(&mut told) => return Ok(()),
            };
            info!(service.log, "listening"; "address" => %listener.local_addr()?, "tls" => self.tls.is_some());
            if !self.address.ip().is_loopback() && self.tls.is_none() {
                warn!(service.log, "listening beyond loopback without tls"; "address" => %self.address);
            }
            match self.serve_at(listener, &service, &mut told).await? {
                Ended::Stopped => return Ok(()),
                Ended::Useless => {}
            }
        }
    }

    /// Serves those who come to a listener until it is stopped, or there is no token any more without which nobody may listen.
    async fn serve_at(
        &self,
        listener: TcpListener,
        service: &Service,
        told: &mut watch::Receiver<Wanted>,
    ) -> io::Result<Ended> {
        let (order, obeyed) = watch::channel(Wanted::Service);
        let server = server(listener, self.tls.clone(), service.clone(), obeyed)?;
        let handle = server.handle();
        tokio::pin!(server);
        let mut ended = Ended::Stopped;
        loop {
            let wanted = tokio::select! {
                end = &mut server => return end.map(|()| ended),
                Ok(()) = told.changed() => {
                    ended = Ended::Stopped;
                    *told.borrow_and_update()
                }
                () = self.useless(&service.tokens), if ended == Ended::Stopped => {
                    ended = Ended::Useless;
                    Wanted::Stop { graceful: true }
                }
            };
            order.send_replace(wanted);
            obey(&handle, wanted);
        }
    }

    /// Waits until the last token is gone, if nobody may listen here without one.
    async fn useless(&self, tokens: &Tokens) {
        if self.address.ip().is_loopback() {
            std::future::pending::<()>().await;
        }
        loop {
            tokio::time::sleep(PAUSE).await;
            if tokens.exist().await == Some(false) {
                return;
            }
        }
    }

    /// Gives the listener; one beyond loopback once there is a token.
    async fn listener(&mut self, tokens: &Tokens, log: &Logger) -> TcpListener {
        if let Some(listener) = self.listener.take() {
            return listener;
        }
        let mut is_told = false;
        loop {
            match tokens.exist().await {
                Some(true) => match listen(self.address) {
                    Ok(listener) => return listener,
                    Err(error) => error!(log, "not listening"; "address" => %self.address, key::ERROR => chain(&error)),
                },
                Some(false) if !is_told => {
                    is_told = true;
                    let why =
                        "beyond loopback tokens are required, and there is none: make one with `retcon token create`";
                    warn!(log, "not listening"; "address" => %self.address, key::ERROR => why);
                }
                Some(false) | None => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn obey(handle: &ServerHandle, wanted: Wanted) {
    match wanted {
        Wanted::Service => {}
        // Whoever waits for the end waits for the server itself.
        Wanted::Stop { graceful } => drop(handle.stop(graceful)),
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let failed = |source| ServeError::Tcp { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    rustix::net::listen(&listener, BACKLOG).map_err(|error| failed(error.into()))?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Makes the server: connections pass the gate first, which knows how much of them there is room for.
fn server(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: Service,
    told: watch::Receiver<Wanted>,
) -> io::Result<Server> {
    let room = Room::of_this_process(WORKERS);
    let most = room.connections();
    let tally = service.tally.clone();
    let parts = Parts::new(service);
    let factory = move || {
        let gate = Gate::new(tls.clone(), room.clone(), tally.clone());
        let (told, tally) = (told.clone(), tally.clone());
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            // The gate and the screen see to it, for every request.
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(CLOSING)
            .graceful_shutdown_signal(move || {
                let mut told = told.clone();
                async move { drop(told.wait_for(|wanted| *wanted != Wanted::Service).await) }
            })
            .on_connect_ext(|opened: &Patient<Screen<Opened>>, known| {
                known.insert(opened.inner().verdict());
                known.insert(opened.inner().inner().connection.clone());
            })
            .finish(map_config(app(&parts).into_factory(), |_| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let (gate, tally) = (gate.clone(), tally.clone());
            async move {
                let (opened, protocol, peer) = gate.open(stream).await.map_err(DispatchError::Io)?;
                Ok((Patient::new(Screen::new(opened, tally)), protocol, peer))
            }
        })
        .and_then(http)
    };
    let server = Server::build()
        .workers(WORKERS)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_S)
        .max_concurrent_connections(most)
        .listen("retcon-tcp", listener, factory)?;
    Ok(server.run())
}
