//! Those who sign their notifications.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::actor::store::requests::webhook::WebhookRow;

/// A webhook, without what makes its signatures good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    pub name: String,
    /// The entities of which it may tell; none: all.
    pub entities: Vec<String>,
    /// Likewise, the sources.
    pub sources: Vec<String>,
    /// Requests a second.
    pub rate: u32,
    /// RFC 3339 in UTC.
    pub created_at: String,
    /// Until when the secret before this one is good, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub former_till: Option<String>,
}

/// A webhook that is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub name: String,
    /// The entities of which it may tell; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
    /// Likewise, the sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Requests a second; 10,000 where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32, minimum = 1, maximum = 1_000_000)]
    pub rate: Option<u32>,
}

/// A webhook with its secret, which is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeWebhook {
    pub name: String,
    /// The entities of which it may tell; none: all.
    pub entities: Vec<String>,
    /// Likewise, the sources.
    pub sources: Vec<String>,
    /// Requests a second.
    pub rate: u32,
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
        let WebhookRow { id: _, name, grant, created_at, former_till } = row;
        Self {
            name: name.to_string(),
            entities: grant.entities.iter().map(ToString::to_string).collect(),
            sources: grant.sources.iter().map(ToString::to_string).collect(),
            rate: grant.rate,
            created_at,
            former_till,
        }
    }
}

impl MadeWebhook {
    pub(crate) fn new(row: WebhookRow, secret: String) -> Self {
        let Webhook { name, entities, sources, rate, created_at, former_till } = row.into();
        Self { name, entities, sources, rate, created_at, former_till, secret }
    }
}
