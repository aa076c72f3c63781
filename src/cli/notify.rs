//! `retcon notify`: a copy may have changed; look.

use std::time::Duration;

use super::context::Context;
use super::error::{CliError, Exit};
use super::wait;
use crate::api::wire::work::{Accepted, AcceptedItem, Notification};

const EXAMPLES: &str = "\
Examples:
  retcon notify customer crm 4711
  retcon notify customer crm 4711 --wait --timeout 5m
  retcon notify customer crm -- -4711             a key that begins with `-`";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The name of an entity
    entity: String,
    /// The name of one of its sources
    source: String,
    /// The source's own name for its copy
    key: String,
    /// Wait until the work item is done (exit status 0) or parked (1), and say what came of it
    #[arg(long)]
    wait: bool,
    /// How long to wait at most, as 90, 90s or 5m (exit status 1)
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = wait::duration, requires = "wait")]
    timeout: Duration,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let notification = Notification { entity: args.entity.clone(), source: args.source.clone(), key: args.key.clone() };
    let doing = || format!("notify {} {} {}", args.entity, args.source, args.key);
    let accepted = client.notify(&notification).await.map_err(|error| CliError::refused(doing(), error))?;
    if !args.wait {
        context.print(&accepted, text)?;
        return Ok(Exit::Done);
    }
    for item in &accepted.value.work_items {
        let ended = wait::until_ended(&client, item.id, args.timeout).await?;
        ended.print(&client, context).await?;
        ended.verdict()?;
    }
    Ok(Exit::Done)
}

fn text(accepted: &Accepted) -> String {
    let line = |item: &AcceptedItem| match item.coalesced {
        false => format!("work item {}\n", item.id),
        true => format!("work item {}, which was waiting already\n", item.id),
    };
    accepted.work_items.iter().map(line).collect()
}
