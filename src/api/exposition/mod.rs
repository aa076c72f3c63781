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
use crate::metrics::{Counted, Kind, Page};

/// Writes all of it.
pub(super) fn page(survey: &Survey, counted: &Counted, followers: usize, config: &Config, file: &FileState) -> String {
    let mut page = Page::default();
    daemon::write(&mut page, survey, file);
    entities::write(&mut page, survey, config);
    counted::write(&mut page, counted);
    let help = "Who follows the events: streams that are open, and the alerts if there is a command.";
    page.single("retcon_event_followers", Kind::Gauge, help, followers as f64);
    page.into_text()
}

/// The number for yes, and for no.
fn truth(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}
