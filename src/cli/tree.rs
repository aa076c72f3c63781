//! `retcon tree`: every actor, in the tree in which one watches over the next.

use comfy_table::ContentArrangement;

use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use crate::api::wire::supervision::{Actor, Kind, Next, State, Supervision};

/// How many characters of an error stand on an actor's line; `--format json` and the log have all of it.
const ERROR: usize = 100;

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status 0 whatever the states are: `retcon status` says whether all is well.")]
pub(super) struct Args {}

pub(super) async fn run(_: &Args, context: &Context) -> Result<Exit, CliError> {
    let supervision = context.client()?.supervision().await;
    let supervision = supervision.map_err(|error| CliError::refused("show the tree of actors", error))?;
    context.print(&supervision, text)?;
    Ok(Exit::Done)
}

fn text(supervision: &Supervision) -> String {
    let mut table = output::table(&["ACTOR", "STATE", "SINCE", "RESTARTS", "NEXT", "LAST FAILURE"]);
    // One line an actor: on a narrow terminal the ends of the lines run over.
    table.set_content_arrangement(ContentArrangement::Disabled);
    for Row { branch, name, actor } in rows(&supervision.actors) {
        table.add_row([
            output::cell(format!("{branch}{name}")),
            output::state(actor.state.as_str(), is_well(actor.state)),
            output::cell(output::second(&actor.since)),
            output::cell(actor.restarts),
            output::cell(actor.next.as_ref().map(next).unwrap_or_default()),
            output::cell(failure(actor)),
        ]);
    }
    output::lines(&mut table)
}

/// An actor's line.
struct Row<'a> {
    /// The lines that lead to it.
    branch: &'static str,
    name: &'a str,
    actor: &'a Actor,
}

/// Lays the actors out; they come in the order of the tree.
fn rows(actors: &[Actor]) -> impl Iterator<Item = Row<'_>> {
    let last_part = actors.iter().rposition(|actor| depth(actor.kind) == 1);
    actors.iter().enumerate().map(move |(at, actor)| {
        let is_in_last_part = last_part.is_none_or(|last| last <= at);
        let is_last_source = actors.get(at + 1).is_none_or(|next| depth(next.kind) < 2);
        let branch = match (depth(actor.kind), is_in_last_part, is_last_source) {
            (0, ..) => "",
            (1, false, _) => "├─ ",
            (1, true, _) => "└─ ",
            (_, false, false) => "│  ├─ ",
            (_, false, true) => "│  └─ ",
            (_, true, false) => "   ├─ ",
            (_, true, true) => "   └─ ",
        };
        Row { branch, name: name(actor), actor }
    })
}

fn name(actor: &Actor) -> &str {
    match actor.kind {
        Kind::Source => actor.path.rsplit('/').next().unwrap_or(&actor.path),
        Kind::Supervisor | Kind::Store | Kind::Leases | Kind::Reloader | Kind::Entity => &actor.path,
    }
}

fn depth(kind: Kind) -> u8 {
    match kind {
        Kind::Supervisor => 0,
        Kind::Store | Kind::Leases | Kind::Reloader | Kind::Entity => 1,
        Kind::Source => 2,
    }
}

fn is_well(state: State) -> bool {
    match state {
        State::Starting | State::Up | State::Stopping => true,
        State::Down | State::Restarting | State::GivenUp => false,
    }
}

/// Writes what will be tried next.
pub(super) fn next(next: &Next) -> String {
    let action = next.action.as_str();
    match next.in_ms.div_ceil(1000) {
        0 => format!("{action} is due"),
        seconds => format!("{action} in {}", output::age(seconds)),
    }
}

fn failure(actor: &Actor) -> String {
    let exit = actor.last_exit.as_ref().map(|exit| format!("{}: {}", output::second(&exit.at), brief(&exit.error)));
    match (&actor.error, exit) {
        (Some(error), _) => brief(error),
        (None, Some(exit)) => exit,
        (None, None) => String::new(),
    }
}

/// Writes an error in one line that is not too long.
pub(super) fn brief(error: &str) -> String {
    let line = error.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(ERROR) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
