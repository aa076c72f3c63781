//! `POST /v1/reload`: reads the configuration again.

use actix_web::{HttpResponse, web};

use super::Path;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::problem::Refused;
use crate::api::wire::reload::Reloaded;
use crate::domain::access::Role;

pub(super) fn routes() -> Vec<Path> {
    vec![Path::at("/v1/reload").post(Role::Operate, reload, operation("reload", "Reads the configuration again"))]
}

/// A file that was rejected is an answer like the others: the reload was made, and that is what came of it.
async fn reload(service: web::Data<Service>) -> Result<HttpResponse, Refused> {
    let reloaded = service.reload().await?;
    Ok(HttpResponse::Ok().json(Reloaded::from(reloaded)))
}
