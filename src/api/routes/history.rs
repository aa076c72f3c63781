//! `/v1/records/{entity}/{id}/history` and `/provenance`: how a record came to be what it is.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{Path, records};
use crate::actor::store::requests::view::ListHistory;
use crate::api::Service;
use crate::api::input::Query;
use crate::api::problem::Refused;
use crate::api::wire::List;
use crate::api::wire::record::HistoryItem;

pub(super) fn routes() -> Vec<Path> {
    vec![Path::at("/v1/records/{entity}/{id}/history").get(list)]
}

async fn list(service: web::Data<Service>, path: web::Path<(String, String)>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let window = Query::parse(request.query_string(), &["limit", "after"])?.window()?;
    let (entity, record) = records::read_path(&service, &path)?;
    let page = service.ask(ListHistory { entity: entity.name.clone(), record, after: window.after, limit: window.limit }).await?;
    if page.items.is_empty() {
        records::find(&service, &entity, record).await?;
    }
    Ok(HttpResponse::Ok().json(List::from(page.map(HistoryItem::from))))
}
