//! `retcon retry`: try work items again at once, with fresh attempts.

use super::context::Context;
use super::error::{CliError, Exit};
use super::work::Items;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  retcon retry 41 42")]
pub(super) struct Args {
    #[command(flatten)]
    items: Items,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    args.items.each(context, "retry", async |client, item| client.retry(item).await).await
}
