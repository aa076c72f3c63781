//! Records: the list, one of them, its history, and where its values come from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::conflict::{Conflict, PastConflict};
use crate::actor::store::requests::view::{RecordRow, RecordView};
use crate::domain::history::Version;
use crate::domain::json::Json;
use crate::domain::merge::{Change, Overruled};
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::record::{self, LinkState, OpenOperation, OperationState};

/// Whether a record exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordState {
    Live,
    Deleted,
}

impl From<record::RecordState> for RecordState {
    fn from(state: record::RecordState) -> Self {
        match state {
            record::RecordState::Live => Self::Live,
            record::RecordState::Deleted => Self::Deleted,
        }
    }
}

impl RecordState {
    /// Returns the word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Deleted => "deleted",
        }
    }
}

/// A row of the list of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordSummary {
    pub entity: String,
    pub id: i64,
    pub state: RecordState,
    pub version: i64,
    pub links: Vec<LinkSummary>,
    /// The number of open conflicts.
    pub conflicts: i64,
}

/// A copy, by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkSummary {
    pub source: String,
    pub key: String,
}

impl RecordSummary {
    pub(crate) fn new(entity: &str, row: RecordRow) -> Self {
        let link =
            |(source, key): (SourceName, _)| LinkSummary { source: source.to_string(), key: ToString::to_string(&key) };
        Self {
            entity: entity.to_owned(),
            id: row.record.id.0,
            state: row.record.state.into(),
            version: row.record.version,
            links: row.links.into_iter().map(|(source, key)| link((source, key))).collect(),
            conflicts: row.conflicts,
        }
    }
}

/// One record, with all that is known of its copies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Record {
    pub entity: String,
    pub id: i64,
    pub state: RecordState,
    pub version: i64,
    /// Absent as long as nothing was ever agreed. Of a deleted record: what was agreed last.
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub agreed: Option<Json>,
    pub links: Vec<Link>,
    pub conflicts: Vec<Conflict>,
}

/// How one source stands to the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    pub source: String,
    #[schema(required)]
    pub key: Option<String>,
    /// `linked`, `unlinked`, `detached` or `in-doubt`.
    pub state: String,
    /// What the copy is known to hold; absent where nothing is.
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub shadow: Option<Json>,
    pub in_step: bool,
    #[schema(required)]
    pub last_error: Option<String>,
    /// Its former keys, by which late notifications still find the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_keys: Vec<String>,
}

impl Record {
    /// Shows a record; `sources` are those that its entity has now, each of which gets its line.
    pub(crate) fn new(entity: &str, view: RecordView, sources: &[SourceName], conflicts: Vec<Conflict>) -> Self {
        let RecordView { known, mut former_keys } = view;
        let mut links: BTreeMap<SourceName, Option<record::Link>> =
            sources.iter().map(|name| (name.clone(), None)).collect();
        links.extend(known.links.into_iter().map(|(name, link)| (name, Some(link))));
        let link = |(source, link): (SourceName, Option<record::Link>)| {
            let former = former_keys.remove(&source).unwrap_or_default();
            Link::new(&source, link, former.iter().map(ToString::to_string).collect())
        };
        Self {
            entity: entity.to_owned(),
            id: known.record.id.0,
            state: known.record.state.into(),
            version: known.record.version,
            agreed: known.record.agreed,
            links: links.into_iter().map(link).collect(),
            conflicts,
        }
    }
}

impl Link {
    fn new(source: &SourceName, link: Option<record::Link>, former_keys: Vec<String>) -> Self {
        let source = source.to_string();
        let Some(link) = link else {
            let state = LinkWord::Unlinked.as_str().to_owned();
            return Self { source, key: None, state, shadow: None, in_step: false, last_error: None, former_keys };
        };
        Self {
            source,
            state: LinkWord::of(link.state, link.open.as_ref()).as_str().to_owned(),
            key: link.key.map(|key| key.to_string()),
            shadow: link.base.shadow,
            in_step: link.in_step,
            last_error: link.last_error,
            former_keys,
        }
    }
}

/// How a link is called on the wire.
enum LinkWord {
    Linked,
    Unlinked,
    Detached,
    InDoubt,
}

impl LinkWord {
    /// A copy whose write is in doubt is that before it is anything else.
    fn of(state: LinkState, open: Option<&OpenOperation>) -> Self {
        match (open.map(|operation| operation.state), state) {
            (Some(OperationState::InDoubt), _) => Self::InDoubt,
            (Some(OperationState::InFlight | OperationState::Open) | None, LinkState::Linked) => Self::Linked,
            (Some(OperationState::InFlight | OperationState::Open) | None, LinkState::Unlinked) => Self::Unlinked,
            (Some(OperationState::InFlight | OperationState::Open) | None, LinkState::Detached) => Self::Detached,
        }
    }

    fn as_str(&self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Unlinked => "unlinked",
            Self::Detached => "detached",
            Self::InDoubt => "in-doubt",
        }
    }
}

/// One version of a record, and what made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryItem {
    pub version: i64,
    /// RFC 3339 in UTC.
    pub at: String,
    pub state: RecordState,
    #[schema(value_type = Value)]
    pub cause: Json,
    pub patch: Vec<PatchEntry>,
    pub conflicts: Vec<PastConflict>,
    pub overruled: Vec<OverruledValue>,
}

impl From<Version> for HistoryItem {
    fn from(version: Version) -> Self {
        Self {
            version: version.version,
            at: version.at,
            state: version.state.into(),
            cause: version.cause,
            patch: version.changes.into_iter().map(PatchEntry::from).collect(),
            conflicts: version.conflicts.into_iter().map(PastConflict::from).collect(),
            overruled: version.overruled.into_iter().map(OverruledValue::from).collect(),
        }
    }
}

/// One step from one agreed document to the next, in the form of RFC 6902.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PatchEntry {
    /// `add`, `replace` or `remove`.
    pub op: String,
    #[schema(value_type = String)]
    pub path: Pointer,
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub value: Option<Json>,
    /// The sources whose news it was; empty for a person's value.
    pub sources: Vec<String>,
}

impl From<Change> for PatchEntry {
    fn from(change: Change) -> Self {
        let op = match (&change.before, &change.after) {
            (None, _) => "add",
            (Some(_), Some(_)) => "replace",
            (Some(_), None) => "remove",
        };
        let sources = change.sources.iter().map(ToString::to_string).collect();
        Self { op: op.to_owned(), path: change.path, value: change.after, sources }
    }
}

/// A value that lost, and whose it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OverruledValue {
    #[schema(value_type = String)]
    pub path: Pointer,
    pub source: String,
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub value: Option<Json>,
    /// It had removed what stood there.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub absent: bool,
}

impl From<Overruled> for OverruledValue {
    fn from(lost: Overruled) -> Self {
        Self { path: lost.path, source: lost.source.to_string(), absent: lost.value.is_none(), value: lost.value }
    }
}
