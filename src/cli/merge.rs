//! `retcon merge`: what would the merge do?

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::args::Format;
use super::context::Context;
use super::error::{CliError, Exit};
use super::{output, show_json};
use crate::domain::merge::wire;

const EXAMPLE: &str = r#"Example:
  echo '{"agreed": {"name": "Ann"}, "sources": {
    "crm":     {"shadow": {"name": "Ann"}, "current": {"name": "Anne"}},
    "billing": {"shadow": {"name": "Ann"}, "current": {"name": "Ann"}}}}' | retcon merge"#;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// What is known and what was read, as JSON; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

/// Ends with 0 whatever the outcome; input that cannot be used is bad usage.
pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let input = read(&args.file).map_err(|source| CliError::Read { path: args.file.clone(), source })?;
    let ran = wire::run(&input).map_err(CliError::Merge)?;
    for warning in &ran.warnings {
        output::remark(&format!("warning: {warning}"));
    }
    match context.format() {
        Format::Json => output::print(&ran.answer.to_string())?,
        Format::Text => output::print(&show_json::pretty(&ran.answer))?,
    }
    Ok(Exit::Done)
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return fs::read(file);
    }
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input)?;
    Ok(input)
}
