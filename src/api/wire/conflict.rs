//! Conflicts, and the values in them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::actor::store::requests::view::ConflictRow;
use crate::domain::json::Json;
use crate::domain::merge;
use crate::domain::pointer::Pointer;

/// An open conflict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    pub id: i64,
    /// Grows with every change of the contenders.
    pub revision: i64,
    pub entity: String,
    pub record: i64,
    #[schema(value_type = String)]
    pub path: Pointer,
    pub kind: String,
    /// Absent where the agreed document has nothing there.
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub agreed: Option<Json>,
    pub contenders: Vec<Contender>,
    /// RFC 3339 in UTC.
    pub opened_at: String,
}

/// A value for which sources stand, or their absence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Contender {
    pub sources: Vec<String>,
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub value: Option<Json>,
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub absent: bool,
}

/// A conflict that was open when a version was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PastConflict {
    #[schema(value_type = String)]
    pub path: Pointer,
    pub kind: String,
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub agreed: Option<Json>,
    pub contenders: Vec<Contender>,
}

/// Returns the word for a kind of conflict.
fn word(kind: merge::ConflictKind) -> String {
    match kind {
        merge::ConflictKind::EditEdit => "edit-edit",
        merge::ConflictKind::EditDelete => "edit-delete",
        merge::ConflictKind::Held => "held",
        merge::ConflictKind::Match => "match",
        merge::ConflictKind::Schema => "schema",
        merge::ConflictKind::Oscillation => "oscillation",
    }
    .to_owned()
}

impl From<merge::Contender> for Contender {
    fn from(contender: merge::Contender) -> Self {
        let sources = contender.sources.iter().map(ToString::to_string).collect();
        Self { sources, absent: contender.value.is_none(), value: contender.value }
    }
}

impl From<ConflictRow> for Conflict {
    fn from(row: ConflictRow) -> Self {
        Self {
            id: row.id,
            revision: row.revision,
            entity: row.entity.to_string(),
            record: row.record.0,
            path: row.conflict.path,
            kind: word(row.conflict.kind),
            agreed: row.conflict.agreed,
            contenders: row.conflict.contenders.into_iter().map(Contender::from).collect(),
            opened_at: row.opened_at,
        }
    }
}

impl From<merge::Conflict> for PastConflict {
    fn from(conflict: merge::Conflict) -> Self {
        Self {
            path: conflict.path,
            kind: word(conflict.kind),
            agreed: conflict.agreed,
            contenders: conflict.contenders.into_iter().map(Contender::from).collect(),
        }
    }
}
