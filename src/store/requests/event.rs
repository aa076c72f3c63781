//! What has happened: told in the transaction in which it happens, numbered when that is committed, and read in that order.

mod publish;
mod read;
mod reader;
mod tell;

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::event::EventKind;
use crate::domain::json::{Json, Object};
use crate::domain::key::InternalKey;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::number::Number;

use super::lease::DaemonId;

/// Gives numbers to events that are committed and have none, at most a thousand; says whether there may be more.
///
/// Daemons take turns. What was committed before this was asked has its number afterwards, or there may be more.
#[derive(Debug, Clone)]
pub struct PublishEvents;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The number that was given last, by whichever daemon.
    pub last: i64,
    pub has_more: bool,
}

/// Lists events by number, after one and up to another.
#[derive(Debug, Clone)]
pub struct ListEvents {
    pub after: i64,
    pub up_to: i64,
    pub limit: i64,
    pub filter: EventFilter,
}

/// Which events somebody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// `None`: whatever they are about.
    pub entity: Option<EntityName>,
    /// Empty: all.
    pub kinds: Vec<EventKind>,
}

impl EventFilter {
    /// Tells whether an event is wanted.
    pub fn wants(&self, event: &EventRow) -> bool {
        self.entity.as_ref().is_none_or(|entity| event.entity.as_ref() == Some(entity))
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
    }
}

/// An event as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    pub number: i64,
    /// RFC 3339 in UTC.
    pub at: String,
    pub kind: EventKind,
    pub entity: Option<EntityName>,
    pub source: Option<SourceName>,
    pub record: Option<InternalKey>,
    pub details: Json,
}

impl EventRow {
    /// Returns it as programs and people are told it; what it is not about is left out.
    pub fn to_json(&self) -> Json {
        let text = |text: &str| Json::String(text.into());
        let mut members = Object::from([
            ("id".into(), Json::Number(Number::from(self.number))),
            ("kind".into(), text(self.kind.as_str())),
            ("at".into(), text(&self.at)),
            ("details".into(), self.details.clone()),
        ]);
        let entity = self.entity.as_ref().map(|entity| text(entity.as_str()));
        let source = self.source.as_ref().map(|source| text(source.as_str()));
        let record = self.record.map(|InternalKey(id)| Json::Number(Number::from(id)));
        for (name, value) in [("entity", entity), ("source", source), ("record", record)] {
            members.extend(value.map(|value| (name.into(), value)));
        }
        Json::Object(members)
    }
}

/// Finds which events are kept.
#[derive(Debug, Clone)]
pub struct FindEventBounds;

/// Which events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventBounds {
    /// The first number; `None` if none is kept.
    pub oldest: Option<i64>,
    /// The number that was given last.
    pub last: i64,
}

/// Tells of what has happened to this daemon and is in no other table. Sent twice, it is told twice.
#[derive(Debug, Clone)]
pub struct TellEvents {
    pub events: Vec<NewEvent>,
}

/// An event that is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub at: Timestamp,
    pub kind: EventKind,
    pub entity: Option<EntityName>,
    pub source: Option<SourceName>,
    /// An object.
    pub details: Json,
}

/// Removes events that are older, a thousand at a time. Gives their number.
#[derive(Debug, Clone)]
pub struct PurgeEvents {
    pub older_than: Duration,
}

/// Reads events for all daemons under this name for a time, unless another daemon does. Gives how far they were read; the
/// first begins with what happens from now on. Asked again, it prolongs the time.
#[derive(Debug, Clone)]
pub struct TakeReader {
    pub name: &'static str,
    pub daemon: DaemonId,
    /// One that is known to be dead.
    pub former: Option<DaemonId>,
    pub term: Duration,
}

/// Records how far they were read.
#[derive(Debug, Clone)]
pub struct AdvanceReader {
    pub name: &'static str,
    pub daemon: DaemonId,
    pub position: i64,
}

/// Leaves it to other daemons.
#[derive(Debug, Clone)]
pub struct LeaveReader {
    pub name: &'static str,
    pub daemon: DaemonId,
}
