//! `/v1/deletes`: the deletions that `max_deletes` holds, and a person's word on them.

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use super::Path;
use super::repeat::Repeat;
use crate::actor::store::requests::repeatable::Effect;
use crate::actor::store::requests::view::ListDeletes;
use crate::actor::supervisor::ApproveDeletes;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::input::{self, Node, Query};
use crate::api::problem::{Code, Refused};
use crate::api::wire::List;
use crate::api::wire::delete::{Approval, Approved, Delete};
use crate::domain::access::Role;

/// A list of one.
const DELETES: &str = r#"{"items": [{"id": 3, "entity": "customer", "record": 12, "source": "crm", "key": "4711",
    "since": "2026-11-05T10:00:00Z"}], "next": null}"#;

pub(super) fn routes() -> Vec<Path> {
    let list_told = operation("listDeletes", "Lists the deletions that `max_deletes` holds")
        .of_entity()
        .window()
        .answers::<List<Delete>>(200, "The deletions.", DELETES);
    let approve_told = operation("approveDeletes", "Carries out the held deletions of an entity")
        .detail("Approves those that are held at that moment, and no later ones.")
        .body::<Approval>(r#"{"entity": "customer"}"#)
        .answers::<Approved>(200, "What was approved.", r#"{"approved": 2, "work_items": [71, 72]}"#)
        .refuses(&[Code::UnknownEntity]);
    vec![
        Path::at("/v1/deletes").get(Role::View, list, list_told),
        Path::at("/v1/deletes/approve").post(Role::Operate, approve, approve_told),
    ]
}

async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["entity", "limit", "after"])?;
    let window = query.window()?;
    let entity = query.get("entity").map(input::entity).transpose()?;
    entity.as_ref().map(|name| service.entity(name)).transpose()?;
    let page = service.ask(ListDeletes { entity, after: window.after, limit: window.limit }).await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(Delete::from))))
}

async fn approve(service: web::Data<Service>, repeat: Repeat, body: Bytes) -> Result<HttpResponse, Refused> {
    let body = input::parse(&body)?;
    let node = Node::top(&body).object(&["entity"])?.required("entity")?;
    let entity = node.string().and_then(|text| input::entity(text).map_err(|refused| node.locate(refused)))?;
    let approved = match repeat.effect {
        Some(Effect::Approved(approved)) => approved,
        Some(Effect::Ordered(_) | Effect::Done) | None => {
            service.order(ApproveDeletes { entity, counted: None, attempt: repeat.attempt }).await?
        }
    };
    Ok(HttpResponse::Ok().json(Approved::from(approved)))
}
