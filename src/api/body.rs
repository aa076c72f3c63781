//! Reads every request body before anything is done with it: at most 1 MiB, and whole within a deadline.
//!
//! The server's own time-out covers the head of a request alone. A body that is refused half-way is kept, unread, in the
//! answer: only then does the server close the connection instead of waiting for the rest for as long as the client likes.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use super::problem::{Code, Refused};

/// The greatest request body, in bytes.
const LIMIT: usize = 1 << 20;

/// How long a body may take, from the end of its head to its last byte.
const DEADLINE: Duration = Duration::from_secs(10);

/// Hands a request on with its whole body in memory, or refuses it.
pub(super) async fn read_whole<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let mut payload = request.take_payload();
    let refused = match tokio::time::timeout(DEADLINE, collect(&mut payload)).await {
        Ok(Ok(body)) => {
            request.set_payload(body.into());
            return Ok(next.call(request).await?.map_into_left_body());
        }
        Ok(Err(refused)) => refused,
        Err(_) => {
            Refused::new(Code::BodyTimeout, format_args!("the body was not complete after {} s", DEADLINE.as_secs()))
        }
    };
    let body = Abandoned { text: refused.body().into(), _unread: payload };
    let response = refused.head().force_close().finish().set_body(BoxBody::new(body));
    Ok(request.into_response(response).map_into_right_body())
}

async fn collect(payload: &mut Payload) -> Result<Bytes, Refused> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(broken)?;
        if body.len() + chunk.len() > LIMIT {
            return Err(Refused::new(Code::BodyTooLarge, format_args!("the body is larger than {LIMIT} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn broken(error: PayloadError) -> Refused {
    Refused::new(Code::Malformed, format_args!("the body cannot be read: {error}"))
}

/// The answer to a body that was not read to its end, holding what was left of it.
struct Abandoned {
    text: Bytes,
    _unread: Payload,
}

impl MessageBody for Abandoned {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.text.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let text = std::mem::take(&mut self.text);
        Poll::Ready((!text.is_empty()).then_some(Ok(text)))
    }
}
