//! What the end of an invocation means: the table of docs/data-sources.md, "What an end means", and nothing else.

use sha2::{Digest, Sha256};

use crate::domain::json::Json;
use crate::domain::key::ForeignKey;
use crate::points::{self, Mistake, planted};

use super::super::lock::LockError;
use super::super::process::Exit;
use super::output::{BadKey, parse_key, parse_keys};

/// What a read's end means. Each reason is for a person and names what was wrong and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadEnd {
    Document {
        document: Json,
        /// Of the bytes as printed, white space included.
        sha256: [u8; 32],
    },
    /// The copy does not exist (exit 2).
    Missing(String),
    /// The source could not be asked (exit 1, time-out, cancelled): no evidence of anything.
    Unreachable(String),
    /// The answer is none that the contract allows, or the program cannot be started.
    Broken(String),
}

/// What the end of a create, update or delete means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteEnd {
    Done {
        /// The key of what was created, or the different key of what was updated.
        key: Option<ForeignKey>,
    },
    /// Exit 1: whatever the program says, it may have taken effect.
    Unreachable(String),
    /// Exit 2 of an update: read again and see.
    Missing(String),
    /// Exit 3: the system refused it.
    Rejected(String),
    /// An update or delete with an end of no meaning: read again and see.
    Unknown(String),
    /// It may have taken effect, and no reading under a known key can tell.
    InDoubt(String),
    /// The program never ran.
    NotStarted(String),
    /// The configuration has no command for it.
    Unsupported(String),
}

/// What a find's end means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindEnd {
    /// The keys of the items that are equal to the document; perhaps none.
    Keys(Vec<ForeignKey>),
    Unreachable(String),
    Broken(String),
    /// The configuration has no command for it.
    Unsupported(String),
}

/// What a list's end means. Only [`ListEnd::Done`] says that the keys handed over were all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListEnd {
    Done,
    /// Whoever took the keys wanted no more.
    Stopped,
    Unreachable(String),
    Broken(String),
    /// The configuration has no command for it.
    Unsupported(String),
}

/// An end that was read, and what is to be complained of: the reason in the end, or what was overlooked in a good one.
pub(super) struct Verdict<E> {
    pub(super) end: E,
    pub(super) complaint: Option<String>,
}

/// What is known of a process that has ended.
pub(super) struct Facts<'a> {
    pub(super) exit: &'a Exit,
    pub(super) stdout: &'a [u8],
    /// For a person: how it ended, with the last line of its stderr.
    pub(super) reason: String,
}

pub(super) fn read(facts: Facts<'_>) -> Verdict<ReadEnd> {
    match facts.exit {
        Exit::Status(1) if planted(Mistake::DeleteOnExit1) => bad(ReadEnd::Missing, facts.reason),
        Exit::Status(0) => match Json::parse(&points::printed(facts.stdout)) {
            Ok(document) => good(ReadEnd::Document { document, sha256: Sha256::digest(facts.stdout).into() }),
            Err(error) => bad(ReadEnd::Broken, format!("the program printed no good document: {error}")),
        },
        Exit::Status(1) | Exit::TimedOut | Exit::Cancelled | Exit::NoRoom(_) => bad(ReadEnd::Unreachable, facts.reason),
        Exit::Status(2) => bad(ReadEnd::Missing, facts.reason),
        Exit::Status(_) | Exit::Signal(_) | Exit::Flooded | Exit::Lost | Exit::NotStarted(_) => {
            bad(ReadEnd::Broken, facts.reason)
        }
    }
}

pub(super) fn create(facts: Facts<'_>) -> Verdict<WriteEnd> {
    match facts.exit {
        Exit::Status(0) => match parse_key(facts.stdout) {
            Ok(key) => good(WriteEnd::Done { key: Some(key) }),
            Err(error) => bad(WriteEnd::InDoubt, format!("the program printed no good key: {error}")),
        },
        Exit::Status(1) => bad(WriteEnd::Unreachable, facts.reason),
        Exit::Status(3) => bad(WriteEnd::Rejected, facts.reason),
        Exit::NotStarted(_) | Exit::NoRoom(_) => bad(WriteEnd::NotStarted, facts.reason),
        Exit::Status(_) | Exit::Signal(_) | Exit::Flooded | Exit::TimedOut | Exit::Cancelled | Exit::Lost => {
            bad(WriteEnd::InDoubt, facts.reason)
        }
    }
}

/// Reads the end of an update of the copy under `old`.
pub(super) fn update(old: &ForeignKey, facts: Facts<'_>) -> Verdict<WriteEnd> {
    match facts.exit {
        Exit::Status(0) => match parse_key(facts.stdout) {
            Err(BadKey::Nothing) => good(WriteEnd::Done { key: None }),
            Ok(key) => good(WriteEnd::Done { key: Some(key).filter(|key| key != old) }),
            Err(error) => bad(WriteEnd::InDoubt, format!("the program printed no good key: {error}")),
        },
        Exit::Status(1) if planted(Mistake::BelieveFailedUpdate) => good(WriteEnd::Done { key: None }),
        Exit::Status(1) => bad(WriteEnd::Unreachable, facts.reason),
        Exit::Status(2) => bad(WriteEnd::Missing, facts.reason),
        Exit::Status(3) => bad(WriteEnd::Rejected, facts.reason),
        Exit::NotStarted(_) | Exit::NoRoom(_) => bad(WriteEnd::NotStarted, facts.reason),
        Exit::Status(_) | Exit::Signal(_) | Exit::Flooded | Exit::TimedOut | Exit::Cancelled | Exit::Lost => {
            bad(WriteEnd::Unknown, facts.reason)
        }
    }
}

pub(super) fn delete(facts: Facts<'_>) -> Verdict<WriteEnd> {
    let done = WriteEnd::Done { key: None };
    match facts.exit {
        Exit::Status(0) => match std::str::from_utf8(facts.stdout) {
            Ok(_) => good(done),
            Err(error) => Verdict { end: done, complaint: Some(format!("the program printed no text: {error}")) },
        },
        Exit::Status(2) => Verdict { end: done, complaint: Some(facts.reason) },
        Exit::Status(1) => bad(WriteEnd::Unreachable, facts.reason),
        Exit::Status(3) => bad(WriteEnd::Rejected, facts.reason),
        Exit::NotStarted(_) | Exit::NoRoom(_) => bad(WriteEnd::NotStarted, facts.reason),
        Exit::Status(_) | Exit::Signal(_) | Exit::Flooded | Exit::TimedOut | Exit::Cancelled | Exit::Lost => {
            bad(WriteEnd::Unknown, facts.reason)
        }
    }
}

pub(super) fn find(facts: Facts<'_>) -> Verdict<FindEnd> {
    match facts.exit {
        Exit::Status(0) => match parse_keys(facts.stdout) {
            Ok(keys) => good(FindEnd::Keys(keys)),
            Err(error) => bad(FindEnd::Broken, format!("the program printed no good key: {error}")),
        },
        Exit::Status(1) | Exit::TimedOut | Exit::Cancelled | Exit::NoRoom(_) => bad(FindEnd::Unreachable, facts.reason),
        Exit::Status(_) | Exit::Signal(_) | Exit::Flooded | Exit::Lost | Exit::NotStarted(_) => {
            bad(FindEnd::Broken, facts.reason)
        }
    }
}

/// Reads the end of a list whose keys have been handed over; `trouble` is why that was stopped.
pub(super) fn list(trouble: Option<BadKey>, facts: Facts<'_>) -> Verdict<ListEnd> {
    match (trouble, facts.exit) {
        (Some(BadKey::Unwanted), _) => good(ListEnd::Stopped),
        (Some(error), Exit::Flooded | Exit::Status(0)) => {
            bad(ListEnd::Broken, format!("the program printed no good key: {error}"))
        }
        (None, Exit::Status(0)) => good(ListEnd::Done),
        (_, Exit::Status(1) | Exit::TimedOut | Exit::Cancelled | Exit::NoRoom(_)) => {
            bad(ListEnd::Unreachable, facts.reason)
        }
        (_, Exit::Status(_) | Exit::Signal(_) | Exit::Flooded | Exit::Lost | Exit::NotStarted(_)) => {
            bad(ListEnd::Broken, facts.reason)
        }
    }
}

fn good<E>(end: E) -> Verdict<E> {
    Verdict { end, complaint: None }
}

fn bad<E>(end: impl FnOnce(String) -> E, reason: String) -> Verdict<E> {
    Verdict { end: end(reason.clone()), complaint: Some(reason) }
}

impl WriteEnd {
    /// Tells whether the attempt may have taken effect, so that a copy found missing afterwards is in doubt.
    pub fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::Done { .. } | Self::Unreachable(_) | Self::Unknown(_) | Self::InDoubt(_) => true,
            Self::Missing(_) | Self::Rejected(_) | Self::NotStarted(_) | Self::Unsupported(_) => false,
        }
    }
}

/// Nothing ran: unreachable if the wait was cancelled, as if the time were up, or if the machine has no room; else broken.
impl From<&LockError> for ReadEnd {
    fn from(error: &LockError) -> Self {
        match error {
            LockError::Cancelled => Self::Unreachable(error.to_string()),
            _ if error.is_shortage() => Self::Unreachable(error.with_cause()),
            LockError::Directory { .. } | LockError::File { .. } => Self::Broken(error.with_cause()),
        }
    }
}

/// Nothing ran.
impl From<&LockError> for WriteEnd {
    fn from(error: &LockError) -> Self {
        Self::NotStarted(error.with_cause())
    }
}

/// Nothing ran: unreachable if the wait was cancelled, as if the time were up; else broken.
impl From<&LockError> for FindEnd {
    fn from(error: &LockError) -> Self {
        match error {
            LockError::Cancelled => Self::Unreachable(error.to_string()),
            LockError::Directory { .. } | LockError::File { .. } => Self::Broken(error.with_cause()),
        }
    }
}
