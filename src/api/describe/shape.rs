//! The forms of values, as JSON Schema.

use utoipa::ToSchema;
use utoipa::openapi::schema::{
    AdditionalProperties, KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

/// A form, and the forms that it names.
#[derive(Clone)]
pub(in crate::api) struct Shape {
    pub(super) form: RefOr<Schema>,
    pub(super) named: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    /// Returns the form of a type on the wire, by its name.
    pub(in crate::api) fn of<T: ToSchema>() -> Self {
        let mut named = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut named);
        Self { form: Ref::from_schema_name(T::name()).into(), named }
    }

    fn bare(form: impl Into<RefOr<Schema>>) -> Self {
        Self { form: form.into(), named: Vec::new() }
    }
}

impl From<Shape> for RefOr<Schema> {
    fn from(shape: Shape) -> Self {
        shape.form
    }
}

/// The name of an entity, a source, a token.
pub(in crate::api) fn name() -> Shape {
    matching("^[A-Za-z0-9_-]{1,64}$")
}

/// A foreign key.
pub(in crate::api) fn foreign_key() -> Shape {
    matching("^[A-Za-z0-9 .,_-]{1,1024}$")
}

/// The number of a thing.
pub(in crate::api) fn number() -> Shape {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
    Shape::bare(ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).minimum(Some(0)))
}

/// A whole number from 1.
pub(in crate::api) fn whole() -> Shape {
    Shape::bare(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)))
}

/// A text of digits.
pub(in crate::api) fn digits() -> Shape {
    matching("^[0-9]{1,18}$")
}

/// The name of a request.
pub(in crate::api) fn key_of_request() -> Shape {
    matching("^[!-~]{1,255}$")
}

/// A text of a certain form.
pub(in crate::api) fn matching(pattern: &str) -> Shape {
    Shape::bare(ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)))
}

/// Any text.
pub(in crate::api) fn text() -> Shape {
    Shape::bare(ObjectBuilder::new().schema_type(Type::String))
}

/// Any JSON object.
pub(in crate::api) fn object() -> Shape {
    Shape::bare(ObjectBuilder::new().schema_type(Type::Object))
}

/// Any JSON.
fn any() -> Shape {
    Shape::bare(ObjectBuilder::new().schema_type(SchemaType::AnyValue))
}

/// Nothing but `true`.
fn truth() -> Shape {
    Shape::bare(ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])))
}

/// The form of one member of an object that is written down here.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) enum Field {
    Name,
    Key,
    Number,
    Any,
    Truth,
}

impl Field {
    fn form(self) -> RefOr<Schema> {
        match self {
            Self::Name => name(),
            Self::Key => foreign_key(),
            Self::Number => number(),
            Self::Any => any(),
            Self::Truth => truth(),
        }
        .form
    }
}

/// An object with these members and no others; the first must be there, the others may.
pub(in crate::api) fn fields(members: &[(&'static str, Field)]) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    for (n, (name, field)) in members.iter().enumerate() {
        object = object.property(*name, field.form());
        if n == 0 {
            object = object.required(*name);
        }
    }
    object.into()
}

/// Exactly one of these.
pub(in crate::api) fn one_of(forms: impl IntoIterator<Item = RefOr<Schema>>) -> RefOr<Schema> {
    forms.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item).into()
}
