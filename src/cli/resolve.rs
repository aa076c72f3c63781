//! `retcon resolve`: decide a conflict.

use std::time::Duration;

use super::context::Context;
use super::error::{CliError, Exit};
use super::{output, wait};
use crate::api::client::{Answer, Client};
use crate::api::wire::order::{OrderAnswer, OrderState, Resolution};
use crate::domain::json::Json;

const EXAMPLES: &str = r#"Examples:
  retcon resolve 7 --take crm
  retcon resolve 7 --value '"ann@example.com"'
  retcon resolve 7 --absent                     nothing shall stand there; at "": the record is removed
  retcon resolve 7 --keep                       the agreed value, everywhere"#;

/// How long an order that takes longer than the daemon makes us wait is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The number of the conflict, as `retcon conflicts` shows it
    conflict: i64,
    #[command(flatten)]
    decision: Decision,
    /// Only if the conflict is still at this revision; default: as it stands now
    #[arg(long, value_name = "N")]
    revision: Option<i64>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Decision {
    /// What this source holds there, absence included
    #[arg(long, value_name = "SOURCE")]
    take: Option<String>,
    /// This value
    #[arg(long, value_name = "JSON", value_parser = json, allow_hyphen_values = true)]
    value: Option<Json>,
    /// Nothing
    #[arg(long)]
    absent: bool,
    /// The agreed value
    #[arg(long)]
    keep: bool,
}

fn json(text: &str) -> Result<Json, String> {
    Json::parse(text.as_bytes()).map_err(|error| format!("{error} (a string is written with its quotes: '\"text\"')"))
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let Decision { take, value, absent, keep } = &args.decision;
    let resolution =
        Resolution { take: take.clone(), value: value.clone(), absent: *absent, keep: *keep, revision: args.revision };
    let answer = client.resolve(args.conflict, &resolution).await;
    let answer = answer.map_err(|error| CliError::refused(format!("resolve conflict {}", args.conflict), error))?;
    finish(&client, context, &answer).await
}

/// Says what came of an order; one that is not decided yet is waited for, so that the exit status can be believed.
pub(super) async fn finish(client: &Client, context: &Context, answer: &Answer<OrderAnswer>) -> Result<Exit, CliError> {
    let (OrderState::Pending, Some(item)) = (answer.value.state, answer.value.work_item) else {
        context.print(answer, text)?;
        return Ok(Exit::Done);
    };
    let error = answer.value.last_error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
    output::remark(&format!("stored; waiting for work item {item}, which decides it{error}"));
    let ended = wait::until_ended(client, item, PATIENCE).await?;
    ended.print(client, context).await?;
    ended.verdict()?;
    Ok(Exit::Done)
}

/// Says what came of an order.
fn text(answer: &OrderAnswer) -> String {
    let number = |number: Option<i64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    format!("{}: record {} is at version {}", answer.state.as_str(), number(answer.record), number(answer.version))
}
