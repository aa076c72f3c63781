//! `GET /v1/supervision`: how every actor is. It needs no database.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;

use super::Path;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::problem::Refused;
use crate::api::wire::supervision::Supervision;
use crate::domain::access::Role;

/// An actor that failed.
const SUPERVISION: &str = r#"{"actors": [{"path": "customer/crm", "kind": "source", "id": 7, "state": "restarting",
    "since": "2026-11-05T10:00:00Z", "restarts": 2,
    "last_exit": {"at": "2026-11-05T10:00:00Z", "error": "panicked: index out of bounds"}, "error": null,
    "next": {"action": "restart", "at": "2026-11-05T10:00:00.2Z", "in_ms": 180}}],
    "events": [{"at": "2026-11-05T10:00:00Z", "event": "actor restarting", "path": "customer/crm", "restarts": 2,
    "delay_ms": 200, "error": null}]}"#;

pub(super) fn routes() -> Vec<Path> {
    let told = operation("showSupervision", "Says how every actor is, also while the database is away")
        .answers::<Supervision>(200, "The actors, parents before children, and the latest events.", SUPERVISION);
    vec![Path::at("/v1/supervision").get(Role::View, show, told)]
}

async fn show(service: web::Data<Service>) -> Result<HttpResponse, Refused> {
    let known = service.supervision().await?;
    Ok(HttpResponse::Ok().json(Supervision::new(known, Timestamp::now())))
}
