//! `/`: how everything is, and what waits for a person.
//!
//! It is shown also while the database is away, as far as anything can be told then.

mod health;
mod attention;
mod matrix;
mod activity;
mod tree;

use std::time::SystemTime;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::frame::{Frame, Tab, Visitor};
use super::page::page;
use super::parts::{Badge, Empty, Grouped, Trouble, When, grouped};
use super::place::Place;
use crate::actor::store::requests::attention::ListAttention;
use crate::actor::store::requests::event::{EventFilter, FindEventBounds, ListEvents};
use crate::actor::supervisor::Survey;
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::problem::Refused;
use crate::metrics::Minute;

use activity::Happened;
use attention::Item;
use matrix::Matrix;
use tree::Tree;

/// How much of each kind of what waits for a person is looked at.
const LOOKED_AT: i64 = 20;

/// How many of the latest events are looked at.
const EVENTS: i64 = 15;

/// The overview.
#[derive(Template)]
#[template(path = "overview.html", config = "src/api/pages/askama.toml")]
struct OverviewPage {
    frame: Frame,
    /// What waits for a person, the latest first; the rest is behind the links.
    items: Vec<Item>,
    /// How many more there are.
    more: Option<String>,
    /// Why that cannot be told.
    trouble: Option<Trouble>,
    matrix: Matrix,
    happened: Vec<Happened>,
    tree: Tree,
}

impl OverviewPage {
    fn nothing_waits(&self) -> Empty<'static> {
        Empty::new("Nothing waits for you", "What needs a person's word is listed here as soon as there is any.")
    }

    fn nothing_configured(&self) -> Empty<'static> {
        Empty::new("No entity is configured", "What is kept in step is said in the configuration file.")
    }

    fn nothing_happened(&self) -> Empty<'static> {
        Empty::new("Nothing has happened lately", "Syncs, conflicts and outages show up here.")
    }
}

pub(super) fn places() -> Vec<Place> {
    vec![Place::at("/").show(show)]
}

async fn show(service: web::Data<Service>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["entities", "done"])?;
    let wrong = |text: &str| input::malformed(format_args!("entities should be the number of a part, and is {text:?}"));
    let part = query.get("entities").map(|text| text.parse().map_err(|_| wrong(text))).transpose()?;
    let survey = service.survey().await?;
    let now = Minute::of(SystemTime::now());
    let standing = health::standing(&survey);
    let matrix = Matrix::of(&survey, &standing, part, |entity| service.tally.hour(entity, now));
    let rejected = service.config_state.borrow().clone();
    let health = health::sentence(&survey, &standing, !rejected.errors.is_empty());
    let (mut items, trouble) = match waiting(&service, &survey).await {
        Ok(items) => (items, None),
        Err(refused) => (Vec::new(), Some(Trouble::of_refused(&refused))),
    };
    items.extend(attention::of_daemon(&survey, &rejected));
    let more = attention::arrange(&mut items, &survey);
    let more = (more > 0).then(|| grouped(more));
    let happened = if survey.knows_counts { happened(&service).await.unwrap_or_default() } else { Vec::new() };
    let frame = Frame::new(visitor, Tab::Overview, "Overview").with_health(health);
    page(&OverviewPage { frame, items, more, trouble, matrix, happened, tree: Tree::of(&survey.actors) })
}

/// What waits for a person in the database.
async fn waiting(service: &Service, survey: &Survey) -> Result<Vec<Item>, Refused> {
    let is_any = survey.entities.iter().any(|entity| matrix::open(&entity.counts) > 0);
    if survey.knows_counts && !is_any {
        return Ok(Vec::new());
    }
    let waiting = service.ask(ListAttention { limit: LOOKED_AT }).await?;
    Ok(attention::of_database(waiting, survey))
}

/// The latest events, the latest first.
async fn happened(service: &Service) -> Result<Vec<Happened>, Refused> {
    let last = service.ask(FindEventBounds).await?.last;
    let list = ListEvents { after: last - EVENTS, up_to: last, limit: EVENTS, filter: EventFilter::default() };
    let events = service.ask(list).await?;
    Ok(events.into_iter().rev().map(Happened::from).collect())
}
