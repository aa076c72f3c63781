//! The routes: one file a thing. Each parses what came into types, asks an actor, and puts the reply into words.

mod notifications;
mod work_items;
mod records;
mod history;
mod conflicts;
mod doubts;
mod deletes;
mod orders;
mod reload;
mod status;
mod supervision;
mod health;

use std::future::Future;

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError, web};

use super::problem::{Code, Refused};

/// Adds every route.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    let routes = [
        notifications::routes(),
        work_items::routes(),
        records::routes(),
        history::routes(),
        conflicts::routes(),
        doubts::routes(),
        deletes::routes(),
        reload::routes(),
        status::routes(),
        supervision::routes(),
        health::routes(),
    ];
    for path in routes.into_iter().flatten() {
        app.service(path.into_resource());
    }
    app.default_service(web::to(nothing_here));
}

async fn nothing_here(request: HttpRequest) -> HttpResponse {
    Refused::new(Code::UnknownRoute, format_args!("nothing is served at {}", request.path())).error_response()
}

/// A path, with the methods that it takes.
struct Path {
    resource: Resource,
    methods: Vec<Method>,
}

impl Path {
    fn at(path: &str) -> Self {
        Self { resource: web::resource(path), methods: Vec::new() }
    }

    /// Takes GET, and HEAD with it.
    fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.take(Method::GET, handler.clone()).take(Method::HEAD, handler)
    }

    fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.take(Method::POST, handler)
    }

    fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.take(Method::DELETE, handler)
    }

    fn take<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.methods.push(method.clone());
        self.resource = self.resource.route(web::method(method).to(handler));
        self
    }

    /// Ends the path: every other method is refused, with those that it takes.
    fn into_resource(self) -> Resource {
        let allowed = self.methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        self.resource.default_service(web::to(move |request: HttpRequest| refuse_method(request, allowed.clone())))
    }
}

fn refuse_method(request: HttpRequest, allowed: String) -> impl Future<Output = HttpResponse> {
    let detail = format!("{} takes {allowed}, not {}", request.path(), request.method());
    let refused = Refused::new(Code::MethodNotAllowed, detail);
    let response = refused.head().insert_header((ALLOW, allowed)).body(refused.body());
    std::future::ready(response)
}
