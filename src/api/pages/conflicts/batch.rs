//! `/conflicts/batches/{id}`: what has become of many conflicts that were decided at once.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::actor::store::requests::inbox::{BatchId, BatchItem, BatchRow, FindBatch, ListBatch};
use crate::api::Service;
use crate::api::input::{self, Query};
use crate::api::pages::frame::{Frame, Tab, Visitor};
use crate::api::pages::page::{encoded, page};
use crate::api::pages::parts::{Badge, Grouped, Pager, When};
use crate::api::pages::words;
use crate::api::problem::{Code, Refused};

const LIMIT: i64 = 50;

#[derive(Template)]
#[template(path = "batch.html", config = "src/api/pages/askama.toml")]
struct BatchPage {
    frame: Frame,
    entity: String,
    place: String,
    sources: String,
    decision: String,
    at: When,
    orders: i64,
    over: i64,
    applied: i64,
    refused: i64,
    parked: i64,
    coming: i64,
    /// Orders that ended so long ago that nothing is remembered of them.
    forgotten: i64,
    items: Vec<ItemRow>,
    pager: Pager,
}

struct ItemRow {
    record: i64,
    path: String,
    word: &'static str,
    why: String,
}

impl ItemRow {
    fn badge(&self) -> Badge<'_> {
        Badge::of(self.word)
    }
}

pub(super) async fn show(
    service: web::Data<Service>,
    visitor: Visitor,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let after = Query::parse(request.query_string(), &["after", "done"])?.window()?.after;
    let id = BatchId(input::id(&id, "a batch")?);
    let unknown = || Refused::new(Code::UnknownRoute, format_args!("there is no batch {}, or it is forgotten", id.0));
    let BatchRow { entity, path, sources, decision, orders, at, applied, refused, parked, coming, .. } =
        service.ask(FindBatch { id }).await?.ok_or_else(unknown)?;
    let listed = service.ask(ListBatch { id, after, limit: LIMIT }).await?;
    let of_record = |record: i64| format!("/records/{}/{record}", encoded(entity.as_str()));
    page(&BatchPage {
        frame: Frame::new(visitor, Tab::Conflicts, "Decided at once"),
        place: words::place(&path),
        sources: words::names(&sources),
        decision: words::decision(&decision),
        at: When::of(&at),
        orders,
        over: orders - coming,
        applied,
        refused,
        parked,
        coming,
        forgotten: (orders - applied - refused - parked - coming).max(0),
        pager: Pager::new(&format!("/conflicts/batches/{}", id.0), &[], after, listed.next),
        items: listed.items.into_iter().map(|item| row(item, of_record)).collect(),
        entity: entity.to_string(),
    })
}

fn row(item: BatchItem, of_record: impl Fn(i64) -> String) -> ItemRow {
    let (word, why) = match item.outcome.as_deref() {
        Some("dropped") => ("dropped", "somebody dropped the order".to_owned()),
        Some(_) => ("refused", "its values had moved, or it was not open any more: nothing was applied".to_owned()),
        None => ("parked", item.last_error.unwrap_or_default()),
    };
    ItemRow { record: item.record.0, path: of_record(item.record.0), word, why }
}
