//! `GET /openapi.json`: what this very daemon serves.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;

use super::{Path, table};
use crate::api::describe::{document, operation};
use crate::domain::access::Role;

/// The description, as it is sent: it is the same as long as the program is.
static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| document(&table()).to_json().expect("a description has no map keys but strings"));

pub(super) fn routes() -> Vec<Path> {
    let told = operation("describeApi", "Describes the API, in OpenAPI 3.1").answers_object(200, "The description.");
    vec![Path::at("/openapi.json").get(Role::View, show, told)]
}

async fn show() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).body(DOCUMENT.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use actix_web::http::Method;
    use serde_json::Value;

    use super::*;
    use crate::api::routes::Needs;

    fn described() -> Value {
        serde_json::from_str(&DOCUMENT).expect("it is JSON")
    }

    /// Every operation of the description, with its path and its method.
    fn operations(described: &Value) -> Vec<(String, String, Value)> {
        let paths = described["paths"].as_object().expect("there are paths");
        let of_path = |(path, item): (&String, &Value)| {
            let item = item.as_object().expect("a path item is an object").clone();
            let path = path.clone();
            item.into_iter().map(move |(method, operation)| (path.clone(), method, operation))
        };
        paths.iter().flat_map(of_path).collect()
    }

    #[test]
    fn the_description_is_as_it_was_when_it_was_last_read_by_a_person() {
        let mut described = described();
        described["info"]["version"] = "of the program".into();
        insta::assert_snapshot!("openapi", format!("{described:#}"));
    }

    #[test]
    fn what_is_served_is_described_with_its_role_and_nothing_else_is() {
        let described = described();
        let told: BTreeMap<(String, String), Option<String>> = operations(&described)
            .into_iter()
            .map(|(path, method, operation)| {
                let role = operation["security"][0]["token"][0].as_str().map(str::to_owned);
                ((path, method.to_uppercase()), role)
            })
            .collect();
        let served = table().into_iter().filter(|entry| entry.method != Method::HEAD);
        let served: BTreeMap<(String, String), Option<String>> = served
            .map(|entry| {
                let role = match entry.needs {
                    Needs::Nothing => None,
                    Needs::Role(role) => Some(role.as_str().to_owned()),
                };
                ((entry.path.to_owned(), entry.method.to_string()), role)
            })
            .collect();
        assert_eq!(told, served);
    }

    #[test]
    fn every_operation_names_the_parameters_of_its_path_and_says_what_it_answers() {
        for (path, method, operation) in operations(&described()) {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
            let named: BTreeSet<String> =
                in_path.filter_map(|parameter| Some(format!("{{{}}}", parameter["name"].as_str()?))).collect();
            let words: BTreeSet<String> =
                path.split('/').filter(|word| word.starts_with('{')).map(str::to_owned).collect();
            assert_eq!(named, words, "{method} {path}");
            let answers = operation["responses"].as_object().expect("there are answers");
            assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path} never succeeds");
            let id = operation["operationId"].as_str().expect("it has a name");
            assert!(id.chars().all(|letter| letter.is_ascii_alphabetic()), "{id} is no name for a generated client");
        }
    }

    /// Every example of the description with its form, and where it stands.
    fn examples(described: &Value) -> Vec<(String, Value, Value)> {
        let mut found = Vec::new();
        for (path, method, operation) in operations(described) {
            let answers = operation["responses"].as_object().into_iter().flatten();
            let bodies =
                answers.map(|(status, answer)| (status.as_str(), answer)).chain([("body", &operation["requestBody"])]);
            for (place, body) in bodies {
                for (media, content) in body["content"].as_object().into_iter().flatten() {
                    let place = format!("{method} {path} {place} {media}");
                    found.push((place, content["schema"].clone(), content["example"].clone()));
                }
            }
        }
        found
    }

    #[test]
    fn every_example_has_the_form_that_it_shows() {
        let described = described();
        for (place, form, example) in examples(&described) {
            if place.ends_with("json") && !place.ends_with("problem+json") && form["$ref"].is_string() {
                assert!(!example.is_null(), "{place} has no example, or one that is no JSON");
                let mut schema = form;
                schema["components"] = described["components"].clone();
                let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{place}: {error}"));
                let errors: Vec<String> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
                assert!(errors.is_empty(), "{place}: {example}: {errors:?}");
            }
        }
    }
}
