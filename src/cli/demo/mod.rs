//! `retcon demo`: one customer in three real systems of different kinds, kept in step by a real daemon.
//!
//! Nothing is staged: the commands are those that a user types, and every claim that is printed is checked in the systems
//! themselves, past retcon. All of it happens in a temporary directory; of that, and of its processes, nothing is left.

mod error;
mod interruption;
mod process;
mod http;
mod stage;
mod systems;
mod teller;
mod story;

use std::time::Instant;

use super::error::{CliError, Exit};
use super::output;
use interruption::Interruption;
use stage::Stage;
use story::Story;

pub(super) use error::DemoError;

/// Sets the stage, tells the story, and clears everything away, however the story ended.
pub(super) fn run() -> Result<Exit, CliError> {
    let begun = Instant::now();
    let interruption = Interruption::watch().map_err(CliError::Demo)?;
    let mut stage = Stage::new(&interruption).map_err(CliError::Demo)?;
    let told = stage.set_up().and_then(|systems| Story::new(&stage, &systems, begun).tell());
    // Ctrl-C reaches what we have started as well: whatever failed after it failed because of it.
    let told = told.map_err(|error| interruption.check().err().unwrap_or(error));
    if let Err(error) = &told {
        match error {
            DemoError::Interrupted | DemoError::Closed | DemoError::Python(_) => {}
            _ => output::remark(&stage.last_words()),
        }
    }
    let cleared = stage.clear();
    match told.and(cleared) {
        Ok(()) => Ok(Exit::Done),
        Err(DemoError::Closed) => Err(CliError::Closed),
        Err(error) => Err(CliError::Demo(error)),
    }
}
