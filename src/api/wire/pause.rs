//! What is paused.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether an entity, or one of its sources, is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Paused {
    pub entity: String,
    /// `null`: the entity itself.
    #[schema(required)]
    pub source: Option<String>,
    pub paused: bool,
}
