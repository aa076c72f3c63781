//! `POST /v1/notifications`: hints that copies may have changed.

use actix_web::{HttpResponse, web};
use bytes::Bytes;

use super::Path;
use crate::actor::store::requests::queue::Notification;
use crate::actor::supervisor::Notify;
use crate::api::Service;
use crate::api::access::Caller;
use crate::api::describe::operation;
use crate::api::input::{self, Node};
use crate::api::problem::{Code, Refused};
use crate::api::wire::work::{Accepted, NotificationForm};
use crate::domain::access::Role;

/// How many notifications one request may hold.
const MAX_BATCH: usize = 1_000;

pub(super) fn routes() -> Vec<Path> {
    let told = operation("notify", "Says that copies may have changed")
        .detail("Answers once all of them are durable; stores all or none.")
        .body::<NotificationForm>(r#"{"entity": "customer", "source": "crm", "key": "4711"}"#)
        .answers::<Accepted>(
            202,
            "They are durable; the work items stand in the order of the notifications.",
            r#"{"work_items": [{"id": 17, "coalesced": false}]}"#,
        )
        .refuses(&[Code::UnknownEntity, Code::UnknownSource, Code::InvalidForeignKey]);
    vec![Path::at("/v1/notifications").post(Role::Notify, post, told)]
}

/// Answers only once all of them are durable; stores all or none.
async fn post(service: web::Data<Service>, caller: Caller, body: Bytes) -> Result<HttpResponse, Refused> {
    let notifications = read(&service, &body)?;
    for Notification { entity, source, .. } in &notifications {
        caller.may_notify(entity, source)?;
    }
    let enqueued = service.order(Notify(notifications)).await?;
    Ok(HttpResponse::Accepted().json(Accepted::from(enqueued)))
}

fn read(service: &Service, body: &[u8]) -> Result<Vec<Notification>, Refused> {
    let body = input::parse(body)?;
    let top = Node::top(&body);
    if body.member("notifications").is_none() {
        return Ok(vec![one(service, &top)?]);
    }
    let batch = top.object(&["notifications"])?.required("notifications")?;
    let elements = batch.array()?;
    if elements.len() > MAX_BATCH {
        return Err(batch
            .refuse(format!("one request holds at most {MAX_BATCH} notifications, and this one {}", elements.len())));
    }
    elements.iter().map(|element| one(service, element)).collect()
}

fn one(service: &Service, node: &Node<'_>) -> Result<Notification, Refused> {
    let members = node.object(&["entity", "source", "key"])?;
    let [entity, source, key] = [members.required("entity")?, members.required("source")?, members.required("key")?];
    let [entity_text, source_text, key_text] = [entity.string()?, source.string()?, key.string()?];
    let entity_name = input::entity(entity_text).map_err(|refused| entity.locate(refused))?;
    let configured = service.entity(&entity_name).map_err(|refused| entity.locate(refused))?;
    let known = |name| service.source(&configured, &name).map(|()| name);
    let source = input::source(source_text, &entity_name).and_then(known).map_err(|refused| source.locate(refused))?;
    let key = input::key(key_text).map_err(|refused| key.locate(refused))?;
    Ok(Notification { entity: entity_name, source, key })
}
