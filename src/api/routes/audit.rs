//! `GET /v1/audit`: what people did.

use actix_web::{HttpRequest, HttpResponse, web};

use super::Path;
use crate::actor::store::requests::access::ListActs;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::input::Query;
use crate::api::problem::Refused;
use crate::api::wire::List;
use crate::api::wire::access::Act;
use crate::domain::access::Role;

/// A list of one.
const ACTS: &str = r#"{"items": [{"id": 12, "at": "2026-11-05T10:00:00.000000Z", "who": "ann", "via": "unix", "uid": 1000,
    "pid": 4711, "peer": null, "act": "resolve", "target": "/v1/conflicts/7/resolve", "request": {"take": "crm"},
    "outcome": "done", "status": 200, "code": null, "ended_at": "2026-11-05T10:00:00.021418Z"}], "next": null}"#;

pub(super) fn routes() -> Vec<Path> {
    let told = operation("listAudit", "Lists what people did, the latest first").window().answers::<List<Act>>(
        200,
        "What they did.",
        ACTS,
    );
    vec![Path::at("/v1/audit").get(Role::View, list, told)]
}

async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let window = Query::parse(request.query_string(), &["limit", "after"])?.window()?;
    let page = service.ask(ListActs { after: window.after, limit: window.limit }).await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(Act::from))))
}
