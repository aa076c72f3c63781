//! `retcon doubts`: the writes of which nobody knows whether they took effect.

use super::context::Context;
use super::error::{CliError, Exit};
use super::page::{self, Page};
use super::show_json::short_or_absent;
use crate::api::wire::doubt::{Doubt, Output};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  retcon doubts\n  retcon settle 7 --key 4711")]
pub(super) struct Args {
    /// Default: of all entities
    entity: Option<String>,
    #[command(flatten)]
    page: Page,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let answer = client.list_doubts(args.entity.as_deref(), &args.page.window()).await;
    let answer = answer.map_err(|error| CliError::refused("list the doubts", error))?;
    page::print(context, &answer, |doubts| doubts.iter().map(text_of).collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Done)
}

/// Shows one doubt: what was sent, what the program said, and what can be done.
fn text_of(doubt: &Doubt) -> String {
    let Doubt { id, entity, record, source, kind, since, attempts, .. } = doubt;
    let key = doubt.key.as_ref().map(|key| format!(":{key}")).unwrap_or_default();
    let times = if *attempts == 1 { String::new() } else { format!(", {attempts} attempts") };
    let mut text = format!("doubt {id}  {entity} {record}  {kind} at {source}{key}  since {since}{times}\n");
    let ended = doubt.last_error.as_deref().unwrap_or("nobody saw its end: the daemon ended first");
    text.push_str(&format!("  sent    {}\n  ended   {ended}\n", short_or_absent(doubt.document.as_ref())));
    if let Some(Output { exit, stdout, stderr }) = &doubt.output {
        text.push_str(&format!("  exit    {exit}\n{}{}", stream("stdout", stdout), stream("stderr", stderr)));
    }
    if !doubt.waiting.is_empty() {
        text.push_str(&format!("  waiting {}\n", doubt.waiting.join(", ")));
    }
    text
}

/// Shows what a program wrote, each line below the other.
fn stream(name: &str, text: &str) -> String {
    let lines = text.lines().enumerate();
    lines.map(|(n, line)| format!("  {:7} {line}\n", if n == 0 { name } else { "" })).collect()
}
