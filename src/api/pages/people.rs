//! What is refused, said to people: as a page, with what it means and what to do. Programs get the problem document.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, web};
use askama::Template;

use super::frame::{Frame, Tab, Visitor};
use super::page::{encoded, protect, render};
use super::parts::Trouble;
use crate::api::Service;
use crate::api::body::Keeping;
use crate::api::problem::Code;
use crate::api::wire::problem::Problem;
use crate::domain::name::EntityName;

/// The header of what `live.js` asks for: it wants no other page than the one that is open.
const LIVE: &str = "x-retcon-live";

/// Below these is nothing for people.
const FOR_PROGRAMS: [&str; 5] = ["/v1/", "/metrics", "/healthz", "/readyz", "/openapi.json"];

/// So many names of what there is are shown to whoever asked for another one.
const NAMED: usize = 30;

/// A page that says what is wrong.
#[derive(Template)]
#[template(path = "problem.html", config = "src/api/pages/askama.toml")]
struct ProblemPage {
    frame: Frame,
    trouble: Trouble,
    /// Whether whoever sees it may sign in elsewhere and have what they sent taken then.
    may_send_again: bool,
    ways: Ways,
}

/// What there is, said to whoever asked for something that there is not.
#[derive(Default)]
struct Ways {
    text: &'static str,
    /// Each with what is written on it.
    links: Vec<(String, String)>,
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
    let may_send_again = head.status() == StatusCode::UNAUTHORIZED && is_work(&request);
    if head.status() == StatusCode::UNAUTHORIZED && !is_live && !may_send_again {
        *head.status_mut() = StatusCode::SEE_OTHER;
        head.headers_mut().remove(WWW_AUTHENTICATE);
        let place = HeaderValue::from_str(&way_in(&request)).unwrap_or(HeaderValue::from_static("/login"));
        head.headers_mut().insert(LOCATION, place);
    }
    let trouble = if may_send_again { signed_out() } else { Trouble::of(problem) };
    let frame = Frame::new(Visitor::of(&request), Tab::None, trouble.title.clone());
    let ways = ways(&request, &problem.code);
    let text =
        render(&ProblemPage { frame, trouble, may_send_again, ways }).unwrap_or_else(|refused| refused.to_string());
    protect(head.headers_mut());
    head.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let body = BoxBody::new(Keeping::new(text, kept));
    ServiceResponse::new(request, head.set_body(body))
}

/// Whether a request is a form in which somebody has put work: it is not lost if they have to sign in first.
fn is_work(request: &HttpRequest) -> bool {
    *request.method() == Method::POST && request.path() != "/logout"
}

/// Says that a form was not taken, since nobody knows any more who sent it.
fn signed_out() -> Trouble {
    Trouble::new(
        "You are not signed in any more",
        "What you have sent was not carried out, and is not lost: this page still has it.",
    )
}

/// Says what there is in the place of what there is not.
fn ways(request: &HttpRequest, code: &str) -> Ways {
    let Some(service) = request.app_data::<web::Data<Service>>() else { return Ways::default() };
    let config = service.config.borrow().clone();
    let link = |path: String, text: &str| (path, text.to_owned());
    // In a path, the entity stands second.
    let entity = request.path().split('/').nth(2).and_then(|name| name.parse::<EntityName>().ok());
    let entity = entity.and_then(|name| config.entities.get(&name));
    let (text, links): (_, Vec<_>) = match (Code::ALL.iter().find(|known| known.as_str() == code), entity) {
        (Some(Code::UnknownEntity), _) => {
            let names = config.entities.keys().take(NAMED).map(|name| link(format!("/records/{name}"), name.as_str()));
            let more = (config.entities.len() > NAMED).then(|| link("/records".to_owned(), "all entities"));
            ("These entities there are:", names.chain(more).collect())
        }
        (Some(Code::UnknownSource), Some(entity)) => {
            let path = |name| format!("/sources/{}/{name}", entity.name);
            let names = entity.sources.keys().take(NAMED).map(|name| link(path(name), name.as_str()));
            ("These sources it has:", names.collect())
        }
        (Some(Code::UnknownSource), None) => ("", vec![link("/sources".to_owned(), "All sources")]),
        (Some(Code::UnknownRecord | Code::UnknownVersion), Some(entity)) => {
            let text = format!("The records of {}, and a search by any key", entity.name);
            ("", vec![(format!("/records/{}", entity.name), text)])
        }
        (Some(Code::UnknownConflict), _) => ("", vec![link("/conflicts".to_owned(), "All open conflicts")]),
        (Some(Code::UnknownDoubt), _) => ("", vec![link("/doubts".to_owned(), "All that is in doubt")]),
        (Some(Code::UnknownWorkItem), _) => ("", vec![link("/work".to_owned(), "All work")]),
        (Some(_) | None, _) => return Ways::default(),
    };
    Ways { text, links }
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
