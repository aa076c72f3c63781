//! `/v1/webhooks`: who may sign notifications, instead of showing a token.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;

use super::repeat::Repeat;
use super::{Path, grant};
use crate::actor::store::requests::repeatable::Once;
use crate::actor::store::requests::webhook::{
    CreateWebhook, ListWebhooks, RemoveWebhook, RotateWebhook, Secret, WebhookRow,
};
use crate::api::describe::operation;
use crate::api::input::{self, Node, Query};
use crate::api::problem::{Code, Refused};
use crate::api::wire::List;
use crate::api::wire::webhook::{MadeWebhook, NewWebhook, RemovedWebhook, Webhook};
use crate::api::{Service, signature};
use crate::domain::access::Role;
use crate::domain::name::WebhookName;

/// How long the secret before is good once there is another.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// The length of a secret, in bytes.
const LENGTH: usize = 32;

/// A list of one.
const WEBHOOKS: &str = r#"{"items": [{"name": "crm", "entities": ["customer"], "sources": [], "rate": 10000,
    "created_at": "2026-11-05T10:00:00Z"}], "next": null}"#;

/// A webhook that was just made.
const MADE: &str = r#"{"name": "crm", "entities": [], "sources": [], "rate": 10000, "created_at": "2026-11-05T10:00:00Z",
    "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}"#;

/// A webhook with another secret.
const ROTATED: &str = r#"{"name": "crm", "entities": [], "sources": [], "rate": 10000, "created_at": "2026-11-05T10:00:00Z",
    "former_till": "2026-12-02T10:00:00Z", "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}"#;

pub(super) fn routes() -> Vec<Path> {
    let list_told = operation("listWebhooks", "Lists those who may sign notifications")
        .window()
        .answers::<List<Webhook>>(200, "The webhooks, without their secrets.", WEBHOOKS);
    let create_told = operation("createWebhook", "Makes a secret with which notifications are signed")
        .detail("By Standard Webhooks. The secret is shown this once.")
        .body::<NewWebhook>(r#"{"name": "crm", "entities": ["customer"], "sources": ["crm"]}"#)
        .answers::<MadeWebhook>(201, "The webhook, with its secret.", MADE)
        .refuses(&[Code::UnknownEntity, Code::UnknownSource, Code::WebhookExists])
        .secret();
    let rotate_told = operation("rotateWebhook", "Gives a webhook another secret")
        .detail("The one before stays good for a day. The secret is shown this once.")
        .answers::<MadeWebhook>(200, "The webhook, with its secret.", ROTATED)
        .refuses(&[Code::UnknownWebhook])
        .secret();
    let remove_told = operation("removeWebhook", "Ends a webhook: what is signed with its secrets is refused")
        .answers::<RemovedWebhook>(200, "It is no more.", r#"{"name": "crm"}"#)
        .refuses(&[Code::UnknownWebhook]);
    vec![
        Path::at("/v1/webhooks").get(Role::View, list, list_told).post(Role::Operate, create, create_told),
        Path::at("/v1/webhooks/{name}").delete(Role::Operate, remove, remove_told),
        Path::at("/v1/webhooks/{name}/rotate").post(Role::Operate, rotate, rotate_told),
    ]
}

async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let window = Query::parse(request.query_string(), &["limit", "after"])?.window()?;
    let page = service.ask(ListWebhooks { after: window.after, limit: window.limit }).await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(Webhook::from))))
}

async fn create(service: web::Data<Service>, body: Bytes) -> Result<HttpResponse, Refused> {
    let body = input::parse(&body)?;
    let [entities, sources, rate] = grant::MEMBERS;
    let members = Node::top(&body).object(&["name", entities, sources, rate])?;
    let node = members.required("name")?;
    let name: WebhookName = node.string()?.parse().map_err(|error| node.locate(input::malformed(error)))?;
    let grant = grant::read(&service, &members, Role::Notify)?;
    let secret = fresh()?;
    let made = service.ask(CreateWebhook { name: name.clone(), grant, secret: secret.clone() }).await;
    service.signers.note_change();
    let made = made?;
    let exists = || Refused::new(Code::WebhookExists, format_args!("there is a webhook named {name}"));
    Ok(show(HttpResponse::Created(), made.ok_or_else(exists)?, &secret))
}

async fn rotate(service: web::Data<Service>, name: web::Path<String>) -> Result<HttpResponse, Refused> {
    let (parsed, secret) = (read_name(&name)?, fresh()?);
    let rotated = service.ask(RotateWebhook { name: parsed, secret: secret.clone(), grace: GRACE }).await;
    service.signers.note_change();
    Ok(show(HttpResponse::Ok(), rotated?.ok_or_else(|| unknown(&name))?, &secret))
}

async fn remove(service: web::Data<Service>, name: web::Path<String>, repeat: Repeat) -> Result<HttpResponse, Refused> {
    let request = RemoveWebhook { name: read_name(&name)? };
    if !repeat.is_done() {
        let removed = service.ask(Once { request, attempt: repeat.attempt }).await;
        service.signers.note_change();
        if !removed? {
            return Err(unknown(&name));
        }
    }
    Ok(HttpResponse::Ok().json(RemovedWebhook { name: name.into_inner() }))
}

/// Makes a secret that nobody can guess.
fn fresh() -> Result<Secret, Refused> {
    let mut bytes = vec![0; LENGTH];
    getrandom::fill(&mut bytes)
        .map_err(|error| Refused::new(Code::Internal, format_args!("the system gives no random bytes: {error}")))?;
    Ok(Secret(bytes))
}

/// Shows a secret to whoever asked, and to no cache.
fn show(mut answer: HttpResponseBuilder, webhook: WebhookRow, secret: &Secret) -> HttpResponse {
    answer.insert_header((CACHE_CONTROL, "no-store")).json(MadeWebhook::new(webhook, signature::text(secret)))
}

fn read_name(text: &str) -> Result<WebhookName, Refused> {
    text.parse().map_err(|_| unknown(text))
}

fn unknown(name: &str) -> Refused {
    Refused::new(Code::UnknownWebhook, format_args!("no webhook is named {name:?}"))
}
