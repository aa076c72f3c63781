//! `/records/{entity}/{id}`: one record, its copies beside each other, and all that happened to it.

mod fields;
mod past;
mod origin;
mod now;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use jiff::{SignedDuration, Timestamp};

use super::frame::{Frame, Tab, Visitor};
use super::page::{done, page};
use super::parts::{Badge, Empty, Grouped, Tone, When};
use super::place::Place;
use super::words;
use crate::actor::store::requests::browse::{KeyRow, KeyState, Keys, ListKeys};
use crate::actor::store::requests::view::ShowRecord;
use crate::actor::supervisor::{PastRun, SyncRecord};
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::problem::{Code, Refused};
use crate::config::model::Entity;
use crate::domain::key::InternalKey;
use crate::domain::name::SourceName;
use crate::domain::record::{Known, Link, LinkState, OperationState, RecordState};
use fields::{Field, fields};
use past::Past;

/// What a run shows is recorded within this time.
const SOON: SignedDuration = SignedDuration::from_secs(30);

/// A record.
#[derive(Template)]
#[template(path = "record.html", config = "src/api/pages/askama.toml")]
struct RecordPage {
    frame: Frame,
    place: RecordPlace,
    state: &'static str,
    version: i64,
    copies: Vec<Copy>,
    fields: Vec<Field>,
    /// So many fields are not shown.
    left_out: usize,
    conflicts: Vec<ConflictLine>,
    nothing: Empty<'static>,
    past: Past,
}

/// Where a record is.
#[derive(Debug, Clone)]
pub(super) struct RecordPlace {
    pub(super) entity: String,
    pub(super) id: i64,
    pub(super) path: String,
}

impl RecordPlace {
    fn of(entity: &Entity, record: InternalKey) -> Self {
        Self { entity: entity.name.to_string(), id: record.0, path: format!("/records/{}/{record}", entity.name) }
    }

    fn name(&self) -> String {
        format!("{} {}", self.entity, self.id)
    }
}

/// An open conflict of the record.
struct ConflictLine {
    id: i64,
    at: String,
}

/// A copy, as the head of its column says.
struct Copy {
    source: String,
    source_path: Option<String>,
    /// How it stands to the record.
    word: &'static str,
    tone: Tone,
    key: Option<String>,
    /// Keys that it had, with what became of each.
    former: Vec<(String, &'static str, When)>,
    freshness: Freshness,
    trouble: Option<String>,
}

impl Copy {
    fn badge(&self) -> Badge<'static> {
        Badge::new(self.word, self.tone)
    }
}

/// When something was last heard of a copy.
struct Freshness {
    /// What is known, as in `read`.
    what: &'static str,
    when: Option<When>,
}

pub(super) fn places() -> Vec<Place> {
    vec![
        Place::at("/records/{entity}/{id}").show(show),
        Place::at("/records/{entity}/{id}/origin").show(origin::show),
        Place::at("/records/{entity}/{id}/now").show(now::show),
        Place::at("/records/{entity}/{id}/sync").act(&[], sync),
    ]
}

async fn show(
    service: web::Data<Service>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let (entity, record) = read_path(&service, &path)?;
    let query = Query::parse(request.query_string(), &["below", "done"])?;
    let below = query.get("below").map(past::read_place).transpose()?;
    let known = find(&service, &entity, record).await?;
    let keys = service.ask(ListKeys { entity: entity.name.clone(), record }).await?;
    let place = RecordPlace::of(&entity, record);
    let past = Past::read(&service, &entity, record, below, visitor.may_act()).await?;
    let copies = copies(&service, &entity, &known, &keys).await?;
    let (fields, left_out) = fields(&entity, &known);
    let notice = match visitor.done() {
        Some("sync") => Some("A look at this record was asked for. What it finds is shown here as soon as it is over."),
        Some(_) | None => None,
    };
    let conflicts =
        known.conflicts.iter().map(|open| ConflictLine { id: open.id, at: words::place(&open.conflict.path) });
    page(&RecordPage {
        frame: Frame::new(visitor, Tab::Records, place.name()).with_notice(notice),
        state: word(known.record.state),
        version: known.record.version,
        conflicts: conflicts.collect(),
        nothing: Empty::new("No document yet", "Nothing was agreed on yet, and no copy was read."),
        place,
        copies,
        fields,
        left_out,
        past,
    })
}

async fn sync(service: web::Data<Service>, path: web::Path<(String, String)>) -> Result<HttpResponse, Refused> {
    let (entity, record) = read_path(&service, &path)?;
    let enqueued = service.order(SyncRecord { entity: entity.name.clone(), record }).await?;
    enqueued.ok_or_else(|| unknown(&entity, record))?;
    done(&RecordPlace::of(&entity, record).path, "sync")
}

/// Reads entity and internal key from the path.
fn read_path(service: &Service, (entity, id): &(String, String)) -> Result<(Arc<Entity>, InternalKey), Refused> {
    let entity = service.entity(&input::entity(entity)?)?;
    Ok((entity, InternalKey(input::id(id, "a record")?)))
}

async fn find(service: &Service, entity: &Entity, record: InternalKey) -> Result<Known, Refused> {
    let view = service.ask(ShowRecord { entity: entity.name.clone(), record }).await?;
    view.map(|view| view.known).ok_or_else(|| unknown(entity, record))
}

fn unknown(entity: &Entity, record: InternalKey) -> Refused {
    Refused::new(Code::UnknownRecord, format_args!("there is no {} {record}", entity.name))
}

fn word(state: RecordState) -> &'static str {
    match state {
        RecordState::Live => "live",
        RecordState::Deleted => "deleted",
    }
}

/// Gives the sources that a record is shown with: those that are configured, and those that have or had a copy.
fn sources(entity: &Entity, known: &Known) -> Vec<SourceName> {
    let mut all: Vec<SourceName> = entity.sources.keys().chain(known.links.keys()).cloned().collect();
    all.sort();
    all.dedup();
    all
}

async fn copies(service: &Service, entity: &Entity, known: &Known, keys: &Keys) -> Result<Vec<Copy>, Refused> {
    let mut copies = Vec::new();
    for source in sources(entity, known) {
        let runs = service.past_runs(&entity.name, &source).await?;
        let link = known.links.get(&source);
        let recorded = keys.recorded.iter().find(|(of, _)| *of == source).and_then(|(_, at)| at.clone());
        let (word, tone) = standing(link);
        let is_former = |row: &&KeyRow| row.source == source && row.state != KeyState::Current;
        let former =
            keys.keys.iter().filter(is_former).map(|row| (row.key.to_string(), state(row), When::of(&row.since)));
        copies.push(Copy {
            source_path: entity.sources.contains_key(&source).then(|| format!("/sources/{}/{source}", entity.name)),
            key: link.and_then(|link| link.key.as_ref()).map(ToString::to_string),
            former: former.collect(),
            freshness: freshness(link, recorded, &runs, known.record.id),
            trouble: link.and_then(|link| link.last_error.clone()),
            source: source.to_string(),
            word,
            tone,
        });
    }
    Ok(copies)
}

fn state(row: &KeyRow) -> &'static str {
    match row.state {
        KeyState::Current => "recorded",
        KeyState::Former => "replaced",
        KeyState::Retired => "deleted",
    }
}

/// Says how a source stands to the record.
fn standing(link: Option<&Link>) -> (&'static str, Tone) {
    let Some(link) = link else { return ("no copy", Tone::Quiet) };
    if link.open.as_ref().is_some_and(|open| open.state == OperationState::InDoubt) {
        return ("in doubt", Tone::Open);
    }
    match link.state {
        LinkState::Linked if link.missing_since.is_some() => ("missing", Tone::Open),
        LinkState::Linked if link.in_step => ("in step", Tone::Good),
        LinkState::Linked => ("out of step", Tone::Open),
        LinkState::Unlinked => ("no copy", Tone::Quiet),
        LinkState::Detached => ("unlinked on purpose", Tone::Quiet),
    }
}

/// Says when something was last heard of a copy: of what was recorded and the latest runs whatever was later.
fn freshness(link: Option<&Link>, recorded: Option<String>, runs: &[PastRun], record: InternalKey) -> Freshness {
    let key = link.and_then(|link| link.key.as_ref());
    let is_of_copy = |run: &&PastRun| run.record == Some(record) || key.is_some() && run.key.as_ref() == key;
    let run = runs.iter().filter(|run| run.outcome == "done" || run.outcome == "missing").find(is_of_copy);
    // What a run shows is recorded soon after it.
    let is_latest = |run: &PastRun, at: &str| {
        let at = at.parse::<Timestamp>();
        at.is_ok_and(|at| at.duration_since(run.at) <= SOON)
    };
    match (run, recorded) {
        (Some(run), recorded) if recorded.as_deref().is_none_or(|at| is_latest(run, at)) => Freshness {
            what: if run.operation == "read" { "read" } else { "written" },
            when: Some(When::of(&run.at.to_string())),
        },
        (_, Some(at)) => Freshness { what: "last change recorded", when: Some(When::of(&at)) },
        (_, None) => Freshness { what: if link.is_some() { "not known" } else { "never" }, when: None },
    }
}
