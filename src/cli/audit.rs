//! `retcon audit`: what people did.

use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use super::page::{self, Page};
use crate::api::wire::access::Act;

const EXAMPLES: &str = "\
Examples:
  retcon audit                    the latest first
  retcon audit --limit 1000 --format json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    page: Page,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let answer = context.client()?.list_audit(&args.page.window()).await;
    let answer = answer.map_err(|error| CliError::refused("list what people did", error))?;
    page::print(context, &answer, text)?;
    Ok(Exit::Done)
}

fn text(acts: &[Act]) -> String {
    let mut table = output::table(&["AT", "WHO", "FROM", "WHAT", "REQUEST", "OUTCOME"]);
    for act in acts {
        let what = format!("{} {}", act.act, act.target);
        let request = act.request.as_ref().map(ToString::to_string).unwrap_or_default();
        table.add_row([
            output::cell(&act.at),
            output::cell(&act.who),
            output::cell(from(act)),
            output::cell(what),
            output::cell(request),
            output::cell(outcome(act)),
        ]);
    }
    output::lines(&mut table)
}

fn from(act: &Act) -> String {
    match (&act.peer, act.uid, act.pid) {
        (Some(peer), _, _) => peer.clone(),
        (None, Some(uid), Some(pid)) => format!("uid {uid}, pid {pid}"),
        (None, Some(uid), None) => format!("uid {uid}"),
        (None, None, _) => String::new(),
    }
}

fn outcome(act: &Act) -> String {
    let word = act.outcome.as_deref().unwrap_or("not known");
    act.code.as_ref().map_or_else(|| word.to_owned(), |code| format!("{word}: {code}"))
}
