//! Who asks.

use std::fs;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::tokens::Bearer;
use crate::actor::store::requests::access::Via;
use crate::api::problem::{Code, Refused};
use crate::domain::name::{EntityName, SourceName};

/// How a connection was made.
#[derive(Debug, Clone)]
pub(in crate::api) enum Connection {
    /// To the unix socket.
    Unix(Peer),
    /// Over TCP, with both its ends.
    Tcp { peer: SocketAddr, local: SocketAddr },
}

/// The process at the other end of the unix socket, as the kernel names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) struct Peer {
    pub(in crate::api) uid: Option<u32>,
    pub(in crate::api) pid: Option<i32>,
}

/// Who asks, once it is known.
#[derive(Debug, Clone)]
pub(in crate::api) enum Caller {
    /// Whoever may open the unix socket may do everything.
    Owner(Peer),
    /// The bearer of a token, from this address.
    Bearer(Arc<Bearer>, SocketAddr),
    /// Nobody knows, and nobody need know.
    Anybody,
}

impl Caller {
    /// Refuses a notification that the caller's token does not cover.
    pub(in crate::api) fn may_notify(&self, entity: &EntityName, source: &SourceName) -> Result<(), Refused> {
        match self {
            Self::Owner(_) => Ok(()),
            Self::Bearer(bearer, _) if bearer.grant.covers(entity, source) => Ok(()),
            Self::Bearer(..) => {
                Err(Refused::new(Code::Forbidden, format_args!("the token does not cover {source} of {entity}")))
            }
            Self::Anybody => Err(Refused::new(Code::Unauthorized, "nobody has said who sends this notification")),
        }
    }

    /// Names the caller for the audit trail, and how they came; `None` if nobody knows.
    pub(in crate::api) fn name(&self) -> Option<(String, Via)> {
        match self {
            Self::Owner(Peer { uid, pid }) => Some((user(*uid), Via::Unix { uid: *uid, pid: *pid })),
            Self::Bearer(bearer, peer) => Some((bearer.name.to_string(), Via::Token { peer: peer.to_string() })),
            Self::Anybody => None,
        }
    }
}

impl FromRequest for Caller {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Self>().cloned();
        ready(known.ok_or_else(|| Refused::new(Code::Unauthorized, "nobody knows who asks")))
    }
}

/// Names a user; one whom this machine's list of users does not have, by the number.
fn user(uid: Option<u32>) -> String {
    let Some(uid) = uid else { return "unknown".to_owned() };
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&users, uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

fn name_in(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_the_list_of_users() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\n\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(name_in(users, 0), Some("root"));
        assert_eq!(name_in(users, 1000), Some("ann"));
        assert_eq!(name_in(users, 100), None);
    }
}
