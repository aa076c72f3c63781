//! What stands before every route: it lets nothing through that the route's description does not name.

use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use bytes::Bytes;

use crate::api::describe::Operation;
use crate::api::input::{self, Node, Query};
use crate::api::problem::{Code, Refused};

const JSON: &str = "application/json";

/// What may pass.
pub(super) struct Doorway {
    /// The parameters that a query may have.
    parameters: Vec<&'static str>,
    /// The types that a body may be of.
    bodies: Vec<&'static str>,
    /// Whether a body says anything; where it does not, an empty object is as good as none.
    takes_body: bool,
}

impl Doorway {
    pub(super) fn of(operation: &Operation) -> Self {
        let parameters = operation.query.iter().map(|parameter| parameter.name).collect();
        let bodies: Vec<_> = operation.bodies.iter().map(|body| body.media).collect();
        let takes_body = !bodies.is_empty();
        Self { parameters, bodies: if takes_body { bodies } else { vec![JSON] }, takes_body }
    }

    /// Hands a request on, or refuses it.
    pub(super) async fn pass(
        self: Rc<Self>,
        mut request: ServiceRequest,
        next: Next<BoxBody>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let body = request.extract::<Bytes>().await?;
        request.set_payload(body.clone().into());
        match self.check(&request, &body) {
            Ok(()) => next.call(request).await,
            Err(refused) => Ok(request.into_response(refused.error_response())),
        }
    }

    fn check(&self, request: &ServiceRequest, body: &[u8]) -> Result<(), Refused> {
        Query::parse(request.query_string(), &self.parameters)?;
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if !self.takes_body && (is_read || body.is_empty()) {
            return Ok(());
        }
        let mut headers = request.headers().get_all(CONTENT_TYPE);
        let header = headers.next();
        if headers.next().is_some() {
            return Err(input::malformed("a body is of one type, and Content-Type stands twice"));
        }
        if let Some(header) = header.filter(|header| !header.to_str().is_ok_and(|text| self.takes(text))) {
            return Err(self.unsupported(&String::from_utf8_lossy(header.as_bytes())));
        }
        if self.takes_body { Ok(()) } else { says_nothing(body) }
    }

    /// Whether a body of this type may pass; whatever it is, it is in UTF-8.
    fn takes(&self, header: &str) -> bool {
        let mut parts = header.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.eq_ignore_ascii_case("charset").then(|| value.trim_matches('"'))
        });
        let known = self.bodies.iter().any(|body| body.eq_ignore_ascii_case(media));
        known && charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
    }

    fn unsupported(&self, found: &str) -> Refused {
        let detail =
            format!("the body should be {}, in UTF-8, and Content-Type says {found}", self.bodies.join(" or "));
        Refused::new(Code::UnsupportedMediaType, detail)
    }
}

/// Refuses a body that says something.
fn says_nothing(body: &[u8]) -> Result<(), Refused> {
    Node::top(&input::parse(body)?).object(&[]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json() -> Doorway {
        Doorway { parameters: Vec::new(), bodies: vec![JSON], takes_body: true }
    }

    #[test]
    fn json_in_utf_8_is_taken_however_it_is_spelled() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; profile=x ; charset=utf-8",
        ] {
            assert!(json().takes(good), "{good}");
        }
    }

    #[test]
    fn another_type_and_another_character_set_are_not_taken() {
        for bad in [
            "",
            "text/json",
            "application/jsonp",
            "application/json; charset=latin1",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!json().takes(bad), "{bad}");
        }
    }
}
