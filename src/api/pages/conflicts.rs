//! `/conflicts`: what waits for a person's word, and where it is said.

mod inbox;
mod choices;
mod show;
mod closed;
mod preview;
mod alike;
mod batch;

use super::place::Place;
use crate::domain::access::Role;

pub(super) fn places() -> Vec<Place> {
    vec![
        Place::at("/conflicts").show(inbox::show),
        Place::at("/conflicts/alike").show(alike::show),
        Place::at("/conflicts/alike/resolve").act(alike::FIELDS, alike::resolve),
        Place::at("/conflicts/batches/{id}").show(batch::show),
        Place::at("/conflicts/{id}").show(show::show),
        // It changes nothing, so it is no act; who may not act is refused by the handler.
        Place::at("/conflicts/{id}/preview").take(Role::View, preview::PREVIEWED, preview::preview),
        Place::at("/conflicts/{id}/resolve").act(preview::APPLIED, preview::resolve),
    ]
}
