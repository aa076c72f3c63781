//! A document that may be absent: an absent member is `None`, and `null` is a document.

use serde::{Deserialize, Deserializer};

use crate::domain::json::Json;

/// Reads a member that is there; where it may be absent, `#[serde(default)]` gives `None`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}
