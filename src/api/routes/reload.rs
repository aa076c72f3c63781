//! `POST /v1/reload`: reads the configuration again.

use actix_web::{HttpResponse, web};

use super::Path;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::problem::Refused;
use crate::api::wire::reload::Reloaded;
use crate::domain::access::Role;

pub(super) fn routes() -> Vec<Path> {
    let told = operation("reload", "Reads the configuration again, and puts it in force")
        .detail("A file that is rejected is an answer like the others; `outcome` says so.")
        .answers::<Reloaded>(
            200,
            "What came of it.",
            r#"{"outcome": "applied", "changes": ["entities.customer: throttle changed"], "errors": []}"#,
        );
    vec![Path::at("/v1/reload").post(Role::Operate, reload, told)]
}

/// A file that was rejected is an answer like the others: the reload was made, and that is what came of it.
async fn reload(service: web::Data<Service>) -> Result<HttpResponse, Refused> {
    let reloaded = service.reload().await?;
    Ok(HttpResponse::Ok().json(Reloaded::from(reloaded)))
}
