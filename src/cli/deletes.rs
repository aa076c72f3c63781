//! `retcon deletes`: the deletions that `max_deletes` holds, and their approval.

use std::collections::BTreeSet;

use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use super::page::{self, Page};
use crate::api::client::{Client, Window};
use crate::api::wire::delete::{Approved, Delete};

const EXAMPLES: &str = "\
Examples:
  retcon deletes                        what is held, of all entities
  retcon deletes customer --approve     these copies are meant to be gone: remove their records everywhere";

/// How many are asked for at a time.
const PART: u64 = 1000;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Default: of all entities
    entity: Option<String>,
    /// Carry out all that are held now, whatever the limit; each copy is read once more, and what shows again stays
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    approve: bool,
    #[command(flatten)]
    page: Page,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    if args.approve {
        return approve(args.entity.as_deref(), &client, context).await;
    }
    let answer = client.list_deletes(args.entity.as_deref(), &args.page.window()).await;
    let answer = answer.map_err(|error| CliError::refused("list the held deletions", error))?;
    page::print(context, &answer, text)?;
    Ok(Exit::Done)
}

/// Approves what is held, entity by entity.
async fn approve(entity: Option<&str>, client: &Client, context: &Context) -> Result<Exit, CliError> {
    let entities = match entity {
        Some(name) => BTreeSet::from([name.to_owned()]),
        None => concerned(client).await?,
    };
    if entities.is_empty() {
        output::remark("no deletion is held");
    }
    for entity in entities {
        let answer = client.approve_deletes(&entity).await;
        let doing = || format!("approve the deletions of {entity}");
        let answer = answer.map_err(|error| CliError::refused(doing(), error))?;
        context.print(&answer, |approved| line(&entity, approved))?;
    }
    Ok(Exit::Done)
}

/// Names the entities of which any deletion is held.
async fn concerned(client: &Client) -> Result<BTreeSet<String>, CliError> {
    let mut window = Window { limit: Some(PART), after: None };
    let mut entities = BTreeSet::new();
    loop {
        let part = client.list_deletes(None, &window).await;
        let part = part.map_err(|error| CliError::refused("list the held deletions", error))?.value;
        entities.extend(part.items.into_iter().map(|delete| delete.entity));
        match part.next {
            Some(next) => window.after = Some(next),
            None => return Ok(entities),
        }
    }
}

fn text(deletes: &[Delete]) -> String {
    let mut table = output::table(&["ID", "ENTITY", "RECORD", "MISSING", "SINCE"]);
    for Delete { id, entity, record, source, key, since } in deletes {
        let missing = format!("{source}:{key}");
        table.add_row([
            output::cell(id),
            output::cell(entity),
            output::cell(record),
            output::cell(missing),
            output::cell(since),
        ]);
    }
    output::lines(&mut table)
}

fn line(entity: &str, Approved { approved, work_items }: &Approved) -> String {
    format!("{entity}: {approved} approved, {} records are looked at again", work_items.len())
}
