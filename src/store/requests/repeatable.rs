//! Requests that may be repeated without being carried out twice: those that came with a key of their sender's.

use std::time::Duration;

use uuid::Uuid;

use crate::store::columns::{JsonText, get, micros, unreadable};
use crate::store::encoding::{decode, encode};
use crate::store::run::{Authority, Fault, Mode, Request, Session};

use super::queue::WorkItemId;
use super::view::Approved;

const BEGIN: &str = include_str!("../sql/repeatable/begin.sql");
const MARK: &str = include_str!("../sql/repeatable/mark.sql");
const END: &str = include_str!("../sql/repeatable/end.sql");
const FORGET: &str = include_str!("../sql/repeatable/forget.sql");
const PURGE: &str = include_str!("../sql/repeatable/purge.sql");

/// How many one statement forgets.
const BATCH: i64 = 1000;

/// How long a request is remembered.
const MEMORY: Duration = Duration::from_secs(24 * 3600);

/// The name of a request: what its sender called it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// Whose key it is.
    pub caller: String,
    pub key: String,
}

/// One attempt to carry a request out. As soon as there is another one, this one changes nothing any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub key: RequestKey,
    pub id: Uuid,
}

/// What a request has changed, as far as is needed to answer it once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A person's order is stored.
    Ordered(WorkItemId),
    /// Deletions were approved.
    Approved(Approved),
    /// What was asked was done.
    Done,
}

/// A request that must not take effect twice, and says by its reply whether it has taken effect.
pub trait Effective: Request {
    /// What it has changed; `None` if nothing.
    fn effect(reply: &Self::Reply) -> Option<Effect>;
}

/// A request that belongs to an attempt, if there was a key: what it changes is told with the key in one transaction. If there is
/// another attempt by now, nothing is changed.
#[derive(Debug, Clone)]
pub struct Once<R> {
    pub request: R,
    pub attempt: Option<Attempt>,
}

/// What a request was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// The type of its body.
    pub media: String,
    pub body: Vec<u8>,
}

/// Begins a request.
#[derive(Debug, Clone)]
pub struct BeginRequest {
    pub attempt: Attempt,
    /// Of all that makes it this request.
    pub fingerprint: [u8; 32],
}

/// Whether a request is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It was not carried out before, as far as that matters.
    New,
    /// It was answered before.
    Answered(Answered),
    /// It was carried out before, and never answered.
    TookEffect(Effect),
    /// The key is that of another request.
    Other,
}

/// Keeps what a request was answered.
#[derive(Debug, Clone)]
pub struct EndRequest {
    pub attempt: Attempt,
    pub answered: Answered,
}

/// Gives the key of a request back that came to nothing.
#[derive(Debug, Clone)]
pub struct ForgetRequest(pub Attempt);

/// Forgets the requests of which the memory is over.
#[derive(Debug, Clone)]
pub struct PurgeRequests;

impl Request for BeginRequest {
    type Reply = Begun;

    const ACTION: &'static str = "begin a request that may be repeated";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<Begun, Fault> {
        let Attempt { key: RequestKey { caller, key }, id } = &self.attempt;
        let fingerprint = self.fingerprint.as_slice();
        let row = session.find(BEGIN, &[caller, key, &fingerprint, &micros(MEMORY), id]).await?;
        // It was there when the key was to be taken, and is gone since: forgotten, or given back.
        let row = row.ok_or(Fault::Moved)?;
        if get(&row, "is_taken")? {
            let effect = get::<Option<JsonText>>(&row, "effect")?;
            let effect = effect.map(|text| decode(&text).map_err(|error| unreadable("effect", error))).transpose()?;
            return Ok(effect.map_or(Begun::New, Begun::TookEffect));
        }
        if !get::<bool>(&row, "is_same")? {
            return Ok(Begun::Other);
        }
        // It had no answer when it was read, and has one since: else it would have been taken over.
        let status = get::<Option<i16>>(&row, "status")?.ok_or(Fault::Moved)?;
        let (media, body) = (get::<Option<String>>(&row, "media")?, get::<Option<Vec<u8>>>(&row, "body")?);
        let status = u16::try_from(status).unwrap_or_default();
        Ok(Begun::Answered(Answered { status, media: media.unwrap_or_default(), body: body.unwrap_or_default() }))
    }
}

impl<R: Effective> Request for Once<R> {
    type Reply = R::Reply;

    const ACTION: &'static str = R::ACTION;

    const AUTHORITY: Authority = R::AUTHORITY;

    const WRITES: bool = R::WRITES;

    async fn attempt(&self, session: &Session<'_>) -> Result<R::Reply, Fault> {
        let reply = self.request.attempt(session).await?;
        let (Some(attempt), Some(effect)) = (&self.attempt, R::effect(&reply)) else { return Ok(reply) };
        let Attempt { key: RequestKey { caller, key }, id } = attempt;
        let marked = session.execute(MARK, &[caller, key, id, &encode(&effect)]).await?;
        if marked == 0 { Err(Fault::Moved) } else { Ok(reply) }
    }
}

impl Request for EndRequest {
    type Reply = ();

    const ACTION: &'static str = "keep an answer";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let Attempt { key: RequestKey { caller, key }, id } = &self.attempt;
        let Answered { status, media, body } = &self.answered;
        let status = i16::try_from(*status).unwrap_or(i16::MAX);
        session.execute(END, &[caller, key, id, &status, media, body]).await.map(drop)
    }
}

impl Request for ForgetRequest {
    type Reply = ();

    const ACTION: &'static str = "forget a request";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let Attempt { key: RequestKey { caller, key }, id } = &self.0;
        session.execute(FORGET, &[caller, key, id]).await.map(drop)
    }
}

impl Request for PurgeRequests {
    type Reply = u64;

    const ACTION: &'static str = "forget old requests";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<u64, Fault> {
        let mut removed = 0;
        loop {
            let batch = session.execute(PURGE, &[&micros(MEMORY), &BATCH]).await?;
            removed += batch;
            if batch < BATCH.unsigned_abs() {
                return Ok(removed);
            }
        }
    }
}
