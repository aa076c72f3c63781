//! Who may use the API over TCP, and what people did with it.

mod audit;
mod sessions;
pub(super) mod tokens;

use std::time::Duration;

use crate::domain::access::{Grant, SessionHash, TokenHash};
use crate::domain::name::TokenName;

pub(super) use audit::act_row;

/// Lists every token that is good, by number: there are few.
#[derive(Debug, Clone)]
pub struct ListTokens;

/// A token as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub id: i64,
    pub name: TokenName,
    pub hash: TokenHash,
    pub grant: Grant,
    /// RFC 3339 in UTC.
    pub created_at: String,
}

/// Makes a token good. Gives `None` if another one has its name, which is left as it is.
#[derive(Debug, Clone)]
pub struct CreateToken {
    pub name: TokenName,
    pub hash: TokenHash,
    pub grant: Grant,
}

/// Ends a token; its name is free again. Gives `false` if there is none of this name.
#[derive(Debug, Clone)]
pub struct RevokeToken {
    pub name: TokenName,
}

/// Signs a browser in with a token. Gives `false` if the token has ended meanwhile.
#[derive(Debug, Clone)]
pub struct OpenSession {
    pub hash: SessionHash,
    /// The number of the token.
    pub token: i64,
    /// How long it may last.
    pub life: Duration,
    /// How long it may last without being used; others that are over by that are forgotten.
    pub idle: Duration,
}

/// Finds a session, also one that is over and not forgotten yet.
#[derive(Debug, Clone)]
pub struct FindSession(pub SessionHash);

/// A session as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The number of its token.
    pub token: i64,
    /// How much longer it may last.
    pub left: Duration,
    /// Since when nobody has done anything in it, to the minute.
    pub idle: Duration,
}

/// Records that somebody does something in a session.
#[derive(Debug, Clone)]
pub struct TouchSession(pub SessionHash);

/// Ends a session, if there is such a one.
#[derive(Debug, Clone)]
pub struct CloseSession(pub SessionHash);

/// How somebody came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Over TCP, from this address, with a token.
    Token { peer: String },
    /// By the unix socket, as the process and the user that the kernel named, if it did.
    Unix { uid: Option<u32>, pid: Option<i32> },
}

/// What a person is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The token's name, or the user's.
    pub who: String,
    pub via: Via,
    /// Its name: `resolve`, `undo`.
    pub act: String,
    /// The path that was asked.
    pub target: String,
    /// The request's body, if it had any.
    pub request: Option<String>,
}

/// The number of an act in the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActId(pub i64);

/// Enters an act before it is done.
#[derive(Debug, Clone)]
pub struct BeginAct(pub Act);

/// Records what came of an act; what was recorded before stays.
#[derive(Debug, Clone)]
pub struct EndAct {
    pub id: ActId,
    pub end: ActEnd,
}

/// What came of an act: the answer's status, and the problem's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActEnd {
    pub status: u16,
    pub code: Option<String>,
}

/// Lists what people did, the latest first: below the number `after`, or from the latest if that is 0.
#[derive(Debug, Clone)]
pub struct ListActs {
    pub after: i64,
    pub limit: i64,
}

/// An entry of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActRow {
    pub id: ActId,
    /// RFC 3339 in UTC, as is `ended_at`.
    pub at: String,
    pub act: Act,
    /// `None` as long as nothing is known: it is being done, or the daemon died with it.
    pub end: Option<(ActEnd, String)>,
}
