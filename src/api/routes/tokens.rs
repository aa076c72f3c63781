//! `/v1/tokens`: who may use the API over TCP.

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use super::repeat::Repeat;
use super::{Path, grant};
use crate::actor::store::requests::access::ListTokens;
use crate::actor::store::requests::view::Page;
use crate::api::Service;
use crate::api::describe::operation;
use crate::api::input::{self, Node, Query};
use crate::api::problem::{Code, Refused};
use crate::api::wire::List;
use crate::api::wire::access::{MadeToken, NewToken, RevokedToken, Token};
use crate::domain::access::{Grant, Role};
use crate::domain::name::TokenName;

/// A list of one.
const TOKENS: &str = r#"{"items": [{"name": "crm-webhook", "role": "notify", "entities": ["customer"], "sources": ["crm"],
    "rate": 50, "created_at": "2026-11-05T10:00:00.000000Z"}], "next": null}"#;

/// One that was made; what is shown is good nowhere.
const MADE: &str = r#"{"name": "crm-webhook", "role": "notify", "entities": ["customer"], "sources": ["crm"], "rate": 10000,
    "created_at": "2026-11-05T10:00:00.000000Z", "token": "retcon_0000"}"#;

pub(super) fn routes() -> Vec<Path> {
    let list_told = operation("listTokens", "Lists the tokens, without what makes them good")
        .window()
        .answers::<List<Token>>(200, "The tokens.", TOKENS);
    let create_told = operation("createToken", "Makes a token")
        .detail("Its text is in the answer, and nowhere else from then on.")
        .body::<NewToken>(r#"{"name": "crm-webhook", "role": "notify", "entities": ["customer"], "sources": ["crm"]}"#)
        .answers::<MadeToken>(201, "The token, shown this once.", MADE)
        .refuses(&[Code::UnknownEntity, Code::UnknownSource, Code::TokenExists])
        .secret();
    let revoke_told = operation("revokeToken", "Revokes a token")
        .detail("Whoever shows it is refused from now on.")
        .answers::<RevokedToken>(200, "It is good no more.", r#"{"name": "crm-webhook"}"#)
        .refuses(&[Code::UnknownToken]);
    vec![
        Path::at("/v1/tokens").get(Role::View, list, list_told).post(Role::Operate, create, create_told),
        Path::at("/v1/tokens/{name}").delete(Role::Operate, revoke, revoke_told),
    ]
}

async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let window = Query::parse(request.query_string(), &["limit", "after"])?.window()?;
    let tokens = service.ask(ListTokens).await?;
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    let mut rest = tokens.into_iter().filter(|token| token.id > window.after).peekable();
    let mut items = Vec::new();
    let mut last = None;
    while items.len() < limit
        && let Some(token) = rest.next()
    {
        last = Some(token.id);
        items.push(Token::from(token));
    }
    let next = rest.peek().and(last);
    Ok(HttpResponse::Ok().json(List::from(Page { items, next })))
}

async fn create(service: web::Data<Service>, body: Bytes) -> Result<HttpResponse, Refused> {
    let (name, grant) = read(&service, &body)?;
    let (made, secret) = service.tokens.create(&service, name, grant).await?;
    Ok(HttpResponse::Created().json(MadeToken::new(Token::from(made), secret.into_text())))
}

async fn revoke(service: web::Data<Service>, name: web::Path<String>, repeat: Repeat) -> Result<HttpResponse, Refused> {
    let unknown = |_| Refused::new(Code::UnknownToken, format_args!("no token is named {:?}", *name));
    let name: TokenName = name.parse().map_err(unknown)?;
    if !repeat.is_done() {
        service.tokens.revoke(&service, name.clone(), repeat.attempt).await?;
    }
    Ok(HttpResponse::Ok().json(RevokedToken { name: name.to_string() }))
}

fn read(service: &Service, body: &[u8]) -> Result<(TokenName, Grant), Refused> {
    let body = input::parse(body)?;
    let [entities, sources, rate] = grant::MEMBERS;
    let members = Node::top(&body).object(&["name", "role", entities, sources, rate])?;
    let name = members.required("name")?;
    let name = name.string()?.parse().map_err(|error| name.locate(input::malformed(error)))?;
    let role_node = members.required("role")?;
    let role: Role = role_node.string()?.parse().map_err(|error| role_node.locate(input::malformed(error)))?;
    Ok((name, grant::read(service, &members, role)?))
}
