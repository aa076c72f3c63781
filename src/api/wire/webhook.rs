//! Those who sign their notifications.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::actor::store::requests::webhook::WebhookRow;

/// A webhook, without what makes its signatures good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    pub name: String,
    /// RFC 3339 in UTC.
    pub created_at: String,
    /// Until when the secret before this one is good, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub former_till: Option<String>,
}

/// The name of a webhook that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub name: String,
}

/// A webhook with its secret, which is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeWebhook {
    pub name: String,
    pub created_at: String,
    /// Until when the secret before this one is good, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub former_till: Option<String>,
    /// For the sender: `whsec_` and base64.
    pub secret: String,
}

/// The name of a webhook that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedWebhook {
    pub name: String,
}

impl From<WebhookRow> for Webhook {
    fn from(row: WebhookRow) -> Self {
        Self { name: row.name.to_string(), created_at: row.created_at, former_till: row.former_till }
    }
}

impl MadeWebhook {
    pub(crate) fn new(row: WebhookRow, secret: String) -> Self {
        let Webhook { name, created_at, former_till } = row.into();
        Self { name, created_at, former_till, secret }
    }
}
