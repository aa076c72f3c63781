//! `retcon token`: who may use the API over TCP.

use std::time::{Duration, Instant};

use super::context::Context;
use super::error::{CliError, Exit};
use super::output;
use super::page::{self, Page};
use crate::api::client::{Answer, Client, ClientError};
use crate::api::wire::access::{MadeToken, NewToken, Token};
use crate::domain::access::Role;

const EXAMPLES: &str = "\
Examples:
  retcon token create grafana --role view
  retcon token create crm-webhook --role notify --entity customer --source crm
  retcon token list
  retcon token revoke grafana           whoever shows it is refused from now on

The token is shown once, on standard output. It is sent with each request:
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8470/v1/status
  RETCON_TOKEN=$TOKEN retcon --url http://127.0.0.1:8470 status";

/// How long it is waited for a database that is being prepared, and how long between two attempts.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

/// What the daemon says meanwhile.
const NOT_READY: &str = "not-ready";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a token, and show it this once
    Create(Create),
    /// List the tokens, without what makes them good
    List(Page),
    /// End a token
    Revoke {
        /// As `retcon token list` shows it
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// For people, and for the audit trail
    name: String,
    /// notify (post notifications, and nothing else), view (see everything) or operate (change everything)
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// Limit a token for notifications to this entity; may be repeated
    #[arg(long = "entity", value_name = "ENTITY")]
    entities: Vec<String>,
    /// Limit a token for notifications to this source; may be repeated
    #[arg(long = "source", value_name = "SOURCE")]
    sources: Vec<String>,
    /// Requests a second; 10000 by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    match &args.action {
        Action::Create(new) => create(new, context).await,
        Action::List(page) => list(page, context).await,
        Action::Revoke { name } => revoke(name, context).await,
    }
}

async fn create(new: &Create, context: &Context) -> Result<Exit, CliError> {
    let Create { name, role, entities, sources, rate } = new;
    let new = NewToken {
        name: name.clone(),
        role: role.to_string(),
        entities: entities.clone(),
        sources: sources.clone(),
        rate: *rate,
    };
    let answer = create_when_ready(&context.client()?, &new).await;
    let answer = answer.map_err(|error| CliError::refused(format!("create the token {name}"), error))?;
    context.print(&answer, |made| made.token.clone())?;
    output::remark(&format!("this is the token {name}; it is shown this once, and kept nowhere"));
    Ok(Exit::Done)
}

/// Makes a token; where a daemon was just started and still makes its tables, as soon as it has.
async fn create_when_ready(client: &Client, new: &NewToken) -> Result<Answer<MadeToken>, ClientError> {
    let since = Instant::now();
    loop {
        match client.create_token(new).await {
            Err(ClientError::Problem(problem)) if problem.code == NOT_READY && since.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

async fn list(page: &Page, context: &Context) -> Result<Exit, CliError> {
    let answer = context.client()?.list_tokens(&page.window()).await;
    let answer = answer.map_err(|error| CliError::refused("list the tokens", error))?;
    page::print(context, &answer, text)?;
    Ok(Exit::Done)
}

async fn revoke(name: &str, context: &Context) -> Result<Exit, CliError> {
    let answer = context.client()?.revoke_token(name).await;
    let answer = answer.map_err(|error| CliError::refused(format!("revoke the token {name}"), error))?;
    context.print(&answer, |revoked| format!("{}: revoked", revoked.name))?;
    Ok(Exit::Done)
}

fn text(tokens: &[Token]) -> String {
    let mut table = output::table(&["NAME", "ROLE", "ENTITIES", "SOURCES", "RATE", "CREATED"]);
    for Token { name, role, entities, sources, rate, created_at } in tokens {
        table.add_row([
            output::cell(name),
            output::cell(role),
            output::cell(output::limit(entities)),
            output::cell(output::limit(sources)),
            output::cell(rate),
            output::cell(created_at),
        ]);
    }
    output::lines(&mut table)
}
