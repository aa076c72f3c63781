//! A path that is served: its methods, who may use each, and what each tells of itself.

use std::future::Future;
use std::rc::Rc;

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, Route, web};

use super::doorway::Doorway;
use super::repeat;
use crate::api::describe::Operation;
use crate::api::problem::{Code, Refused};
use crate::domain::access::Role;

/// What a request must come with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Needs {
    /// Nothing: whoever reaches the daemon may ask.
    Nothing,
    /// The word of somebody who has this role, or a greater one.
    Role(Role),
}

impl From<Role> for Needs {
    fn from(role: Role) -> Self {
        Self::Role(role)
    }
}

/// One method of one path, as it is served.
#[derive(Debug, Clone)]
pub(in crate::api) struct Entry {
    pub(in crate::api) method: Method,
    /// As it is matched: `/v1/work-items/{id}`.
    pub(in crate::api) path: &'static str,
    pub(in crate::api) needs: Needs,
    pub(in crate::api) operation: Operation,
}

/// A path, with the methods that it takes: none can be served without its needs and its description.
pub(super) struct Path {
    path: &'static str,
    resource: Resource,
    methods: Vec<Method>,
    entries: Vec<Entry>,
}

impl Path {
    pub(super) fn at(path: &'static str) -> Self {
        Self { path, resource: web::resource(path), methods: Vec::new(), entries: Vec::new() }
    }

    /// Takes GET, and HEAD with it.
    pub(super) fn get<F, Args>(self, needs: impl Into<Needs>, handler: F, operation: Operation) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let needs = needs.into();
        let as_head = operation.clone();
        self.take(Method::GET, needs, handler.clone(), operation).take(Method::HEAD, needs, handler, as_head)
    }

    pub(super) fn post<F, Args>(self, needs: impl Into<Needs>, handler: F, operation: Operation) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.change(Method::POST, needs.into(), handler, operation)
    }

    pub(super) fn delete<F, Args>(self, needs: impl Into<Needs>, handler: F, operation: Operation) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.change(Method::DELETE, needs.into(), handler, operation)
    }

    /// Takes a method that changes something, and that may be repeated with an `Idempotency-Key`, unless a secret is answered.
    fn change<F, Args>(self, method: Method, needs: Needs, handler: F, operation: Operation) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        if operation.is_secret {
            let route = web::method(method.clone()).to(handler).wrap(from_fn(repeat::never));
            return self.serve(method, needs, route, operation);
        }
        let operation = repeat::told(operation);
        self.serve(method.clone(), needs, web::method(method).to(handler).wrap(from_fn(repeat::once)), operation)
    }

    fn take<F, Args>(self, method: Method, needs: Needs, handler: F, operation: Operation) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.serve(method.clone(), needs, web::method(method).to(handler), operation)
    }

    fn serve(mut self, method: Method, needs: Needs, route: Route, operation: Operation) -> Self {
        let doorway = Rc::new(Doorway::of(&operation));
        let pass = move |request, next| Rc::clone(&doorway).pass(request, next);
        self.methods.push(method.clone());
        self.resource = self.resource.route(route.wrap(from_fn(pass)));
        self.entries.push(Entry { method, path: self.path, needs, operation });
        self
    }

    /// Returns what is served there.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Ends the path: every other method is refused, with those that it takes.
    pub(super) fn into_resource(self) -> Resource {
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
