//! `/v1/doubts`: writes of which nobody knows whether they took effect, and a person's word on one.

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use super::repeat::Repeat;
use super::{Path, orders};
use crate::actor::store::requests::view::ListDoubts;
use crate::actor::supervisor::Settle;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::input::{self, Node, Query};
use crate::api::problem::{Code, Refused};
use crate::api::wire::List;
use crate::api::wire::doubt::{self, Doubt};
use crate::domain::access::Role;
use crate::domain::record::{DoubtId, Settlement};

/// A list of one.
const DOUBTS: &str = r#"{"items": [{"id": 7, "operation": "0199a8c4-2f6e-7d30-9c51-3b8d2f0a6e11", "entity": "customer",
    "record": 12, "source": "billing", "kind": "create", "key": null, "document": {"name": "Ann"},
    "since": "2026-11-05T10:02:13.511024Z", "attempts": 1, "last_error": "signal 9: connection reset",
    "output": {"exit": "signal 9", "stdout": "", "stderr": "connection reset"}, "waiting": ["4711"]}], "next": null}"#;

pub(super) fn routes() -> Vec<Path> {
    let list_told = operation("listDoubts", "Lists the writes of which nobody knows whether they took effect")
        .of_entity()
        .window()
        .answers::<List<Doubt>>(200, "The doubts.", DOUBTS);
    let settle_told = orders::told(operation("settleDoubt", "Says what became of a write"))
        .body::<doubt::Settlement>(r#"{"key": "4711"}"#)
        .refuses(&[Code::UnknownDoubt, Code::SettledDoubt, Code::KeyTaken, Code::CopyThere])
        .refuses(&[Code::InvalidForeignKey, Code::NothingThere]);
    vec![
        Path::at("/v1/doubts").get(Role::View, list, list_told),
        Path::at("/v1/doubts/{id}/settle").post(Role::Operate, settle, settle_told),
    ]
}

async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["entity", "limit", "after"])?;
    let window = query.window()?;
    let entity = query.get("entity").map(input::entity).transpose()?;
    entity.as_ref().map(|name| service.entity(name)).transpose()?;
    let page = service.ask(ListDoubts { entity, after: window.after, limit: window.limit }).await?;
    Ok(HttpResponse::Ok().json(List::from(page.map(Doubt::from))))
}

async fn settle(
    service: web::Data<Service>,
    id: web::Path<String>,
    repeat: Repeat,
    body: Bytes,
) -> Result<HttpResponse, Refused> {
    let id = input::id(&id, "a doubt")?;
    let settlement = read_settlement(&body)?;
    let settle = |attempt| Settle { doubt: DoubtId(id), settlement, attempt };
    let ordered = orders::carry_out(&service, repeat, settle).await?;
    orders::answer(ordered, || Refused::new(Code::UnknownDoubt, format_args!("there is no doubt {id}")))
}

/// Reads the one thing that a person says.
fn read_settlement(body: &Bytes) -> Result<Settlement, Refused> {
    let body = input::parse(body)?;
    let top = Node::top(&body);
    let members = top.object(&["key", "absent"])?;
    let key = |node: Node<'_>| input::key(node.string()?).map_err(|refused| node.locate(refused));
    match (members.optional("key"), members.optional("absent")) {
        (Some(node), None) => key(node).map(Settlement::Key),
        (None, Some(node)) => node.truth().map(|()| Settlement::Absent),
        (Some(_), Some(_)) | (None, None) => Err(top.refuse("exactly one of key and absent is to be said".to_owned())),
    }
}
