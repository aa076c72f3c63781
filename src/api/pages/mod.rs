//! The pages: what people see and decide, served beside the API by the same doors and with the same roles.
//!
//! Every page is whole as it comes from the server: it is read, and every form of it sent, without JavaScript. What there is of that
//! (`assets/live.js`, and `assets/follow.js` for all windows of a browser) keeps a page up to date that is looked at.
//!
//! # To add a page
//!
//! 1. **A file** `pages/NAME.rs` with `pub(super) fn places() -> Vec<Place>`, named in [`places`] below, and a template
//!    `templates/NAME.html`.
//!    ```text
//!    Place::at("/doubts").show(list)                     GET and HEAD, for the role `view`
//!    Place::at("/doubts/{id}/settle").act(FIELDS, settle)  POST, for the role `operate`; in the audit trail, carried out once
//!    ```
//!    A form has the fields that are named here (`once` besides); any other one is refused, and so is a query.
//!    The last part of the path of an act is its name in the audit trail: a verb, never `{...}`.
//! 2. **A handler** takes what it needs: `web::Data<Service>`, [`Visitor`] (who looks, and what they may), `web::Path`,
//!    [`Query`](crate::api::input::Query) parsed by hand for filters (unknown parameters but `done` are refused), [`Form`] for what was
//!    sent, [`Repeat`](crate::api::routes::repeat::Repeat) in an act whose effect must not happen twice. It returns `Result<HttpResponse, Refused>`:
//!    - `page(&template)`: the page; `page_as(status, &template)`: likewise, with a status (a form that comes back: 422, or 409 if
//!      the world has moved);
//!    - `done("/doubts", "settled")`: 303 to a page after an act. That page finds the word by `visitor.done()` and says a sentence
//!      for it (`Frame::with_notice`), so a reload repeats nothing;
//!    - `Err(refused)`: shown as a page to people, as a problem document to programs (`people.rs`).
//! 3. **A template** begins with `{% extends "base.html" %}` and fills `{% block main %}`; its struct derives `askama::Template` with
//!    `#[template(path = "NAME.html", config = "src/api/pages/askama.toml")]` and has a field `frame: Frame`, made by
//!    `Frame::new(visitor, Tab::Doubts, "In doubt")`. Everything is escaped; `|safe` is used nowhere. The parts of `parts.rs` ([`Cell`],
//!    [`When`], [`Badge`], [`Pager`], [`Trouble`], [`Empty`]) are HTML themselves: `{{ cell }}`.
//! 4. **A form**: `<form method="post" action="...">{{ frame.once() }} ... <button>Settle</button></form>`. `frame.once()` is the hidden value by
//!    which a form that is sent twice acts once; without it an act is refused. Whoever may not act sees no form: `{% if frame.may_act %}`.
//!    A form that is refused is rendered again with what was typed (`form.text("key")`) and a [`Trouble`] above it.
//! 5. **Live**: a block with an id and `data-live` is replaced when something happens (`<section id="open" data-live>`), unless
//!    somebody is filling in a form within it. `data-live="customer"` only asks for events of that entity.
//! 6. **Styles**: `assets/NAME.css`, named in `assets.rs`; no `style=` and no inline script: the content security policy forbids them.
//!    Links have whole paths (`/records/customer/12`); parts of a path are encoded with `|urlencode_strict`.

mod place;
mod page;
mod frame;
mod parts;
mod form;
mod people;
mod assets;
mod login;
mod overview;
mod deletes;
mod records;
mod record;
mod doubts;
mod work;
mod sources;
mod configuration;
mod audit;
mod words;
mod comes;
mod conflicts;
mod undo;
mod owed;

use actix_web::http::Method;
use actix_web::web;

use super::routes::Needs;
use place::Place;

pub(super) use people::for_people;

/// Returns every page.
fn places() -> impl Iterator<Item = Place> {
    let pages = [
        assets::places(),
        login::places(),
        overview::places(),
        deletes::places(),
        records::places(),
        record::places(),
        doubts::places(),
        work::places(),
        sources::places(),
        configuration::places(),
        audit::places(),
        conflicts::places(),
        undo::places(),
    ];
    pages.into_iter().flatten()
}

/// Returns every method of every page, with what it needs.
pub(super) fn needs() -> impl Iterator<Item = (Method, &'static str, Needs)> {
    places().flat_map(Place::into_needs)
}

/// Adds every page.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    for place in places() {
        app.service(place.into_resource());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;

    #[test]
    fn what_is_seen_takes_a_role_and_what_changes_something_a_greater_one() {
        for (method, path, needs) in needs() {
            let role = match (method, path) {
                (_, "/login" | "/assets/{name}") => Needs::Nothing,
                (Method::POST, "/logout" | "/conflicts/{id}/preview") | (Method::GET | Method::HEAD, _) => {
                    Needs::Role(Role::View)
                }
                _ => Needs::Role(Role::Operate),
            };
            assert_eq!(needs, role, "{path}");
        }
    }
}
