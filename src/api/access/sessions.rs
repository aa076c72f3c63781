//! Browsers that signed in with a token: what they hold is a cookie, and what they may do is what the token may.
//!
//! A session is looked up again when it is used and a second has passed, as tokens are. While the database is away, those that
//! were known stay good until they are over.
//!
//! What is no session costs the database nothing: what was given to nobody does not bear the seal of a token, and is not looked up;
//! and what was looked up once and is over is remembered.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderMap;
use sha2::{Digest, Sha256};

use super::attempts::Attempts;
use super::cookie::{self, Road, Shown, Ticket};
use super::tokens::Bearer;
use crate::actor::store::requests::access::{CloseSession, FindSession, OpenSession, SessionRow, TouchSession};
use crate::api::Service;
use crate::api::problem::{Code, Refused};
use crate::domain::access::{Role, SessionHash};

/// How long a session lasts at most, and how long without being used.
pub(super) const LIFE: Duration = Duration::from_secs(12 * 3600);
const IDLE: Duration = Duration::from_secs(3600);

/// What was looked up counts for so long.
const FRESH: Duration = Duration::from_secs(1);

/// How long a look-up may take: a database that is frozen is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// How exactly it is recorded when a session was used last.
const GRAIN: Duration = Duration::from_secs(60);

/// So many sessions are ended by one sign-in: a browser has one, or two.
const FORMER: usize = 4;

/// So many tickets that are none are remembered at a time.
const NONE_KNOWN: usize = 4_096;

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

/// The sessions that were used here lately.
#[derive(Default)]
pub struct Sessions {
    known: Mutex<HashMap<SessionHash, Arc<Session>>>,
    nones: Mutex<Nones>,
    attempts: Attempts,
}

impl Sessions {
    /// Those who try to sign in.
    pub(in crate::api) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Signs a browser in.
    pub(in crate::api) async fn open(&self, service: &Service, bearer: &Bearer) -> Result<Ticket, Refused> {
        let ticket = Ticket::make(bearer)?;
        let open = OpenSession { hash: hash(ticket.as_str()), token: bearer.id, life: LIFE, idle: IDLE };
        let is_open = service.ask(open).await?;
        self.known().retain(|_, session| !session.is_over());
        is_open.then_some(ticket).ok_or_else(|| Refused::new(Code::Unauthorized, "the token was revoked"))
    }

    /// Signs a browser out; gives the value of `Set-Cookie` by which it forgets what it holds.
    pub(in crate::api) async fn close(
        &self,
        service: &Service,
        session: &Session,
        road: Road,
    ) -> Result<String, Refused> {
        session.is_closed.store(true, Ordering::Relaxed);
        service.ask(CloseSession(session.hash)).await?;
        self.known().remove(&session.hash);
        Ok(cookie::forget(road))
    }

    /// Ends the sessions of which a request shows cookies: whoever signs in again has the new one alone.
    pub(in crate::api) async fn close_former(&self, service: &Service, headers: &HeaderMap) -> Result<(), Refused> {
        for shown in cookie::all(headers).filter(|shown| Shown::parse(shown).is_some()).take(FORMER) {
            let hash = hash(shown);
            if self.nones().has(&hash) {
                continue;
            }
            if let Some(session) = self.known().remove(&hash) {
                session.is_closed.store(true, Ordering::Relaxed);
            }
            service.ask(CloseSession(hash)).await?;
        }
        Ok(())
    }

    /// Finds the session of which a request shows the cookie, if it shows one, and counts the request against its token's rate.
    pub(super) async fn find(
        &self,
        service: &Service,
        headers: &HeaderMap,
    ) -> Result<Option<(Arc<Session>, Arc<Bearer>)>, Refused> {
        let Some(shown) = cookie::shown(headers, service.is_over_tls()) else { return Ok(None) };
        let ticket = Shown::parse(shown).ok_or_else(over)?;
        let bearer = service.tokens.find_by_number(ticket.token).await?;
        if !ticket.is_sealed_by(&bearer) || bearer.grant.role < Role::View {
            return Err(over());
        }
        // Before it is looked up: whoever has a token can seal what is no session.
        bearer.pass()?;
        let session = self.look_up(service, hash(shown)).await?;
        if session.is_over() || session.token != bearer.id {
            return Err(over());
        }
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
        if self.nones().has(&hash) {
            return Err(over());
        }
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
                // A ticket is handed out after its session is on record, and never twice: what is none now is none for ever.
                self.nones().add(hash);
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

    fn nones(&self) -> MutexGuard<'_, Nones> {
        self.nones.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was looked up lately and is no session, or none any more.
#[derive(Default)]
struct Nones {
    known: HashSet<SessionHash>,
    /// Likewise, the oldest first.
    order: VecDeque<SessionHash>,
}

impl Nones {
    fn has(&self, hash: &SessionHash) -> bool {
        self.known.contains(hash)
    }

    fn add(&mut self, hash: SessionHash) {
        if !self.known.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > NONE_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

fn over() -> Refused {
    Refused::new(Code::Unauthorized, "the session is over")
}

fn hash(shown: &str) -> SessionHash {
    SessionHash(Sha256::digest(shown).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_session_is_remembered_and_of_that_no_more_than_so_much() {
        let mut nones = Nones::default();
        let hash = |n: usize| SessionHash(Sha256::digest(n.to_string()).into());
        (0..NONE_KNOWN).chain([0]).for_each(|n| nones.add(hash(n)));
        assert!(nones.has(&hash(0)) && nones.has(&hash(NONE_KNOWN - 1)) && !nones.has(&hash(NONE_KNOWN)));
        nones.add(hash(NONE_KNOWN));
        assert!(!nones.has(&hash(0)) && nones.has(&hash(1)) && nones.has(&hash(NONE_KNOWN)));
        assert_eq!((nones.known.len(), nones.order.len()), (NONE_KNOWN, NONE_KNOWN));
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
