//! Writes of which nobody knows whether they took effect.

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::actor::store::requests::view::DoubtRow;
use crate::api::describe::{self, Field};
use crate::domain::json::Json;
use crate::domain::record;

/// A write in doubt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Doubt {
    pub id: i64,
    /// Its name for the source's program (`RETCON_OPERATION_ID`).
    pub operation: String,
    pub entity: String,
    /// The record's internal key.
    pub record: i64,
    pub source: String,
    /// `create` or `update`.
    pub kind: String,
    /// The key that it was sent to; `null` for a create.
    #[schema(required)]
    pub key: Option<String>,
    /// What it sent.
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub document: Option<Json>,
    /// When it was decided; RFC 3339 in UTC.
    pub since: String,
    pub attempts: i64,
    /// How its last attempt ended; `null` if nobody was there to see.
    #[schema(required)]
    pub last_error: Option<String>,
    /// What the program said then.
    #[schema(required)]
    pub output: Option<Output>,
    /// Unknown keys of the source that wait for it, the first hundred of them.
    pub waiting: Vec<String>,
}

/// What a program said at its end, so that a terminal can show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Output {
    pub exit: String,
    /// The first of it.
    pub stdout: String,
    /// The last of it.
    pub stderr: String,
}

/// A person's word on a doubt: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub absent: bool,
}

impl PartialSchema for Settlement {
    fn schema() -> RefOr<Schema> {
        let said = [("key", Field::Key), ("absent", Field::Truth)];
        describe::one_of(said.map(|said| describe::fields(&[said])))
    }
}

impl ToSchema for Settlement {}

impl From<DoubtRow> for Doubt {
    fn from(row: DoubtRow) -> Self {
        let kind = match row.kind {
            record::OperationKind::Create => "create",
            record::OperationKind::Update => "update",
            record::OperationKind::Delete => "delete",
        };
        Self {
            id: row.id.0,
            operation: row.operation.0.to_string(),
            entity: row.entity.to_string(),
            record: row.record.0,
            source: row.source.to_string(),
            kind: kind.to_owned(),
            key: row.key.map(|key| key.as_str().to_owned()),
            document: row.document,
            since: row.since,
            attempts: row.attempts,
            last_error: row.last_end,
            output: row.output.map(|record::Output { exit, stdout, stderr }| Output { exit, stdout, stderr }),
            waiting: row.waiting.iter().map(|key| key.as_str().to_owned()).collect(),
        }
    }
}
