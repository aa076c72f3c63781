//! What a person orders, and what came of it.

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api::describe::{self, Field};
use crate::domain::json::Json;

/// A resolution of a conflict: exactly one of the first four.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<String>,
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub absent: bool,
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub keep: bool,
    /// Default: the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
}

impl PartialSchema for Resolution {
    fn schema() -> RefOr<Schema> {
        let said = [("take", Field::Name), ("value", Field::Any), ("absent", Field::Truth), ("keep", Field::Truth)];
        describe::one_of(said.map(|said| describe::fields(&[said, ("revision", Field::Number)])))
    }
}

impl ToSchema for Resolution {}

/// Which version is to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    pub version: i64,
}

/// Whether an order has been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderState {
    /// Decided and recorded, as a version of the record.
    Applied,
    /// Stored as a work item, and not decided yet.
    Pending,
}

impl OrderState {
    /// Returns the word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
        }
    }
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderAnswer {
    pub state: OrderState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub record: Option<i64>,
    /// The record's version now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub version: Option<i64>,
    /// The work item that carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub work_item: Option<i64>,
    /// Why the first look failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<String>,
}
