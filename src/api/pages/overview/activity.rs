//! What happened lately, in sentences.

use super::When;
use crate::actor::store::requests::event::EventRow;
use crate::domain::event::EventKind;

/// Something that happened.
pub(super) struct Happened {
    at: String,
    pub(super) text: String,
    /// Where more is to be seen.
    pub(super) path: Option<String>,
    /// For the style sheet: how good it is.
    pub(super) tone: &'static str,
}

impl Happened {
    pub(super) fn when(&self) -> When {
        When::of(&self.at)
    }
}

impl From<EventRow> for Happened {
    fn from(event: EventRow) -> Self {
        let (text, tone) = (sentence(&event), tone(event.kind));
        let record =
            event.entity.as_ref().zip(event.record).map(|(entity, record)| format!("/records/{entity}/{record}"));
        let source = event.entity.as_ref().zip(event.source.as_ref());
        let source = source.map(|(entity, source)| format!("/sources/{entity}/{source}"));
        Self { at: event.at, text, path: record.or(source), tone }
    }
}

fn sentence(event: &EventRow) -> String {
    let entity = event.entity.as_ref().map(ToString::to_string).unwrap_or_default();
    let what = event.record.map_or_else(|| entity.clone(), |record| format!("{entity} {record}"));
    let source = event.source.as_ref().map(ToString::to_string).unwrap_or_default();
    let detail = |name: &str| {
        let found = event.details.member(name);
        found
            .map(|value| value.as_text().map_or_else(|| value.to_string(), |text| text.to_string_lossy().into_owned()))
            .unwrap_or_default()
    };
    let done = match detail("operation").as_str() {
        "create" => "created",
        "delete" => "deleted",
        _ => "updated",
    };
    match event.kind {
        EventKind::Sync if detail("state") == "deleted" => {
            format!("{what} was removed (version {})", detail("version"))
        }
        EventKind::Sync => format!("{what} changed (version {})", detail("version")),
        EventKind::Written => format!("{what} was {done} in {source}"),
        EventKind::Conflict => format!("{what} is in conflict"),
        EventKind::ConflictMoved => format!("{what}: the values in conflict moved"),
        EventKind::ConflictClosed => format!("{what}: a conflict is over"),
        EventKind::InDoubt => format!("{what}: nobody knows whether it was {done} in {source}"),
        EventKind::DoubtSettled => format!("{what}: it is known what became of the write to {source}"),
        EventKind::Parked => format!("{what}: retcon stopped retrying"),
        EventKind::DeletesHeld => format!("{entity}: deletions from {source} are held"),
        EventKind::SourceDown => format!("{entity}: {source} cannot be reached"),
        EventKind::SourceUp => format!("{entity}: {source} can be reached again"),
        EventKind::DatabaseDown => "The database could not be reached".to_owned(),
        EventKind::DatabaseUp => "The database can be reached again".to_owned(),
        EventKind::ActorFailed => format!("A part failed: {}", detail("actor")),
        EventKind::ActorStarted => format!("A part is up again: {}", detail("actor")),
        EventKind::ActorGaveUp => format!("A part failed too often: {}", detail("actor")),
        EventKind::ConfigApplied => "Another configuration is in force".to_owned(),
        EventKind::ConfigRejected => "The configuration file has mistakes".to_owned(),
    }
}

fn tone(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Sync | EventKind::Written | EventKind::ConfigApplied | EventKind::ActorStarted => "quiet",
        EventKind::ConflictClosed | EventKind::DoubtSettled | EventKind::SourceUp | EventKind::DatabaseUp => "good",
        EventKind::Conflict | EventKind::ConflictMoved | EventKind::InDoubt | EventKind::DeletesHeld => "open",
        EventKind::Parked
        | EventKind::SourceDown
        | EventKind::DatabaseDown
        | EventKind::ActorFailed
        | EventKind::ActorGaveUp
        | EventKind::ConfigRejected => "bad",
    }
}
