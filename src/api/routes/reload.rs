//! `POST /v1/reload`: reads the configuration again.

use actix_web::{HttpResponse, web};

use super::Path;
use crate::api::Service;
use crate::api::problem::Refused;
use crate::api::wire::reload::Reloaded;

pub(super) fn routes() -> Vec<Path> {
    vec![Path::at("/v1/reload").post(reload)]
}

/// A file that was rejected is an answer like the others: the reload was made, and that is what came of it.
async fn reload(service: web::Data<Service>) -> Result<HttpResponse, Refused> {
    let reloaded = service.reload().await?;
    Ok(HttpResponse::Ok().json(Reloaded::from(reloaded)))
}
