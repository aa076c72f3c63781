//! `retcon drop`: give work items up.

use super::context::Context;
use super::error::{CliError, Exit};
use super::work::Items;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  retcon drop 41 42")]
pub(super) struct Args {
    #[command(flatten)]
    items: Items,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    args.items.each(context, "drop", async |client, item| client.drop_item(item).await).await
}
