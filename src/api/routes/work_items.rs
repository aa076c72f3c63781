//! `/v1/work-items`: the durable queue.

use actix_web::{HttpRequest, HttpResponse, web};

use super::Path;
use super::repeat::Repeat;
use crate::actor::store::requests::queue::WorkItemId;
use crate::actor::store::requests::view::{FindWorkItem, Handled, ListWorkItems};
use crate::actor::supervisor::{DropItem, RetryItem};
use crate::api::Service;
use crate::api::describe::{Shape, operation};
use crate::api::input::{self, Query};
use crate::api::problem::{Code, Refused};
use crate::api::wire::List;
use crate::api::wire::work::{WorkItem, WorkState};
use crate::domain::access::Role;

/// A work item, as it is shown.
const ITEM: &str = r#"{"id": 17, "entity": "customer", "source": "crm", "key": "4711", "record": 12, "state": "done",
    "attempts": 1, "due_at": "2026-11-05T10:00:00Z", "last_error": null, "outcome": "synced"}"#;

/// A list of one.
const ITEMS: &str = r#"{"items": [{"id": 17, "entity": "customer", "source": "crm", "key": "4711", "record": 12,
    "state": "waiting", "attempts": 2, "due_at": null, "last_error": "exit 1: no route to host", "outcome": null,
    "blocked_by": ["crm"]}], "next": "17"}"#;

pub(super) fn routes() -> Vec<Path> {
    let list_told = operation("listWorkItems", "Lists work items")
        .query("state", Shape::of::<WorkState>, "Only items in this state.")
        .of_entity()
        .window()
        .answers::<List<WorkItem>>(200, "The items.", ITEMS);
    let show_told = operation("showWorkItem", "Shows a work item")
        .answers::<WorkItem>(200, "The item.", ITEM)
        .refuses(&[Code::UnknownWorkItem]);
    let drop_told = operation("dropWorkItem", "Gives a work item up: it is done, with the outcome `dropped`")
        .answers::<WorkItem>(200, "The item as it stands now.", ITEM)
        .refuses(&[Code::UnknownWorkItem, Code::WrongState]);
    let retry_told = operation("retryWorkItem", "Makes a work item ready at once, with fresh attempts")
        .detail("To retry an item that is parked because of `max_changes` is consent to what it finds.")
        .answers::<WorkItem>(200, "The item as it stands now.", ITEM)
        .refuses(&[Code::UnknownWorkItem, Code::WrongState]);
    vec![
        Path::at("/v1/work-items").get(Role::View, list, list_told),
        Path::at("/v1/work-items/{id}").get(Role::View, show, show_told).delete(Role::Operate, drop_item, drop_told),
        Path::at("/v1/work-items/{id}/retry").post(Role::Operate, retry, retry_told),
    ]
}

async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["state", "entity", "limit", "after"])?;
    let window = query.window()?;
    let state = query.get("state").map(str::parse::<WorkState>).transpose().map_err(input::malformed)?;
    let entity = query.get("entity").map(input::entity).transpose()?;
    entity.as_ref().map(|name| service.entity(name)).transpose()?;
    let page = service
        .ask(ListWorkItems { state: state.map(Into::into), entity, after: window.after, limit: window.limit })
        .await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(WorkItem::from))))
}

async fn show(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, Refused> {
    let id = read_id(&id)?;
    Ok(HttpResponse::Ok().json(find(&service, id).await?))
}

async fn retry(service: web::Data<Service>, id: web::Path<String>, repeat: Repeat) -> Result<HttpResponse, Refused> {
    let item = read_id(&id)?;
    if repeat.is_done() {
        return Ok(HttpResponse::Ok().json(find(&service, item).await?));
    }
    let handled = service.order(RetryItem { item, attempt: repeat.attempt }).await?;
    answer(&service, item, handled).await
}

async fn drop_item(
    service: web::Data<Service>,
    id: web::Path<String>,
    repeat: Repeat,
) -> Result<HttpResponse, Refused> {
    let item = read_id(&id)?;
    if repeat.is_done() {
        return Ok(HttpResponse::Ok().json(find(&service, item).await?));
    }
    let handled = service.order(DropItem { item, attempt: repeat.attempt }).await?;
    answer(&service, item, handled).await
}

/// Answers with the item as it stands now.
async fn answer(service: &Service, id: WorkItemId, handled: Handled) -> Result<HttpResponse, Refused> {
    match handled {
        Handled::Done(_) => Ok(HttpResponse::Ok().json(find(service, id).await?)),
        Handled::NotFound => Err(unknown(id)),
        Handled::NotNow(state) => {
            let state = WorkState::from(state);
            let detail = format!("the work item {} is {state}", id.0);
            Err(Refused::new(Code::WrongState, detail).with(|problem| problem.state = Some(state)))
        }
    }
}

async fn find(service: &Service, id: WorkItemId) -> Result<WorkItem, Refused> {
    let row = service.ask(FindWorkItem { id }).await?;
    row.map(WorkItem::from).ok_or_else(|| unknown(id))
}

fn read_id(text: &str) -> Result<WorkItemId, Refused> {
    input::id(text, "a work item").map(WorkItemId)
}

fn unknown(id: WorkItemId) -> Refused {
    Refused::new(Code::UnknownWorkItem, format_args!("there is no work item {}", id.0))
}
