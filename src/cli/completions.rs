//! `retcon completions`: what a shell needs to complete a command line.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::error::{CliError, Exit};
use super::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  retcon completions bash > /etc/bash_completion.d/retcon")]
pub(super) struct Args {
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "retcon", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
