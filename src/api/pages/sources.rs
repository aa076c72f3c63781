//! `/sources` and `/sources/{entity}/{source}`: how each source is, what its programs did lately, and whether it is paused.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::frame::{Frame, Tab, Visitor};
use super::page::{done, encoded, page};
use super::parts::{Badge, Empty, Grouped, Pager, Tone, When};
use super::place::Place;
use crate::actor::store::requests::browse::ReadSource;
use crate::actor::store::requests::pause::PausedRow;
use crate::actor::supervision::ActorPath;
use crate::actor::supervisor::{EntityStatus, GetStatus, PastRun, Pause, SourceStatus};
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::problem::Refused;
use crate::config::model::{Entity, Source};
use crate::domain::name::{EntityName, SourceName};

/// So many entities stand on a page, each with its sources.
const ON_PAGE: usize = 50;

/// All sources.
#[derive(Template)]
#[template(path = "sources.html", config = "src/api/pages/askama.toml")]
struct SourcesPage {
    frame: Frame,
    name: String,
    entities: Vec<EntityLine>,
    nothing: Empty<'static>,
    pager: Pager,
}

struct EntityLine {
    name: String,
    path: String,
    state: &'static str,
    served_by: Option<String>,
    sources: Vec<SourceLine>,
}

impl EntityLine {
    fn badge(&self) -> Badge<'static> {
        Badge::of(self.state)
    }
}

struct SourceLine {
    name: String,
    path: String,
    description: String,
    state: &'static str,
    restarts: u64,
    error: Option<String>,
}

impl SourceLine {
    fn badge(&self) -> Badge<'static> {
        Badge::of(self.state)
    }
}

/// One source.
#[derive(Template)]
#[template(path = "source.html", config = "src/api/pages/askama.toml")]
struct SourcePage {
    frame: Frame,
    entity: String,
    name: String,
    path: String,
    description: String,
    state: &'static str,
    since: Option<When>,
    error: Option<String>,
    next_probe: Option<String>,
    restarts: u64,
    is_paused: bool,
    paused_by: Option<String>,
    served_by: Option<String>,
    waiting: String,
    waits: bool,
    work_path: String,
    runs: Vec<RunLine>,
    nothing: Empty<'static>,
    commands: Vec<(&'static str, String)>,
}

impl SourcePage {
    fn badge(&self) -> Badge<'static> {
        Badge::of(self.state)
    }
}

/// A run of a program.
struct RunLine {
    when: When,
    operation: &'static str,
    key: Option<(String, String)>,
    record: Option<(String, String)>,
    outcome: &'static str,
    tone: Tone,
    exit: String,
    took: String,
    stderr: String,
    error: Option<String>,
}

impl RunLine {
    fn badge(&self) -> Badge<'static> {
        Badge::new(self.outcome, self.tone)
    }
}

pub(super) fn places() -> Vec<Place> {
    vec![
        Place::at("/sources").show(list),
        Place::at("/sources/{entity}").show(list_of_entity),
        Place::at("/sources/{entity}/{source}").show(show),
        Place::at("/sources/{entity}/{source}/pause").act(&[], set::<true>),
        Place::at("/sources/{entity}/{source}/resume").act(&[], set::<false>),
    ]
}

async fn list_of_entity(
    service: web::Data<Service>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    Query::parse(request.query_string(), &[])?;
    let entity = service.entity(&input::entity(&path)?)?;
    Ok(super::page::see(&format!("/sources?name={}", entity.name)).end())
}

async fn list(service: web::Data<Service>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["name", "after", "done"])?;
    let (name, after) = (query.get("name").unwrap_or_default().to_owned(), query.window()?.after);
    let status = service.order(GetStatus).await?;
    let config = service.config.borrow().clone();
    let from = usize::try_from(after).unwrap_or(usize::MAX);
    let matching = status.entities.iter().filter(|entity| entity.name.as_str().contains(&name));
    let mut entities: Vec<_> = matching.skip(from).take(ON_PAGE + 1).collect();
    let next = (entities.len() > ON_PAGE).then(|| after.saturating_add(50));
    entities.truncate(ON_PAGE);
    let line = |status: &&EntityStatus| entity_line(status, config.entities.get(&status.name));
    page(&SourcesPage {
        frame: Frame::new(visitor, Tab::Sources, "Sources"),
        entities: entities.iter().map(line).collect(),
        nothing: Empty::new("No such entity", "What is to be kept in step is said in the configuration file."),
        pager: Pager::new("/sources", &[("name", &name)], after, next),
        name,
    })
}

fn entity_line(status: &EntityStatus, entity: Option<&Arc<Entity>>) -> EntityLine {
    let line = |(name, source): (&SourceName, &SourceStatus)| SourceLine {
        name: name.to_string(),
        path: format!("/sources/{}/{name}", status.name),
        description: entity
            .and_then(|entity| entity.sources.get(name))
            .map(|source| source.description.clone())
            .unwrap_or_default(),
        state: source.state,
        restarts: source.restarts,
        error: source.last_error.clone(),
    };
    EntityLine {
        name: status.name.to_string(),
        path: format!("/records/{}", status.name),
        state: status.state,
        served_by: status.served_by.clone(),
        sources: status.sources.iter().map(line).collect(),
    }
}

async fn show(
    service: web::Data<Service>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let (entity, source) = read_path(&service, &path)?;
    Query::parse(request.query_string(), &["done"])?;
    let name = entity.name.clone();
    let status = service.order(GetStatus).await?;
    let of_entity = status.entities.into_iter().find(|status| status.name == name);
    let served_by = of_entity.as_ref().and_then(|status| status.served_by.clone());
    let status = of_entity.and_then(|mut status| status.sources.remove(&source));
    let row = service.ask(ReadSource { entity: name.clone(), source: source.clone() }).await?;
    let runs = service.past_runs(&name, &source).await?;
    let since = since(&service, &name, &source, row.paused.as_ref()).await?;
    let notice = match visitor.done() {
        Some("paused") => Some("Paused. What is under way ends; nothing more is started here until it is resumed."),
        Some("resumed") => Some("Resumed. What waits for it is looked at now."),
        Some(_) | None => None,
    };
    let configured = entity.sources.get(&source);
    page(&SourcePage {
        frame: Frame::new(visitor, Tab::Sources, format!("{source} of {name}")).with_notice(notice),
        path: format!("/sources/{name}/{source}"),
        description: configured.map(|source| source.description.clone()).unwrap_or_default(),
        state: status.as_ref().map_or("standby", |status| status.state),
        since: since.map(|at| When::of(&at)),
        error: status.as_ref().and_then(|status| status.last_error.clone()),
        next_probe: status.as_ref().and_then(|status| status.next_probe_ms).map(|ms| took(Duration::from_millis(ms))),
        restarts: status.map_or(0, |status| status.restarts),
        is_paused: row.paused.is_some(),
        paused_by: row.paused.and_then(|paused| paused.who),
        waiting: if row.or_more { format!("{} or more", row.waiting.grouped()) } else { row.waiting.grouped() },
        waits: row.waiting > 0,
        work_path: format!("/work?state=waiting&entity={name}&source={source}"),
        runs: runs.iter().map(|run| run_line(&name, run)).collect(),
        nothing: match served_by {
            Some(_) => Empty::new("No runs here", "Another daemon serves this entity: its runs are shown there."),
            None => Empty::new("No runs yet", "None of its programs was started since this daemon was."),
        },
        commands: configured.map(|source| commands(source)).unwrap_or_default(),
        entity: name.to_string(),
        name: source.to_string(),
        served_by,
    })
}

/// Tells since when a source is as it is.
async fn since(
    service: &Service,
    entity: &EntityName,
    source: &SourceName,
    paused: Option<&PausedRow>,
) -> Result<Option<String>, Refused> {
    if let Some(paused) = paused {
        return Ok(Some(paused.since.clone()));
    }
    let path = ActorPath::Source(entity.clone(), source.clone());
    let actor = service.supervision().await?.actors.into_iter().find(|actor| actor.path == path);
    Ok(actor.map(|actor| actor.outage.map_or(actor.since, |outage| outage.since).to_string()))
}

fn commands(source: &Source) -> Vec<(&'static str, String)> {
    source.commands.named().map(|(name, command)| (name, command.words().join(" "))).collect()
}

fn run_line(entity: &EntityName, run: &PastRun) -> RunLine {
    let tone = match run.outcome {
        "done" => Tone::Good,
        "missing" | "cancelled" => Tone::Quiet,
        "rejected" | "refused" => Tone::Open,
        _ => Tone::Bad,
    };
    let key = |key: &crate::domain::key::ForeignKey| {
        (key.to_string(), format!("/records/{entity}?key={}", encoded(key.as_str())))
    };
    RunLine {
        when: When::of(&run.at.to_string()),
        operation: run.operation,
        key: run.key.as_ref().map(key),
        record: run.record.map(|record| (format!("{entity} {record}"), format!("/records/{entity}/{record}"))),
        outcome: run.outcome,
        tone,
        exit: run.exit.clone(),
        took: took(run.elapsed),
        stderr: run.stderr.clone(),
        error: run.error.clone().filter(|error| !is_said(error, &run.stderr)),
    }
}

/// Whether what is wrong is just what the program said itself.
fn is_said(error: &str, stderr: &str) -> bool {
    !stderr.is_empty() && stderr.lines().any(|line| !line.is_empty() && error.ends_with(line))
}

/// Says how long something takes.
fn took(time: Duration) -> String {
    match time.as_millis() {
        ms @ 0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

async fn set<const PAUSED: bool>(
    service: web::Data<Service>,
    visitor: Visitor,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Refused> {
    let (entity, source) = read_path(&service, &path)?;
    let who = visitor.name().map(str::to_owned);
    service.order(Pause { entity: entity.name.clone(), source: Some(source.clone()), paused: PAUSED, who }).await?;
    done(&format!("/sources/{}/{source}", entity.name), if PAUSED { "paused" } else { "resumed" })
}

fn read_path(service: &Service, (entity, source): &(String, String)) -> Result<(Arc<Entity>, SourceName), Refused> {
    let entity = service.entity(&input::entity(entity)?)?;
    let source = input::source(source, &entity.name)?;
    service.source(&entity, &source)?;
    Ok((entity, source))
}
