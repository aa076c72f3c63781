//! `GET /v1/status`: how everything is.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use super::Path;
use crate::actor::store::requests::pause::ListPaused;
use crate::actor::supervisor::GetStatus;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::problem::Refused;
use crate::api::wire::status::{ConfigStatus, EntityStatus, Status};
use crate::domain::access::Role;

/// The status of a daemon with one entity.
const STATUS: &str = r#"{"version": "0.1.0", "uptime_s": 3600, "config": {"path": "/etc/retcon/retcon.toml",
    "state": "applied", "loaded_at": "2026-11-05T10:00:00Z", "read_at": "2026-11-05T10:00:00Z", "errors": [],
    "needs_restart": []}, "database": {"state": "up"}, "entities": [{"name": "customer", "state": "up",
    "queue": {"ready": 0, "running": 1, "waiting": 0, "parked": 0, "oldest_s": 0}, "records": 250, "conflicts": 0,
    "in_doubt": 0, "deletes_held": 0, "syncing": 1,
    "throttle": {"rate": 0.0, "burst": 1, "in_flight": 8, "waiting": 0, "wait_ms": 0},
    "sources": [{"name": "crm", "state": "paused", "paused": {"since": "2026-11-05T10:00:00.000000Z", "who": "ann"},
    "restarts": 0, "last_error": null}]}]}"#;

pub(super) fn routes() -> Vec<Path> {
    let told = operation("showStatus", "Says how everything is").answers::<Status>(
        200,
        "The counts are exact, and include all that was acknowledged before.",
        STATUS,
    );
    vec![Path::at("/v1/status").get(Role::View, show, told)]
}

async fn show(service: web::Data<Service>) -> Result<HttpResponse, Refused> {
    let now = service.order(GetStatus).await?;
    let paused = service.ask(ListPaused).await?;
    let config = Arc::clone(&service.config.borrow());
    let entity = |now: crate::actor::supervisor::EntityStatus| {
        let throttle = config.entities.get(&now.name).map(|entity| &entity.throttle);
        let paused = paused.get(&now.name).map(Vec::as_slice).unwrap_or_default();
        EntityStatus::new(now, throttle, paused)
    };
    Ok(HttpResponse::Ok().json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: now.uptime_s,
        config: ConfigStatus::new(&service.config_path, &service.config_state.borrow()),
        database: now.database.into(),
        entities: now.entities.into_iter().map(entity).collect(),
    }))
}
