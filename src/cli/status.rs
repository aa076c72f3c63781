//! `retcon status`: is it fine?

mod remarks;
mod screen;

use std::time::Duration;

use super::args::Format;
use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use crate::api::client::{Answer, Client, ClientError};
use crate::api::wire::status::Status;
use crate::api::wire::supervision::Supervision;
use remarks::{Remark, Weight};
use screen::Extent;

/// How long between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Moves to the top left corner and clears the screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status 1 if something is parked, held, in doubt, in conflict, down or given up, if the configuration \
                  file was rejected, or if the database is away."
)]
pub(super) struct Args {
    /// Show it again every second, until interrupted
    #[arg(long)]
    watch: bool,
    /// List every entity and every source, and all that is to be known of them
    #[arg(long)]
    all: bool,
}

/// What the daemon answers.
enum View {
    /// How everything is, and how every actor is.
    Whole(Box<Answer<Status>>, Supervision),
    /// It cannot say how everything is: why, and how every actor is.
    Parts(String, Supervision),
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let extent = if args.all { Extent::All } else { Extent::Screen };
    let mut view = look(&client, context.format()).await?;
    if !args.watch {
        view.print(context, extent, "")?;
        return Ok(view.verdict());
    }
    let clear = if output::coloured() { CLEAR } else { "" };
    loop {
        view.print(context, extent, clear)?;
        tokio::time::sleep(PERIOD).await;
        view = match look(&client, context.format()).await {
            Ok(view) => view,
            Err(error) => {
                // A daemon that is restarted is what one watches for.
                output::remark(error.report().trim_end());
                continue;
            }
        };
    }
}

/// Asks how everything is, and how every actor is: the one that failed, and what will be tried next.
async fn look(client: &Client, format: Format) -> Result<View, CliError> {
    let refused = |error: ClientError| CliError::refused("show the status", error);
    let status = client.status().await;
    let supervision = async || client.supervision().await.map(|answer| answer.value).map_err(refused);
    match (status, format) {
        (Ok(status), Format::Text | Format::Json) => Ok(View::Whole(Box::new(status), supervision().await?)),
        (Err(ClientError::Problem(problem)), Format::Text) if problem.status == 503 => {
            Ok(View::Parts(problem.detail, supervision().await?))
        }
        (Err(error), Format::Text | Format::Json) => Err(refused(error)),
    }
}

impl View {
    fn remarks(&self) -> Vec<Remark> {
        match self {
            Self::Whole(status, supervision) => remarks::of(&status.value, supervision),
            Self::Parts(why, supervision) => remarks::without_status(why, supervision),
        }
    }

    fn verdict(&self) -> Exit {
        let is_well = self.remarks().iter().all(|remark| remark.weight == Weight::Passing);
        if is_well { Exit::Done } else { Exit::Failed }
    }

    fn print(&self, context: &Context, extent: Extent, clear: &str) -> Result<(), CliError> {
        let remarks = screen::remarks(&self.remarks(), extent);
        match self {
            Self::Whole(answer, _) => {
                context.print(answer, |status| format!("{clear}{remarks}{}", screen::status(status, extent)))
            }
            Self::Parts(..) => {
                let rest = "Counts, records and conflicts are in the database; `retcon tree` shows every actor.";
                output::print(&format!("{clear}{remarks}\n{rest}\n"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
