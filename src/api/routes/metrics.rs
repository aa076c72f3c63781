//! `GET /metrics`: everything that is measured, as Prometheus reads it.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use super::Path;
use crate::api::describe::operation;
use crate::api::problem::Refused;
use crate::api::{Service, exposition};
use crate::domain::access::Role;
use crate::metrics::Page;

pub(super) fn routes() -> Vec<Path> {
    vec![
        Path::at("/metrics").get(
            Role::View,
            measure,
            operation("showMetrics", "Says what is measured, as Prometheus reads it")
                .detail("It answers also while the database is away, without what that knows.")
                .answers_text(200, "The measures, in the text format of Prometheus.", "text/plain"),
        ),
    ]
}

/// Answers also while the database is away, without what it knows.
async fn measure(service: web::Data<Service>) -> Result<HttpResponse, Refused> {
    let survey = service.survey().await?;
    let (config, file) = (Arc::clone(&service.config.borrow()), service.config_state.borrow().clone());
    let page = exposition::page(&survey, &service.tally.read(), service.herald.followers(), &config, &file);
    Ok(HttpResponse::Ok().content_type(Page::CONTENT_TYPE).body(page))
}
