//! Notifications and work items.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::actor::store::requests::queue::{Deed, Enqueued, Order};
use crate::actor::store::requests::view;
use crate::api::describe;

/// A hint that a copy may have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notification {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub entity: String,
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub source: String,
    #[schema(pattern = "^[A-Za-z0-9 .,_-]{1,1024}$")]
    pub key: String,
}

/// What an event holds of a copy; what else it holds is not read. Only its form is ever asked for.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "it is a form, and no value of it is made")]
pub(crate) struct EventData {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    entity: String,
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    source: String,
    #[schema(pattern = "^[A-Za-z0-9 .,_-]{1,1024}$")]
    key: String,
}

/// Many notifications, stored all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notifications {
    #[schema(max_items = 1000)]
    pub notifications: Vec<Notification>,
}

/// One notification, or many; only its form is ever asked for.
#[derive(Debug)]
pub(crate) struct NotificationForm;

impl PartialSchema for NotificationForm {
    fn schema() -> RefOr<Schema> {
        let [one, many] = [Notification::name(), Notifications::name()].map(|name| Ref::from_schema_name(name).into());
        // As Standard Webhooks has it, beside a type and a time.
        let data = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("type", ObjectBuilder::new().schema_type(Type::String))
            .property("timestamp", ObjectBuilder::new().schema_type(Type::String))
            .property("data", Ref::from_schema_name(EventData::name()))
            .required("data");
        describe::one_of([one, many, data.into()])
    }
}

impl ToSchema for NotificationForm {
    fn name() -> Cow<'static, str> {
        "NotificationBody".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Notification::name().into_owned(), Notification::schema()));
        schemas.push((Notifications::name().into_owned(), Notifications::schema()));
        schemas.push((EventData::name().into_owned(), EventData::schema()));
    }
}

/// What was stored, in the order of the notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    pub work_items: Vec<AcceptedItem>,
}

/// The work item that stands for one notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcceptedItem {
    pub id: i64,
    /// Whether the item was there already.
    pub coalesced: bool,
}

impl From<Vec<Enqueued>> for Accepted {
    fn from(enqueued: Vec<Enqueued>) -> Self {
        let item = |one: Enqueued| AcceptedItem { id: one.id.0, coalesced: one.coalesced };
        Self { work_items: enqueued.into_iter().map(item).collect() }
    }
}

/// The state of a work item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkState {
    Ready,
    Running,
    Waiting,
    Parked,
    Done,
}

impl WorkState {
    /// All states, in the order in which an item passes through them.
    pub const ALL: [Self; 5] = [Self::Ready, Self::Running, Self::Waiting, Self::Parked, Self::Done];

    /// Returns the word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Done => "done",
        }
    }
}

impl fmt::Display for WorkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no state of a work item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a work item is ready, running, waiting, parked or done, never {0:?}")]
pub struct InvalidWorkState(String);

impl FromStr for WorkState {
    type Err = InvalidWorkState;

    fn from_str(text: &str) -> Result<Self, InvalidWorkState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| InvalidWorkState(text.to_owned()))
    }
}

impl From<view::WorkState> for WorkState {
    fn from(state: view::WorkState) -> Self {
        match state {
            view::WorkState::Ready => Self::Ready,
            view::WorkState::Running => Self::Running,
            view::WorkState::Waiting => Self::Waiting,
            view::WorkState::Parked => Self::Parked,
            view::WorkState::Done => Self::Done,
        }
    }
}

impl From<WorkState> for view::WorkState {
    fn from(state: WorkState) -> Self {
        match state {
            WorkState::Ready => Self::Ready,
            WorkState::Running => Self::Running,
            WorkState::Waiting => Self::Waiting,
            WorkState::Parked => Self::Parked,
            WorkState::Done => Self::Done,
        }
    }
}

/// A durable entry of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkItem {
    pub id: i64,
    pub entity: String,
    /// `null` where a record is to be looked at.
    #[schema(required)]
    pub source: Option<String>,
    #[schema(required)]
    pub key: Option<String>,
    /// The record, where it is known.
    #[schema(required)]
    pub record: Option<i64>,
    pub state: WorkState,
    pub attempts: i64,
    /// RFC 3339 in UTC; `null` while it waits for a source that is down.
    #[schema(required)]
    pub due_at: Option<String>,
    #[schema(required)]
    pub last_error: Option<String>,
    #[schema(required)]
    pub outcome: Option<String>,
    /// The sources that are down and that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<String>,
    /// The item whose look serves this one too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub coalesced_into: Option<i64>,
    /// What a person has ordered and is not decided yet: `resolve` or `undo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub order: Option<String>,
}

impl From<view::WorkItemRow> for WorkItem {
    fn from(row: view::WorkItemRow) -> Self {
        let (source, key) = row.copy.map(|(source, key)| (source.to_string(), key.to_string())).unzip();
        let order = row.order.map(|order| match order {
            Order::Resolve { .. } | Order::AsShown { deed: Deed::Resolve(_), .. } => "resolve".to_owned(),
            Order::Undo { .. } | Order::AsShown { deed: Deed::Undo { .. }, .. } => "undo".to_owned(),
            Order::Settle { .. } => "settle".to_owned(),
        });
        Self {
            id: row.id.0,
            entity: row.entity.to_string(),
            source,
            key,
            record: row.record.map(|record| record.0),
            state: row.state.into(),
            attempts: row.attempts,
            due_at: row.due_at,
            last_error: row.last_error,
            outcome: row.outcome,
            blocked_by: row.blocked_by.iter().map(ToString::to_string).collect(),
            coalesced_into: row.coalesced_into.map(|item| item.0),
            order,
        }
    }
}
