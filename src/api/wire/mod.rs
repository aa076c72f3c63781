//! The types on the wire, apart from those of the domain, so that neither changes with the other.
//!
//! Documents stand in plain members only: a [`Json`](crate::domain::json::Json) inside a flattened, untagged or tagged
//! type would lose the digits of its numbers. A member that is absent and a member that is `null` are different things.

pub mod problem;
pub mod work;
pub mod record;
pub mod provenance;
pub mod conflict;
pub mod doubt;
pub mod delete;
pub mod order;
pub mod reload;
pub mod status;
pub mod supervision;

mod present;

use serde::{Deserialize, Serialize};

use crate::actor::store::requests::view::Page;

/// A part of a list, and where the next part begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct List<T> {
    pub items: Vec<T>,
    /// An opaque text for `after`; `None` at the end.
    pub next: Option<String>,
}

impl<T> From<Page<T>> for List<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next: page.next.map(|after| after.to_string()) }
    }
}

/// Whether a flag is left out.
fn is_false(flag: &bool) -> bool {
    !flag
}
