//! `retcon reload`: read the configuration again.

use super::context::Context;
use super::error::{CliError, Exit};
use crate::api::wire::reload::{Outcome, Reloaded};
use crate::config::Finding;

pub(super) async fn run(context: &Context) -> Result<Exit, CliError> {
    let answer = context.client()?.reload().await;
    let answer = answer.map_err(|error| CliError::refused("reload the configuration", error))?;
    context.print(&answer, text)?;
    match answer.value.outcome {
        Outcome::Unchanged | Outcome::Applied | Outcome::NeedsRestart => Ok(Exit::Done),
        Outcome::Rejected => Err(CliError::Rejected(answer.value.errors.into_iter().map(Finding::from).collect())),
    }
}

/// Says what changed, a line each.
fn text(reloaded: &Reloaded) -> String {
    match reloaded.outcome {
        Outcome::Unchanged => "nothing changed".to_owned(),
        Outcome::Applied | Outcome::NeedsRestart => reloaded.changes.join("\n"),
        Outcome::Rejected => String::new(),
    }
}
