//! What is wrong with a command line, in the form of every other error.

use clap::error::ErrorKind;

use super::error::{CliError, Exit};
use super::output;

/// Answers a command line that is not to be run: prints the help or version that was asked for, or refuses it.
pub(super) fn answer(error: &clap::Error) -> Result<Exit, CliError> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = error.render();
            let text = if output::coloured() { text.ansi().to_string() } else { text.to_string() };
            output::print(&text).map(|()| Exit::Done)
        }
        _ => Err(CliError::Usage { problem: problem(error), hint: hint(error) }),
    }
}

/// Returns what is wrong, on one line.
fn problem(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        || error.kind() == ErrorKind::MissingSubcommand
    {
        return "a subcommand is missing".to_owned();
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let lines = text.lines().take_while(|line| !line.is_empty()).map(str::trim);
    lines.collect::<Vec<_>>().join(" ")
}

/// Returns what was meant perhaps, and how the command is used.
fn hint(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: ")).map(|usage| format!("usage: {usage}"));
    let help = "--help tells more".to_owned();
    tips.map(str::to_owned).chain(usage).chain([help]).collect::<Vec<_>>().join("; ")
}
