//! `retcon status`: is it fine?

use std::time::Duration;

use comfy_table::Cell;

use super::args::Format;
use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use crate::api::client::{Answer, ClientError};
use crate::api::wire::status::{ConfigStatus, EntityStatus, Status};
use crate::config::Finding;

/// How long between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Moves to the top left corner and clears the screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status 1 if something is parked, in doubt, in conflict, down or given up.")]
pub(super) struct Args {
    /// Show it again every second, until interrupted
    #[arg(long)]
    watch: bool,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let refused = |error: ClientError| CliError::refused("show the status", error);
    let mut status = client.status().await.map_err(refused)?;
    if !args.watch {
        context.print(&status, text)?;
        return Ok(verdict(&status.value));
    }
    loop {
        show_again(context, &status)?;
        tokio::time::sleep(PERIOD).await;
        status = match client.status().await.map_err(refused) {
            Ok(status) => status,
            Err(error) => {
                // A daemon that is restarted is what one watches for.
                output::remark(error.report().trim_end());
                continue;
            }
        };
    }
}

fn show_again(context: &Context, status: &Answer<Status>) -> Result<(), CliError> {
    let clear = if output::coloured() && context.format() == Format::Text { CLEAR } else { "" };
    context.print(status, |status| format!("{clear}{}", text(status)))
}

fn verdict(status: &Status) -> Exit {
    if troubles(status).is_empty() { Exit::Done } else { Exit::Failed }
}

/// Returns what is not well, with the command that shows more.
fn troubles(status: &Status) -> Vec<String> {
    let mut troubles = Vec::new();
    if status.database.state != "up" {
        let error = status.database.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        troubles.push(format!("the database is {}{error}", status.database.state));
    }
    troubles.extend(config_trouble(&status.config));
    for entity in &status.entities {
        troubles.extend(entity_troubles(entity));
    }
    troubles
}

/// Says what is wrong with the file, if it was rejected: the first mistake, and how many there are besides.
fn config_trouble(config: &ConfigStatus) -> Option<String> {
    let first = config.errors.first()?.clone();
    let more = match config.errors.len() - 1 {
        0 => "(retcon check)".to_owned(),
        more => format!("(and {more} more: retcon check)"),
    };
    let first = Finding::from(first);
    Some(format!(
        "the configuration was rejected, that of {} is in force: {first} {more}",
        output::second(&config.loaded_at)
    ))
}

fn entity_troubles(entity: &EntityStatus) -> Vec<String> {
    let name = &entity.name;
    let counted = |n: i64, text: String| (n > 0).then_some(text);
    let mut troubles: Vec<String> = [
        counted(entity.queue.parked, format!("{name}: {} parked (retcon work --state parked)", entity.queue.parked)),
        counted(entity.conflicts, format!("{name}: {} in conflict (retcon conflicts {name})", entity.conflicts)),
        counted(entity.in_doubt, format!("{name}: {} in doubt", entity.in_doubt)),
        is_bad(&entity.state).then(|| format!("{name} is {}", entity.state)),
    ]
    .into_iter()
    .flatten()
    .collect();
    for source in entity.sources.iter().filter(|source| is_bad(&source.state)) {
        let error = source.last_error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        troubles.push(format!("{name}/{} is {}{error}", source.name, source.state));
    }
    troubles
}

/// Says whether a state is one that a person should know of.
fn is_bad(state: &str) -> bool {
    matches!(state, "down" | "given-up")
}

fn text(status: &Status) -> String {
    let troubles = troubles(status);
    let mut text = match troubles.as_slice() {
        [] => "all is well\n".to_owned(),
        troubles => troubles.iter().map(|trouble| format!("! {trouble}\n")).collect(),
    };
    text.push_str(&format!(
        "\nretcond {}, up {}, database {}\nconfiguration {}\n",
        status.version,
        output::age(status.uptime_s),
        status.database.state,
        status.config.path,
    ));
    if !status.config.needs_restart.is_empty() {
        text.push_str(&format!("needs a restart: {}\n", status.config.needs_restart.join(", ")));
    }
    text.push('\n');
    text.push_str(&entities(status));
    text.push('\n');
    text.push_str(&throttles(status));
    text.push_str(&sources(status));
    text
}

fn entities(status: &Status) -> String {
    let head =
        ["ENTITY", "STATE", "RECORDS", "READY", "RUNNING", "WAITING", "PARKED", "OLDEST", "CONFLICTS", "IN DOUBT"];
    let mut table = output::table(&head);
    for entity in &status.entities {
        let queue = &entity.queue;
        table.add_row([
            Cell::new(&entity.name),
            output::state(&entity.state, !is_bad(&entity.state)),
            Cell::new(entity.records),
            Cell::new(queue.ready),
            Cell::new(queue.running),
            Cell::new(queue.waiting),
            output::state(&queue.parked.to_string(), queue.parked == 0),
            Cell::new(output::age(u64::try_from(queue.oldest_s).unwrap_or(0))),
            output::state(&entity.conflicts.to_string(), entity.conflicts == 0),
            output::state(&entity.in_doubt.to_string(), entity.in_doubt == 0),
        ]);
    }
    output::lines(&mut table)
}

/// The entities whose sources are held to a rate; nothing where there is none.
fn throttles(status: &Status) -> String {
    let mut table = output::table(&["THROTTLED", "RATE", "BURST", "WAITING", "WAIT"]);
    for entity in &status.entities {
        let Some(throttle) = &entity.throttle else { continue };
        if throttle.rate > 0.0 || throttle.waiting > 0 {
            table.add_row([
                Cell::new(&entity.name),
                Cell::new(format!("{}/s", throttle.rate)),
                Cell::new(throttle.burst),
                Cell::new(throttle.waiting),
                Cell::new(wait(throttle.wait_ms)),
            ]);
        }
    }
    if table.is_empty() { String::new() } else { output::lines(&mut table) + "\n" }
}

fn sources(status: &Status) -> String {
    let mut table = output::table(&["SOURCE", "STATE", "RESTARTS", "LAST ERROR"]);
    for entity in &status.entities {
        for source in &entity.sources {
            let probe = source.next_probe_ms.map(|ms| format!(" (asked again in {} s)", ms.div_ceil(1000)));
            table.add_row([
                Cell::new(format!("{}/{}", entity.name, source.name)),
                output::state(&source.state, !is_bad(&source.state)),
                Cell::new(source.restarts),
                Cell::new(format!("{}{}", source.last_error.as_deref().unwrap_or(""), probe.unwrap_or_default())),
            ]);
        }
    }
    output::lines(&mut table)
}

/// Writes a wait for people: short ones to a tenth of a second, rounded up.
fn wait(ms: u64) -> String {
    match ms.div_ceil(100) {
        tenths @ 0..100 => format!("{}.{}s", tenths / 10, tenths % 10),
        tenths => output::age(tenths.div_ceil(10)),
    }
}
