//! `/deletes`: deletions that are held because more went missing at once than `max_deletes` lets through.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::form::Form;
use super::frame::{Frame, Tab, Visitor};
use super::page::{done, encoded, page};
use super::parts::{Empty, Pager, When};
use super::place::Place;
use crate::actor::store::requests::repeatable::Effect;
use crate::actor::store::requests::view::{DeleteRow, ListDeletes};
use crate::actor::supervisor::ApproveDeletes;
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::problem::Refused;
use crate::api::routes::repeat::Repeat;

/// The word of who has just let deletions through.
const APPROVED: &str = "approved";

/// The deletions that are held.
#[derive(Template)]
#[template(path = "deletes.html", config = "src/api/pages/askama.toml")]
struct DeletesPage {
    frame: Frame,
    /// The entity to which the list is limited.
    entity: Option<String>,
    held: Vec<Held>,
    pager: Pager,
}

/// A deletion that is held.
struct Held {
    entity: String,
    record: i64,
    source: String,
    key: String,
    since: String,
}

impl Held {
    fn when(&self) -> When {
        When::of(&self.since)
    }
}

impl From<DeleteRow> for Held {
    fn from(row: DeleteRow) -> Self {
        let (entity, source, key) = (row.entity.to_string(), row.source.to_string(), row.key.to_string());
        Self { entity, record: row.record.0, source, key, since: row.held_at }
    }
}

impl DeletesPage {
    /// The entities of what is listed, each once.
    fn entities(&self) -> BTreeSet<&str> {
        self.held.iter().map(|held| held.entity.as_str()).collect()
    }

    fn nothing(&self) -> Empty<'static> {
        Empty::new(
            "No deletion is held",
            "Where more copies go missing at once than max_deletes says, they are held here.",
        )
    }
}

pub(super) fn places() -> Vec<Place> {
    vec![Place::at("/deletes").show(list), Place::at("/deletes/approve").act(approve)]
}

async fn list(service: web::Data<Service>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["entity", "after", "limit", "done"])?;
    let window = query.window()?;
    let entity = query.get("entity").map(input::entity).transpose()?;
    let entity_name = entity.as_ref().map(ToString::to_string);
    let found = service.ask(ListDeletes { entity, after: window.after, limit: window.limit }).await?;
    let filters = [("entity", entity_name.as_deref().unwrap_or_default())];
    let pager = Pager::new("/deletes", &filters, window.after, found.next);
    let notice = visitor
        .done()
        .filter(|word| *word == APPROVED)
        .map(|_| "Approved: each record is looked at once more, and what is still missing is deleted everywhere else.");
    let frame = Frame::new(visitor, Tab::None, "Deletions that are held").with_notice(notice);
    let held = found.items.into_iter().map(Held::from).collect();
    page(&DeletesPage { frame, entity: entity_name, held, pager })
}

async fn approve(service: web::Data<Service>, repeat: Repeat, form: Form) -> Result<HttpResponse, Refused> {
    let entity = input::entity(form.required("entity")?)?;
    let path = format!("/deletes?entity={}", encoded(entity.as_str()));
    match repeat.effect {
        Some(Effect::Approved(_)) => {}
        Some(Effect::Ordered(_) | Effect::Done) | None => {
            service.order(ApproveDeletes { entity, attempt: repeat.attempt }).await?;
        }
    }
    done(&path, APPROVED)
}
