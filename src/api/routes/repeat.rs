//! `Idempotency-Key`: a request that is sent once more is answered as it was, and not carried out twice.
//!
//! The key is taken before the request is carried out, and what came of it is kept with it for a day. What comes to no end
//! (5xx) is not kept, so that it can be tried again; nor is what was refused before it came as far as its route.

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError, web};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::actor::store::requests::repeatable::{Answered, BeginRequest, Begun, EndRequest, ForgetRequest, RequestKey};
use crate::api::describe::{Operation, key_of_request};
use crate::api::input;
use crate::api::problem::{Code, Refused};
use crate::api::{Service, signature};

/// The header in which the key comes.
pub(super) const HEADER: &str = "Idempotency-Key";

/// The header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long a key may be.
const LONGEST: usize = 255;

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

/// Carries a request out, unless it was carried out before.
pub(super) async fn once(mut request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let header = request.headers().get(HEADER);
    // A signed message has a name of its own, and who signed it is not known yet.
    let Some(header) = header.filter(|_| !signature::is_signed(request.headers())) else {
        return next.call(request).await;
    };
    let key = match read(header) {
        Ok(key) => RequestKey { caller: caller(&request), key },
        Err(refused) => return Ok(request.into_response(refused.error_response())),
    };
    let body = request.extract::<Bytes>().await?;
    let fingerprint = fingerprint(&request, &body);
    request.set_payload(body.into());
    let Some(service) = request.app_data::<web::Data<Service>>().cloned() else { return next.call(request).await };
    match service.ask(BeginRequest { key: key.clone(), fingerprint }).await {
        Ok(Begun::New) => keep(&service, key, next.call(request).await?).await,
        Ok(Begun::Answered(answered)) => Ok(request.into_response(replay(answered))),
        Ok(Begun::UnderWay) => {
            let detail = "the request with this Idempotency-Key is being carried out";
            Ok(request.into_response(Refused::new(Code::RequestUnderWay, detail).error_response()))
        }
        Ok(Begun::Other) => {
            let detail = "this Idempotency-Key came before, with another request";
            Ok(request.into_response(Refused::new(Code::KeyReused, detail).error_response()))
        }
        Err(refused) => Ok(request.into_response(refused.error_response())),
    }
}

/// Reads a key.
fn read(header: &HeaderValue) -> Result<String, Refused> {
    let bad = || input::malformed(format_args!("{HEADER} should be a text of 1 to {LONGEST} visible characters"));
    let text = header.to_str().map_err(|_| bad())?.trim();
    let is_good = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_good.then(|| text.to_owned()).ok_or_else(bad)
}

/// Says whose keys these are, since two callers may have the same: the bearers of one token, or whoever needs none.
fn caller(request: &ServiceRequest) -> String {
    match request.headers().get(AUTHORIZATION) {
        // Not the token itself, which is kept nowhere.
        Some(shown) => Uuid::from_bytes(first_half(Sha256::digest(shown.as_bytes()).into())).to_string(),
        None => "nobody".to_owned(),
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
    key: RequestKey,
    response: ServiceResponse<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let body = to_bytes(body).await.unwrap_or_default();
    let status = head.status();
    let media = head.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default().to_owned();
    // What cannot be kept is no reason to hide what was done: to ask once more does no harm.
    if status.is_server_error() {
        let _ = service.ask(ForgetRequest(key)).await;
    } else {
        let answered = Answered { status: status.as_u16(), media, body: body.to_vec() };
        let _ = service.ask(EndRequest { key, answered }).await;
    }
    Ok(ServiceResponse::new(request, head.set_body(BoxBody::new(body))))
}

fn replay(Answered { status, media, body }: Answered) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status).insert_header((CONTENT_TYPE, media)).insert_header((REPLAYED, "true")).body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, key: Option<&str>) {
        let header = HeaderValue::from_str(header).expect("a header");
        assert_eq!(read(&header).ok().as_deref(), key, "{header:?}");
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
