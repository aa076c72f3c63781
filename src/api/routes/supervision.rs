//! `GET /v1/supervision`: how every actor is. It needs no database.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;

use super::Path;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::problem::Refused;
use crate::api::wire::supervision::Supervision;
use crate::domain::access::Role;

pub(super) fn routes() -> Vec<Path> {
    vec![Path::at("/v1/supervision").get(Role::View, show, operation("showSupervision", "Says how every actor is"))]
}

async fn show(service: web::Data<Service>) -> Result<HttpResponse, Refused> {
    let known = service.supervision().await?;
    Ok(HttpResponse::Ok().json(Supervision::new(known, Timestamp::now())))
}
