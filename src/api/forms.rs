//! The forms in which notifications come: plain, many at once, as the data of an event, as CloudEvents.
//!
//! Every form says the same: this copy may have changed. What else an event holds is not read. An event names the copy in its
//! data, by `entity`, `source` and `key`, as the plain form does; or else in its attributes: the last two parts of the path of its
//! `source` are the entity and the source, its `subject` is the key.

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};

use super::Service;
use super::input::{self, Members, Node};
use super::problem::Refused;
use crate::actor::store::requests::queue::Notification;
use crate::domain::json::Json;

/// The media types of CloudEvents.
pub(super) const EVENT: &str = "application/cloudevents+json";
pub(super) const EVENTS: &str = "application/cloudevents-batch+json";

/// How many notifications one request may hold.
const MAX_BATCH: usize = 1_000;

/// The header that tells that an event's attributes stand in headers.
const SPECVERSION: &str = "ce-specversion";

/// Reads the notifications of a request.
pub(super) fn read(service: &Service, headers: &HeaderMap, body: &[u8]) -> Result<Vec<Notification>, Refused> {
    let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if headers.contains_key(SPECVERSION) {
        return Ok(vec![binary(service, headers, body)?]);
    }
    let body = input::parse(body)?;
    let top = Node::top(&body);
    if media.eq_ignore_ascii_case(EVENT) {
        return Ok(vec![structured(service, &top)?]);
    }
    if media.eq_ignore_ascii_case(EVENTS) {
        return elements(&top)?.iter().map(|event| structured(service, event)).collect();
    }
    if body.member("notifications").is_some() {
        let batch = top.object(&["notifications"])?.required("notifications")?;
        return elements(&batch)?.iter().map(|element| plain(service, element)).collect();
    }
    match body.member("data") {
        // As Standard Webhooks has it: a type, a time, and the data.
        Some(_) => Ok(vec![of_payload(service, &top.members()?)?]),
        None => Ok(vec![plain(service, &top)?]),
    }
}

/// The elements of a batch.
fn elements<'a>(batch: &Node<'a>) -> Result<Vec<Node<'a>>, Refused> {
    let elements = batch.array()?;
    if elements.len() > MAX_BATCH {
        let detail = format!("one request holds at most {MAX_BATCH} notifications, and this one {}", elements.len());
        return Err(batch.refuse(detail));
    }
    Ok(elements)
}

fn plain(service: &Service, node: &Node<'_>) -> Result<Notification, Refused> {
    named(service, &node.object(&["entity", "source", "key"])?)
}

/// Reads the payload of a webhook.
fn of_payload(service: &Service, members: &Members<'_>) -> Result<Notification, Refused> {
    for text in ["type", "timestamp"].iter().filter_map(|name| members.optional(name)) {
        text.string()?;
    }
    of_data(service, &members.required("data")?)
}

/// Reads the data of an event, which may hold more than what is looked for.
fn of_data(service: &Service, data: &Node<'_>) -> Result<Notification, Refused> {
    named(service, &data.members()?)
}

fn named(service: &Service, members: &Members<'_>) -> Result<Notification, Refused> {
    let [entity, source, key] = [members.required("entity")?, members.required("source")?, members.required("key")?];
    let texts = [entity.string()?, source.string()?, key.string()?];
    notification(service, texts, |part, refused| match part {
        Part::Entity => entity.locate(refused),
        Part::Source => source.locate(refused),
        Part::Key => key.locate(refused),
    })
}

/// A part of a copy's name.
enum Part {
    Entity,
    Source,
    Key,
}

fn notification(
    service: &Service,
    [entity, source, key]: [&str; 3],
    place: impl Fn(Part, Refused) -> Refused,
) -> Result<Notification, Refused> {
    let at = |part: fn() -> Part| move |refused| (part(), refused);
    let entity_name = input::entity(entity).map_err(at(|| Part::Entity));
    let read = || {
        let entity = entity_name?;
        let configured = service.entity(&entity).map_err(at(|| Part::Entity))?;
        let known = |name| service.source(&configured, &name).map(|()| name);
        let source = input::source(source, &entity).and_then(known).map_err(at(|| Part::Source))?;
        let key = input::key(key).map_err(at(|| Part::Key))?;
        Ok(Notification { entity, source, key })
    };
    read().map_err(|(part, refused)| place(part, refused))
}

/// Reads an event whose attributes stand beside its data.
fn structured(service: &Service, event: &Node<'_>) -> Result<Notification, Refused> {
    let members = event.members()?;
    check_version(members.required("specversion")?.string()?)?;
    for required in ["id", "type", "source"] {
        let attribute = members.required(required)?;
        if attribute.string()?.is_empty() {
            return Err(attribute.refuse(format!("the attribute {required} is empty")));
        }
    }
    let source = members.required("source")?.string()?.to_owned();
    let subject = members.optional("subject").map(|subject| subject.string().map(str::to_owned)).transpose()?;
    match members.optional("data").filter(|data| names_a_copy(data.json())) {
        Some(data) => of_data(service, &data),
        None => of_attributes(service, &source, subject.as_deref()),
    }
}

/// Reads an event whose attributes stand in headers, and whose data is the body.
fn binary(service: &Service, headers: &HeaderMap, body: &[u8]) -> Result<Notification, Refused> {
    check_version(&attribute(headers, SPECVERSION)?)?;
    for required in ["ce-id", "ce-type"] {
        attribute(headers, required)?;
    }
    let source = attribute(headers, "ce-source")?;
    let subject = headers.contains_key("ce-subject").then(|| attribute(headers, "ce-subject")).transpose()?;
    let data = if body.is_empty() { None } else { Some(input::parse(body)?) };
    match data.filter(names_a_copy) {
        Some(data) => of_data(service, &Node::top(&data)),
        None => of_attributes(service, &source, subject.as_deref()),
    }
}

fn check_version(version: &str) -> Result<(), Refused> {
    let unknown = || input::malformed(format_args!("specversion {version:?} is not known here, but \"1.0\""));
    (version == "1.0").then_some(()).ok_or_else(unknown)
}

/// Tells whether data means to name a copy, and then has to do it well; other data is the sender's own, whatever else it holds.
fn names_a_copy(data: &Json) -> bool {
    data.member("entity").is_some()
}

fn of_attributes(service: &Service, source: &str, subject: Option<&str>) -> Result<Notification, Refused> {
    let path = source.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.trim_end_matches('/').rsplit('/');
    let (Some(source), Some(entity), Some(key)) = (parts.next(), parts.next().filter(|part| !part.is_empty()), subject)
    else {
        return Err(input::malformed(
            "an event names a copy by entity, source and key in its data, or by a source that ends in ENTITY/SOURCE and \
             the key as its subject",
        ));
    };
    notification(service, [entity, source, key], |_, refused| refused)
}

/// Reads an attribute from its header, in which other than visible characters are percent-encoded.
fn attribute(headers: &HeaderMap, name: &str) -> Result<String, Refused> {
    let missing = || input::malformed(format_args!("the header {name} is missing, empty, no text, or stands twice"));
    let mut values = headers.get_all(name);
    let (Some(value), None) = (values.next(), values.next()) else { return Err(missing()) };
    let text = value.to_str().map_err(|_| missing())?;
    decode(text).filter(|text| !text.is_empty()).ok_or_else(missing)
}

/// Undoes percent-encoding; `None` if what comes out is no UTF-8. What is no encoding stands for itself.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let encoded = (*first == b'%').then(|| after.get(..2)).flatten().and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        });
        match encoded {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_in_headers_are_decoded() {
        for (encoded, text) in [
            ("4711", "4711"),
            ("Euro%20%E2%82%AC", "Euro \u{20ac}"),
            ("100%", "100%"),
            ("%2g%+1", "%2g%+1"),
            ("%41", "A"),
        ] {
            assert_eq!(decode(encoded).as_deref(), Some(text));
        }
        assert_eq!(decode("%ff"), None);
    }
}
