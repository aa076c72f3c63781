//! Lets a request pass, or refuses it, before anything of its body is read.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use bytes::Bytes;
use slog::info;

use super::names::Names;
use super::sessions::Session;
use super::tokens::Bearer;
use super::{Caller, Connection};
use crate::api::Service;
use crate::api::body;
use crate::api::problem::{Code, Refused};
use crate::api::routes::Needs;
use crate::api::signature;
use crate::domain::access::Role;
use crate::log::key;

/// Where notifications are posted.
const NOTIFICATIONS: &str = "/v1/notifications";

/// The header of what a page does by itself: nobody is there for that.
const BY_ITSELF: &str = "x-retcon-live";

/// What a page follows by itself, and begins again by itself.
const EVENTS: &str = "/v1/events";

/// The header in which a browser says where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refusals are logged so often at most.
const QUIET: Duration = Duration::from_secs(1);

/// Who asks, and in which session if it is in one.
type Known = (Caller, Option<Arc<Session>>);

/// Knows what each method of each path needs, and who comes with what.
pub(in crate::api) struct Guard {
    needs: HashMap<(Method, &'static str), Needs>,
    /// The names under which we may be asked over TCP.
    names: Option<Names>,
    service: web::Data<Service>,
    since: Instant,
    /// When a refusal was logged last, in milliseconds since then.
    logged_ms: AtomicU64,
}

/// What a request was let pass with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Admitted(pub(super) Needs);

/// Lets a request pass, with its [`Caller`], or refuses it.
pub(in crate::api) async fn admit<B: MessageBody + 'static>(
    guard: Arc<Guard>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let needs = guard.needs(&request);
    match guard.caller(&request, needs).await {
        Ok((caller, session)) => {
            // Whoever is not known keeps no connection that others could use.
            let is_nobody = matches!(caller, Caller::Anybody);
            request.extensions_mut().insert(caller.clone());
            request.extensions_mut().insert(Admitted(needs));
            if let Some(session) = &session {
                request.extensions_mut().insert(Arc::clone(session));
            }
            let mut response = next.call(request).await?;
            if is_nobody {
                response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            }
            Ok(response.map_body(|_, body| while_good(body, &caller, session)))
        }
        Err(refused) => {
            guard.log(&request, &refused);
            Ok(body::refuse(request, &refused).map_into_right_body())
        }
    }
}

impl Guard {
    /// Guards these methods of these paths.
    pub(in crate::api) fn new(
        service: web::Data<Service>,
        served: impl Iterator<Item = (Method, &'static str, Needs)>,
    ) -> Self {
        let needs = served.map(|(method, path, needs)| ((method, path), needs)).collect();
        let names = Names::of(&service.config.borrow().server);
        Self { needs, names, service, since: Instant::now(), logged_ms: AtomicU64::new(0) }
    }

    /// What a request needs; one for which there is no route, some token at least.
    fn needs(&self, request: &ServiceRequest) -> Needs {
        let find = |path: String| {
            self.needs.iter().find(|((method, known), _)| method == request.method() && *known == path).map(|(_, n)| *n)
        };
        request.match_pattern().and_then(find).unwrap_or(Needs::Role(Role::Notify))
    }

    /// Says who asks, and that they may; with the session, if they come by one.
    async fn caller(&self, request: &ServiceRequest, needs: Needs) -> Result<Known, Refused> {
        match request.conn_data::<Connection>() {
            Some(Connection::Unix(peer)) => Ok((Caller::Owner(*peer), None)),
            Some(Connection::Tcp { peer, local }) => {
                self.check_names(request, *local)?;
                self.check_token(request, needs, *peer).await
            }
            None => Err(Refused::new(Code::Internal, "the connection is not known")),
        }
    }

    /// Refuses a request under a name that is not ours, or of a page that is not ours.
    fn check_names(&self, request: &ServiceRequest, local: SocketAddr) -> Result<(), Refused> {
        let names = self.names.as_ref().ok_or_else(|| Refused::new(Code::Internal, "nobody listens at TCP"))?;
        let named: Vec<&str> = all(request.headers(), &header::HOST).collect();
        // A request may name the host in its first line too; that one counts for some.
        let in_line = request.uri().authority().map(|authority| authority.as_str());
        let [host] = named[..] else {
            return Err(Refused::new(Code::Misdirected, "a request names its host once"));
        };
        if let Some(foreign) = in_line.into_iter().chain([host]).find(|name| !names.is_ours(name, local)) {
            let detail =
                format!("{foreign:?} is no name of this daemon: server.hosts has the names by which it may be asked");
            return Err(Refused::new(Code::Misdirected, detail));
        }
        match all(request.headers(), &header::ORIGIN).find(|origin| !names.is_own_page(origin, host)) {
            None if is_of_unnamed_page(request) => {
                let detail = "a browser says that the page is another site's which would change something";
                Err(Refused::new(Code::ForeignOrigin, detail))
            }
            None => Ok(()),
            Some(origin) => {
                let detail = format!(
                    "pages of {origin:?} may not use this daemon: server.hosts has the names of those that may"
                );
                Err(Refused::new(Code::ForeignOrigin, detail))
            }
        }
    }

    async fn check_token(&self, request: &ServiceRequest, needs: Needs, peer: SocketAddr) -> Result<Known, Refused> {
        let needed = match needs {
            Needs::Nothing => return Ok((Caller::Anybody, None)),
            Needs::Role(role) => role,
        };
        if is_by_signature(request) {
            return Ok((Caller::Anybody, None));
        }
        let (bearer, session) = self.bearer(request).await?;
        if let Some(session) = session.as_ref().filter(|_| is_somebody(request)) {
            self.service.sessions.touch(&self.service, session).await;
        }
        if bearer.grant.role < needed {
            let detail = format!("this needs the role {needed}, and the token has the role {}", bearer.grant.role);
            return Err(Refused::new(Code::Forbidden, detail));
        }
        Ok((Caller::Bearer(bearer, peer), session))
    }

    /// Finds who bears the token that a request comes with, or signed in with it, and counts the request.
    async fn bearer(&self, request: &ServiceRequest) -> Result<(Arc<Bearer>, Option<Arc<Session>>), Refused> {
        let headers = request.headers();
        if headers.contains_key(header::AUTHORIZATION) {
            return Ok((self.by_token(headers).await?, None));
        }
        match self.service.sessions.find(&self.service, headers).await? {
            None => Ok((self.by_token(headers).await?, None)),
            Some((session, bearer)) if is_own_doing(request) => Ok((bearer, Some(session))),
            Some(_) => {
                let detail = "a browser that changes something says of which page that is: Origin is missing";
                Err(Refused::new(Code::ForeignOrigin, detail))
            }
        }
    }

    async fn by_token(&self, headers: &HeaderMap) -> Result<Arc<Bearer>, Refused> {
        let bearer = self.service.tokens.find(token(headers)?).await?;
        bearer.pass()?;
        Ok(bearer)
    }

    /// Logs a refusal; of those that come at once, one.
    fn log(&self, request: &ServiceRequest, refused: &Refused) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.logged_ms.load(Ordering::Relaxed);
        let quiet = u64::try_from(QUIET.as_millis()).unwrap_or(u64::MAX);
        let is_due = last == 0 || now.saturating_sub(last) > quiet;
        let is_ours =
            || self.logged_ms.compare_exchange(last, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_due && is_ours() {
            let peer = request.peer_addr().map(|peer| peer.to_string());
            info!(self.service.log, "request refused"; "peer" => peer, "path" => request.path(),
                "method" => %request.method(), key::ERROR => %refused);
        }
    }
}

/// Whether somebody is there for a request, and no page makes it by itself.
fn is_somebody(request: &ServiceRequest) -> bool {
    !request.headers().contains_key(BY_ITSELF) && request.path() != EVENTS
}

/// Whether a browser says that a request which may change something comes of another page, and does not name it.
fn is_of_unnamed_page(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_foreign = || all(headers, &FETCH_SITE).any(|site| matches!(site, "cross-site" | "same-site"));
    !is_read && !headers.contains_key(header::ORIGIN) && is_foreign()
}

/// Whether a request that comes with a cookie is known to come from a page of ours, if it changes anything. A browser sends the
/// cookie whoever's page asks for it, but names the page; that a page it names is ours was looked at before.
fn is_own_doing(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    is_read || headers.contains_key(header::ORIGIN) || all(headers, &FETCH_SITE).eq(["same-origin"])
}

/// Whether a request says that it is signed, in place of a token: the route of notifications sees to it that it is, once it
/// has the body.
fn is_by_signature(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    request.method() == Method::POST
        && request.path() == NOTIFICATIONS
        && !headers.contains_key(header::AUTHORIZATION)
        && signature::is_signed(headers)
}

/// Has a stream end when the token is revoked with which it was begun, or the session is over.
fn while_good<B: MessageBody + 'static>(
    body: B,
    caller: &Caller,
    session: Option<Arc<Session>>,
) -> EitherBody<B, BoxBody> {
    match (body.size(), caller) {
        (BodySize::Stream, Caller::Bearer(bearer, _)) => {
            let bearer = Arc::clone(bearer);
            EitherBody::right(BoxBody::new(WhileGood { body: BoxBody::new(body), bearer, session }))
        }
        (BodySize::None | BodySize::Sized(_) | BodySize::Stream, _) => EitherBody::left(body),
    }
}

/// A stream that is looked at whenever it has something to tell.
struct WhileGood {
    body: BoxBody,
    bearer: Arc<Bearer>,
    session: Option<Arc<Session>>,
}

impl MessageBody for WhileGood {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = Pin::new(&mut self.body).poll_next(cx);
        let is_over = || self.bearer.is_revoked() || self.session.as_ref().is_some_and(|session| session.is_over());
        if next.is_ready() && is_over() { Poll::Ready(None) } else { next }
    }
}

/// The values of a header; one that is no text counts as empty.
fn all<'a>(headers: &'a HeaderMap, name: &'a HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).map(|value| value.to_str().unwrap_or_default())
}

/// The token that a request comes with.
fn token(headers: &HeaderMap) -> Result<&str, Refused> {
    let shown: Vec<&str> = all(headers, &header::AUTHORIZATION).collect();
    let unauthorized = |detail| Refused::new(Code::Unauthorized, detail);
    match shown[..] {
        [] => Err(unauthorized("over TCP a request comes with a token: Authorization: Bearer TOKEN")),
        [one] => {
            let (scheme, token) = one.split_once(' ').unwrap_or((one, ""));
            let token = Some(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"));
            token.ok_or_else(|| unauthorized("the token comes as Authorization: Bearer TOKEN"))
        }
        [_, _, ..] => Err(unauthorized("a request comes with one token")),
    }
}
