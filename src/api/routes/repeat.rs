//! `Idempotency-Key`: a request that is sent once more is answered as it was, and not carried out twice.
//!
//! The key is taken before the request is carried out, and what came of it is kept with it for a day. What must not be done twice
//! is told with the key in the transaction that does it: if there is no answer, because the daemon died or the database went
//! away, the route answers by that. What comes to no end (5xx) is not kept, so that it can be tried again; nor is what was
//! refused before it came as far as its route.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use slog::warn;
use uuid::Uuid;

use crate::actor::store::requests::queue::WorkItemId;
use crate::actor::store::requests::repeatable::{
    Answered, Attempt, BeginRequest, Begun, Effect, EndRequest, ForgetRequest, RequestKey,
};
use crate::api::access::Caller;
use crate::api::arrears::Debt;
use crate::api::describe::{Operation, key_of_request};
use crate::api::input;
use crate::api::problem::{Code, Refused};
use crate::api::under_way::{Met, Turn};
use crate::api::{Service, signature};

/// The header in which the key comes.
pub(super) const HEADER: &str = "Idempotency-Key";

/// The header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long a key may be.
const LONGEST: usize = 255;

/// The pause before it is looked again whether a request is carried out.
const PAUSE: Duration = Duration::from_millis(50);

/// Adds to a description what every request has that may be repeated.
pub(super) fn told(operation: Operation) -> Operation {
    operation
        .header(
            HEADER,
            key_of_request,
            "A name for this very request: sent once more, within a day, it is answered as it was.",
        )
        .refuses(&[Code::RequestUnderWay, Code::KeyReused])
}

/// What a route is told of a request that came with a key; without one, nothing.
#[derive(Debug, Clone, Default)]
pub(in crate::api) struct Repeat {
    /// What the request's effect is told with.
    pub(in crate::api) attempt: Option<Attempt>,
    /// What it has changed already: it is answered by that, and not carried out.
    pub(in crate::api) effect: Option<Effect>,
}

impl Repeat {
    /// The work item of an order that is stored already.
    pub(in crate::api) fn ordered(&self) -> Option<WorkItemId> {
        match self.effect {
            Some(Effect::Ordered(item)) => Some(item),
            Some(Effect::Approved(_) | Effect::Done) | None => None,
        }
    }

    /// Whether what was asked is done already, and no more is to be said of it.
    pub(in crate::api) fn is_done(&self) -> bool {
        match self.effect {
            Some(Effect::Done) => true,
            Some(Effect::Ordered(_) | Effect::Approved(_)) | None => false,
        }
    }
}

impl FromRequest for Repeat {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(request.extensions().get::<Self>().cloned().unwrap_or_default()))
    }
}

/// Carries a request out, unless it was carried out before.
pub(super) async fn once(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    // A signed message has a name of its own, and who signed it is not known yet.
    if !request.headers().contains_key(HEADER) || signature::is_signed(request.headers()) {
        return next.call(request).await;
    }
    match read(request.headers()) {
        Ok(key) => carry_out(request, key, next, Duration::ZERO).await,
        Err(refused) => Ok(request.into_response(refused.error_response())),
    }
}

/// Carries a request with a key out, unless it was carried out before. While that is being done, it is waited for so long.
pub(in crate::api) async fn carry_out(
    mut request: ServiceRequest,
    key: String,
    next: Next<BoxBody>,
    patience: Duration,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let key = RequestKey { caller: caller(&request), key };
    let body = request.extract::<Bytes>().await?;
    let fingerprint = fingerprint(&request, &body);
    request.set_payload(body.into());
    let Some(service) = request.app_data::<web::Data<Service>>().cloned() else { return next.call(request).await };
    let attempt = Attempt { key, id: Uuid::new_v4() };
    let since = Instant::now();
    let begun = loop {
        match begin(&service, &attempt, fingerprint).await {
            Err(refused) if refused.code() == Code::RequestUnderWay && since.elapsed() < patience => {
                tokio::time::sleep(PAUSE).await;
            }
            begun => break begun,
        }
    };
    match begun {
        Ok(Step::CarryOut(turn, effect)) => {
            request.extensions_mut().insert(Repeat { attempt: Some(attempt.clone()), effect });
            keep(&service, attempt, turn, next.call(request).await?).await
        }
        Ok(Step::Answer(answered)) => Ok(request.into_response(replay(answered))),
        Err(refused) => Ok(request.into_response(refused.error_response())),
    }
}

/// Refuses a key where none is taken.
pub(super) async fn never(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    if !request.headers().contains_key(HEADER) {
        return next.call(request).await;
    }
    let detail = format_args!("what answers with a secret takes no {HEADER}: no secret is kept");
    Ok(request.into_response(input::malformed(detail).error_response()))
}

/// What is to be done about a request.
enum Step {
    /// Nothing was answered: the route answers, by what was changed already, if anything was.
    CarryOut(Turn, Option<Effect>),
    Answer(Answered),
}

/// Finds out whether a request was carried out before.
async fn begin(service: &Service, attempt: &Attempt, fingerprint: [u8; 32]) -> Result<Step, Refused> {
    let other = || Refused::new(Code::KeyReused, "this Idempotency-Key came before, with another request");
    let turn = match service.under_way.take(&attempt.key, fingerprint) {
        Met::Free(turn) => turn,
        Met::Answered(answered) => return Ok(Step::Answer(answered)),
        Met::Other => return Err(other()),
        Met::Busy => {
            let detail = "the request with this Idempotency-Key is being carried out";
            return Err(Refused::new(Code::RequestUnderWay, detail));
        }
    };
    match service.ask(BeginRequest { attempt: attempt.clone(), fingerprint }).await? {
        Begun::New => Ok(Step::CarryOut(turn, None)),
        Begun::TookEffect(effect) => Ok(Step::CarryOut(turn, Some(effect))),
        Begun::Answered(answered) => Ok(Step::Answer(answered)),
        Begun::Other => Err(other()),
    }
}

/// Reads a key, of which there is one.
fn read(headers: &HeaderMap) -> Result<String, Refused> {
    let bad = || {
        input::malformed(format_args!("{HEADER} should be there once, and a text of 1 to {LONGEST} visible characters"))
    };
    let mut named = headers.get_all(HEADER);
    let (Some(header), None) = (named.next(), named.next()) else { return Err(bad()) };
    let text = header.to_str().map_err(|_| bad())?.trim();
    let is_good = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_good.then(|| text.to_owned()).ok_or_else(bad)
}

/// Says whose keys these are, since two callers may have the same: the bearers of one token, or whoever needs none.
fn caller(request: &ServiceRequest) -> String {
    match (request.headers().get(AUTHORIZATION), request.extensions().get::<Caller>()) {
        // Not the token itself, which is kept nowhere.
        (Some(shown), _) => Uuid::from_bytes(first_half(Sha256::digest(shown.as_bytes()).into())).to_string(),
        (None, Some(Caller::Bearer(bearer, _))) => format!("signed in with token {}", bearer.id),
        (None, Some(Caller::Owner(_) | Caller::Anybody) | None) => "nobody".to_owned(),
    }
}

fn first_half(hash: [u8; 32]) -> [u8; 16] {
    std::array::from_fn(|n| hash[n])
}

/// Tells this request from others.
fn fingerprint(request: &ServiceRequest, body: &[u8]) -> [u8; 32] {
    let media = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [request.method().as_str().as_bytes(), request.uri().to_string().as_bytes(), media, body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Keeps an answer, and hands it on.
async fn keep(
    service: &Service,
    attempt: Attempt,
    turn: Turn,
    response: ServiceResponse<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let body = to_bytes(body).await.unwrap_or_default();
    let status = head.status();
    let media = head.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default().to_owned();
    if status.is_server_error() {
        // Whoever comes again takes the key over, if it could not be given back.
        let _ = service.ask(ForgetRequest(attempt)).await;
    } else {
        let answered = Answered { status: status.as_u16(), media, body: body.to_vec() };
        turn.answer(answered.clone());
        let end = EndRequest { attempt, answered };
        if service.ask(end.clone()).await.is_err() && !service.arrears.owe(Debt::Answer(end, turn)) {
            // What it has changed is told with its key: it is not carried out twice for want of its answer.
            warn!(service.log, "answer not kept"; "status" => status.as_u16());
        }
    }
    Ok(ServiceResponse::new(request, head.set_body(BoxBody::new(body))))
}

fn replay(Answered { status, media, body }: Answered) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CONTENT_TYPE, media)).insert_header((REPLAYED, "true"));
    if status == StatusCode::SEE_OTHER {
        // Where to go next is all that such an answer says, and its body says it too.
        answer.insert_header((LOCATION, body.as_slice()));
    }
    answer.body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, key: Option<&str>) {
        let header = HeaderValue::from_str(header).expect("a header");
        let headers = HeaderMap::from_iter([(HeaderName::from_static("idempotency-key"), header)]);
        assert_eq!(read(&headers).ok().as_deref(), key, "{headers:?}");
    }

    #[test]
    fn a_key_is_any_text_of_visible_characters() {
        check("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", Some("\"8e03978e-40d5-43dd-bc93-6894a57f9324\""));
        check("order-17", Some("order-17"));
        check(&"k".repeat(255), Some(&"k".repeat(255)));
    }

    #[test]
    fn what_is_empty_long_or_hidden_is_no_key() {
        for bad in ["", "a b", "\u{e9}", &"k".repeat(256)] {
            check(bad, None);
        }
    }
}
