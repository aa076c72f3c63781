//! `/v1/work-items`: the durable queue.

use actix_web::{HttpRequest, HttpResponse, web};

use super::Path;
use crate::actor::store::requests::queue::WorkItemId;
use crate::actor::store::requests::view::{FindWorkItem, Handled, ListWorkItems};
use crate::actor::supervisor::{DropItem, RetryItem};
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::input::{self, Query};
use crate::api::problem::{Code, Refused};
use crate::api::wire::List;
use crate::api::wire::work::{WorkItem, WorkState};
use crate::domain::access::Role;

pub(super) fn routes() -> Vec<Path> {
    vec![
        Path::at("/v1/work-items").get(Role::View, list, operation("listWorkItems", "Lists work items")),
        Path::at("/v1/work-items/{id}").get(Role::View, show, operation("showWorkItem", "Shows a work item")).delete(
            Role::Operate,
            drop_item,
            operation("dropWorkItem", "Gives a work item up"),
        ),
        Path::at("/v1/work-items/{id}/retry").post(
            Role::Operate,
            retry,
            operation("retryWorkItem", "Makes a work item ready at once"),
        ),
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

async fn retry(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, Refused> {
    let id = read_id(&id)?;
    let handled = service.order(RetryItem(id)).await?;
    answer(&service, id, handled).await
}

async fn drop_item(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, Refused> {
    let id = read_id(&id)?;
    let handled = service.order(DropItem(id)).await?;
    answer(&service, id, handled).await
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
