//! Who may ask what: the connection that a request came by, the token that it came with, and the trail of what was done.
//!
//! Over the unix socket everybody who could open it may do everything. Over TCP nobody may do anything without a token, whose
//! role each method of each path names. A browser signs in with it once, and then comes with a cookie.

mod allowance;
mod attempts;
mod audit;
mod caller;
mod cookie;
mod guard;
mod names;
mod sessions;
mod signers;
mod tokens;

pub use sessions::Sessions;
pub use signers::Signers;
pub use tokens::Tokens;

pub(super) use attempts::Failure;
pub(super) use audit::{enter, enter_refused, record};
pub(super) use caller::{Caller, Connection, Peer};
pub(super) use cookie::{Road, Ticket};
pub(super) use guard::{Guard, admit};
pub(super) use sessions::Session;
pub(super) use signers::KnownSigner;
