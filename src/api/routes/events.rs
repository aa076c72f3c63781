//! `GET /v1/events`: what happens, as it happens, as server-sent events.
//!
//! Nothing is kept for one who reads slowly: what comes next is asked for when the last piece has been taken.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::http::{Method, Version};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::Stream;

use super::Path;
use crate::actor::herald::Follower;
use crate::actor::store::requests::event::{EventBounds, EventFilter, EventRow, FindEventBounds, ListEvents};
use crate::api::Service;
use crate::api::describe::{digits, operation};
use crate::api::input::{self, Query};
use crate::api::problem::{Code, Refused};
use crate::api::wire::event::{EventForm, MISSED, kinds, seen_last};
use crate::domain::access::Role;
use crate::domain::event::EventKind;

/// How many may follow at the same time.
const FOLLOWERS: usize = 256;
/// After how long without an event a line is sent that says nothing: only so is it noticed that somebody is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How many events are read at a time.
const PAGE: i64 = 200;
/// How many numbers are looked through at a time, where few events are wanted.
const STRETCH: i64 = 10_000;
/// By which header a browser says which event it has seen last.
const LAST_SEEN: &str = "Last-Event-ID";

pub(super) fn routes() -> Vec<Path> {
    let told = operation("followEvents", "Tells what happens, as it happens")
        .detail(
            "Server-sent events, numbered in one order. Who comes again says by the header `Last-Event-ID` which one was seen \
             last, and misses none.",
        )
        .of_entity()
        .query("kind", kinds, "Only events of these kinds, with commas between them.")
        .query("after", digits, "The number of the event after which to begin; 0: the oldest that is kept.")
        .header(LAST_SEEN, seen_last, "The number of the event that was seen last; goes before `after`.")
        .answers_events::<EventForm>(200, "What happens, until one side closes the connection.");
    vec![Path::at("/v1/events").get(Role::View, follow, told)]
}

async fn follow(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["entity", "kind", "after"])?;
    let filter = filter(&service, &query)?;
    let seen = seen(&request, &query)?;
    if request.method() == Method::HEAD {
        // Whoever asks for the head alone follows nothing.
        return Ok(answer(&request, futures_util::stream::empty()));
    }
    let too_many = || Refused::new(Code::Unavailable, "as many follow the events as may, or the daemon stops");
    // Before it is asked how far events have come: none in between is missed.
    let follower = service.herald.follow(FOLLOWERS).ok_or_else(too_many)?;
    let EventBounds { oldest, last } = service.ask(FindEventBounds).await?;
    // One that is not known yet is of another database, or of one that was restored.
    let position = seen.unwrap_or(last).min(last);
    let lost = oldest.map_or(last, |oldest| oldest - 1);
    let begin = if lost > position { missed(position + 1, lost) } else { Bytes::from_static(b"retry: 1000\n\n") };
    let reader = Reader {
        service: service.get_ref().clone(),
        follower,
        filter,
        position: position.max(lost),
        first: Some(begin),
    };
    Ok(answer(&request, reader.into_stream()))
}

fn answer(request: &HttpRequest, told: impl Stream<Item = Result<Bytes, Infallible>> + 'static) -> HttpResponse {
    let mut answer = HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // For proxies that would gather the answer first.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(told);
    if request.version() < Version::HTTP_11 {
        // There are no chunks in HTTP/1.0: the stream ends with the connection.
        answer.head_mut().no_chunking(true);
    }
    answer
}

fn filter(service: &Service, query: &Query) -> Result<EventFilter, Refused> {
    let entity = query.get("entity").map(input::entity).transpose()?;
    entity.as_ref().map(|name| service.entity(name)).transpose()?;
    let kind = |word: &str| {
        let unknown = || input::malformed(format_args!("kind: no kind of event is {word:?}"));
        EventKind::of_word(word).ok_or_else(unknown)
    };
    let kinds = query.get("kind").map_or(Ok(Vec::new()), |words| words.split(',').map(kind).collect())?;
    Ok(EventFilter { entity, kinds })
}

/// Reads which event was seen last; who comes again says it by the header.
fn seen(request: &HttpRequest, query: &Query) -> Result<Option<i64>, Refused> {
    let mut headers = request.headers().get_all(LAST_SEEN).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let header = headers.next();
    if headers.next().is_some() {
        return Err(input::malformed(format_args!("{LAST_SEEN} stands twice")));
    }
    let number = |name: &str, text: &str| {
        let wrong = || input::malformed(format_args!("{name}: the number of an event, not {text:?}"));
        text.parse::<i64>().ok().filter(|number| *number >= 0).ok_or_else(wrong)
    };
    let by_header = header.filter(|text| !text.is_empty()).map(|text| number(LAST_SEEN, &text)).transpose()?;
    let by_query = query.get("after").map(|text| number("after", text)).transpose()?;
    Ok(by_header.or(by_query))
}

/// One who follows.
struct Reader {
    service: Service,
    follower: Follower,
    filter: EventFilter,
    /// The number up to which everything was sent that is wanted.
    position: i64,
    /// What is sent first.
    first: Option<Bytes>,
}

impl Reader {
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        futures_util::stream::unfold(self, |mut reader| async {
            let next = reader.next().await?;
            Some((Ok(next), reader))
        })
    }

    /// Waits for what comes next; `None` if nothing does any more.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let recent = self.follower.recent();
            if recent.last <= self.position {
                match tokio::time::timeout(HEARTBEAT, self.follower.wait()).await {
                    Ok(true) => continue,
                    Ok(false) => return None,
                    Err(_) => return Some(Bytes::from_static(b":\n\n")),
                }
            }
            let text = if recent.before() <= self.position {
                let position = std::mem::replace(&mut self.position, recent.last);
                let wanted = recent.events.iter().filter(|event| event.number > position && self.filter.wants(event));
                wanted.map(|event| written(event)).collect::<String>()
            } else {
                self.read(recent.last).await?
            };
            if !text.is_empty() {
                return Some(text.into());
            }
        }
    }

    /// Reads the next events from the database, where others are at hand already.
    ///
    /// While the database is away, or where it cannot be read, that is the end: who follows comes again.
    async fn read(&mut self, last: i64) -> Option<String> {
        let up_to = last.min(self.position + STRETCH);
        let list = ListEvents { after: self.position, up_to, limit: PAGE, filter: self.filter.clone() };
        let events = self.service.ask(list).await.ok()?;
        let is_full = events.len() as i64 == PAGE;
        self.position = events.last().filter(|_| is_full).map_or(up_to, |event| event.number);
        Some(events.iter().map(written).collect())
    }
}

fn written(row: &EventRow) -> String {
    format!("id: {}\nevent: {}\ndata: {}\n\n", row.number, row.kind.as_str(), row.to_json())
}

/// Says that events were removed that were to be told.
fn missed(from: i64, to: i64) -> Bytes {
    format!("retry: 1000\n\nid: {to}\nevent: {MISSED}\ndata: {{\"from\":{from},\"to\":{to}}}\n\n").into()
}
