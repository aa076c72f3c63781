//! `retcon settle`: say what became of a write in doubt.

use super::context::Context;
use super::error::{CliError, Exit};
use super::resolve;
use crate::api::wire::doubt::Settlement;

const EXAMPLES: &str = "Examples:
  retcon doubts
  retcon settle 7 --key 4711      the copy is there, under this key
  retcon settle 7 --absent        a create made none, or what an update was sent to is gone";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The number of the doubt, as `retcon doubts` shows it
    doubt: i64,
    #[command(flatten)]
    word: Word,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Word {
    /// The key under which the source has the copy; it is read first
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    key: Option<String>,
    /// The source has no such copy; one that a create should have made is created anew
    #[arg(long)]
    absent: bool,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let settlement = Settlement { key: args.word.key.clone(), absent: args.word.absent };
    let answer = client.settle(args.doubt, &settlement).await;
    let answer = answer.map_err(|error| CliError::refused(format!("settle doubt {}", args.doubt), error))?;
    resolve::finish(&client, context, &answer).await
}
