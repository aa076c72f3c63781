//! What is refused, said to people: as a page, with what it means and what to do. Programs get the problem document.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest};
use askama::Template;

use super::frame::{Frame, Tab, Visitor};
use super::page::{encoded, protect, render};
use super::parts::Trouble;
use crate::api::body::Keeping;
use crate::api::wire::problem::Problem;

/// The header of what `live.js` asks for: it wants no other page than the one that is open.
const LIVE: &str = "x-retcon-live";

/// Below these is nothing for people.
const FOR_PROGRAMS: [&str; 5] = ["/v1/", "/metrics", "/healthz", "/readyz", "/openapi.json"];

/// A page that says what is wrong.
#[derive(Template)]
#[template(path = "problem.html", config = "src/api/pages/askama.toml")]
struct ProblemPage {
    frame: Frame,
    trouble: Trouble,
}

/// Turns a refusal into a page, if it is a person who is refused; somebody who has to sign in is sent there.
pub(in crate::api) async fn for_people<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_person = wants_page(request.path(), request.headers());
    let response = next.call(request).await?;
    let problem = response.response().extensions().get::<Box<Problem>>().cloned();
    let is_shown = response.headers().get(CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"text/html"));
    match problem.filter(|_| is_person && !is_shown) {
        None => Ok(response.map_into_boxed_body()),
        Some(problem) => Ok(show(response, &problem)),
    }
}

/// Whether somebody looks at the answer.
fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accepts.into_iter().any(|accepted| accepted.contains("text/html"))
        && !FOR_PROGRAMS.iter().any(|program| path.starts_with(program))
}

fn show<B: MessageBody + 'static>(response: ServiceResponse<B>, problem: &Problem) -> ServiceResponse<BoxBody> {
    let (request, response) = response.map_into_boxed_body().into_parts();
    let is_live = request.headers().contains_key(LIVE);
    let (mut head, kept) = response.into_parts();
    if head.status() == StatusCode::UNAUTHORIZED && !is_live {
        *head.status_mut() = StatusCode::SEE_OTHER;
        head.headers_mut().remove(WWW_AUTHENTICATE);
        let place = HeaderValue::from_str(&way_in(&request)).unwrap_or(HeaderValue::from_static("/login"));
        head.headers_mut().insert(LOCATION, place);
    }
    let trouble = Trouble::of(problem);
    let frame = Frame::new(Visitor::of(&request), Tab::None, trouble.title.clone());
    let text = render(&ProblemPage { frame, trouble }).unwrap_or_else(|refused| refused.to_string());
    protect(head.headers_mut());
    head.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let body = BoxBody::new(Keeping::new(text, kept));
    ServiceResponse::new(request, head.set_body(body))
}

/// Where to sign in, and where to go from there: to what was asked for, if it can be asked for once more.
fn way_in(request: &HttpRequest) -> String {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let wanted = request.uri().path_and_query().map(|wanted| wanted.as_str());
    match wanted.filter(|wanted| is_read && *wanted != "/") {
        Some(wanted) => format!("/login?next={}", encoded(wanted)),
        None => "/login".to_owned(),
    }
}
