//! `GET /v1/config`: the configuration in force.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use super::Path;
use crate::api::Service;
use crate::api::describe::operation;
use crate::domain::access::Role;

pub(super) fn routes() -> Vec<Path> {
    let told = operation("showConfig", "Shows the configuration in force")
        .detail(
            "In the form of the file, every setting with its value. Secrets are hidden: the values of `env`, and what \
                 the database's URL holds besides hosts and a name.",
        )
        .answers_object(200, "The configuration.");
    vec![Path::at("/v1/config").get(Role::View, show, told)]
}

async fn show(service: web::Data<Service>) -> HttpResponse {
    let config = Arc::clone(&service.config.borrow());
    HttpResponse::Ok().json(config.shown())
}
