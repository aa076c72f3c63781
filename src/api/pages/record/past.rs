//! All that happened to a record: versions, writes, conflicts and what people did, in one order.

use actix_web::web;

use crate::actor::store::requests::access::ActRow;
use crate::actor::store::requests::browse::{
    Below, ConflictMoment, Happened, Moment, ReadTimeline, Targets, Timeline, WriteRow, WriteState,
};
use crate::api::Service;
use crate::api::input;
use crate::api::pages::audit::{Outcome, asked, outcome, via};
use crate::api::pages::parts::{Badge, Cell, Tone, When, visible};
use crate::api::pages::words;
use crate::api::problem::Refused;
use crate::config::model::Entity;
use crate::domain::history::Version;
use crate::domain::json::Json;
use crate::domain::key::InternalKey;
use crate::domain::merge::{Change, ConflictKind};
use crate::domain::record::{OperationKind, RecordState};

/// So many things stand on a page.
const ON_PAGE: usize = 20;

/// So many changes of one version are shown, and so many values that lost.
const CHANGES: usize = 20;

/// A part of what happened.
pub(super) struct Past {
    pub(super) entries: Vec<Entry>,
    /// Where the rest is, as in `?below=...`.
    pub(super) next: Option<String>,
    pub(super) is_beginning: bool,
}

/// Something that happened.
pub(super) struct Entry {
    /// Names it on the page.
    pub(super) id: String,
    pub(super) when: When,
    pub(super) title: String,
    pub(super) badge: Option<Badge<'static>>,
    /// What else there is to say of it.
    pub(super) notes: Vec<String>,
    pub(super) links: Vec<(String, String)>,
    pub(super) changes: Vec<ChangeLine>,
    pub(super) left_out: usize,
    pub(super) lost: Vec<(String, String, Cell)>,
    /// What was sent, and what a program said.
    pub(super) texts: Vec<(&'static str, String)>,
    /// The version that can be taken back.
    pub(super) undo: Option<i64>,
}

/// A change of a version.
pub(super) struct ChangeLine {
    pub(super) name: String,
    pub(super) before: Cell,
    pub(super) after: Cell,
    pub(super) by: String,
}

/// What led to something, with where more is told of it.
pub(super) struct Cause {
    pub(super) text: String,
    pub(super) link: Option<(String, String)>,
}

impl Past {
    pub(super) async fn read(
        service: &web::Data<Service>,
        entity: &Entity,
        record: InternalKey,
        below: Option<Below>,
        may_act: bool,
    ) -> Result<Self, Refused> {
        let read = ReadTimeline {
            entity: entity.name.clone(),
            record,
            below: below.unwrap_or(Below::TOP),
            limit: ON_PAGE,
            targets: targets(entity, record),
        };
        let timeline = service.ask(read).await?;
        let entries = timeline.moments.iter().map(|moment| entry(moment, &timeline, may_act)).collect();
        Ok(Self { entries, next: timeline.next.map(write_place), is_beginning: below.is_none() })
    }
}

/// The paths at which people act on a record, its conflicts and its doubts: over the API, and with the pages.
fn targets(entity: &Entity, record: InternalKey) -> Targets {
    let (name, around) = (&entity.name, |before: &str, after: &str| (before.to_owned(), after.to_owned()));
    Targets {
        of_record: vec![
            format!("/v1/records/{name}/{record}/undo"),
            format!("/v1/records/{name}/{record}/sync"),
            format!("/records/{name}/{record}/undo"),
            format!("/records/{name}/{record}/resolve"),
            format!("/records/{name}/{record}/sync"),
        ],
        of_conflict: vec![around("/v1/conflicts/", "/resolve"), around("/conflicts/", "/resolve")],
        of_doubt: vec![around("/v1/doubts/", "/settle"), around("/doubts/", "/settle")],
    }
}

/// Reads a place as [`write_place`] writes it.
pub(super) fn read_place(text: &str) -> Result<Below, Refused> {
    let bad = || input::malformed(format_args!("below should be a place of this page, and is {text:?}"));
    let numbers = text.split('.').map(|part| part.parse::<i64>().map_err(|_| bad())).collect::<Result<Vec<_>, _>>()?;
    match numbers[..] {
        [version, write, opened, micros, closed, act] if micros.abs() <= Below::TOP.closed.0 => {
            Ok(Below { version, write, opened, closed: (micros, closed), act })
        }
        _ => Err(bad()),
    }
}

fn write_place(Below { version, write, opened, closed: (micros, closed), act }: Below) -> String {
    format!("{version}.{write}.{opened}.{micros}.{closed}.{act}")
}

fn entry(moment: &Moment, timeline: &Timeline, may_act: bool) -> Entry {
    let id = match &moment.what {
        Happened::Changed(version) => format!("version-{}", version.version),
        Happened::Written(write) => format!("write-{}", write.number),
        Happened::Opened(conflict) => format!("opened-{}", conflict.id),
        Happened::Closed(conflict) => format!("closed-{}", conflict.id),
        Happened::Done(act) => format!("act-{}", act.id.0),
    };
    let plain = |title: String| Entry {
        id,
        when: When::of(&moment.at),
        title,
        badge: None,
        notes: Vec::new(),
        links: Vec::new(),
        changes: Vec::new(),
        left_out: 0,
        lost: Vec::new(),
        texts: Vec::new(),
        undo: None,
    };
    match &moment.what {
        Happened::Changed(version) => changed(plain(title(version)), version, moment, timeline, may_act),
        Happened::Written(write) => written(plain(write_title(write)), write),
        Happened::Opened(conflict) => opened(plain(format!("Conflict opened: {}", at(conflict))), conflict),
        Happened::Closed(conflict) => closed(plain(format!("Conflict closed: {}", at(conflict))), conflict),
        Happened::Done(act) => acted(plain(format!("{} · {}", act.act.who, act.act.act)), act),
    }
}

fn title(version: &Version) -> String {
    let what = match version.changes.as_slice() {
        [] => "nothing changed".to_owned(),
        [change] if change.path.is_root() && change.before.is_none() => "the record came to be".to_owned(),
        [change] if change.path.is_root() && change.after.is_none() => "the record was removed".to_owned(),
        [change] => format!("{} changed", words::place(&change.path)),
        changes => format!("{} fields changed", changes.len()),
    };
    format!("Version {}: {what}", version.version)
}

fn changed(entry: Entry, version: &Version, moment: &Moment, timeline: &Timeline, may_act: bool) -> Entry {
    let Cause { text, link } = cause(&version.cause);
    let by = actor(version, moment, &timeline.acts);
    let reason = match by {
        Some(who) if text.contains("a person's") => text.replace("a person's", &format!("{who}'s")),
        Some(who) => format!("{text}, by {who}"),
        None => text,
    };
    let conflicts = match version.conflicts.len() {
        0 => None,
        1 => Some("1 conflict was open when it was made".to_owned()),
        open => Some(format!("{open} conflicts were open when it was made")),
    };
    let undone = timeline.undone.iter().find(|(undone, _)| *undone == version.version);
    let taken_back = undone.map(|(_, by)| format!("taken back by version {by}"));
    let lost = version
        .overruled
        .iter()
        .take(CHANGES)
        .map(|lost| (lost.source.to_string(), words::place(&lost.path), Cell::of_field(lost.value.as_ref())));
    Entry {
        badge: match (undone, version.state) {
            (Some(_), _) => Some(Badge::new("taken back", Tone::Quiet)),
            (None, RecordState::Deleted) => Some(Badge::new("deleted", Tone::Quiet)),
            (None, RecordState::Live) => None,
        },
        notes: std::iter::once(reason).chain(conflicts).chain(taken_back).collect(),
        links: link.into_iter().collect(),
        changes: version.changes.iter().take(CHANGES).map(change_line).collect(),
        left_out: version.changes.len().saturating_sub(CHANGES),
        lost: lost.collect(),
        undo: may_act.then_some(version.version),
        ..entry
    }
}

fn change_line(change: &Change) -> ChangeLine {
    let by = match change.sources.as_slice() {
        [] => "a person".to_owned(),
        sources => sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let cell = |value: Option<&Json>| value.map_or_else(|| Cell::word("nothing"), Cell::of);
    ChangeLine {
        name: words::place(&change.path),
        before: cell(change.before.as_ref()),
        after: cell(change.after.as_ref()),
        by,
    }
}

/// Finds who ordered what led to a version: the latest one before it whose act was of that kind.
fn actor(version: &Version, moment: &Moment, acts: &[ActRow]) -> Option<String> {
    let wanted: &[&str] = match kind(&version.cause)?.as_str() {
        "resolution" => &["resolve"],
        "undo" => &["undo"],
        _ => return None,
    };
    // It says itself who it was.
    if version.cause.member("who").is_some() {
        return None;
    }
    let conflict = version.cause.member("conflict").map(ToString::to_string);
    let is_it = |act: &&ActRow| {
        let of_conflict = |number: &String| {
            !act.act.target.contains("/conflicts/") || act.act.target.contains(&format!("/conflicts/{number}/"))
        };
        wanted.contains(&act.act.act.as_str()) && act.at <= moment.at && conflict.as_ref().is_none_or(of_conflict)
    };
    acts.iter().find(is_it).map(|act| act.act.who.clone())
}

fn kind(cause: &Json) -> Option<String> {
    cause.member("kind")?.as_text().map(|text| text.to_string_lossy().into_owned())
}

/// Says what led to a version.
pub(super) fn cause(cause: &Json) -> Cause {
    let number = |name: &str| cause.member(name).map(ToString::to_string);
    let plain = |text: String| Cause { text, link: None };
    let together = cause.member("who").and_then(Json::as_text).map(|who| visible(&who.to_string_lossy()));
    if let (Some(who), Some(batch)) = (together, number("batch")) {
        return Cause {
            text: format!("by {who}'s decision about many conflicts at once"),
            link: Some((format!("/conflicts/batches/{batch}"), "all of it".to_owned())),
        };
    }
    match (kind(cause).as_deref(), number("conflict"), number("version")) {
        (Some("sync"), _, _) => plain("by a look at the copies".to_owned()),
        (Some("resolution"), Some(conflict), _) => Cause {
            text: format!("by a person's decision about conflict {conflict}"),
            link: Some((format!("/conflicts/{conflict}"), format!("conflict {conflict}"))),
        },
        (Some("undo"), _, Some(version)) => plain(format!("to take back version {version}")),
        (Some("agreement"), _, _) => plain("because the sources came to agree".to_owned()),
        (Some(other), _, _) => plain(other.to_owned()),
        (None, _, _) => plain(cause.to_string()),
    }
}

fn write_title(write: &WriteRow) -> String {
    let what = match write.kind {
        OperationKind::Create => "create a copy",
        OperationKind::Update => "update the copy",
        OperationKind::Delete => "delete the copy",
    };
    format!("{}: {what}", write.source)
}

fn written(entry: Entry, write: &WriteRow) -> Entry {
    let badge = match write.state {
        WriteState::Done => Badge::new("done", Tone::Good),
        WriteState::InFlight => Badge::new("under way", Tone::Quiet),
        WriteState::Open => Badge::new("not done yet", Tone::Open),
        WriteState::InDoubt => Badge::new("in doubt", Tone::Open),
        WriteState::Superseded => Badge::new("never took effect", Tone::Quiet),
    };
    let key = write.key.as_ref().map(|key| format!("key {key}"));
    let is_new = |new: &&String| write.key.as_ref().is_none_or(|key| key.as_str() != new.as_str());
    let new_key = write.new_key.as_ref().filter(is_new).map(|key| format!("now with the key {key}"));
    let attempts = (write.attempts > 1).then(|| format!("{} attempts", write.attempts));
    let end = write.last_end.as_ref().filter(|_| write.state != WriteState::Done).map(|end| format!("last end: {end}"));
    let version = format!("carries version {}", write.version);
    let doubt = (write.state == WriteState::InDoubt)
        .then(|| (format!("/doubts#doubt-{}", write.number), "say what became of it".to_owned()));
    let sent = write.document.as_ref().map(|document| ("What was sent", visible(document)));
    let said = write.output.as_ref().filter(|output| !output.stderr.is_empty());
    Entry {
        badge: Some(badge),
        notes: std::iter::once(version).chain(key).chain(new_key).chain(attempts).chain(end).collect(),
        links: doubt.into_iter().collect(),
        texts: sent.into_iter().chain(said.map(|output| ("What it said", visible(&output.stderr)))).collect(),
        ..entry
    }
}

fn at(conflict: &ConflictMoment) -> String {
    words::place(&conflict.path)
}

/// Says why there is a conflict.
fn why(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::EditEdit => "sources changed it differently",
        ConflictKind::EditDelete => "changed in one source, deleted in another",
        ConflictKind::Held => "held until a person decides",
        ConflictKind::Match => "a new item matches a record that has a copy there already",
        ConflictKind::Schema => "it breaks the schema",
        ConflictKind::Oscillation => "sources keep undoing each other",
    }
}

fn opened(entry: Entry, conflict: &ConflictMoment) -> Entry {
    let link = (format!("/conflicts/{}", conflict.id), format!("conflict {}", conflict.id));
    let is_open = conflict.closed.is_none();
    Entry {
        badge: is_open.then(|| Badge::new("open", Tone::Open)),
        notes: vec![why(conflict.kind).to_owned()],
        links: is_open.then_some(link).into_iter().collect(),
        ..entry
    }
}

fn closed(entry: Entry, conflict: &ConflictMoment) -> Entry {
    let by = conflict.closed.as_ref().and_then(|(_, by)| by.as_ref()).map(|by| cause(by).text);
    Entry { notes: by.into_iter().collect(), ..entry }
}

fn acted(entry: Entry, act: &ActRow) -> Entry {
    let Outcome { word, tone, detail } = outcome(act);
    let asked = act.act.request.as_deref().and_then(asked).map(|request| ("What was asked", request));
    Entry {
        badge: Some(Badge::new(word, tone)),
        notes: std::iter::once(via(&act.act.via)).chain(detail).collect(),
        texts: asked.into_iter().collect(),
        ..entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = Below { version: 3, write: 17, opened: 4, closed: (1_700_000_000_000_000, 2), act: 9 };
        assert_eq!(read_place(&write_place(place)).ok(), Some(place));
        assert_eq!(read_place(&write_place(Below::TOP)).ok(), Some(Below::TOP));
        for bad in ["", "1.2.3", "1.2.3.4.5.x", "1.2.3.9223372036854775807.5.6"] {
            assert!(read_place(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_led_to_a_version_is_said_in_words() {
        let said = |json: &str| cause(&json.parse().expect("JSON")).text;
        assert_eq!(said(r#"{"kind":"sync"}"#), "by a look at the copies");
        assert_eq!(said(r#"{"kind":"resolution","conflict":7}"#), "by a person's decision about conflict 7");
        assert_eq!(
            said(r#"{"kind":"resolution","conflict":7,"batch":2,"who":"ann"}"#),
            "by ann's decision about many conflicts at once"
        );
        assert_eq!(said(r#"{"kind":"undo","version":3}"#), "to take back version 3");
        assert_eq!(said(r#"{"kind":"match"}"#), "match");
    }
}
