//! `GET /v1/status`: how everything is.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use super::Path;
use crate::actor::supervisor::GetStatus;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::problem::Refused;
use crate::api::wire::status::{ConfigStatus, EntityStatus, Status};
use crate::domain::access::Role;

pub(super) fn routes() -> Vec<Path> {
    vec![Path::at("/v1/status").get(Role::View, show, operation("showStatus", "Says how everything is"))]
}

async fn show(service: web::Data<Service>) -> Result<HttpResponse, Refused> {
    let now = service.order(GetStatus).await?;
    let config = Arc::clone(&service.config.borrow());
    let entity = |now: crate::actor::supervisor::EntityStatus| {
        let throttle = config.entities.get(&now.name).map(|entity| &entity.throttle);
        EntityStatus::new(now, throttle)
    };
    Ok(HttpResponse::Ok().json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: now.uptime_s,
        config: ConfigStatus::new(&service.config_path, &service.config_state.borrow()),
        database: now.database.into(),
        entities: now.entities.into_iter().map(entity).collect(),
    }))
}
