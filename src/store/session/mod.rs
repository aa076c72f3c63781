//! Sessions with PostgreSQL, as the pool keeps them: when one is opened, and when it can no longer be trusted.
//!
//! A session is handed out only if its server takes writes, is no primary that was replaced, and answers. Where anything has gone
//! wrong, every session must also show that what it can see is as safe as any commit (see [`confirm`]).

mod open;
mod refusal;
mod seen;
mod tls;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, RecycleResult};
use deadpool_postgres::ClientWrapper;

pub(super) use open::{CONFIRM, Opener, cannot_tell};
pub use refusal::{OpenError, Refusal};
pub use seen::SeenError;
pub(super) use seen::{Seen, Server};
pub use tls::TlsError;

use super::pool::ConnectionRuntime;
use open::{confirm, takes_writes};

/// How long a session is believed to lead to a server that takes writes, without asking it.
const TRUST: Duration = Duration::from_secs(5);
/// How long a session may take to show that it is well.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// After this time a session is replaced: names may lead elsewhere by now.
const AGE: Duration = Duration::from_secs(600);

/// A session as the pool hands it out; it goes back when it is dropped.
pub(crate) type Object = managed::Object<Sessions>;

/// Opens sessions, and judges those that come back.
pub(crate) struct Sessions {
    pub(super) opener: Arc<Opener>,
    pub(super) doubts: Arc<Doubts>,
    /// Ends with the pool.
    pub(super) runtime: ConnectionRuntime,
}

/// Counts what has gone wrong: after each, no session is trusted without having been asked.
#[derive(Debug, Default)]
pub(super) struct Doubts(AtomicU64);

impl Doubts {
    pub(super) fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// One session.
pub(crate) struct Link {
    client: ClientWrapper,
    /// `None` where the server does not tell.
    server: Option<Server>,
    opened: Instant,
    checked: Instant,
    /// How many doubts there were when it was last asked.
    doubts: u64,
}

impl Deref for Link {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        &self.client
    }
}

impl DerefMut for Link {
    fn deref_mut(&mut self) -> &mut ClientWrapper {
        &mut self.client
    }
}

impl managed::Manager for Sessions {
    type Type = Link;
    type Error = OpenError;

    async fn create(&self) -> Result<Link, OpenError> {
        // Before the server is asked: what goes wrong meanwhile counts.
        let doubts = self.doubts.count();
        let (client, server) = Opener::open(&self.opener).await?;
        let now = Instant::now();
        Ok(Link { client, server, opened: now, checked: now, doubts })
    }

    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<OpenError> {
        let doubts = self.doubts.count();
        let is_replaced = link.server.as_ref().is_some_and(|server| self.opener.seen.has_left_behind(server));
        if link.is_closed() || is_replaced || link.opened.elapsed() > AGE {
            return Err(managed::RecycleError::message("its time is over"));
        }
        if link.doubts == doubts && link.checked.elapsed() < TRUST {
            return Ok(());
        }
        let is_doubted = link.doubts != doubts;
        let checked = tokio::time::timeout(CHECK_TIMEOUT, async {
            takes_writes(link).await?;
            if is_doubted { confirm(link).await } else { Ok(()) }
        });
        match checked.await {
            Ok(Ok(())) => {
                (link.checked, link.doubts) = (Instant::now(), doubts);
                Ok(())
            }
            Ok(Err(_)) => Err(managed::RecycleError::message("it is not what it was")),
            Err(_) => {
                self.opener.call_off(link);
                Err(managed::RecycleError::message("it does not answer"))
            }
        }
    }
}

impl Sessions {
    /// Ends a session that cannot be trusted any more, and what its server may still be doing for it.
    pub(super) fn end(&self, object: Object) {
        let link = Object::take(object);
        self.opener.call_off(&link);
    }
}
