//! `/v1/records/{entity}/{id}/history` and `/provenance`: how a record came to be what it is.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{Path, records};
use crate::actor::store::requests::view::ListHistory;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::input::Query;
use crate::api::problem::{Code, Refused};
use crate::api::wire::List;
use crate::api::wire::provenance::{Origin, Provenance};
use crate::api::wire::record::HistoryItem;
use crate::config::model::Entity;
use crate::domain::access::Role;
use crate::domain::history::Version;
use crate::domain::key::InternalKey;
use crate::domain::provenance::provenance;

/// How many versions are read at a time where all of them are needed.
const PAGE: i64 = 1_000;

/// A list of one version.
const VERSIONS: &str = r#"{"items": [{"version": 2, "at": "2026-11-05T10:00:00Z", "state": "live",
    "cause": {"kind": "sync"}, "patch": [{"op": "replace", "path": "/name", "value": "Anne", "sources": ["crm"]}],
    "conflicts": [], "overruled": [{"path": "/name", "source": "billing", "value": "Anna"}]}], "next": null}"#;

/// One value, and where it comes from.
const ORIGINS: &str = r#"{"/name": {"value": "Anne", "sources": ["crm"], "version": 2, "at": "2026-11-05T10:00:00Z",
    "cause": {"kind": "sync"}, "overruled": [{"source": "billing", "value": "Anna", "version": 2}]}}"#;

pub(super) fn routes() -> Vec<Path> {
    let list_told = operation("listVersions", "Lists the versions of a record, and what made them")
        .window()
        .answers::<List<HistoryItem>>(200, "The versions, the oldest first.", VERSIONS)
        .refuses(&[Code::UnknownEntity, Code::UnknownRecord]);
    let explain_told = operation("explainRecord", "Says of each value of a record who set it, when, and who lost")
        .answers::<Provenance>(200, "The origin of each value, by its pointer.", ORIGINS)
        .refuses(&[Code::UnknownEntity, Code::UnknownRecord]);
    vec![
        Path::at("/v1/records/{entity}/{id}/history").get(Role::View, list, list_told),
        Path::at("/v1/records/{entity}/{id}/provenance").get(Role::View, explain, explain_told),
    ]
}

async fn list(
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let window = Query::parse(request.query_string(), &["limit", "after"])?.window()?;
    let (entity, record) = records::read_path(&service, &path)?;
    let page = ListHistory { entity: entity.name.clone(), record, after: window.after, limit: window.limit };
    let page = service.ask(page).await?;
    if page.items.is_empty() {
        records::find(&service, &entity, record).await?;
    }
    Ok(HttpResponse::Ok().json(List::from(page.map(HistoryItem::from))))
}

async fn explain(service: web::Data<Service>, path: web::Path<(String, String)>) -> Result<HttpResponse, Refused> {
    let (entity, record) = records::read_path(&service, &path)?;
    records::find(&service, &entity, record).await?;
    let history = whole_history(&service, &entity, record).await?;
    let origins = provenance(&history, &entity.rules).into_iter();
    Ok(HttpResponse::Ok().json(Provenance(origins.map(|(at, origin)| (at, Origin::from(origin))).collect())))
}

async fn whole_history(service: &Service, entity: &Entity, record: InternalKey) -> Result<Vec<Version>, Refused> {
    let mut history = Vec::new();
    let mut next = Some(0);
    while let Some(after) = next {
        let page = service.ask(ListHistory { entity: entity.name.clone(), record, after, limit: PAGE }).await?;
        history.extend(page.items);
        next = page.next;
    }
    Ok(history)
}
