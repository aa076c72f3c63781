//! Tokens, and the trail of what people did.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::actor::store::requests::access::{ActEnd, ActRow, TokenRow, Via};
use crate::api::describe;
use crate::domain::access::Grant;
use crate::domain::json::Json;
use crate::domain::name::EntityName;

/// A token that is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub name: String,
    /// `notify`, `view` or `operate`.
    pub role: String,
    /// The entities to which a token for notifications is limited; none: it is not.
    pub entities: Vec<String>,
    /// Likewise, the sources.
    pub sources: Vec<String>,
    /// Requests a second.
    pub rate: u32,
    /// RFC 3339 in UTC.
    pub created_at: String,
}

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Self {
        Self {
            name: row.name.to_string(),
            role: row.grant.role.to_string(),
            entities: row.grant.entities.iter().map(EntityName::to_string).collect(),
            sources: row.grant.sources.iter().map(ToString::to_string).collect(),
            rate: row.grant.rate,
            created_at: row.created_at,
        }
    }
}

/// A token to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    pub name: String,
    /// `notify`, `view` or `operate`.
    pub role: String,
    /// The entities to which a token for notifications is limited; none: to nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
    /// Likewise, the sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Requests a second; 10,000 where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
}

/// Only a token for notifications can be limited to entities and sources.
impl PartialSchema for NewToken {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let form = |roles: &[&str], most: Option<usize>| {
            let limits = || ArrayBuilder::new().items(text()).max_items(most);
            let rate = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .additional_properties(Some(AdditionalProperties::FreeForm(false)))
                .property("name", describe::name())
                .required("name")
                .property("role", text().enum_values(Some(roles.iter().copied())))
                .required("role")
                .property("entities", limits())
                .property("sources", limits())
                .property("rate", rate.maximum(Some(Grant::MAX_RATE)).description(Some("Requests a second.")))
                .into()
        };
        describe::one_of([form(&["notify"], None), form(&["view", "operate"], Some(0))])
    }
}

impl ToSchema for NewToken {}

/// A token that was made, with the text that nobody will see again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    pub name: String,
    pub role: String,
    pub entities: Vec<String>,
    pub sources: Vec<String>,
    pub rate: u32,
    /// RFC 3339 in UTC.
    pub created_at: String,
    /// What is sent with each request, as `Authorization: Bearer ...`.
    pub token: String,
}

impl MadeToken {
    /// Puts a token and its text together.
    pub(crate) fn new(made: Token, token: String) -> Self {
        let Token { name, role, entities, sources, rate, created_at } = made;
        Self { name, role, entities, sources, rate, created_at, token }
    }
}

/// Without the text.
impl fmt::Debug for MadeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeToken").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// The name of a token that is good no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevokedToken {
    pub name: String,
}

/// What a person did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Act {
    pub id: i64,
    /// RFC 3339 in UTC, as is `ended_at`.
    pub at: String,
    /// The name of the token, or of the user at the unix socket.
    pub who: String,
    /// `token` or `unix`.
    pub via: String,
    /// The user's number and the process's, at the unix socket.
    pub uid: Option<u32>,
    pub pid: Option<i32>,
    /// The address and port that it came from over TCP.
    pub peer: Option<String>,
    /// What was done: `resolve`, `undo`, `create-token`.
    pub act: String,
    /// The path that was asked.
    pub target: String,
    /// The request's body, where it had any; one that is no JSON as a string.
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub request: Option<Json>,
    /// `done`, `refused` or `failed`; `null` where it is not known: it is being done, or the daemon ended with it.
    pub outcome: Option<String>,
    /// The status of the answer, and its code if it was a problem.
    pub status: Option<u16>,
    pub code: Option<String>,
    pub ended_at: Option<String>,
}

impl From<ActRow> for Act {
    fn from(row: ActRow) -> Self {
        let (via, uid, pid, peer) = match row.act.via {
            Via::Token { peer } => ("token", None, None, Some(peer)),
            Via::Unix { uid, pid } => ("unix", uid, pid, None),
        };
        let (end, ended_at) = row.end.unzip();
        Self {
            id: row.id.0,
            at: row.at,
            who: row.act.who,
            via: via.to_owned(),
            uid,
            pid,
            peer,
            act: row.act.act,
            target: row.act.target,
            request: row.act.request.map(|text| Json::parse(text.as_bytes()).unwrap_or_else(|_| text.as_str().into())),
            outcome: end.as_ref().map(|end| outcome(end).to_owned()),
            status: end.as_ref().map(|end| end.status),
            code: end.and_then(|end| end.code),
            ended_at,
        }
    }
}

fn outcome(end: &ActEnd) -> &'static str {
    match end.status {
        ..400 => "done",
        400..500 => "refused",
        500.. => "failed",
    }
}
