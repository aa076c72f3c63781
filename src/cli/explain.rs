//! `retcon explain`: where each value of a record comes from.

use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use super::show_json::{cause, short, short_or_absent};
use crate::api::wire::provenance::{Lost, Origin, Provenance};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  retcon explain customer 12")]
pub(super) struct Args {
    /// The name of an entity
    entity: String,
    /// The record's internal key
    id: i64,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let answer = client.provenance(&args.entity, args.id).await;
    let answer = answer.map_err(|error| CliError::refused(format!("explain {} {}", args.entity, args.id), error))?;
    context.print(&answer, text)?;
    Ok(Exit::Done)
}

fn text(Provenance(places): &Provenance) -> String {
    let mut table = output::table(&["FIELD", "VALUE", "SET BY", "AT", "VERSION", "LOST"]);
    for (place, origin) in places {
        table.add_row([
            output::cell(format!("{:?}", place.to_string())),
            output::cell(short(&origin.value)),
            output::cell(set_by(origin)),
            output::cell(&origin.at),
            output::cell(origin.version),
            output::cell(lost(origin)),
        ]);
    }
    output::lines(&mut table)
}

fn set_by(origin: &Origin) -> String {
    if origin.sources.is_empty() { cause(&origin.cause) } else { origin.sources.join(", ") }
}

fn lost(origin: &Origin) -> String {
    let one =
        |lost: &Lost| format!("{} {} (version {})", lost.source, short_or_absent(lost.value.as_ref()), lost.version);
    origin.overruled.iter().map(one).collect::<Vec<_>>().join("; ")
}
