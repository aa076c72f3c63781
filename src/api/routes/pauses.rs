//! `/v1/entities/{entity}/pause` and its like: stops an entity or a source for the time being.

use actix_web::{HttpResponse, web};

use super::Path;
use crate::actor::supervisor::Pause;
use crate::api::Service;
use crate::api::access::Caller;
use crate::api::describe::{Operation, operation};
use crate::api::input;
use crate::api::problem::{Code, Refused};
use crate::api::wire::pause::Paused;
use crate::domain::access::Role;

pub(super) fn routes() -> Vec<Path> {
    let entity = |id, summary| {
        told(operation(id, summary), r#"{"entity": "customer", "source": null, "paused": true}"#)
            .refuses(&[Code::UnknownEntity])
    };
    let source = |id, summary| {
        told(operation(id, summary), r#"{"entity": "customer", "source": "crm", "paused": true}"#)
            .refuses(&[Code::UnknownEntity, Code::UnknownSource])
    };
    vec![
        Path::at("/v1/entities/{entity}/pause").post(
            Role::Operate,
            set_entity::<true>,
            entity("pauseEntity", "Begins no more work of an entity"),
        ),
        Path::at("/v1/entities/{entity}/resume").post(
            Role::Operate,
            set_entity::<false>,
            entity("resumeEntity", "Goes on with the work of an entity"),
        ),
        Path::at("/v1/entities/{entity}/sources/{source}/pause").post(
            Role::Operate,
            set_source::<true>,
            source("pauseSource", "Starts no more programs of a source"),
        ),
        Path::at("/v1/entities/{entity}/sources/{source}/resume").post(
            Role::Operate,
            set_source::<false>,
            source("resumeSource", "Goes on with a source"),
        ),
    ]
}

fn told(operation: Operation, example: &'static str) -> Operation {
    operation
        .detail("What is under way ends. It holds over restarts and reloads. That it was so already is no mistake.")
        .answers::<Paused>(200, "It is so now.", example)
}

async fn set_entity<const PAUSED: bool>(
    service: web::Data<Service>,
    caller: Caller,
    entity: web::Path<String>,
) -> Result<HttpResponse, Refused> {
    set(&service, &caller, (&entity, None), PAUSED).await
}

async fn set_source<const PAUSED: bool>(
    service: web::Data<Service>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Refused> {
    set(&service, &caller, (&path.0, Some(&path.1)), PAUSED).await
}

async fn set(
    service: &Service,
    caller: &Caller,
    (entity, source): (&str, Option<&str>),
    paused: bool,
) -> Result<HttpResponse, Refused> {
    let entity = service.entity(&input::entity(entity)?)?;
    let source = source.map(|text| input::source(text, &entity.name)).transpose()?;
    source.as_ref().map(|name| service.source(&entity, name)).transpose()?;
    let name = entity.name.clone();
    let who = caller.name().map(|(who, _)| who);
    service.order(Pause { entity: name.clone(), source: source.clone(), paused, who }).await?;
    let source = source.map(|source| source.to_string());
    Ok(HttpResponse::Ok().json(Paused { entity: name.to_string(), source, paused }))
}
