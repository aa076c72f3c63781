//! `retcon work`: what is in the queue.

use comfy_table::Cell;

use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use super::page::{self, Page};
use crate::api::client::Answer;
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
            Cell::new(item.id),
            Cell::new(&item.entity),
            Cell::new(what(item)),
            output::state(item.state.as_str(), item.state != WorkState::Parked),
            Cell::new(item.attempts),
            Cell::new(due(item)),
            Cell::new(item.outcome.as_ref().or(item.last_error.as_ref()).map_or("", String::as_str)),
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

/// What came of one command for several items.
#[derive(Default)]
pub(super) struct Ends {
    all: usize,
    failed: Vec<CliError>,
}

impl Ends {
    /// Prints how an item stands now, or keeps why not; a daemon out of reach ends the command.
    pub(super) fn add(&mut self, context: &Context, end: Result<Answer<WorkItem>, CliError>) -> Result<(), CliError> {
        self.all += 1;
        match end {
            Ok(answer) => context.print(&answer, line),
            Err(error @ CliError::Refused { .. }) => {
                self.failed.push(error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Fails if any item did; says of each why, if there were several.
    pub(super) fn verdict(mut self) -> Result<Exit, CliError> {
        let failed = self.failed.len();
        match self.failed.pop() {
            None => Ok(Exit::Done),
            Some(only) if self.all == 1 => Err(only),
            Some(last) => {
                self.failed.push(last);
                self.failed.iter().for_each(|error| output::remark(error.report().trim_end()));
                Err(CliError::Partly { failed, all: self.all })
            }
        }
    }
}
