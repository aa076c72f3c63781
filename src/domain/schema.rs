//! The JSON Schema that an entity's agreed document must keep to.

use std::fmt;
use std::sync::Arc;

use super::json::Json;
use super::pointer::Pointer;

/// A compiled JSON Schema.
#[derive(Clone)]
pub struct Schema(Arc<jsonschema::Validator>);

/// Why a text is no JSON Schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON Schema: {0}")]
pub struct InvalidSchema(String);

/// One thing that a schema has to say against a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub path: Pointer,
    pub why: String,
}

/// How many are told.
const MOST_TOLD: usize = 20;

impl Schema {
    /// Compiles a schema; fetches nothing that it refers to.
    ///
    /// # Errors
    /// [`InvalidSchema`] with the reason.
    pub fn compile(schema: &serde_json::Value) -> Result<Self, InvalidSchema> {
        jsonschema::validator_for(schema)
            .map(|schema| Self(Arc::new(schema)))
            .map_err(|why| InvalidSchema(why.to_string()))
    }

    /// Says what is wrong with a document, first thing first; `None` if it keeps to the schema.
    ///
    /// A document with a lone surrogate in it is not what a schema can speak of, and is let through.
    pub fn complaint(&self, document: &Json) -> Option<String> {
        let document = document.to_serde()?;
        let complaint = self.0.iter_errors(&document).next()?;
        let place = complaint.instance_path().to_string();
        Some(if place.is_empty() { complaint.to_string() } else { format!("{place}: {complaint}") })
    }

    /// Says all that is wrong with a document, the first twenty things at most, each with its place.
    pub fn breaches(&self, document: &Json) -> Vec<Breach> {
        let Some(document) = document.to_serde() else { return Vec::new() };
        let breach = |complaint: jsonschema::ValidationError<'_>| Breach {
            path: complaint.instance_path().to_string().parse().unwrap_or_default(),
            why: complaint.to_string(),
        };
        self.0.iter_errors(&document).take(MOST_TOLD).map(breach).collect()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(text: &str) -> Schema {
        Schema::compile(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn a_complaint_names_the_place() {
        let schema = schema(r#"{"properties":{"age":{"type":"integer","maximum":150}}}"#);
        assert_eq!(schema.complaint(&Json::parse(br#"{"age":12}"#).unwrap()), None);
        let complaint = schema.complaint(&Json::parse(br#"{"age":"old"}"#).unwrap()).unwrap();
        assert!(complaint.starts_with("/age: "), "{complaint}");
    }

    #[test]
    fn every_breach_is_told_with_its_place() {
        let schema =
            schema(r#"{"properties":{"age":{"type":"integer"},"name":{"type":"string"}},"required":["mail"]}"#);
        let mut breaches = schema.breaches(&Json::parse(br#"{"age":"old","name":1}"#).unwrap());
        breaches.sort_by_key(|breach| breach.path.to_string());
        let places: Vec<String> = breaches.iter().map(|breach| breach.path.to_string()).collect();
        assert_eq!(places, ["", "/age", "/name"], "{breaches:?}");
    }

    #[test]
    fn great_numbers_are_compared_exactly() {
        let schema = schema(r#"{"maximum":9007199254740992}"#);
        assert_eq!(schema.complaint(&Json::parse(b"9007199254740992").unwrap()), None);
        assert!(schema.complaint(&Json::parse(b"9007199254740993").unwrap()).is_some());
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(Schema::compile(&serde_json::json!({"type": 7})).is_err());
    }
}
