//! `/v1/conflicts`: where sources disagree, and a person's word on it.

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use super::repeat::Repeat;
use super::{Path, orders};
use crate::actor::store::requests::view::ListConflicts;
use crate::actor::supervisor::Resolve;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::input::{self, Members, Node, Query};
use crate::api::problem::{Code, Refused};
use crate::api::wire::List;
use crate::api::wire::conflict::Conflict;
use crate::api::wire::order::Resolution;
use crate::domain::access::Role;
use crate::domain::merge::Decision;
use crate::domain::name::SourceName;

/// A list of one conflict.
const CONFLICTS: &str = r#"{"items": [{"id": 3, "revision": 2, "entity": "customer", "record": 12, "path": "/email",
    "kind": "edit-edit", "agreed": "ann@example.com", "contenders": [{"sources": ["billing"], "value": "a@example.com"},
    {"sources": ["crm"], "absent": true}], "opened_at": "2026-11-05T10:00:00Z"}], "next": null}"#;

pub(super) fn routes() -> Vec<Path> {
    let list_told = operation("listConflicts", "Lists open conflicts").of_entity().window().answers::<List<Conflict>>(
        200,
        "The conflicts.",
        CONFLICTS,
    );
    let resolve_told = orders::told(operation("resolveConflict", "Decides a conflict"))
        .detail("With `revision` it counts only as long as the conflict is at that revision.")
        .body::<Resolution>(r#"{"take": "crm", "revision": 2}"#)
        .refuses(&[Code::UnknownConflict, Code::StaleConflict, Code::SenselessResolution]);
    vec![
        Path::at("/v1/conflicts").get(Role::View, list, list_told),
        Path::at("/v1/conflicts/{id}/resolve").post(Role::Operate, resolve, resolve_told),
    ]
}

async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["entity", "limit", "after"])?;
    let window = query.window()?;
    let entity = query.get("entity").map(input::entity).transpose()?;
    entity.as_ref().map(|name| service.entity(name)).transpose()?;
    let page = service.ask(ListConflicts { entity, record: None, after: window.after, limit: window.limit }).await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(Conflict::from))))
}

async fn resolve(
    service: web::Data<Service>,
    id: web::Path<String>,
    repeat: Repeat,
    body: Bytes,
) -> Result<HttpResponse, Refused> {
    let conflict = input::id(&id, "a conflict")?;
    let body = input::parse(&body)?;
    let top = Node::top(&body);
    let members = top.object(&["take", "value", "absent", "keep", "revision"])?;
    let decision = read_decision(&top, &members)?;
    let revision = members.optional("revision").map(|node| node.integer()).transpose()?;
    let ordered =
        orders::carry_out(&service, repeat, |attempt| Resolve { conflict, revision, decision, attempt }).await?;
    orders::answer(ordered, || Refused::new(Code::UnknownConflict, format_args!("there is no conflict {conflict}")))
}

/// Reads the one thing that a resolution says.
fn read_decision(top: &Node<'_>, members: &Members<'_>) -> Result<Decision, Refused> {
    let take = members.optional("take").map(|node| read_source(&node).map(Decision::Take));
    let value = members.optional("value").map(|node| Ok(Decision::Value(node.json().clone())));
    let absent = members.optional("absent").map(|node| node.truth().map(|()| Decision::Absent));
    let keep = members.optional("keep").map(|node| node.truth().map(|()| Decision::Keep));
    let mut said: Vec<_> = [take, value, absent, keep].into_iter().flatten().collect();
    match (said.pop(), said.is_empty()) {
        (Some(decision), true) => decision,
        (Some(_) | None, _) => Err(top.refuse("exactly one of take, value, absent and keep is to be said".to_owned())),
    }
}

fn read_source(node: &Node<'_>) -> Result<SourceName, Refused> {
    let text = node.string()?;
    let unknown = |_| node.locate(Refused::new(Code::SenselessResolution, format_args!("no source is named {text:?}")));
    text.parse().map_err(unknown)
}
