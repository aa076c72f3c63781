//! CloudEvents 1.0, as far as they are read; only their forms are ever asked for.

use std::borrow::Cow;

use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::work::EventData;
use crate::api::describe;

/// An event that says which copy may have changed.
#[derive(Debug)]
pub(crate) struct CloudEvent;

/// Many events, stored all or none.
#[derive(Debug)]
pub(crate) struct CloudEvents;

/// A source whose path ends in the names of an entity and of one of its sources.
const PLACE: &str = "^([^?#]*/)?[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,64}([?#].*)?$";

/// The attributes that every event has; `source` has the form that is given.
fn event(source: ObjectBuilder) -> ObjectBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    let version = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["1.0"]));
    let event = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("specversion", version)
        .property("id", text())
        .property("type", text())
        .property("source", source);
    ["specversion", "id", "type", "source"].into_iter().fold(event, ObjectBuilder::required)
}

impl PartialSchema for CloudEvent {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let named_in_data = event(text().min_length(Some(1)))
            .property("subject", text())
            .property("data", Ref::from_schema_name(EventData::name()))
            .required("data");
        // Other data is the sender's own, of whatever form as long as it is no object with an `entity`.
        let named_by_attributes =
            event(text().pattern(Some(PLACE))).property("subject", describe::foreign_key()).required("subject");
        let form = AnyOfBuilder::new().item(named_in_data).item(named_by_attributes);
        form.description(Some("Names the copy in its data, or else by the end of its `source` and by its `subject`."))
            .into()
    }
}

impl ToSchema for CloudEvent {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((EventData::name().into_owned(), EventData::schema()));
    }
}

impl PartialSchema for CloudEvents {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(Ref::from_schema_name(CloudEvent::name())).max_items(Some(1000)).into()
    }
}

impl ToSchema for CloudEvents {
    fn name() -> Cow<'static, str> {
        "CloudEventBatch".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((CloudEvent::name().into_owned(), CloudEvent::schema()));
        CloudEvent::schemas(schemas);
    }
}
