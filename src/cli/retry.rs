//! `retcon retry`: try work items again at once, with fresh attempts.

use super::context::Context;
use super::error::{CliError, Exit};
use super::work;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  retcon retry 41 42")]
pub(super) struct Args {
    /// Their numbers, as `retcon work` shows them
    #[arg(value_name = "WORK_ITEM", required = true)]
    items: Vec<i64>,
}

/// Tries every item, whatever came of the others.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let mut ends = work::Ends::default();
    for item in &args.items {
        let answer =
            client.retry(*item).await.map_err(|error| CliError::refused(format!("retry work item {item}"), error));
        ends.add(context, answer)?;
    }
    ends.verdict()
}
