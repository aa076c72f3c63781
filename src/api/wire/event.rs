//! What is told of what happens, one server-sent event after the other.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::api::describe;
use crate::domain::event::EventKind;

/// The kind of what says that events were removed that were to be told.
pub(crate) const MISSED: &str = "missed";

/// Kinds of events, with commas between them.
pub(in crate::api) fn kinds() -> describe::Shape {
    let words = EventKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join("|");
    describe::matching(&format!("^({words})(,({words}))*$"))
}

/// The number of the event that was seen last, or nothing.
pub(in crate::api) fn seen_last() -> describe::Shape {
    describe::matching("^[0-9]{0,18}$")
}

/// One event of the stream; only its form is ever asked for.
#[derive(Debug)]
pub(crate) struct EventForm;

impl PartialSchema for EventForm {
    fn schema() -> RefOr<Schema> {
        let kinds = EventKind::ALL.iter().map(|kind| kind.as_str()).chain([MISSED]);
        let kind = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(kinds));
        let data = ObjectBuilder::new().schema_type(Type::String).content_media_type(describe::JSON);
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("id", describe::digits())
            .required("id")
            .property("event", kind)
            .required("event")
            .property("data", data)
            .required("data")
            .into()
    }
}

impl ToSchema for EventForm {
    fn name() -> Cow<'static, str> {
        "Event".into()
    }
}
