//! `retcon show`: one record and its copies.

use super::context::Context;
use super::error::{CliError, Exit};
use super::{conflicts, output, show_json};
use crate::api::client::{Client, Window};
use crate::api::wire::record::{Link, Record, RecordSummary};

const EXAMPLES: &str = "\
Examples:
  retcon show customer 12
  retcon show customer crm:4711     the record that has, or had last, the key 4711 in crm";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The name of an entity
    entity: String,
    /// The record's internal key, or a source and its own key
    #[arg(value_name = "ID|SOURCE:KEY", value_parser = target)]
    target: Target,
}

/// How a record is named.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Id(i64),
    Copy { source: String, key: String },
}

fn target(text: &str) -> Result<Target, String> {
    if let Some((source, key)) = text.split_once(':') {
        return Ok(Target::Copy { source: source.to_owned(), key: key.to_owned() });
    }
    text.parse().map(Target::Id).map_err(|_| "expected an internal key such as 12, or SOURCE:KEY".to_owned())
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let id = match &args.target {
        Target::Id(id) => *id,
        Target::Copy { source, key } => find(&client, &args.entity, source, key).await?,
    };
    let record = client.record(&args.entity, id).await;
    let record = record.map_err(|error| CliError::refused(format!("show {} {id}", args.entity), error))?;
    context.print(&record, text)?;
    Ok(Exit::Done)
}

/// Finds the record that has a key, else the last one that had it.
async fn find(client: &Client, entity: &str, source: &str, key: &str) -> Result<i64, CliError> {
    let found = client.list_records(entity, Some(source), Some(key), &Window::default()).await;
    let found = found.map_err(|error| CliError::refused(format!("show {entity} {source}:{key}"), error))?.value.items;
    let has = |record: &&RecordSummary| record.links.iter().any(|link| link.source == source && link.key == key);
    let record = found.iter().find(has).or(found.last());
    let unknown =
        || CliError::NoSuchKey { entity: entity.to_owned(), source_name: source.to_owned(), key: key.to_owned() };
    record.map(|record| record.id).ok_or_else(unknown)
}

fn text(record: &Record) -> String {
    let mut text =
        format!("{} {}: {}, version {}\n\n", record.entity, record.id, record.state.as_str(), record.version);
    text.push_str(&copies(&record.links));
    text.push('\n');
    match &record.agreed {
        Some(agreed) => text.push_str(&show_json::pretty(agreed)),
        None => text.push_str("nothing is agreed yet"),
    }
    text.push('\n');
    for conflict in &record.conflicts {
        text.push('\n');
        text.push_str(&conflicts::text_of(conflict));
    }
    text
}

fn copies(links: &[Link]) -> String {
    let mut table = output::table(&["SOURCE", "KEY", "STATE", "IN STEP", "LAST ERROR"]);
    for link in links {
        let in_doubt = link.state == "in-doubt";
        let in_step = if link.in_step { "yes" } else { "no" };
        table.add_row([
            output::cell(&link.source),
            output::cell(link.key.as_deref().unwrap_or("-")),
            output::state(&link.state, !in_doubt),
            if takes_part(link) { output::state(in_step, link.in_step) } else { output::cell("-") },
            output::cell(link.last_error.as_deref().unwrap_or("")),
        ]);
    }
    output::lines(&mut table)
}

fn takes_part(link: &Link) -> bool {
    link.state != "unlinked" && link.state != "detached"
}

/// Says in a few lines how a record stands.
pub(super) fn summary(record: &Record) -> String {
    let Record { entity, id, state, version, .. } = record;
    let mut text = format!("{entity} {id}: {}, version {version}\n", state.as_str());
    for link in record.links.iter().filter(|link| takes_part(link)) {
        let key = link.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
        let step = match (link.state.as_str(), link.in_step) {
            ("in-doubt", _) => "in doubt",
            (_, true) => "in step",
            (_, false) => "not in step",
        };
        let error = link.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        text.push_str(&format!("  {}{key}: {step}{error}\n", link.source));
    }
    for conflict in &record.conflicts {
        text.push_str(&format!("  conflict {} at {:?}: {}\n", conflict.id, conflict.path.to_string(), conflict.kind));
    }
    text
}
