//! A path at which a page is: who may see it, and who may send its forms.

use std::rc::Rc;

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, HttpRequest, Resource, Responder, Route, web};

use super::form::Fields;
use super::{form, people};
use crate::api::problem::{Code, Refused};
use crate::api::routes::Needs;
use crate::domain::access::Role;

/// A path, with the methods that it takes.
pub(super) struct Place {
    path: &'static str,
    resource: Resource,
    methods: Vec<(Method, Needs)>,
}

impl Place {
    pub(super) fn at(path: &'static str) -> Self {
        Self { path, resource: web::resource(path), methods: Vec::new() }
    }

    /// Shows something to whoever may see the rest.
    pub(super) fn show<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.show_to(Role::View.into(), handler)
    }

    /// Shows something to everybody.
    pub(super) fn show_anybody<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.show_to(Needs::Nothing, handler)
    }

    fn show_to<F, Args>(self, needs: Needs, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let head = web::head().to(handler.clone());
        self.serve(Method::GET, needs, web::get().to(handler)).serve(Method::HEAD, needs, head)
    }

    /// Takes a form that changes something: from who may do so, once, and into the audit trail. It has these fields, and its name.
    pub(super) fn act<F, Args>(self, fields: Fields, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = web::post().to(handler).wrap(from_fn(people::for_people)).wrap(from_fn(form::once));
        self.send(Role::Operate.into(), &[fields, &[form::ONCE]].concat(), route)
    }

    /// Takes a form with these fields that concerns nothing but who sends it.
    pub(super) fn take<F, Args>(self, needs: impl Into<Needs>, fields: Fields, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.send(needs.into(), fields, web::post().to(handler))
    }

    fn send(self, needs: Needs, fields: &[&'static str], route: Route) -> Self {
        let known: Rc<[&'static str]> = fields.into();
        let check = move |request, next| form::check(Rc::clone(&known), request, next);
        self.serve(Method::POST, needs, route.wrap(from_fn(check)))
    }

    fn serve(mut self, method: Method, needs: Needs, route: Route) -> Self {
        self.methods.push((method, needs));
        self.resource = self.resource.route(route);
        self
    }

    /// Returns what each method needs.
    pub(super) fn into_needs(self) -> impl Iterator<Item = (Method, &'static str, Needs)> {
        self.methods.into_iter().map(move |(method, needs)| (method, self.path, needs))
    }

    /// Ends the path: every other method is refused.
    pub(super) fn into_resource(self) -> Resource {
        let allowed = self.methods.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>().join(", ");
        self.resource.default_service(web::to(move |request: HttpRequest| {
            let detail = format!("{} takes {allowed}, not {}", request.path(), request.method());
            let refused = Refused::new(Code::MethodNotAllowed, detail);
            let response = refused.head().insert_header((ALLOW, allowed.clone())).body(refused.body());
            std::future::ready(response)
        }))
    }
}
