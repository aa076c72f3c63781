//! `retcon source create|read|update|delete|list|find`: one invocation, by hand.
//!
//! Exactly what the daemon would run, in the source's turn; nothing of it is recorded.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};

use super::args::Format;
use super::context::Context;
use super::error::{CliError, Exit};
use super::{output, show_json};
use crate::config;
use crate::domain::json::{Json, JsonError};
use crate::domain::key::ForeignKey;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::record::OperationId;
use crate::domain::text::Text;
use crate::source::contract::{self, Answer, FindEnd, ListEnd, Program, ReadEnd, Run, Turn, WriteEnd};
use crate::source::lock::LockError;
use crate::source::process::cancel::Cancel;

const EXAMPLES: &str = "\
Examples:
  retcon source read customer crm 4711
  retcon source read customer crm -- -4711        a key that begins with `-`
  echo '{\"name\":\"Ann\"}' | retcon source create customer crm

The daemon does not learn of a change made here, unless it is notified.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Debug, Subcommand)]
enum Operation {
    /// Create a copy of the document on standard input, and print its key
    Create(Where),
    /// Print the copy under a key
    Read(Copy),
    /// Replace the copy under a key by the document on standard input, and print its key if that is a new one
    Update(Copy),
    /// Delete the copy under a key
    Delete(Copy),
    /// Print the keys of all copies
    List(Where),
    /// Print the keys of the copies that are equal to the document on standard input
    Find(Where),
}

#[derive(Debug, clap::Args)]
struct Where {
    /// The name of an entity
    entity: EntityName,
    /// The name of one of its sources
    source: SourceName,
}

#[derive(Debug, clap::Args)]
struct Copy {
    #[command(flatten)]
    at: Where,
    /// The source's own name for its copy
    key: ForeignKey,
}

/// Why an invocation by hand did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("cannot find {entity} {source_name} in the configuration")]
    Unknown { entity: EntityName, source_name: SourceName },
    #[error("cannot read the document on standard input")]
    Input(#[source] io::Error),
    #[error("cannot use the document on standard input")]
    Document(#[source] JsonError),
    #[error("cannot watch for signals")]
    Signals(#[source] io::Error),
    #[error("cannot invoke {entity} {source_name}")]
    Turn { entity: EntityName, source_name: SourceName, source: LockError },
    #[error("cannot {operation} {subject}")]
    Ended { operation: &'static str, subject: String, source: Ended },
}

/// What an end means that is no success.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the source cannot be reached: {0}")]
    Unreachable(String),
    #[error("the system has no such copy: {0}")]
    Missing(String),
    #[error("the system refused it: {0}")]
    Rejected(String),
    #[error("the program broke the contract: {0}")]
    Broken(String),
    #[error("it may have taken effect, or not: {0}")]
    InDoubt(String),
    #[error("{0}")]
    NotDone(String),
}

impl SourceError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. } | Self::Input(_) | Self::Document(_) => Exit::Usage,
            Self::Signals(_) | Self::Turn { .. } | Self::Ended { .. } => Exit::Failed,
        }
    }

    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unknown { .. } => Some("`retcon check` names the configuration that is used"),
            Self::Document(_) => Some("docs/data-sources.md says what a document may hold"),
            Self::Turn { .. } => Some("`server.state_dir` must be writable for whoever runs this"),
            Self::Ended { source: Ended::InDoubt(_), .. } => Some("look into the system before you try it again"),
            Self::Ended { source: Ended::Broken(_), .. } => Some("docs/data-sources.md is the contract"),
            Self::Input(_) | Self::Signals(_) | Self::Ended { .. } => None,
        }
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    match &args.operation {
        Operation::Create(at) => Source::find(at, context)?.create(&document()?),
        Operation::Read(copy) => Source::find(&copy.at, context)?.read(&copy.key),
        Operation::Update(copy) => Source::find(&copy.at, context)?.update(&copy.key, &document()?),
        Operation::Delete(copy) => Source::find(&copy.at, context)?.delete(&copy.key),
        Operation::List(at) => Source::find(at, context)?.list(),
        Operation::Find(at) => Source::find(at, context)?.find_equal(&document()?),
    }?;
    Ok(Exit::Done)
}

/// The source that is invoked.
struct Source<'a> {
    at: &'a Where,
    program: Arc<Program>,
    format: Format,
}

impl<'a> Source<'a> {
    fn find(at: &'a Where, context: &Context) -> Result<Self, CliError> {
        let config = config::load(&context.config_file()?, config::environment()).map_err(CliError::Config)?.config;
        let Where { entity, source } = at;
        let configured = config.entities.get(entity).and_then(|entity| entity.sources.get(source));
        let Some(configured) = configured else {
            return Err(SourceError::Unknown { entity: entity.clone(), source_name: source.clone() }.into());
        };
        let program = Program::new(entity.clone(), Arc::clone(configured), &config.server.state_dir);
        Ok(Self { at, program: Arc::new(program), format: context.format() })
    }

    fn create(&self, document: &Json) -> Result<(), CliError> {
        let (mut turn, context) = self.take_turn()?;
        let answer = turn.create(document, &context);
        self.print_key(&answer.run, self.written(&answer)?)
    }

    fn read(&self, key: &ForeignKey) -> Result<(), CliError> {
        let (mut turn, context) = self.take_turn()?;
        let Answer { end, run } = turn.read(key, &context);
        let why = match end {
            ReadEnd::Document { document, .. } => {
                tell(&run);
                return output::print(&match self.format {
                    Format::Text => show_json::pretty(&document),
                    Format::Json => document.to_string(),
                });
            }
            ReadEnd::Missing(why) => Ended::Missing(why),
            ReadEnd::Unreachable(why) => Ended::Unreachable(why),
            ReadEnd::Broken(why) => Ended::Broken(why),
        };
        Err(self.ended(&run, why))
    }

    fn update(&self, key: &ForeignKey, document: &Json) -> Result<(), CliError> {
        let (mut turn, context) = self.take_turn()?;
        let answer = turn.update(key, document, &context);
        self.print_key(&answer.run, self.written(&answer)?)
    }

    fn delete(&self, key: &ForeignKey) -> Result<(), CliError> {
        let (mut turn, context) = self.take_turn()?;
        let answer = turn.delete(key, &context);
        self.print_key(&answer.run, self.written(&answer)?)
    }

    fn find_equal(&self, document: &Json) -> Result<(), CliError> {
        let (mut turn, context) = self.take_turn()?;
        let Answer { end, run } = turn.find(document, &context);
        let why = match end {
            FindEnd::Keys(keys) => {
                tell(&run);
                return keys.iter().try_for_each(|key| self.print_line(key));
            }
            FindEnd::Unreachable(why) => Ended::Unreachable(why),
            FindEnd::Broken(why) => Ended::Broken(why),
            FindEnd::Unsupported(why) => Ended::NotDone(why),
        };
        Err(self.ended(&run, why))
    }

    /// Prints the keys as they come: there may be millions.
    fn list(&self) -> Result<(), CliError> {
        let context = contract::Context { cancel: cancelled_by_signals()?, ..contract::Context::empty() };
        let mut printed = Ok(());
        let Answer { end, run } = self.program.list(&context, &mut |key| {
            printed = self.print_line(&key);
            if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let why = match end {
            ListEnd::Done | ListEnd::Stopped => {
                tell(&run);
                return printed;
            }
            ListEnd::Unreachable(why) => Ended::Unreachable(why),
            ListEnd::Broken(why) => Ended::Broken(why),
            ListEnd::Unsupported(why) => Ended::NotDone(why),
        };
        Err(self.ended(&run, why))
    }

    /// Waits for the source's turn; what is done in it bears an operation id of its own.
    fn take_turn(&self) -> Result<(Turn, contract::Context), CliError> {
        let cancel = cancelled_by_signals()?;
        let turn = self.program.turn(&cancel).map_err(|source| SourceError::Turn {
            entity: self.at.entity.clone(),
            source_name: self.at.source.clone(),
            source,
        })?;
        let operation_id = Some(OperationId(uuid::Uuid::now_v7()));
        Ok((turn, contract::Context { operation_id, cancel, ..contract::Context::empty() }))
    }

    /// Returns the key that a write gave; a write that is not known to be done is an error.
    fn written(&self, answer: &Answer<WriteEnd>) -> Result<Option<ForeignKey>, CliError> {
        let why = match answer.end.clone() {
            WriteEnd::Done { key } => return Ok(key),
            WriteEnd::Unreachable(why) => Ended::Unreachable(why),
            WriteEnd::Missing(why) => Ended::Missing(why),
            WriteEnd::Rejected(why) => Ended::Rejected(why),
            WriteEnd::Unknown(why) | WriteEnd::InDoubt(why) => Ended::InDoubt(why),
            WriteEnd::NotStarted(why) | WriteEnd::Unsupported(why) => Ended::NotDone(why),
        };
        Err(self.ended(&answer.run, why))
    }

    fn ended(&self, run: &Run, source: Ended) -> CliError {
        tell(run);
        let Where { entity, source: name } = self.at;
        let subject = match &run.foreign_key {
            Some(key) => format!("{entity} {name} {:?}", key.as_str()),
            None => format!("{entity} {name}"),
        };
        SourceError::Ended { operation: run.operation.as_str(), subject, source }.into()
    }

    /// Prints the key that a write gave, if it gave one.
    fn print_key(&self, run: &Run, key: Option<ForeignKey>) -> Result<(), CliError> {
        tell(run);
        match (self.format, key) {
            (Format::Text, None) => Ok(()),
            (Format::Text, Some(key)) => output::print(key.as_str()),
            (Format::Json, key) => {
                output::print(&serde_json::json!({ "key": key.as_ref().map(ForeignKey::as_str) }).to_string())
            }
        }
    }

    /// Prints one of many keys, on a line of its own.
    fn print_line(&self, key: &ForeignKey) -> Result<(), CliError> {
        match self.format {
            Format::Text => output::print(key.as_str()),
            Format::Json => output::print(&Text::from(key.as_str()).to_string()),
        }
    }
}

/// Passes on what the program wrote to its standard error.
fn tell(run: &Run) {
    if !run.stderr.is_empty() {
        output::remark(&run.stderr);
    }
}

/// Reads the document on standard input.
fn document() -> Result<Json, CliError> {
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input).map_err(SourceError::Input)?;
    Ok(Json::parse(&input).map_err(SourceError::Document)?)
}

/// Returns what the signals cancel that would end this command: no program outlives it.
fn cancelled_by_signals() -> Result<Cancel, SourceError> {
    let cancel = Cancel::new().map_err(SourceError::Signals)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(SourceError::Signals)?;
    let (mut interrupt, mut terminate, mut hangup) = {
        let _inside = runtime.enter();
        let watch = |kind| signal(kind).map_err(SourceError::Signals);
        (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?, watch(SignalKind::hangup())?)
    };
    let triggered = cancel.clone();
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        triggered.trigger();
    });
    Ok(cancel)
}
