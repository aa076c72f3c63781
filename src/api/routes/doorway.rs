//! What stands before every route: it lets nothing through that the route's description does not name.

use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};

use crate::api::describe::Operation;
use crate::api::input::{self, Query};
use crate::api::problem::{Code, Refused};

/// What may pass.
pub(super) struct Doorway {
    /// The parameters that a query may have.
    parameters: Vec<&'static str>,
    /// The types that a body may be of; none: none is looked for.
    bodies: Vec<&'static str>,
}

impl Doorway {
    pub(super) fn of(operation: &Operation) -> Self {
        let parameters = operation.query.iter().map(|parameter| parameter.name).collect();
        Self { parameters, bodies: operation.bodies.iter().map(|body| body.media).collect() }
    }

    /// Hands a request on, or refuses it.
    pub(super) async fn pass(
        self: Rc<Self>,
        request: ServiceRequest,
        next: Next<BoxBody>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        match self.check(&request) {
            Ok(()) => next.call(request).await,
            Err(refused) => Ok(request.into_response(refused.error_response())),
        }
    }

    fn check(&self, request: &ServiceRequest) -> Result<(), Refused> {
        Query::parse(request.query_string(), &self.parameters)?;
        let mut headers = request.headers().get_all(CONTENT_TYPE);
        let Some(header) = headers.next().filter(|_| !self.bodies.is_empty()) else { return Ok(()) };
        if headers.next().is_some() {
            return Err(input::malformed("a body is of one type, and Content-Type stands twice"));
        }
        let taken = header.to_str().is_ok_and(|text| self.takes(text));
        taken.then_some(()).ok_or_else(|| self.unsupported(&String::from_utf8_lossy(header.as_bytes())))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn json() -> Doorway {
        Doorway { parameters: Vec::new(), bodies: vec!["application/json"] }
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
