//! Problem documents (RFC 9457).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::conflict::Contender;
use crate::domain::pointer::Pointer;

/// Why a request was not carried out.
///
/// What stands after `code` is there only where the code's description in docs/api.md says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    /// Stable; a client may branch on it.
    pub code: String,
    /// Where in the request body the trouble is, as a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub place: Option<String>,
    /// The places that a later version changed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>)]
    pub pointers: Option<Vec<Pointer>>,
    /// The conflict as it stands now; absent if it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revision: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub contenders: Option<Vec<Contender>>,
    /// The state in which the work item is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub state: Option<super::work::WorkState>,
}
