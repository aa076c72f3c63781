//! A page as an answer, and what every page forbids the browser.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, LOCATION};
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;

use crate::api::problem::{Code, Refused};

/// What a page may load and where its forms may go: nothing and nowhere but here.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The headers of every page. By `Referrer-Policy` nobody else learns what is looked at here; to say nothing to ourselves either
/// would have browsers send forms with `Origin: null`, and they would be refused.
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Answers with a page.
pub(super) fn page(template: &impl Template) -> Result<HttpResponse, Refused> {
    page_as(StatusCode::OK, template)
}

/// Answers with a page that has this status.
pub(super) fn page_as(status: StatusCode, template: &impl Template) -> Result<HttpResponse, Refused> {
    let text = render(template)?;
    let mut answer = HttpResponse::build(status).content_type("text/html; charset=utf-8").body(text);
    protect(answer.headers_mut());
    Ok(answer)
}

/// Sends whoever has done something to a page, which finds the word of what was done in its query.
pub(super) fn done(path: &str, word: &str) -> Result<HttpResponse, Refused> {
    let sign = if path.contains('?') { '&' } else { '?' };
    Ok(see(&format!("{path}{sign}done={word}")).end())
}

/// Begins an answer that sends somebody to a page.
pub(super) fn see(place: &str) -> See {
    let mut head = HttpResponse::SeeOther();
    head.insert_header((LOCATION, place)).insert_header((CACHE_CONTROL, "no-store")).content_type("text/plain");
    See { head, place: place.to_owned() }
}

/// An answer that sends somebody to a page. Its body is that place: so much of an answer is kept for who asks once more.
pub(super) struct See {
    head: HttpResponseBuilder,
    place: String,
}

impl See {
    /// Adds a header.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.head.insert_header((name, value));
        self
    }

    /// Ends the answer.
    pub(super) fn end(mut self) -> HttpResponse {
        self.head.body(self.place)
    }
}

/// Encodes a part of a path or of a query.
pub(super) fn encoded(text: &str) -> String {
    match askama::filters::urlencode_strict(text) {
        Ok(encoded) => encoded.to_string(),
        Err(never) => match never {},
    }
}

/// Renders a template.
pub(super) fn render(template: &impl Template) -> Result<String, Refused> {
    template.render().map_err(|error| Refused::new(Code::Internal, format_args!("the page cannot be made: {error}")))
}

/// Adds the headers of every page.
pub(super) fn protect(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}
