//! The types on the wire, apart from those of the domain, so that neither changes with the other.
//!
//! Documents stand in plain members only: a [`Json`](crate::domain::json::Json) inside a flattened, untagged or tagged
//! type would lose the digits of its numbers. A member that is absent and a member that is `null` are different things.

pub mod problem;
pub mod work;
pub mod webhook;
pub(crate) mod cloud_event;
pub(crate) mod event;
pub mod record;
pub mod provenance;
pub mod conflict;
pub mod doubt;
pub mod delete;
pub mod order;
pub mod pause;
pub mod reload;
pub mod status;
pub mod supervision;
pub mod access;

mod present;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::actor::store::requests::view::Page;

/// A part of a list, and where the next part begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct List<T> {
    pub items: Vec<T>,
    /// An opaque text for `after`; `null` at the end.
    pub next: Option<String>,
}

impl<T> From<Page<T>> for List<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next: page.next.map(|after| after.to_string()) }
    }
}

impl<T: ToSchema> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        let next = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("An opaque text for `after`; null at the end."));
        let list = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .property("next", next);
        list.required("items").required("next").into()
    }
}

/// A list is called by what it lists.
impl<T: ToSchema> ToSchema for List<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// Whether a flag is left out.
fn is_false(flag: &bool) -> bool {
    !flag
}
