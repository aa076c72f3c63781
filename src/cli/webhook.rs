//! `retcon webhook`: who may sign notifications, instead of showing a token.

use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use super::page::{self, Page};
use crate::api::wire::webhook::{NewWebhook, Webhook};

const EXAMPLES: &str = "\
Examples:
  retcon webhook create crm            a secret, for the sender: it is shown once
  retcon webhook create crm --entity customer --source crm   and good for these alone
  retcon webhook rotate crm            another one; the one before is good for another day
  retcon webhook list
  retcon webhook remove crm            what is signed with its secrets is refused from now on

What is signed by Standard Webhooks with the secret may be posted to /v1/notifications without a token.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a secret with which notifications are signed, and show it this once
    Create(Create),
    /// Make another secret, and show it this once; the one before is good for another day
    Rotate {
        /// As `retcon webhook list` shows it
        name: String,
    },
    /// List those who may sign, without their secrets
    List(Page),
    /// End a webhook
    Remove {
        /// As `retcon webhook list` shows it
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// For people
    name: String,
    /// Limit it to notifications of this entity; may be repeated
    #[arg(long = "entity", value_name = "ENTITY")]
    entities: Vec<String>,
    /// Limit it to notifications of this source; may be repeated
    #[arg(long = "source", value_name = "SOURCE")]
    sources: Vec<String>,
    /// Requests a second; 10000 by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    match &args.action {
        Action::Create(Create { name, entities, sources, rate }) => {
            let (entities, sources) = (entities.clone(), sources.clone());
            let new = NewWebhook { name: name.clone(), entities, sources, rate: *rate };
            let made = client.create_webhook(&new).await;
            let made = made.map_err(|error| CliError::refused(format!("create the webhook {name}"), error))?;
            context.print(&made, |made| made.secret.clone())?;
        }
        Action::Rotate { name } => {
            let made = client.rotate_webhook(name).await;
            let made = made.map_err(|error| CliError::refused(format!("rotate the webhook {name}"), error))?;
            context.print(&made, |made| made.secret.clone())?;
        }
        Action::List(page) => list(page, context).await?,
        Action::Remove { name } => {
            let removed = client.remove_webhook(name).await;
            let removed = removed.map_err(|error| CliError::refused(format!("remove the webhook {name}"), error))?;
            context.print(&removed, |removed| format!("{} is no more", removed.name))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(page: &Page, context: &Context) -> Result<(), CliError> {
    let answer = context.client()?.list_webhooks(&page.window()).await;
    let answer = answer.map_err(|error| CliError::refused("list the webhooks", error))?;
    page::print(context, &answer, text)
}

fn text(webhooks: &[Webhook]) -> String {
    let mut table = output::table(&["NAME", "ENTITIES", "SOURCES", "RATE", "CREATED", "FORMER SECRET UNTIL"]);
    for Webhook { name, entities, sources, rate, created_at, former_till } in webhooks {
        table.add_row([
            output::cell(name),
            output::cell(output::limit(entities)),
            output::cell(output::limit(sources)),
            output::cell(rate),
            output::cell(created_at),
            output::cell(former_till.as_deref().unwrap_or_default()),
        ]);
    }
    output::lines(&mut table)
}
