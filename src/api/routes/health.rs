//! `GET /healthz` and `/readyz`: for whoever watches the process.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{Needs, Path};
use crate::actor::supervisor::GetStatus;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::problem::{Code, Refused};

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

pub(super) fn routes() -> Vec<Path> {
    vec![
        Path::at("/healthz").get(Needs::Nothing, alive, operation("isAlive", "Says that the process answers")),
        Path::at("/readyz").get(Needs::Nothing, ready, operation("isReady", "Says whether everything is up")),
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
