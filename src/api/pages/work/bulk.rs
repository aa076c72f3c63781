//! `/work/parked`: all parked items like these, counted first, and handled at once.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{FilterTexts, ItemRow, past, read_filter};
use crate::actor::store::requests::browse::{AT_ONCE, CountParked, Handling};
use crate::actor::supervisor::HandleItems;
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::pages::form::{Fields, Form};
use crate::api::pages::frame::{Frame, Tab, Visitor};
use crate::api::pages::page::{done, page};
use crate::api::pages::parts::{Empty, Grouped};
use crate::api::problem::Refused;
use crate::api::routes::repeat::Repeat;

/// What their forms have: the last one that was shown, and the list from which they were chosen.
pub(super) const FIELDS: Fields = &["last", "state", "entity", "source", "reason"];

/// Many parked items.
#[derive(Template)]
#[template(path = "bulk.html", config = "src/api/pages/askama.toml")]
struct BulkPage {
    frame: Frame,
    filter: FilterTexts,
    items: i64,
    /// Likewise, as it is shown.
    shown: String,
    /// The number of the last of them.
    last: i64,
    /// There may be more: they come after these.
    is_cut: bool,
    first: Vec<ItemRow>,
    nothing: Empty<'static>,
    back: String,
}

pub(super) async fn show(
    service: web::Data<Service>,
    visitor: Visitor,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["entity", "source", "reason", "done"])?;
    let filter = read_filter(&service, |name| query.get(name))?;
    let texts = FilterTexts::of(&filter);
    let parked = service.ask(CountParked { filter }).await?;
    page(&BulkPage {
        frame: Frame::new(visitor, Tab::Work, "Parked work, all at once"),
        items: parked.items,
        shown: parked.items.grouped(),
        last: parked.last,
        is_cut: parked.items >= AT_ONCE,
        first: parked.first.into_iter().map(ItemRow::of).collect(),
        nothing: Empty::new("Nothing is parked", "No parked item is like this."),
        back: texts.link("/work", Some(("state", "parked"))),
        filter: texts,
    })
}

pub(super) async fn retry(service: web::Data<Service>, repeat: Repeat, form: Form) -> Result<HttpResponse, Refused> {
    handle(&service, repeat, &form, Handling::Retry).await
}

pub(super) async fn drop_all(service: web::Data<Service>, repeat: Repeat, form: Form) -> Result<HttpResponse, Refused> {
    handle(&service, repeat, &form, Handling::Drop).await
}

async fn handle(service: &Service, repeat: Repeat, form: &Form, handling: Handling) -> Result<HttpResponse, Refused> {
    let filter = read_filter(service, |name| form.raw(name))?;
    let last = input::id(form.required("last")?, "the last item")?;
    let word = past(handling);
    if repeat.is_done() {
        // How many there were is not known any more.
        return done("/work", word);
    }
    let handled = service.order(HandleItems { filter, last, handling, attempt: repeat.attempt }).await?;
    let items: i64 = handled.iter().map(|(_, items)| items).sum();
    done("/work", &format!("{word}-{items}"))
}
