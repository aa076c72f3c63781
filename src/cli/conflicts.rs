//! `retcon conflicts`: what waits for a person's decision.

use super::context::Context;
use super::error::{CliError, Exit};
use super::page::{self, Page};
use super::show_json::short_or_absent;
use crate::api::wire::conflict::Conflict;

/// What is to be done where sources keep undoing each other: a decision alone would begin it anew.
const RESTLESS: &str =
    "  these sources keep undoing each other: let one of them leave the value alone, or declare the spellings equal;
  then resolve it (docs/merging.md, \"Sources that undo each other\")
";

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  retcon conflicts customer")]
pub(super) struct Args {
    /// Default: of all entities
    entity: Option<String>,
    #[command(flatten)]
    page: Page,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let answer = client.list_conflicts(args.entity.as_deref(), &args.page.window()).await;
    let answer = answer.map_err(|error| CliError::refused("list the conflicts", error))?;
    page::print(context, &answer, |conflicts| conflicts.iter().map(text_of).collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Done)
}

/// Shows one conflict: where, what is agreed, and who stands for what.
pub(super) fn text_of(conflict: &Conflict) -> String {
    let Conflict { id, entity, record, kind, opened_at, .. } = conflict;
    let place = conflict.path.to_string();
    let mut text = format!("conflict {id}  {entity} {record}  {place:?}  {kind}  since {opened_at}\n");
    let mut lines = vec![("agreed".to_owned(), conflict.agreed.as_ref())];
    lines.extend(conflict.contenders.iter().map(|contender| (contender.sources.join(", "), contender.value.as_ref())));
    let width = lines.iter().map(|(who, _)| who.len()).max().unwrap_or(0);
    for (who, value) in lines {
        text.push_str(&format!("  {who:width$}  {}\n", short_or_absent(value)));
    }
    if kind == "oscillation" {
        text.push_str(RESTLESS);
    }
    text
}
