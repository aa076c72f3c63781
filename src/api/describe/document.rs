//! The description of the whole API: OpenAPI 3.1, made of the table of routes.

use std::collections::BTreeMap;

use actix_web::http::Method;
use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr,
    Required, Schema, SecurityRequirement,
};

use super::{Answer, Content, Parameter, Shape, name, number};
use crate::api::problem::Code;
use crate::api::routes::{Entry, Needs};
use crate::api::signature;
use crate::api::wire::problem::Problem;

/// How the scheme of bearer tokens is called, and that of signed notifications.
const TOKEN: &str = "token";
const SIGNATURE: &str = "signature";

/// What every request may meet.
const EVERYWHERE: [Code; 7] = [
    Code::Malformed,
    Code::ForeignOrigin,
    Code::HeadTimeout,
    Code::BodyTimeout,
    Code::BodyTooLarge,
    Code::Misdirected,
    Code::HeadTooLarge,
];

/// What every request may meet that needs more than the process.
const INSIDE: [Code; 6] = [
    Code::Unauthorized,
    Code::Forbidden,
    Code::TooManyRequests,
    Code::Internal,
    Code::Unavailable,
    Code::StoreUnavailable,
];

/// What stands first in the description.
const ABOUT: &str = "Keeps the copies of a record in many systems in step. Over the unix socket no token is asked; over TCP \
    every request needs one whose role is enough, as `security` names it. `HEAD` works wherever `GET` does. Answers that \
    are no success are problems (RFC 9457) with a stable `code`; a method that a path does not take is 405 \
    `method-not-allowed`, and a path that is not served 404 `unknown-route`.";

/// Describes all that is served.
pub(in crate::api) fn document(table: &[Entry]) -> OpenApi {
    let mut forms = Forms::default();
    forms.add(Shape::of::<Problem>());
    let mut paths = Paths::new();
    for entry in table.iter().filter(|entry| entry.method != Method::HEAD) {
        paths.add_path_operation(entry.path, vec![method(&entry.method)], operation(entry, &mut forms));
    }
    let info = InfoBuilder::new()
        .title("retcon")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).build()));
    let mut components = Components::new();
    components.schemas = forms.named;
    components.responses = forms.problems.into_iter().map(|(name, answer)| (name, answer.build().into())).collect();
    let scheme = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token, as `retcon token create` shows it once."));
    components.add_security_scheme(TOKEN, SecurityScheme::Http(scheme.build()));
    let signature = ApiKeyValue::with_description(
        signature::SIGNATURES,
        "By Standard Webhooks, with `webhook-id` and `webhook-timestamp`, and a secret as `retcon webhook create` shows it once.",
    );
    components.add_security_scheme(SIGNATURE, SecurityScheme::ApiKey(ApiKey::Header(signature)));
    let mut tags: Vec<&str> = table.iter().map(|entry| tag(entry.path)).collect();
    tags.sort_unstable();
    tags.dedup();
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components))
        .tags(Some(tags.into_iter().map(|tag| TagBuilder::new().name(tag).build())))
        .build()
}

/// What is referred to, by name.
#[derive(Default)]
struct Forms {
    named: BTreeMap<String, RefOr<Schema>>,
    problems: BTreeMap<String, ResponseBuilder>,
}

impl Forms {
    /// Adds what a form names, and returns the form.
    fn add(&mut self, shape: Shape) -> RefOr<Schema> {
        self.named.extend(shape.named);
        shape.form
    }

    fn content(&mut self, content: &Content) -> utoipa::openapi::Content {
        let form = self.add((content.shape)());
        let example = content.example.and_then(|text| serde_json::from_str(text).ok());
        ContentBuilder::new().schema(Some(form)).example(example).build()
    }

    fn parameter(&mut self, parameter: &Parameter, place: ParameterIn) -> ParameterBuilder {
        ParameterBuilder::new()
            .name(parameter.name)
            .parameter_in(place)
            .description(Some(parameter.text))
            .schema(Some(self.add((parameter.shape)())))
    }
}

/// How operations are grouped: by the first word of the path.
fn tag(path: &str) -> &str {
    let mut words = path.split('/').filter(|word| !word.is_empty());
    match words.next() {
        Some("v1") => words.next().unwrap_or("daemon"),
        Some(_) | None => "daemon",
    }
}

fn method(method: &Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "DELETE" => HttpMethod::Delete,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        _ => HttpMethod::Get,
    }
}

fn operation(entry: &Entry, forms: &mut Forms) -> utoipa::openapi::path::Operation {
    let told = &entry.operation;
    let mut operation = OperationBuilder::new()
        .operation_id(Some(told.id))
        .summary(Some(told.summary))
        .tag(tag(entry.path))
        .description((!told.detail.is_empty()).then_some(told.detail));
    for parameter in in_path(entry.path) {
        let required = forms.parameter(&parameter, ParameterIn::Path).required(Required::True);
        operation = operation.parameter(required);
    }
    for parameter in &told.query {
        let form = one_or_nothing(forms.add((parameter.shape)()));
        let described = forms.parameter(parameter, ParameterIn::Query).schema(Some(form));
        operation = operation.parameter(described.required(Required::False));
    }
    for parameter in &told.headers {
        operation = operation.parameter(forms.parameter(parameter, ParameterIn::Header).required(Required::False));
    }
    if !told.bodies.is_empty() {
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        let with = |body: RequestBodyBuilder, content: &Content| body.content(content.media, forms.content(content));
        operation = operation.request_body(Some(told.bodies.iter().fold(body, with).build()));
    }
    let needed = match entry.needs {
        Needs::Nothing => SecurityRequirement::default(),
        Needs::Role(role) => SecurityRequirement::new(TOKEN, [role.as_str()]),
    };
    let signed = told.is_signable.then(|| SecurityRequirement::new(SIGNATURE, [] as [&str; 0]));
    let securities = [Some(needed), signed].into_iter().flatten();
    answers(operation.securities(Some(securities)), entry, forms).build()
}

/// A parameter of a query that stands there without a value says nothing.
fn one_or_nothing(form: RefOr<Schema>) -> AnyOfBuilder {
    AnyOfBuilder::new().item(form).item(ObjectBuilder::new().schema_type(Type::String).max_length(Some(0)))
}

/// The parameters that a path names; each name means the same wherever it stands.
fn in_path(path: &str) -> Vec<Parameter> {
    let parameter = |word: &'static str| match word {
        "entity" => Parameter { name: "entity", shape: name, text: "The entity's name." },
        "source" => Parameter { name: "source", shape: name, text: "The source's name." },
        "name" => Parameter { name: "name", shape: name, text: "The thing's name." },
        _ => Parameter { name: "id", shape: number, text: "The thing's number." },
    };
    let words = path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'));
    ["entity", "source", "name", "id"]
        .into_iter()
        .filter(|known| words.clone().any(|word| word == *known))
        .map(parameter)
        .collect()
}

fn answers(mut operation: OperationBuilder, entry: &Entry, forms: &mut Forms) -> OperationBuilder {
    for answer in &entry.operation.answers {
        operation = operation.response(answer.status.to_string(), good(answer, forms));
    }
    for (status, codes) in problems(entry) {
        let name = codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join("_or_");
        operation = operation.response(status.to_string(), Ref::from_response_name(&name));
        forms.problems.entry(name).or_insert_with(|| bad(status, &codes));
    }
    operation
}

fn good(Answer { text, content, .. }: &Answer, forms: &mut Forms) -> ResponseBuilder {
    ResponseBuilder::new().description(*text).content(content.media, forms.content(content))
}

/// The problems that an operation has, by status.
fn problems(entry: &Entry) -> BTreeMap<u16, Vec<Code>> {
    let inside = match entry.needs {
        Needs::Nothing => &[][..],
        Needs::Role(_) => &INSIDE,
    };
    // A body that says nothing has a type too.
    let is_read = matches!(entry.method, Method::GET | Method::HEAD);
    let body = if is_read { &[][..] } else { &[Code::UnsupportedMediaType] };
    let mut found: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in [&EVERYWHERE, inside, body, &entry.operation.refusals].into_iter().flatten() {
        let of_status = found.entry(code.status().as_u16()).or_default();
        if !of_status.contains(code) {
            of_status.push(*code);
        }
    }
    found
}

fn bad(status: u16, codes: &[Code]) -> ResponseBuilder {
    let words = codes.iter().map(|code| Value::from(code.as_str()));
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
    let form = AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(ObjectBuilder::new().property("code", code).required("code"));
    let told: Vec<String> = codes.iter().map(|code| format!("- `{}`: {}", code.as_str(), code.meaning())).collect();
    let answer = ResponseBuilder::new()
        .description(told.join("\n"))
        .content("application/problem+json", ContentBuilder::new().schema(Some(form)).build());
    if !matches!(status, 429 | 503) {
        return answer;
    }
    let wait = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
        .description(Some("After how many seconds to ask again."));
    answer.header("Retry-After", wait.build())
}
