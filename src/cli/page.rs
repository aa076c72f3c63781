//! Lists come in parts: the options that say which, and the remark that there is more.

use super::context::Context;
use super::output;
use crate::api::client::{Answer, Window};
use crate::api::wire::List;
use crate::cli::args::Format;
use crate::cli::error::CliError;

/// Which part of a list.
#[derive(Debug, clap::Args)]
pub(super) struct Page {
    /// How many at most; 100 by default, 1000 at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Where to begin: what an earlier, incomplete answer gave
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

impl Page {
    pub(super) fn window(&self) -> Window {
        Window { limit: self.limit, after: self.after.clone() }
    }
}

/// Prints a part of a list, and says on standard error how to get the next one.
pub(super) fn print<T>(
    context: &Context,
    answer: &Answer<List<T>>,
    text: impl FnOnce(&[T]) -> String,
) -> Result<(), CliError> {
    context.print(answer, |list| text(&list.items))?;
    match (context.format(), &answer.value.next) {
        (Format::Text, Some(next)) => output::remark(&format!("there is more: --after {next}")),
        (Format::Text, None) | (Format::Json, _) => {}
    }
    Ok(())
}
