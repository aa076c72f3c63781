//! Deletions that are held.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::actor::store::requests::view::{self, DeleteRow};

/// A deletion that `max_deletes` holds for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delete {
    pub id: i64,
    pub entity: String,
    pub record: i64,
    /// The source at which the record's copy is missing.
    pub source: String,
    /// The key of that copy.
    pub key: String,
    /// When it was held; RFC 3339 in UTC.
    pub since: String,
}

impl From<DeleteRow> for Delete {
    fn from(row: DeleteRow) -> Self {
        Self {
            id: row.id,
            entity: row.entity.to_string(),
            record: row.record.0,
            source: row.source.to_string(),
            key: row.key.to_string(),
            since: row.held_at,
        }
    }
}

/// Whose deletions are approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub entity: String,
}

/// What was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approved {
    /// The number of deletions.
    pub approved: u64,
    /// The looks by which they are carried out, where the copies are still missing.
    pub work_items: Vec<i64>,
}

impl From<view::Approved> for Approved {
    fn from(approved: view::Approved) -> Self {
        Self { approved: approved.deletes, work_items: approved.items.iter().map(|item| item.0).collect() }
    }
}
