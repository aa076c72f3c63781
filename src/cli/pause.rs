//! `retcon pause` and `retcon resume`: stop an entity or a source for the time being, and go on with it.

use super::context::Context;
use super::error::{CliError, Exit};
use crate::api::wire::pause::Paused;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  retcon pause customer\n  retcon pause customer/billing\n  retcon resume customer/billing"
)]
pub(super) struct Args {
    /// An entity, or one of its sources
    #[arg(value_name = "ENTITY[/SOURCE]")]
    what: String,
}

/// Which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Pause,
    Resume,
}

pub(super) async fn run(args: &Args, way: Way, context: &Context) -> Result<Exit, CliError> {
    let (entity, source) = match args.what.split_once('/') {
        Some((entity, source)) => (entity, Some(source)),
        None => (args.what.as_str(), None),
    };
    let word = match way {
        Way::Pause => "pause",
        Way::Resume => "resume",
    };
    let answer = context.client()?.set_pause(entity, source, way == Way::Pause).await;
    let answer = answer.map_err(|error| CliError::refused(format!("{word} {}", args.what), error))?;
    context.print(&answer, text)?;
    Ok(Exit::Done)
}

fn text(now: &Paused) -> String {
    let what = match &now.source {
        Some(source) => format!("{}/{source}", now.entity),
        None => now.entity.clone(),
    };
    format!("{what} {}", if now.paused { "is paused" } else { "goes on" })
}
