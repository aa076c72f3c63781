//! The grammar of the command line. What a subcommand takes stands in its own file.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use super::{
    audit, completions, conflicts, deletes, doubts, drop_item, explain, history, init, merge, notify, pause, records,
    resolve, retry, settle, show, source, status, token, tree, undo, webhook, work,
};

const EXAMPLES: &str = "\
Examples:
  retcon check                                  is the configuration right?
  retcon notify customer crm 4711 --wait        4711 of crm may have changed: look
  retcon status                                 is it fine?
  retcon show customer crm:4711                 the record behind a source's key
  retcon conflicts customer                     what waits for a decision
  retcon resolve 7 --take crm                   decide it

Exit status:
  0 done; 1 understood, and did not succeed; 2 bad usage or configuration; 3 the daemon cannot be reached";

/// Keeps the copies of a record in many systems in step.
#[derive(Debug, Parser)]
#[command(name = "retcon", version, after_help = EXAMPLES, max_term_width = 120)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options that may stand before or after the subcommand.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Global {
    /// The configuration; default: $RETCON_CONFIG, else ./retcon.toml, ./config/retcon.toml, /etc/retcon/retcon.toml
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    /// How to print the answer; json is the body that the HTTP API gives
    #[arg(long, value_name = "FORMAT", global = true, default_value = "text", hide_default_value = true)]
    pub(super) format: Format,
    /// Where the daemon is, as http://HOST:PORT or https://HOST:PORT, to be asked with the token in $RETCON_TOKEN; default:
    /// its socket in `server.state_dir`
    #[arg(long, value_name = "URL", global = true, env = "RETCON_URL", hide_env_values = true)]
    pub(super) url: Option<String>,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented configuration and a working example source (offline)
    Init(init::Args),
    /// Show every error of the configuration at once (offline)
    Check,
    /// Show the whole thing in a minute, in a temporary directory (offline)
    Demo,
    /// Show what the merge would do (offline)
    Merge(merge::Args),
    /// Invoke a data source once, by hand (offline)
    Source(source::Args),
    /// Say that a copy may have changed
    Notify(notify::Args),
    /// Is everything well?
    Status(status::Args),
    /// Show every actor: how it is, how it failed, and what will be tried next
    Tree(tree::Args),
    /// List the records of an entity
    Records(records::Args),
    /// Show one record and its copies
    Show(show::Args),
    /// List the versions of a record, and what made them
    History(history::Args),
    /// Show where each value of a record comes from, and who lost
    Explain(explain::Args),
    /// List the open conflicts
    Conflicts(conflicts::Args),
    /// Decide a conflict
    Resolve(resolve::Args),
    /// List the writes of which nobody knows whether they took effect
    Doubts(doubts::Args),
    /// Say what became of a write in doubt
    Settle(settle::Args),
    /// List the deletions that a limit holds, or approve them
    Deletes(deletes::Args),
    /// Take back what a version changed
    Undo(undo::Args),
    /// List the work items
    Work(work::Args),
    /// Try work items again at once
    Retry(retry::Args),
    /// Give work items up
    Drop(drop_item::Args),
    /// Say who may sign notifications, instead of showing a token
    Webhook(webhook::Args),
    /// Stop an entity or a source for the time being
    Pause(pause::Args),
    /// Go on with an entity or a source that is paused
    Resume(pause::Args),
    /// Read the configuration again, and say what changed
    Reload,
    /// Make, list or revoke the tokens with which the API is used over TCP
    Token(token::Args),
    /// List what people did: who, from where, what, when, and what came of it
    Audit(audit::Args),
    /// Print completions for a shell (offline)
    Completions(completions::Args),
}
