//! `retcon records`: what is kept in step.

use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use super::page::{self, Page};
use crate::api::wire::record::RecordSummary;

const EXAMPLES: &str = "\
Examples:
  retcon records customer
  retcon records customer --source crm --key 4711   the record that has or had this key";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The name of an entity
    entity: String,
    /// Only records with a copy there
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only records that have or had this key there
    #[arg(long, value_name = "KEY", requires = "source", allow_hyphen_values = true)]
    key: Option<String>,
    #[command(flatten)]
    page: Page,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let window = args.page.window();
    let answer = client.list_records(&args.entity, args.source.as_deref(), args.key.as_deref(), &window).await;
    let answer = answer.map_err(|error| CliError::refused(format!("list the records of {}", args.entity), error))?;
    page::print(context, &answer, text)?;
    Ok(Exit::Done)
}

fn text(records: &[RecordSummary]) -> String {
    let mut table = output::table(&["ID", "STATE", "VERSION", "CONFLICTS", "COPIES"]);
    for record in records {
        let copies = record.links.iter().map(|link| format!("{}:{}", link.source, link.key)).collect::<Vec<_>>();
        table.add_row([
            output::cell(record.id),
            output::cell(record.state.as_str()),
            output::cell(record.version),
            output::state(&record.conflicts.to_string(), record.conflicts == 0),
            output::cell(copies.join("  ")),
        ]);
    }
    output::lines(&mut table)
}
