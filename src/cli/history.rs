//! `retcon history`: the versions of a record, and what made them.

use super::context::Context;
use super::error::{CliError, Exit};
use super::page::{self, Page};
use super::show_json::{cause, short, short_or_absent};
use crate::api::wire::record::HistoryItem;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  retcon history customer 12")]
pub(super) struct Args {
    /// The name of an entity
    entity: String,
    /// The record's internal key
    id: i64,
    #[command(flatten)]
    page: Page,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let answer = client.history(&args.entity, args.id, &args.page.window()).await;
    let doing = || format!("show the history of {} {}", args.entity, args.id);
    let answer = answer.map_err(|error| CliError::refused(doing(), error))?;
    page::print(context, &answer, |items| items.iter().map(text).collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Done)
}

fn text(item: &HistoryItem) -> String {
    let mut text = format!("version {}  {}  {}  {}\n", item.version, item.at, item.state.as_str(), cause(&item.cause));
    for entry in &item.patch {
        let sources = if entry.sources.is_empty() { "a person".to_owned() } else { entry.sources.join(", ") };
        let value = entry.value.as_ref().map(|value| format!(" = {}", short(value))).unwrap_or_default();
        text.push_str(&format!("  {} {:?}{value}  ({sources})\n", entry.op, entry.path.to_string()));
    }
    for lost in &item.overruled {
        let value = short_or_absent(lost.value.as_ref());
        text.push_str(&format!("  overruled {:?} = {value}  ({})\n", lost.path.to_string(), lost.source));
    }
    for conflict in &item.conflicts {
        text.push_str(&format!("  in conflict {:?}: {}\n", conflict.path.to_string(), conflict.kind));
    }
    text
}
