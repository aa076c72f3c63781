//! `POST /v1/notifications`: hints that copies may have changed.

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use super::Path;
use crate::actor::store::requests::queue::Notification;
use crate::actor::supervisor::Notify;
use crate::api::access::Caller;
use crate::api::describe::{Shape, operation};
use crate::api::problem::{Code, Refused};
use crate::api::signature::Taken;
use crate::api::wire::cloud_event::{CloudEvent, CloudEvents};
use crate::api::wire::work::{Accepted, NotificationForm};
use crate::api::{Service, forms, signature};
use crate::domain::access::Role;

/// An event that names a copy by its attributes.
const EVENT: &str = r#"{"specversion": "1.0", "id": "e-17", "type": "com.example.customer.changed",
    "source": "https://crm.example.com/customer/crm", "subject": "4711"}"#;

/// Events, one of which names a copy in its data.
const EVENTS: &str = r#"[{"specversion": "1.0", "id": "e-18", "type": "com.example.changed", "source": "/billing",
    "data": {"entity": "customer", "source": "crm", "key": "4711"}}]"#;

pub(super) fn routes() -> Vec<Path> {
    let told = operation("notify", "Says that copies may have changed")
        .detail(
            "Answers once all of them are durable; stores all or none. A CloudEvent may also come with its attributes in \
             headers (`ce-specversion`, `ce-id`, `ce-type`, `ce-source`, `ce-subject`). What is signed by Standard Webhooks \
             (`webhook-id`, `webhook-timestamp`, `webhook-signature`) needs no token.",
        )
        .body::<NotificationForm>(r#"{"entity": "customer", "source": "crm", "key": "4711"}"#)
        .body_as(forms::EVENT, Shape::of::<CloudEvent>, Some(EVENT))
        .body_as(forms::EVENTS, Shape::of::<CloudEvents>, Some(EVENTS))
        .answers::<Accepted>(
            202,
            "They are durable; the work items stand in the order of the notifications.",
            r#"{"work_items": [{"id": 17, "coalesced": false}]}"#,
        )
        .refuses(&[Code::UnknownEntity, Code::UnknownSource, Code::InvalidForeignKey])
        .refuses(&[Code::InvalidSignature, Code::ReplayedWebhook])
        .signable();
    vec![Path::at("/v1/notifications").post(Role::Notify, post, told)]
}

/// Answers only once all of them are durable; stores all or none.
async fn post(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Refused> {
    // Before anything is read: who is not known is told nothing about what is configured.
    let signed = signature::is_signed(request.headers());
    let taken = if signed { Some(signature::take(&service, request.headers(), &body).await?) } else { None };
    let stored = store(&service, &caller, taken.as_ref(), &request, &body).await;
    if let (Some(taken), Err(_)) = (taken, &stored) {
        signature::leave(&service, taken.message).await;
    }
    stored
}

async fn store(
    service: &Service,
    caller: &Caller,
    signed: Option<&Taken>,
    request: &HttpRequest,
    body: &[u8],
) -> Result<HttpResponse, Refused> {
    let notifications = forms::read(service, request.headers(), body)?;
    for Notification { entity, source, .. } in &notifications {
        match (caller, signed) {
            // Who signs shows no token.
            (Caller::Anybody, Some(Taken { by, .. })) => by.may_notify(entity, source)?,
            (caller, None) => caller.may_notify(entity, source)?,
            (caller, Some(Taken { by, .. })) => {
                caller.may_notify(entity, source)?;
                by.may_notify(entity, source)?;
            }
        }
    }
    let enqueued = service.order(Notify(notifications)).await?;
    Ok(HttpResponse::Accepted().json(Accepted::from(enqueued)))
}
