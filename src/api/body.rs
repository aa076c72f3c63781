//! Reads every request body before anything is done with it: at most 1 MiB, whole within a deadline, and so much of all together.
//!
//! The server's own time-out covers the head of a request alone. A body that is refused half-way is kept, unread, in the
//! answer: only then does the server close the connection instead of waiting for the rest for as long as the client likes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access;
use super::problem::{Code, Refused};
use super::screen::Verdict;

/// How large a body may be, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// In bytes.
    pub(super) size: usize,
    /// From the end of the head to the last byte.
    pub(super) time: Duration,
}

impl Bounds {
    /// The bounds of the API, as docs/api.md tells them.
    pub(super) const API: Self = Self { size: 1 << 20, time: Duration::from_secs(10) };
}

/// So much of every body finds room, whatever others send, in bytes: more than most of them have.
const FREE: usize = 16 << 10;

/// What goes beyond that has so much room in all, in bytes.
const ROOM: usize = 32 << 20;

/// What a server takes in of bodies; a clone shares the room.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    bounds: Bounds,
    room: Arc<Semaphore>,
}

impl Intake {
    /// With the bounds of the API.
    pub(super) fn of_api() -> Self {
        Self::new(Bounds::API, ROOM)
    }

    fn new(bounds: Bounds, room: usize) -> Self {
        Self { bounds, room: Arc::new(Semaphore::new(room)) }
    }
}

/// The room that a body takes as long as its request is there.
struct Taken(OwnedSemaphorePermit);

/// Hands a request on with its whole body in memory, or refuses it.
pub(super) async fn read_whole<B: MessageBody + 'static>(
    intake: Intake,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    if request.method() == Method::CONNECT {
        // What follows is no body, and has no end.
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let bounds = intake.bounds;
    if announced(&request).is_some_and(|length| length > bounds.size as u64) {
        let refused = too_large(bounds.size);
        access::enter_refused(&request, &refused).await;
        return Ok(refuse(request, &refused).map_into_right_body());
    }
    let mut payload = request.take_payload();
    let refused = match tokio::time::timeout(bounds.time, collect(&mut payload, &intake)).await {
        Ok(Ok((body, taken))) => {
            request.set_payload(body.into());
            if let Some(taken) = taken {
                request.extensions_mut().insert(taken);
            }
            return Ok(next.call(request).await?.map_into_left_body());
        }
        // What the screen has found wrong with it, the server only knows as its end.
        Ok(Err(refused)) => request.conn_data::<Verdict>().and_then(Verdict::take).unwrap_or(refused),
        Err(_) => {
            let detail = format!("the body was not complete after {} s", bounds.time.as_secs_f64());
            Refused::new(Code::BodyTimeout, detail)
        }
    };
    access::enter_refused(&request, &refused).await;
    request.set_payload(payload);
    Ok(refuse(request, &refused).map_into_right_body())
}

/// Refuses a request, whatever of its body is still to come, and has the connection closed.
pub(super) fn refuse(mut request: ServiceRequest, refused: &Refused) -> ServiceResponse<BoxBody> {
    let body = Keeping::new(refused.body(), request.take_payload());
    let response = refused.head().force_close().finish().set_body(BoxBody::new(body));
    request.into_response(response)
}

/// How long the body is to be, where it is said.
fn announced(request: &ServiceRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn too_large(size: usize) -> Refused {
    Refused::new(Code::BodyTooLarge, format_args!("the body is larger than {size} bytes"))
}

async fn collect(payload: &mut Payload, intake: &Intake) -> Result<(Bytes, Option<Taken>), Refused> {
    let size = intake.bounds.size;
    let (mut body, mut taken) = (BytesMut::new(), None::<Taken>);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(broken)?;
        let length = body.len() + chunk.len();
        if length > size {
            return Err(too_large(size));
        }
        let more = length.saturating_sub(FREE) - body.len().saturating_sub(FREE);
        let permit = Arc::clone(&intake.room).try_acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX));
        let permit = permit.map_err(|_| Refused::new(Code::Unavailable, "there are too many large bodies at once"))?;
        match &mut taken {
            Some(Taken(all)) => all.merge(permit),
            None => taken = Some(Taken(permit)),
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body.freeze(), taken))
}

fn broken(error: PayloadError) -> Refused {
    Refused::new(Code::Malformed, format_args!("the body cannot be read: {error}"))
}

/// The text of an answer that keeps something until it is sent: what was left of a body that was not read to its end, or the
/// answer in whose place it stands.
pub(super) struct Keeping<T> {
    text: Bytes,
    _kept: T,
}

impl<T> Keeping<T> {
    pub(super) fn new(text: impl Into<Bytes>, kept: T) -> Self {
        Self { text: text.into(), _kept: kept }
    }
}

impl<T: Unpin + 'static> MessageBody for Keeping<T> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.text.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let text = std::mem::take(&mut self.text);
        Poll::Ready((!text.is_empty()).then_some(Ok(text)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::sync::LazyLock;

    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, HttpServer, web};

    use super::*;

    /// Small and short, so that a test meets them soon.
    const BOUNDS: Bounds = Bounds { size: 1000, time: Duration::from_millis(100) };

    /// Sends a head and a part of a body, and returns all that comes until the server closes the connection.
    fn exchange(head: &'static str, body: &'static str) -> String {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).expect("a socket");
        listener.set_nonblocking(true).expect("it is ours");
        actix_web::rt::System::new().block_on(async move {
            let echo = |body: Bytes| async move { HttpResponse::Ok().body(format!("{} bytes", body.len())) };
            let app = move || {
                let intake = Intake::new(BOUNDS, ROOM);
                let bounded = move |request, next| read_whole(intake.clone(), request, next);
                App::new().wrap(from_fn(bounded)).default_service(web::to(echo))
            };
            let server =
                HttpServer::new(app).workers(1).disable_signals().listen_uds(listener).expect("it listens").run();
            let handle = server.handle();
            let server = actix_web::rt::spawn(server);
            let answer = tokio::task::spawn_blocking(move || {
                let mut stream = UnixStream::connect(path).expect("it is served");
                stream.set_read_timeout(Some(Duration::from_secs(60))).expect("it is a socket");
                write!(stream, "POST / HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n{body}").expect("it is read");
                let mut answer = String::new();
                stream.read_to_string(&mut answer).expect("the server answers and closes");
                answer
            });
            let answer = answer.await.expect("it does not panic");
            handle.stop(false).await;
            server.await.expect("it does not panic").expect("it ends well");
            answer
        })
    }

    #[track_caller]
    fn check(head: &'static str, body: &'static str, status: &str, word: &str) {
        let answer = exchange(head, body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(word), "{head}: {answer}");
    }

    #[test]
    fn a_whole_body_is_handed_on() {
        check("Connection: close\r\nContent-Length: 5", "hello", "200", "5 bytes");
        check("Connection: close\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n", "200", "5 bytes");
        check("Connection: close", "", "200", "0 bytes");
    }

    #[test]
    fn a_body_that_does_not_end_is_refused_and_the_connection_closed() {
        check("Content-Length: 50", "hello", "408", "body-timeout");
        check("Transfer-Encoding: chunked", "5\r\nhello\r\n", "408", "body-timeout");
    }

    #[test]
    fn a_body_that_is_too_large_is_refused_and_the_connection_closed() {
        static BODY: LazyLock<String> = LazyLock::new(|| "x".repeat(1001));
        check("Content-Length: 100000", &BODY, "413", "body-too-large");
        static CHUNK: LazyLock<String> = LazyLock::new(|| format!("10000\r\n{}", *BODY));
        check("Transfer-Encoding: chunked", &CHUNK, "413", "body-too-large");
    }
}
