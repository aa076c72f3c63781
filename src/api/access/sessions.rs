//! Browsers that signed in with a token: what they hold is a cookie, and what they may do is what the token may.
//!
//! A session is looked up again when it is used and a second has passed, as tokens are. While the database is away, those that
//! were known stay good until they are over.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{COOKIE, HeaderMap};
use sha2::{Digest, Sha256};

use super::attempts::Attempts;
use super::tokens::Bearer;
use crate::actor::store::requests::access::{CloseSession, FindSession, OpenSession, SessionRow, TouchSession};
use crate::api::Service;
use crate::api::problem::{Code, Refused};
use crate::domain::access::SessionHash;

/// How long a session lasts at most, and how long without being used.
const LIFE: Duration = Duration::from_secs(12 * 3600);
const IDLE: Duration = Duration::from_secs(3600);

/// What was looked up counts for so long.
const FRESH: Duration = Duration::from_secs(1);

/// How long a look-up may take: a database that is frozen is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// How exactly it is recorded when a session was used last.
const GRAIN: Duration = Duration::from_secs(60);

/// The name of the cookie, and that of one that only goes over TLS and to this host.
const NAME: &str = "retcon_session";
const NAME_OVER_TLS: &str = "__Host-retcon_session";

/// Somebody who is signed in.
#[derive(Debug)]
pub(in crate::api) struct Session {
    hash: SessionHash,
    /// The number of the token.
    token: i64,
    ends_at: Instant,
    is_closed: AtomicBool,
    use_of: Mutex<Use>,
}

#[derive(Debug, Clone, Copy)]
struct Use {
    /// When somebody did something last.
    used_at: Instant,
    /// When it was recorded that somebody did.
    recorded_at: Instant,
    /// When it was looked up.
    read_at: Instant,
}

impl Session {
    fn new(hash: SessionHash, row: &SessionRow) -> Self {
        let now = Instant::now();
        let used_at = now.checked_sub(row.idle).unwrap_or(now);
        let use_of = Mutex::new(Use { used_at, recorded_at: used_at, read_at: now });
        Self { hash, token: row.token, ends_at: now + row.left, is_closed: AtomicBool::new(false), use_of }
    }

    /// Tells whether it is over: closed, too old, or not used for too long.
    pub(super) fn is_over(&self) -> bool {
        let now = Instant::now();
        let idle = now.saturating_duration_since(self.uses().used_at);
        self.is_closed.load(Ordering::Relaxed) || now >= self.ends_at || idle >= IDLE
    }

    /// Notes that somebody does something in it; says whether that is to be recorded.
    fn touch(&self) -> bool {
        let (mut uses, now) = (self.uses(), Instant::now());
        uses.used_at = now;
        let is_due = now.saturating_duration_since(uses.recorded_at) >= GRAIN;
        if is_due {
            uses.recorded_at = now;
        }
        is_due
    }

    /// Takes in what was looked up; another daemon may have seen it used later.
    fn take(&self, row: &SessionRow) {
        let (mut uses, now) = (self.uses(), Instant::now());
        uses.read_at = now;
        uses.used_at = now.checked_sub(row.idle).map_or(uses.used_at, |at| uses.used_at.max(at));
    }

    fn is_fresh(&self) -> bool {
        self.uses().read_at.elapsed() < FRESH
    }

    fn uses(&self) -> MutexGuard<'_, Use> {
        self.use_of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a browser is given, once.
pub(in crate::api) struct Ticket(String);

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}

impl Ticket {
    /// Makes one that nobody can guess: of 256 random bits.
    fn make() -> Result<Self, Refused> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| {
            Refused::new(Code::Internal, format_args!("the system gives no random numbers: {error}"))
        })?;
        Ok(Self(random.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Returns the value of `Set-Cookie`.
    pub(in crate::api) fn cookie(&self, over_tls: bool) -> String {
        set_cookie(&self.0, LIFE, over_tls)
    }
}

fn set_cookie(value: &str, life: Duration, over_tls: bool) -> String {
    let (name, secure) = if over_tls { (NAME_OVER_TLS, "; Secure") } else { (NAME, "") };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}", life.as_secs())
}

/// The sessions that were used here lately.
#[derive(Default)]
pub struct Sessions {
    known: Mutex<HashMap<SessionHash, Arc<Session>>>,
    attempts: Attempts,
}

impl Sessions {
    /// Those who try to sign in.
    pub(in crate::api) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Signs a browser in.
    pub(in crate::api) async fn open(&self, service: &Service, bearer: &Bearer) -> Result<Ticket, Refused> {
        let ticket = Ticket::make()?;
        let open = OpenSession { hash: hash(&ticket.0), token: bearer.id, life: LIFE, idle: IDLE };
        let is_open = service.ask(open).await?;
        self.known().retain(|_, session| !session.is_over());
        is_open.then_some(ticket).ok_or_else(|| Refused::new(Code::Unauthorized, "the token was revoked"))
    }

    /// Signs a browser out; gives the value of `Set-Cookie` by which it forgets what it holds.
    pub(in crate::api) async fn close(
        &self,
        service: &Service,
        session: &Session,
        over_tls: bool,
    ) -> Result<String, Refused> {
        session.is_closed.store(true, Ordering::Relaxed);
        service.ask(CloseSession(session.hash)).await?;
        self.known().remove(&session.hash);
        Ok(set_cookie("", Duration::ZERO, over_tls))
    }

    /// Finds the session of which a request shows the cookie, if it shows one.
    pub(super) async fn find(
        &self,
        service: &Service,
        headers: &HeaderMap,
    ) -> Result<Option<(Arc<Session>, Arc<Bearer>)>, Refused> {
        let Some(shown) = shown(headers, service.is_over_tls()) else { return Ok(None) };
        let session = self.look_up(service, hash(shown)).await?;
        if session.is_over() {
            return Err(over());
        }
        let bearer = service.tokens.find_by_number(session.token).await?;
        Ok(Some((session, bearer)))
    }

    /// Notes that somebody does something.
    pub(super) async fn touch(&self, service: &Service, session: &Session) {
        if session.touch() {
            // If it cannot be recorded now, it is in a minute.
            let _ = service.ask(TouchSession(session.hash)).await;
        }
    }

    async fn look_up(&self, service: &Service, hash: SessionHash) -> Result<Arc<Session>, Refused> {
        let known = self.known().get(&hash).cloned();
        if let Some(session) = known.iter().find(|session| session.is_fresh()) {
            return Ok(Arc::clone(session));
        }
        let asked = tokio::time::timeout(PATIENCE, service.ask(FindSession(hash))).await;
        let away = Refused::new(Code::StoreUnavailable, "the database is away, and the session was not known before");
        match (asked, known) {
            (Ok(Ok(Some(row))), Some(session)) => {
                session.take(&row);
                Ok(session)
            }
            (Ok(Ok(Some(row))), None) => {
                let session = Arc::new(Session::new(hash, &row));
                Ok(Arc::clone(self.known().entry(hash).or_insert(session)))
            }
            (Ok(Ok(None)), known) => {
                self.known().remove(&hash);
                known.iter().for_each(|session| session.is_closed.store(true, Ordering::Relaxed));
                Err(over())
            }
            (Ok(Err(_)) | Err(_), Some(session)) => Ok(session),
            (Ok(Err(_)) | Err(_), None) => Err(away),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SessionHash, Arc<Session>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn over() -> Refused {
    Refused::new(Code::Unauthorized, "the session is over")
}

fn hash(shown: &str) -> SessionHash {
    SessionHash(Sha256::digest(shown).into())
}

/// The value of the cookie; of several, none is taken.
fn shown(headers: &HeaderMap, over_tls: bool) -> Option<&str> {
    let name = if over_tls { NAME_OVER_TLS } else { NAME };
    let headers = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
    let mut values = headers
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(known, value)| (known == name && !value.is_empty()).then_some(value));
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(cookies: &[&'static str], over_tls: bool, found: Option<&str>) {
        let mut headers = HeaderMap::new();
        cookies.iter().for_each(|cookie| headers.append(COOKIE, HeaderValue::from_static(cookie)));
        assert_eq!(shown(&headers, over_tls), found, "{cookies:?}");
    }

    #[test]
    fn the_cookie_is_found_among_others_and_of_two_none_is_taken() {
        check(&[], false, None);
        check(&["retcon_session=ab"], false, Some("ab"));
        check(&["x=1; retcon_session=ab;y=2"], false, Some("ab"));
        check(&["x=1", "retcon_session=ab"], false, Some("ab"));
        check(&["retcon_session=ab; retcon_session=cd"], false, None);
        check(&["my_retcon_session=ab", "retcon_session="], false, None);
        check(&["retcon_session=ab"], true, None);
        check(&["__Host-retcon_session=ab"], true, Some("ab"));
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_from_other_pages_and_over_tls_from_plain_text() {
        let ticket = Ticket::make().expect("there is chance");
        let plain = ticket.cookie(false);
        assert!(plain.starts_with("retcon_session=") && plain.len() > 64, "{plain}");
        assert!(plain.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200"), "{plain}");
        let secure = ticket.cookie(true);
        assert!(secure.starts_with("__Host-retcon_session=") && secure.ends_with("; Secure"), "{secure}");
        assert_eq!(format!("{ticket:?}"), "Ticket(..)");
    }

    #[test]
    fn a_session_is_over_when_it_is_old_or_was_not_used_or_was_closed() {
        let session = |left, idle| {
            let row = SessionRow { token: 1, left: Duration::from_secs(left), idle: Duration::from_secs(idle) };
            Session::new(SessionHash([1; 32]), &row)
        };
        assert!(!session(60, 60).is_over());
        assert!(session(0, 0).is_over());
        let unused = session(60, 3600);
        assert!(unused.is_over());
        assert!(unused.touch() && !unused.touch(), "it is recorded once a minute");
        assert!(!unused.is_over());
        unused.is_closed.store(true, Ordering::Relaxed);
        assert!(unused.is_over());
    }
}
