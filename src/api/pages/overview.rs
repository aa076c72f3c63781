//! `/`: how everything is.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::frame::{Frame, Tab, Visitor};
use super::page::page;
use super::parts::{Badge, Empty};
use super::place::Place;
use crate::actor::supervisor::{EntityStatus, GetStatus};
use crate::api::Service;
use crate::api::problem::Refused;

/// The overview.
#[derive(Template)]
#[template(path = "overview.html", config = "src/api/pages/askama.toml")]
struct OverviewPage {
    frame: Frame,
    entities: Vec<EntityRow>,
    nothing: Empty<'static>,
}

struct EntityRow {
    name: String,
    state: &'static str,
    records: i64,
    conflicts: i64,
}

impl EntityRow {
    fn of(entity: &EntityStatus) -> Self {
        let (records, conflicts) = (entity.counts.records, entity.counts.conflicts);
        Self { name: entity.name.to_string(), state: entity.state, records, conflicts }
    }

    fn state(&self) -> Badge<'_> {
        Badge::of(self.state)
    }
}

pub(super) fn places() -> Vec<Place> {
    vec![Place::at("/").show(show)]
}

async fn show(service: web::Data<Service>, visitor: Visitor) -> Result<HttpResponse, Refused> {
    let status = service.order(GetStatus).await?;
    let entities = status.entities.iter().map(EntityRow::of).collect();
    let nothing =
        Empty::new("No entity is configured", "What is to be kept in step is said in the configuration file.");
    page(&OverviewPage { frame: Frame::new(visitor, Tab::Overview, "Overview"), entities, nothing })
}
