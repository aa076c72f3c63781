//! Requests that may be repeated without being carried out twice: those that came with a key of their sender's.

use std::time::Duration;

use crate::store::columns::{get, micros};
use crate::store::run::{Fault, Mode, Request, Session};

const BEGIN: &str = include_str!("../sql/repeatable/begin.sql");
const END: &str = include_str!("../sql/repeatable/end.sql");
const FORGET: &str = include_str!("../sql/repeatable/forget.sql");
const PURGE: &str = include_str!("../sql/repeatable/purge.sql");

/// How many one statement forgets.
const BATCH: i64 = 1000;

/// How long a request is remembered.
const MEMORY: Duration = Duration::from_secs(24 * 3600);

/// After what time a request without an end is one whose daemon died: no request takes as long.
const LONGEST: Duration = Duration::from_secs(90);

/// The name of a request: what its sender called it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Whose key it is.
    pub caller: String,
    pub key: String,
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
    pub key: RequestKey,
    /// Of all that makes it this request.
    pub fingerprint: [u8; 32],
}

/// Whether a request is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nobody has asked for it before.
    New,
    /// It was carried out before.
    Answered(Answered),
    /// It is being carried out at this moment.
    UnderWay,
    /// The key is that of another request.
    Other,
}

/// Keeps what a request was answered.
#[derive(Debug, Clone)]
pub struct EndRequest {
    pub key: RequestKey,
    pub answered: Answered,
}

/// Gives the key of a request back that came to nothing.
#[derive(Debug, Clone)]
pub struct ForgetRequest(pub RequestKey);

/// Forgets the requests of which the memory is over.
#[derive(Debug, Clone)]
pub struct PurgeRequests;

impl Request for BeginRequest {
    type Reply = Begun;

    const ACTION: &'static str = "begin a request that may be repeated";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<Begun, Fault> {
        let RequestKey { caller, key } = &self.key;
        let (memory, longest) = (micros(MEMORY), micros(LONGEST));
        let fingerprint = self.fingerprint.as_slice();
        let row = session.find(BEGIN, &[caller, key, &fingerprint, &memory, &longest]).await?;
        // It was there when the key was to be taken, and is gone since: forgotten, or given back.
        let row = row.ok_or(Fault::Moved)?;
        if get(&row, "is_new")? {
            return Ok(Begun::New);
        }
        if !get::<bool>(&row, "is_same")? {
            return Ok(Begun::Other);
        }
        let Some(status) = get::<Option<i16>>(&row, "status")? else { return Ok(Begun::UnderWay) };
        let (media, body) = (get::<Option<String>>(&row, "media")?, get::<Option<Vec<u8>>>(&row, "body")?);
        let status = u16::try_from(status).unwrap_or_default();
        Ok(Begun::Answered(Answered { status, media: media.unwrap_or_default(), body: body.unwrap_or_default() }))
    }
}

impl Request for EndRequest {
    type Reply = ();

    const ACTION: &'static str = "keep an answer";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let (RequestKey { caller, key }, Answered { status, media, body }) = (&self.key, &self.answered);
        let status = i16::try_from(*status).unwrap_or(i16::MAX);
        session.execute(END, &[caller, key, &status, media, body]).await.map(drop)
    }
}

impl Request for ForgetRequest {
    type Reply = ();

    const ACTION: &'static str = "forget a request";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        session.execute(FORGET, &[&self.0.caller, &self.0.key]).await.map(drop)
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
