//! Counts every request by how it was answered.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;

use super::problem::{Code, Refused};
use crate::metrics::{Request, Tally};

/// The label of a method that is none of those that we know.
const OTHER: &str = "other";

/// Hands a request on, and counts the answer.
pub(super) async fn count<B: MessageBody + 'static>(
    tally: Tally,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let method = known(request.method());
    let response = next.call(request).await?;
    // Neither what was asked for nor how is taken at its word: whoever sends it could make up any number of labels.
    let route = response.request().match_pattern().unwrap_or_default();
    let problem = response.response().extensions().get::<Code>().map_or("", |code| code.as_str());
    tally.answered(Request { method, route, status: response.status().as_u16(), problem });
    Ok(response)
}

/// Counts a request that was refused for its head: neither a method nor a route is made out of it.
pub(super) fn refused(tally: &Tally, refused: &Refused) {
    let code = refused.code();
    tally.answered(Request {
        method: OTHER,
        route: String::new(),
        status: code.status().as_u16(),
        problem: code.as_str(),
    });
}

fn known(method: &Method) -> &'static str {
    const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "DELETE"];
    METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or(OTHER)
}
