//! `/v1/records`: what is kept in step.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use super::{Path, orders};
use crate::actor::store::requests::view::{ListConflicts, ListRecords, RecordView, ShowRecord};
use crate::actor::supervisor::{Ordered, SyncRecord, Undo};
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::input::{self, Node, Query};
use crate::api::problem::{Code, Refused};
use crate::api::wire::List;
use crate::api::wire::conflict::Conflict;
use crate::api::wire::record::{Record, RecordSummary};
use crate::api::wire::work::Accepted;
use crate::config::model::Entity;
use crate::domain::access::Role;
use crate::domain::key::InternalKey;
use crate::domain::name::SourceName;

/// More conflicts of one record than are ever shown.
const ALL_CONFLICTS: i64 = 100_000;

pub(super) fn routes() -> Vec<Path> {
    vec![
        Path::at("/v1/records/{entity}").get(Role::View, list, operation("listRecords", "Lists records")),
        Path::at("/v1/records/{entity}/{id}").get(Role::View, show, operation("showRecord", "Shows a record")),
        Path::at("/v1/records/{entity}/{id}/undo").post(
            Role::Operate,
            undo,
            operation("undoVersion", "Takes back what a version changed"),
        ),
        Path::at("/v1/records/{entity}/{id}/sync").post(
            Role::Operate,
            sync,
            operation("syncRecord", "Asks for a look at a record"),
        ),
    ]
}

async fn list(
    service: web::Data<Service>,
    entity: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["source", "key", "limit", "after"])?;
    let window = query.window()?;
    let entity = service.entity(&input::entity(&entity)?)?;
    let source = query.get("source").map(|text| input::source(text, &entity.name)).transpose()?;
    source.as_ref().map(|name| service.source(&entity, name)).transpose()?;
    let key = query.get("key").map(input::key).transpose()?;
    if key.is_some() && source.is_none() {
        return Err(input::malformed("a key is some source's own name: key goes with source"));
    }
    let name = entity.name.clone();
    let page = service
        .ask(ListRecords { entity: name.clone(), source, key, after: window.after, limit: window.limit })
        .await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(|row| RecordSummary::new(name.as_str(), row)))))
}

async fn show(service: web::Data<Service>, path: web::Path<(String, String)>) -> Result<HttpResponse, Refused> {
    let (entity, record) = read_path(&service, &path)?;
    let view = find(&service, &entity, record).await?;
    let conflicts =
        ListConflicts { entity: Some(entity.name.clone()), record: Some(record), after: 0, limit: ALL_CONFLICTS };
    let conflicts = service.ask(conflicts).await?.items.into_iter().map(Conflict::from).collect();
    let sources: Vec<SourceName> = entity.sources.keys().cloned().collect();
    Ok(HttpResponse::Ok().json(Record::new(entity.name.as_str(), view, &sources, conflicts)))
}

async fn undo(
    service: web::Data<Service>,
    path: web::Path<(String, String)>,
    body: Bytes,
) -> Result<HttpResponse, Refused> {
    let (entity, record) = read_path(&service, &path)?;
    let body = input::parse(&body)?;
    let version = Node::top(&body).object(&["version"])?.required("version")?.integer()?;
    let ordered = service.order(Undo { entity: entity.name.clone(), record, version }).await?;
    if let Ordered::NotFound = ordered {
        find(&service, &entity, record).await?;
        let detail = format!("{} {record} has no version {version}", entity.name);
        return Err(Refused::new(Code::UnknownVersion, detail));
    }
    orders::answer(ordered, || unknown(&entity, record))
}

async fn sync(service: web::Data<Service>, path: web::Path<(String, String)>) -> Result<HttpResponse, Refused> {
    let (entity, record) = read_path(&service, &path)?;
    let enqueued = service.order(SyncRecord { entity: entity.name.clone(), record }).await?;
    let enqueued = enqueued.ok_or_else(|| unknown(&entity, record))?;
    Ok(HttpResponse::Accepted().json(Accepted::from(vec![enqueued])))
}

/// Reads entity and internal key from the path.
pub(super) fn read_path(
    service: &Service,
    (entity, id): &(String, String),
) -> Result<(Arc<Entity>, InternalKey), Refused> {
    let entity = service.entity(&input::entity(entity)?)?;
    let id = input::id(id, "a record")?;
    Ok((entity, InternalKey(id)))
}

/// Finds a record.
pub(super) async fn find(service: &Service, entity: &Entity, record: InternalKey) -> Result<RecordView, Refused> {
    let view = service.ask(ShowRecord { entity: entity.name.clone(), record }).await?;
    view.ok_or_else(|| unknown(entity, record))
}

fn unknown(entity: &Entity, record: InternalKey) -> Refused {
    Refused::new(Code::UnknownRecord, format_args!("there is no {} {record}", entity.name))
}
