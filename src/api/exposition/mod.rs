//! Everything that is measured, in families: docs/operations.md says what each means.
//!
//! Names follow the conventions of Prometheus and begin with `retcon_`. No label holds a key of a record, or any text that comes
//! from outside.

mod counted;
mod daemon;
mod entities;

use crate::actor::reloader::FileState;
use crate::actor::supervisor::Survey;
use crate::config::Config;
use crate::metrics::{Counted, Page};

/// Writes all of it.
pub(super) fn page(survey: &Survey, counted: &Counted, config: &Config, file: &FileState) -> String {
    let mut page = Page::default();
    daemon::write(&mut page, survey, file);
    entities::write(&mut page, survey, config);
    counted::write(&mut page, counted);
    page.into_text()
}

/// The number for yes, and for no.
fn truth(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}
