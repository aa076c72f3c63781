//! `retcon undo`: take back what a version changed.

use super::context::Context;
use super::error::{CliError, Exit};
use super::resolve;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  retcon history customer 12\n  retcon undo customer 12 3")]
pub(super) struct Args {
    /// The name of an entity
    entity: String,
    /// The record's internal key
    id: i64,
    /// The version whose changes are taken back
    version: i64,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let answer = client.undo(&args.entity, args.id, args.version).await;
    let doing = || format!("undo version {} of {} {}", args.version, args.entity, args.id);
    let answer = answer.map_err(|error| CliError::refused(doing(), error))?;
    resolve::finish(&client, context, &answer).await
}
