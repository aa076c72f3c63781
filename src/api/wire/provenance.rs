//! Where the values of a record come from.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::json::Json;
use crate::domain::pointer::Pointer;
use crate::domain::provenance;

/// The origin of each value; on the wire an object with the pointers as names.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance(pub BTreeMap<Pointer, Origin>);

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Origin {
    #[schema(value_type = Value)]
    pub value: Json,
    /// Whose news it was; empty for a person's value, as `cause` tells.
    pub sources: Vec<String>,
    /// The version that brought it.
    pub version: i64,
    /// When that was; RFC 3339 in UTC.
    pub at: String,
    /// What led to that version.
    #[schema(value_type = Value)]
    pub cause: Json,
    /// What lost to it, then and since.
    pub overruled: Vec<Lost>,
}

/// A value that lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lost {
    pub source: String,
    #[serde(default, deserialize_with = "super::present::deserialize", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub value: Option<Json>,
    /// The source had nothing there.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub absent: bool,
    /// The version in which it lost.
    pub version: i64,
}

impl From<provenance::Origin> for Origin {
    fn from(origin: provenance::Origin) -> Self {
        Self {
            value: origin.value,
            sources: origin.sources.iter().map(ToString::to_string).collect(),
            version: origin.version,
            at: origin.at,
            cause: origin.cause,
            overruled: origin.overruled.into_iter().map(Lost::from).collect(),
        }
    }
}

impl From<provenance::Lost> for Lost {
    fn from(lost: provenance::Lost) -> Self {
        let source = lost.source.to_string();
        Self { source, absent: lost.value.is_none(), value: lost.value, version: lost.version }
    }
}

impl PartialSchema for Provenance {
    fn schema() -> RefOr<Schema> {
        let origin = Ref::from_schema_name(Origin::name());
        ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(origin)).into()
    }
}

impl ToSchema for Provenance {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Origin::name().into_owned(), Origin::schema()));
        Origin::schemas(schemas);
    }
}

/// Written by hand, since a pointer may hold what no Rust string holds, and serde's names of members are such strings.
impl Serialize for Provenance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::from("{");
        for (pointer, origin) in &self.0 {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&pointer.to_json().to_string());
            text.push(':');
            text.push_str(&serde_json::to_string(origin).map_err(S::Error::custom)?);
        }
        text.push('}');
        RawValue::from_string(text).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Provenance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Places)
    }
}

struct Places;

impl<'de> Visitor<'de> for Places {
    type Value = Provenance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with pointers as names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Provenance, A::Error> {
        let mut places = BTreeMap::new();
        while let Some((pointer, origin)) = map.next_entry()? {
            places.insert(pointer, origin);
        }
        Ok(Provenance(places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_every_digit_arrives() {
        let origin = Origin {
            value: Json::parse(b"12345678901234567890.10").expect("JSON"),
            sources: vec!["crm".to_owned()],
            version: 2,
            at: "2026-11-05T10:00:00Z".to_owned(),
            cause: Json::parse(br#"{"kind":"sync"}"#).expect("JSON"),
            overruled: vec![Lost { source: "ldap".to_owned(), value: Some(Json::Null), absent: false, version: 2 }],
        };
        let names = [r#""""#, r#""/a~1b""#, r#""/\u0000""#, r#""/\ud800""#];
        let pointer = |name: &str| Pointer::from_json(&Json::parse(name.as_bytes()).expect("JSON")).expect("a pointer");
        let all = Provenance(names.iter().map(|name| (pointer(name), origin.clone())).collect());
        let body = serde_json::to_string(&all).expect("it can be written");
        assert!(body.contains("12345678901234567890.10") && body.contains(r#""value":null"#), "{body}");
        assert_eq!(serde_json::from_str::<Provenance>(&body).expect(&body), all);
    }
}
