//! The trail of what people did: every act is entered before it is done, and completed with what came of it.
//!
//! An act is a request that changes something and needs the role `operate`. It is done to its end even if whoever asked has gone
//! away meanwhile, so that its outcome can be recorded.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};
use bytes::Bytes;
use slog::{info, warn};

use super::Caller;
use super::guard::Admitted;
use crate::actor::store::requests::access::{Act, ActEnd, ActId, BeginAct, EndAct, Via};
use crate::api::Service;
use crate::api::arrears::Debt;
use crate::api::problem::{Code, Refused};
use crate::api::routes::Needs;
use crate::domain::access::Role;
use crate::log::key;

/// The act that must be possible also while the database is away: it may be what brings it back.
const RELOAD: &str = "reload";

/// So much is kept of a request's body, in bytes: more than any has that is carried out, but for values.
const KEPT_OF_BODY: usize = 4 << 10;

/// So much is kept of a path, in bytes.
const KEPT_OF_TARGET: usize = 1 << 10;

/// Enters an act into the trail, has it done, and records what came of it; whatever is no act passes.
pub(in crate::api) async fn record<B: MessageBody + 'static>(
    service: web::Data<Service>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    if !is_act(&request) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let body = request.extract::<Bytes>().await?;
    request.set_payload(body.clone().into());
    let act = act(&request, &body);
    let entered = match service.ask(BeginAct(act.clone())).await {
        Ok(id) => Some(id),
        Err(refused) if act.act == RELOAD => {
            warn!(service.log, "act not in the audit trail"; "act" => &act.act, "who" => &act.who, key::ERROR => %refused);
            None
        }
        Err(refused) => return Ok(request.into_response(refused.error_response()).map_into_right_body()),
    };
    let done = actix_web::rt::spawn(finish(service, act, entered, request, next)).await;
    let failed = |error| Refused::new(Code::Internal, format_args!("the request was not carried out: {error}"));
    Ok(done.map_err(failed)??.map_into_left_body())
}

/// Does the act, and records what came of it.
async fn finish<B: MessageBody + 'static>(
    service: web::Data<Service>,
    act: Act,
    entered: Option<ActId>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let response = next.call(request).await;
    let end = match &response {
        Ok(response) => end(response),
        Err(error) => ActEnd { status: error.as_response_error().status_code().as_u16(), code: None },
    };
    let Act { who, via, act, target, request: _ } = act;
    info!(service.log, "act done"; "act" => &act, "who" => &who, "from" => from(&via), "path" => &target,
        "status" => end.status, "code" => end.code.as_deref());
    if let Some(id) = entered {
        complete(&service, &act, EndAct { id, end }).await;
    }
    response
}

/// Enters an act that was refused because its body was; the body itself is kept nowhere.
pub(in crate::api) async fn enter_refused(request: &ServiceRequest, refused: &Refused) {
    let Some(service) = request.app_data::<web::Data<Service>>().filter(|_| is_act(request)) else { return };
    let act = act(request, &Bytes::new());
    let (end, name, who) = (refused.end(), act.act.clone(), act.who.clone());
    match service.ask(BeginAct(act)).await {
        Ok(id) => complete(service, &name, EndAct { id, end }).await,
        // Nothing was done: that it is in the log alone is no reason to answer otherwise.
        Err(error) => {
            warn!(service.log, "act not in the audit trail"; "act" => name, "who" => who, key::ERROR => %error);
        }
    }
}

/// Enters what somebody did to themselves alone: that they signed in, or out, or tried to.
pub(in crate::api) async fn enter(
    service: &Service,
    who: String,
    via: Via,
    act: &str,
    end: ActEnd,
) -> Result<(), Refused> {
    let begun = Act { who, via, act: act.to_owned(), target: format!("/{act}"), request: None };
    let id = service.ask(BeginAct(begun)).await?;
    complete(service, act, EndAct { id, end }).await;
    Ok(())
}

/// Records what came of an act: once the database is back, if it is away.
async fn complete(service: &Service, act: &str, end: EndAct) {
    let id = end.id.0;
    if let Err(refused) = service.ask(end.clone()).await
        && !service.arrears.owe(Debt::Act(end))
    {
        // Its entry says that the outcome is not known; this line does.
        warn!(service.log, "outcome not in the audit trail"; "act" => act, "audit" => id, key::ERROR => %refused);
    }
}

fn is_act(request: &ServiceRequest) -> bool {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    changes && request.extensions().get::<Admitted>() == Some(&Admitted(Needs::Role(Role::Operate)))
}

fn act(request: &ServiceRequest, body: &Bytes) -> Act {
    let known = request.extensions().get::<Caller>().and_then(Caller::name);
    let (who, via) = known.unwrap_or_else(|| ("unknown".to_owned(), Via::Unix { uid: None, pid: None }));
    let pattern = request.match_pattern().unwrap_or_default();
    let body = (!body.is_empty()).then(|| beginning(&String::from_utf8_lossy(body), KEPT_OF_BODY));
    let target = beginning(request.path(), KEPT_OF_TARGET);
    Act { who, via, act: name(request.method(), &pattern).to_owned(), target, request: body }
}

/// Keeps the beginning of a text, and says how long it was if that is not all of it.
fn beginning(text: &str, kept: usize) -> String {
    if text.len() <= kept {
        return text.to_owned();
    }
    let end = (0..=kept).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}... (cut: {} bytes in all)", &text[..end], text.len())
}

/// Names what a method does at a path: mostly the path says it last.
fn name<'a>(method: &Method, pattern: &'a str) -> &'a str {
    match (method.as_str(), pattern) {
        ("DELETE", "/v1/work-items/{id}") => "drop",
        ("POST", "/v1/tokens") => "create-token",
        ("DELETE", "/v1/tokens/{name}") => "revoke-token",
        ("POST", "/v1/webhooks") => "create-webhook",
        ("POST", "/v1/webhooks/{name}/rotate") => "rotate-webhook",
        ("DELETE", "/v1/webhooks/{name}") => "remove-webhook",
        (_, pattern) => pattern.rsplit('/').next().unwrap_or(pattern),
    }
}

fn from(via: &Via) -> String {
    let number = |number: Option<i64>| number.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
    match via {
        Via::Token { peer } => peer.clone(),
        Via::Unix { uid, pid } => format!("uid {}, pid {}", number(uid.map(i64::from)), number(pid.map(i64::from))),
    }
}

fn end<B>(response: &ServiceResponse<B>) -> ActEnd {
    let code = response.response().extensions().get::<Code>().map(|code| code.as_str().to_owned());
    ActEnd { status: response.status().as_u16(), code }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::routes;

    #[test]
    fn what_is_long_is_cut_between_characters_and_says_so() {
        assert_eq!(beginning("abc", 3), "abc");
        assert_eq!(beginning("ab\u{20ac}d", 3), "ab... (cut: 6 bytes in all)");
    }

    #[test]
    fn every_act_has_a_name_of_its_own_at_what_it_is_done_to() {
        let acts = routes::needs().filter(|(method, _, needs)| {
            *needs == Needs::Role(Role::Operate) && !matches!(*method, Method::GET | Method::HEAD)
        });
        let names: Vec<(&str, String)> = acts.map(|(method, path, _)| (path, name(&method, path).to_owned())).collect();
        assert!(names.iter().all(|(path, name)| !name.contains('{') && !path.is_empty()), "{names:?}");
        // To pause an entity and to pause a source are told apart by the path.
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        assert!(names.iter().any(|(_, name)| name == "resolve"), "{names:?}");
    }
}
