//! `GET /healthz` and `/readyz`: for whoever watches the process.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Needs, Path};
use crate::actor::supervisor::GetStatus;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::problem::{Code, Refused};

#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

pub(super) fn routes() -> Vec<Path> {
    let alive_told =
        operation("isAlive", "Says that the process answers").answers::<Health>(200, "It does.", r#"{"status": "ok"}"#);
    let ready_told = operation("isReady", "Says whether notifications are accepted and every entity is up")
        .answers::<Health>(200, "They are.", r#"{"status": "ready"}"#)
        .refuses(&[Code::NotReady]);
    vec![
        Path::at("/healthz").get(Needs::Nothing, alive, alive_told),
        Path::at("/readyz").get(Needs::Nothing, ready, ready_told),
    ]
}

/// Says that the process answers, and nothing else.
async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// Says whether notifications are accepted and every entity's actor is up.
async fn ready(service: web::Data<Service>) -> Result<HttpResponse, Refused> {
    let now = service.order(GetStatus).await.map_err(|refused| Refused::new(Code::NotReady, refused))?;
    if let Some(trouble) = &now.database.error {
        return Err(Refused::new(Code::NotReady, format_args!("nothing can be stored: {trouble}")));
    }
    if !now.ready {
        return Err(Refused::new(Code::NotReady, "notifications are not accepted yet, or an entity is not up"));
    }
    Ok(HttpResponse::Ok().json(Health { status: "ready" }))
}
