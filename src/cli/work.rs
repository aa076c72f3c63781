//! `retcon work`: what is in the queue.

use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use super::page::{self, Page};
use crate::api::client::{Answer, Client, ClientError};
use crate::api::wire::work::{WorkItem, WorkState};

const EXAMPLES: &str = "\
Examples:
  retcon work --state parked          what waits for a person
  retcon work --entity customer";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// ready, running, waiting, parked or done; default: all
    #[arg(long, value_name = "STATE")]
    state: Option<WorkState>,
    #[arg(long, value_name = "ENTITY")]
    entity: Option<String>,
    #[command(flatten)]
    page: Page,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let answer = client.list_work(args.state, args.entity.as_deref(), &args.page.window()).await;
    let answer = answer.map_err(|error| CliError::refused("list the work items", error))?;
    page::print(context, &answer, text)?;
    Ok(Exit::Done)
}

fn text(items: &[WorkItem]) -> String {
    let mut table = output::table(&["ID", "ENTITY", "WHAT", "STATE", "ATTEMPTS", "DUE", "OUTCOME OR LAST ERROR"]);
    for item in items {
        table.add_row([
            output::cell(item.id),
            output::cell(&item.entity),
            output::cell(what(item)),
            output::state(item.state.as_str(), item.state != WorkState::Parked),
            output::cell(item.attempts),
            output::cell(due(item)),
            output::cell(item.outcome.as_ref().or(item.last_error.as_ref()).map_or("", String::as_str)),
        ]);
    }
    output::lines(&mut table)
}

fn what(item: &WorkItem) -> String {
    let order = item.order.as_ref().map(|order| format!("{order} ")).unwrap_or_default();
    match (&item.source, &item.key, item.record) {
        (Some(source), Some(key), _) => format!("{source}:{key}"),
        (None, _, Some(record)) | (_, None, Some(record)) => format!("{order}record {record}"),
        (None, _, None) | (_, None, None) => order,
    }
}

fn due(item: &WorkItem) -> String {
    match item.state {
        WorkState::Ready | WorkState::Waiting if !item.blocked_by.is_empty() => {
            format!("when {} is back", item.blocked_by.join(", "))
        }
        WorkState::Ready | WorkState::Waiting => item.due_at.clone().unwrap_or_default(),
        WorkState::Running | WorkState::Parked | WorkState::Done => String::new(),
    }
}

/// Says how an item stands, on one line.
pub(super) fn line(item: &WorkItem) -> String {
    let outcome = item.outcome.as_ref().map(|outcome| format!(", {outcome}")).unwrap_or_default();
    format!("work item {}: {}{outcome}", item.id, item.state)
}

/// The work items that a command is for.
#[derive(Debug, clap::Args)]
pub(super) struct Items {
    /// Their numbers, as `retcon work` shows them
    #[arg(value_name = "WORK_ITEM", required = true)]
    items: Vec<i64>,
}

impl Items {
    /// Does the same with every item, whatever came of the others, and prints how each stands then.
    ///
    /// A daemon out of reach ends the command; an item that is refused makes it fail at the end.
    pub(super) async fn each(
        &self,
        context: &Context,
        verb: &'static str,
        act: impl AsyncFn(&Client, i64) -> Result<Answer<WorkItem>, ClientError>,
    ) -> Result<Exit, CliError> {
        let client = context.client()?;
        let mut refused = Vec::new();
        for item in &self.items {
            let end = act(&client, *item).await;
            match end.map_err(|error| CliError::refused(format!("{verb} work item {item}"), error)) {
                Ok(answer) => context.print(&answer, line)?,
                Err(error @ CliError::Refused { .. }) => refused.push(error),
                Err(error) => return Err(error),
            }
        }
        verdict(verb, refused, self.items.len())
    }
}

/// Fails if any of `all` items was refused; says of each why.
fn verdict(verb: &'static str, mut refused: Vec<CliError>, all: usize) -> Result<Exit, CliError> {
    match (refused.len(), all) {
        (0, _) => Ok(Exit::Done),
        (1, 1) => Err(refused.remove(0)),
        (failed, all) => {
            refused.iter().for_each(|error| output::remark(error.report().trim_end()));
            Err(CliError::Partly { verb, failed, all })
        }
    }
}
