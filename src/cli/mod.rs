//! What a person or a script types: one file a subcommand, each of them alike.
//!
//! A command that asks the daemon goes over the typed client of the API; an offline command uses the domain, the
//! configuration and the running of sources directly. Data goes to standard output, everything else to standard error.

mod args;
mod context;
mod error;
mod usage;
mod output;
mod show_json;
mod page;
mod wait;

mod init;
mod check;
mod demo;
mod merge;
mod source;
mod notify;
mod status;
mod tree;
mod records;
mod show;
mod history;
mod explain;
mod conflicts;
mod resolve;
mod doubts;
mod settle;
mod deletes;
mod undo;
mod work;
mod retry;
mod drop_item;
mod webhook;
mod pause;
mod reload;
mod token;
mod audit;
mod completions;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use context::Context;
use error::{CliError, Exit};
use pause::Way;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => end(run(cli)),
        Err(error) => end(usage::answer(&error)),
    }
}

fn end(result: Result<Exit, CliError>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(CliError::Closed) => Exit::Done.into(),
        Err(error) => {
            // Nobody is left to be told when standard error cannot be written.
            let _ = std::io::stderr().write_all(error.report().as_bytes());
            error.exit().into()
        }
    }
}

fn run(cli: Cli) -> Result<Exit, CliError> {
    let context = Context::new(cli.global);
    match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Check => check::run(&context),
        Command::Demo => demo::run(),
        Command::Merge(args) => merge::run(&args, &context),
        Command::Source(args) => source::run(&args, &context),
        Command::Completions(args) => completions::run(&args),
        Command::Notify(args) => online(notify::run(&args, &context)),
        Command::Status(args) => online(status::run(&args, &context)),
        Command::Tree(args) => online(tree::run(&args, &context)),
        Command::Records(args) => online(records::run(&args, &context)),
        Command::Show(args) => online(show::run(&args, &context)),
        Command::History(args) => online(history::run(&args, &context)),
        Command::Explain(args) => online(explain::run(&args, &context)),
        Command::Conflicts(args) => online(conflicts::run(&args, &context)),
        Command::Resolve(args) => online(resolve::run(&args, &context)),
        Command::Doubts(args) => online(doubts::run(&args, &context)),
        Command::Settle(args) => online(settle::run(&args, &context)),
        Command::Deletes(args) => online(deletes::run(&args, &context)),
        Command::Undo(args) => online(undo::run(&args, &context)),
        Command::Work(args) => online(work::run(&args, &context)),
        Command::Retry(args) => online(retry::run(&args, &context)),
        Command::Drop(args) => online(drop_item::run(&args, &context)),
        Command::Pause(args) => online(pause::run(&args, Way::Pause, &context)),
        Command::Resume(args) => online(pause::run(&args, Way::Resume, &context)),
        Command::Webhook(args) => online(webhook::run(&args, &context)),
        Command::Reload => online(reload::run(&context)),
        Command::Token(args) => online(token::run(&args, &context)),
        Command::Audit(args) => online(audit::run(&args, &context)),
    }
}

/// Runs a command that asks the daemon.
fn online(command: impl Future<Output = Result<Exit, CliError>>) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(command)
}
