//! `/login`: to come with a token once, and with a cookie from then on. `/logout` ends that.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::SET_COOKIE;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;

use super::form::Form;
use super::frame::{Frame, Tab, Visitor};
use super::page::{page_as, see};
use super::parts::Trouble;
use super::place::Place;
use crate::actor::store::requests::access::{ActEnd, Via};
use crate::api::Service;
use crate::api::access::{Caller, Connection, Failure, Road, Session, Ticket, enter};
use crate::api::input::Query;
use crate::api::problem::{Code, Refused};
use crate::api::routes::Needs;
use crate::domain::access::Role;

/// How many characters of what is no token are worth looking at.
const LONGEST: usize = 1_024;

/// A page to sign in.
#[derive(Template)]
#[template(path = "login.html", config = "src/api/pages/askama.toml")]
struct LoginPage {
    frame: Frame,
    trouble: Option<Trouble>,
    /// Where to go from there.
    next: String,
    /// Whether there is no token at all with which somebody could sign in.
    is_closed: bool,
}

pub(super) fn places() -> Vec<Place> {
    vec![
        Place::at("/login").show_anybody(show).take(Needs::Nothing, &["token", "next"], sign_in),
        Place::at("/logout").take(Role::View, &[], sign_out),
    ]
}

async fn show(service: web::Data<Service>, request: HttpRequest, visitor: Visitor) -> Result<HttpResponse, Refused> {
    let query = Query::parse(request.query_string(), &["next", "done"])?;
    let next = query.get("next").unwrap_or("/");
    if matches!(request.conn_data::<Connection>(), Some(Connection::Unix(_))) {
        return Ok(see(own(next)).end());
    }
    let notice = visitor.done().filter(|word| *word == "signed-out").map(|_| "You are signed out.");
    let frame = Frame::new(visitor, Tab::None, "Sign in").with_notice(notice);
    show_again(&service, frame, next, StatusCode::OK, None).await
}

async fn show_again(
    service: &Service,
    frame: Frame,
    next: &str,
    status: StatusCode,
    trouble: Option<Trouble>,
) -> Result<HttpResponse, Refused> {
    let is_closed = service.tokens.exist().await == Some(false);
    page_as(status, &LoginPage { frame, trouble, next: own(next).to_owned(), is_closed })
}

async fn sign_in(
    service: web::Data<Service>,
    request: HttpRequest,
    visitor: Visitor,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let next = own(form.text("next").unwrap_or("/")).to_owned();
    let Some(Connection::Tcp { peer, .. }) = request.conn_data::<Connection>() else {
        return Ok(see(&next).end());
    };
    match admit(&service, form.text("token").unwrap_or_default(), peer.ip(), &peer.to_string()).await {
        Ok(ticket) => {
            service.sessions.close_former(&service, request.headers()).await?;
            let cookie = ticket.cookie(Road::of(&service, request.headers()));
            Ok(see(&next).with(SET_COOKIE, &cookie).end())
        }
        Err(refused) if matches!(refused.code(), Code::Unauthorized | Code::Forbidden | Code::TooManyRequests) => {
            let trouble = Trouble::new("You are not signed in", refused.problem().detail.clone());
            let frame = Frame::new(visitor, Tab::None, "Sign in");
            show_again(&service, frame, &next, refused.code().status(), Some(trouble)).await
        }
        Err(refused) => Err(refused),
    }
}

/// Signs somebody in who shows a token.
async fn admit(service: &Service, token: &str, address: IpAddr, peer: &str) -> Result<Ticket, Refused> {
    let via = Via::Token { peer: peer.to_owned() };
    let token = if token.len() > LONGEST { "" } else { token };
    let (name, refused) = match service.tokens.find(token).await {
        Ok(bearer) if bearer.grant.role >= Role::View => {
            let ticket = service.sessions.open(service, &bearer).await?;
            let end = ActEnd { status: StatusCode::SEE_OTHER.as_u16(), code: None };
            enter(service, bearer.name.to_string(), via, "login", end).await?;
            return Ok(ticket);
        }
        Ok(bearer) => {
            let detail = "this token is for notifications alone: it opens no pages";
            (bearer.name.to_string(), Refused::new(Code::Forbidden, detail))
        }
        Err(refused) if refused.code() == Code::Unauthorized => ("unknown".to_owned(), refused),
        // Nobody can say now.
        Err(refused) => return Err(refused),
    };
    let failure = service.sessions.attempts().fail(address);
    let refused = match failure {
        Failure::Usual => refused,
        Failure::FirstTooMany | Failure::TooMany => {
            let detail = "that opens nothing, and too many such attempts came from your address: try again in a minute";
            Refused::new(Code::TooManyRequests, detail)
        }
    };
    if failure != Failure::TooMany {
        enter(service, name, via, "login", refused.end()).await?;
    }
    Err(refused)
}

async fn sign_out(service: web::Data<Service>, request: HttpRequest, caller: Caller) -> Result<HttpResponse, Refused> {
    let session = request.extensions().get::<Arc<Session>>().cloned();
    let (Some(session), Some((name, via))) = (session, caller.name()) else { return Ok(see("/").end()) };
    let cookie = service.sessions.close(&service, &session, Road::of(&service, request.headers())).await?;
    enter(&service, name, via, "logout", ActEnd { status: StatusCode::SEE_OTHER.as_u16(), code: None }).await?;
    Ok(see("/login?done=signed-out").with(SET_COOKIE, &cookie).end())
}

/// A path of ours to go to; anything else leads to the beginning.
fn own(path: &str) -> &str {
    let is_own = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !["/login", "/logout"].iter().any(|page| path.starts_with(page));
    if is_own { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn nobody_is_led_away_from_here() {
        for path in ["/", "/conflicts/12", "/records/customer?key=a%20b", "/records//x"] {
            assert_eq!(own(path), path);
        }
        for path in [
            "",
            "x",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nSet-Cookie: x=1",
            "/a b",
            "/login",
            "/logout",
            "javascript:alert(1)",
        ] {
            assert_eq!(own(path), "/", "{path:?}");
        }
    }
}
