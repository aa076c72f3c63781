//! Counts every request by how it was answered.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;

use super::problem::Code;
use crate::metrics::{Request, Tally};

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

fn known(method: &Method) -> &'static str {
    const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "DELETE"];
    METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
