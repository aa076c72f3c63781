//! The routes: one file a thing. Each parses what came into types, asks an actor, and puts the reply into words.

mod notifications;
mod webhooks;
mod work_items;
mod records;
mod history;
mod conflicts;
mod doubts;
mod deletes;
pub(super) mod orders;
mod pauses;
mod reload;
mod config;
mod status;
mod supervision;
mod grant;
mod tokens;
mod audit;
mod health;
mod metrics;
mod description;
mod events;
mod path;
mod doorway;
pub(super) mod repeat;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use super::pages;
use super::problem::{Code, Refused};
use path::Path;

pub(super) use path::{Entry, Needs};

/// Returns every path that is served.
fn paths() -> impl Iterator<Item = Path> {
    let routes = [
        notifications::routes(),
        webhooks::routes(),
        work_items::routes(),
        records::routes(),
        history::routes(),
        conflicts::routes(),
        doubts::routes(),
        deletes::routes(),
        pauses::routes(),
        reload::routes(),
        config::routes(),
        status::routes(),
        supervision::routes(),
        tokens::routes(),
        audit::routes(),
        health::routes(),
        metrics::routes(),
        description::routes(),
        events::routes(),
    ];
    routes.into_iter().flatten()
}

/// Returns every method of every path, with what it needs and what it tells of itself.
pub(super) fn table() -> Vec<Entry> {
    paths().flat_map(Path::into_entries).collect()
}

/// Returns every method of every path, the pages' included, with what it needs.
pub(super) fn needs() -> impl Iterator<Item = (Method, &'static str, Needs)> {
    table().into_iter().map(|entry| (entry.method, entry.path, entry.needs)).chain(pages::needs())
}

/// Adds every route.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    for path in paths() {
        app.service(path.into_resource());
    }
    pages::configure(app);
    app.default_service(web::to(nothing_here));
}

async fn nothing_here(request: HttpRequest) -> HttpResponse {
    Refused::new(Code::UnknownRoute, format_args!("nothing is served at {}", request.path())).error_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::access::Role;

    #[test]
    fn what_changes_something_takes_a_role_of_its_own() {
        for entry in table() {
            let role = match (entry.method, entry.path) {
                (_, "/healthz" | "/readyz") => Needs::Nothing,
                (Method::POST, "/v1/notifications") => Needs::Role(Role::Notify),
                (Method::GET | Method::HEAD, _) => Needs::Role(Role::View),
                _ => Needs::Role(Role::Operate),
            };
            assert_eq!(entry.needs, role, "{}", entry.path);
        }
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let described: Vec<Entry> = table().into_iter().filter(|entry| entry.method != Method::HEAD).collect();
        let names: BTreeSet<&str> = described.iter().map(|entry| entry.operation.id).collect();
        assert_eq!(names.len(), described.len());
    }
}
