//! `/v1/records`: what is kept in step.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use super::repeat::Repeat;
use super::{Path, orders};
use crate::actor::store::requests::view::{ListConflicts, ListRecords, RecordView, ShowRecord};
use crate::actor::supervisor::{Ordered, SyncRecord, Undo};
use crate::api::Service;
use crate::api::describe::{foreign_key, name, operation};
use crate::api::input::{self, Node, Query};
use crate::api::problem::{Code, Refused};
use crate::api::wire::conflict::Conflict;
use crate::api::wire::record::{Record, RecordSummary};
use crate::api::wire::work::Accepted;
use crate::api::wire::{self, List};
use crate::config::model::Entity;
use crate::domain::access::Role;
use crate::domain::key::InternalKey;
use crate::domain::name::SourceName;

/// More conflicts of one record than are ever shown.
const ALL_CONFLICTS: i64 = 100_000;

/// A list of one.
const RECORDS: &str = r#"{"items": [{"entity": "customer", "id": 12, "state": "live", "version": 2,
    "links": [{"source": "crm", "key": "4711"}], "conflicts": 0}], "next": null}"#;

/// A record with one copy.
const RECORD: &str = r#"{"entity": "customer", "id": 12, "state": "live", "version": 2, "agreed": {"name": "Anne"},
    "links": [{"source": "crm", "key": "4711", "state": "linked", "shadow": {"name": "Anne"}, "in_step": true,
    "last_error": null}], "conflicts": []}"#;

pub(super) fn routes() -> Vec<Path> {
    let list_told = operation("listRecords", "Lists the records of an entity")
        .detail("With `source` and `key`, those that have or had that key; `key` goes with `source`.")
        .query("source", name, "Only records that have a copy in this source.")
        .query("key", foreign_key, "Only records whose copy in `source` has or had this key.")
        .window()
        .answers::<List<RecordSummary>>(200, "The records.", RECORDS)
        .refuses(&[Code::UnknownEntity, Code::UnknownSource, Code::InvalidForeignKey]);
    let show_told = operation("showRecord", "Shows a record, its copies and its open conflicts")
        .answers::<Record>(200, "The record; a deleted one, too.", RECORD)
        .refuses(&[Code::UnknownEntity, Code::UnknownRecord]);
    let undo_told = orders::told(operation("undoVersion", "Takes back what a version changed"))
        .body::<wire::order::Undo>(r#"{"version": 2}"#)
        .refuses(&[Code::UnknownEntity, Code::UnknownRecord, Code::UnknownVersion, Code::UndoBlocked])
        .refuses(&[Code::StaleConflict, Code::SenselessResolution]);
    let sync_told = operation("syncRecord", "Asks for a look at a record")
        .answers::<Accepted>(202, "It is durable.", r#"{"work_items": [{"id": 18, "coalesced": false}]}"#)
        .refuses(&[Code::UnknownEntity, Code::UnknownRecord]);
    vec![
        Path::at("/v1/records/{entity}").get(Role::View, list, list_told),
        Path::at("/v1/records/{entity}/{id}").get(Role::View, show, show_told),
        Path::at("/v1/records/{entity}/{id}/undo").post(Role::Operate, undo, undo_told),
        Path::at("/v1/records/{entity}/{id}/sync").post(Role::Operate, sync, sync_told),
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
    repeat: Repeat,
    body: Bytes,
) -> Result<HttpResponse, Refused> {
    let (entity, record) = read_path(&service, &path)?;
    let body = input::parse(&body)?;
    let version = Node::top(&body).object(&["version"])?.required("version")?.integer()?;
    let undo = |attempt| Undo { entity: entity.name.clone(), record, version, attempt };
    let ordered = orders::carry_out(&service, repeat, undo).await?;
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
