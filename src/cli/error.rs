//! What a command could not do: what is said of it, and with which exit status it ends.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::demo::DemoError;
use super::init::InitError;
use super::source::SourceError;
use crate::api::client::ClientError;
use crate::api::wire::work::WorkState;
use crate::config::{ConfigErrors, FindError, Finding};
use crate::domain::merge::wire::WireError;

/// The exit status of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Done,
    /// It was understood and did not succeed.
    Failed,
    /// Bad usage or bad configuration.
    Usage,
    /// The daemon cannot be reached.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
        })
    }
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error("cannot understand the command line: {problem}")]
    Usage { problem: String, hint: String },
    #[error("cannot find the configuration")]
    NoConfig(#[source] FindError),
    #[error("cannot use the configuration {}", .0.file.display())]
    Config(ConfigErrors),
    /// By the daemon, which goes on with the one that it has.
    #[error("cannot reload the configuration: it was rejected, and nothing has changed")]
    Rejected(Vec<Finding>),
    /// The daemon was not asked, or did not answer.
    #[error("{}", .0)]
    Client(ClientError),
    /// The daemon, or what it answered, said no.
    #[error("cannot {doing}")]
    Refused { doing: String, source: ClientError },
    #[error("cannot finish work item {item}: it is parked")]
    Parked { item: i64, error: Option<String> },
    #[error("cannot carry the order out: work item {item} ended as refused")]
    OrderRefused { item: i64 },
    #[error("cannot wait any longer for work item {item}: after {waited:?} it is {state}")]
    StillThere { item: i64, state: WorkState, waited: Duration, error: Option<String> },
    #[error("cannot {verb} {failed} of {all} work items")]
    Partly { verb: &'static str, failed: usize, all: usize },
    #[error("cannot show {entity} {source_name}:{key}: no record has or had that key there")]
    NoSuchKey { entity: String, source_name: String, key: String },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot merge")]
    Merge(#[source] WireError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Init(InitError),
    #[error(transparent)]
    Demo(DemoError),
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    /// Whoever read standard output has enough; nothing is said of it.
    #[error("cannot write to standard output: it is closed")]
    Closed,
}

impl CliError {
    /// Says what the daemon was asked in vain; that it cannot be reached is said as such.
    pub(super) fn refused(doing: impl Into<String>, source: ClientError) -> Self {
        match source {
            ClientError::Problem(_) | ClientError::BadAnswer { .. } => Self::Refused { doing: doing.into(), source },
            ClientError::BadUrl { .. }
            | ClientError::BadToken
            | ClientError::Setup(_)
            | ClientError::Unreachable { .. } => Self::Client(source),
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } | Self::NoConfig(_) | Self::Config(_) | Self::Read { .. } | Self::Merge(_) => {
                Exit::Usage
            }
            Self::Client(ClientError::BadUrl { .. } | ClientError::BadToken) => Exit::Usage,
            Self::Client(ClientError::Unreachable { .. }) => Exit::Unreachable,
            Self::Client(ClientError::Setup(_) | ClientError::Problem(_) | ClientError::BadAnswer { .. }) => {
                Exit::Failed
            }
            Self::Rejected(_) | Self::Refused { .. } => Exit::Failed,
            Self::Parked { .. } | Self::OrderRefused { .. } => Exit::Failed,
            Self::StillThere { .. } | Self::Partly { .. } => Exit::Failed,
            Self::NoSuchKey { .. } | Self::Output(_) | Self::Runtime(_) => Exit::Failed,
            Self::Source(error) => error.exit(),
            Self::Init(_) | Self::Demo(_) => Exit::Failed,
            Self::Closed => Exit::Done,
        }
    }

    /// Renders the error: a headline, its causes, and a hint where one helps.
    pub(super) fn report(&self) -> String {
        let mut report = format!("error: {self}\n");
        for cause in self.causes() {
            let _ = writeln!(report, "  because: {cause}");
        }
        if let Self::Config(ConfigErrors { errors, .. }) | Self::Rejected(errors) = self {
            for error in errors {
                let _ = writeln!(report, "{}", finding(error));
            }
        }
        if let Some(hint) = self.hint() {
            let _ = writeln!(report, "hint: {hint}");
        }
        report
    }

    /// Returns what is below the headline: of an error of the daemon, what it said itself.
    fn causes(&self) -> Vec<String> {
        if let Self::Parked { error, .. } | Self::StillThere { error, .. } = self {
            return error.iter().cloned().collect();
        }
        let mut causes = Vec::new();
        let mut next = if let Self::Client(error) = self { error.source() } else { self.source() };
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Usage { hint, .. } => hint.clone(),
            Self::NoConfig(error) => error.hint().to_owned(),
            Self::Config(_) => "docs/configuration.md explains every setting".to_owned(),
            Self::Rejected(_) => "put the file right, then `retcon reload` again".to_owned(),
            Self::Client(error) => client_hint(error)?,
            Self::Refused { source, .. } => client_hint(source)?,
            Self::Parked { item, .. } => {
                format!("`retcon retry {item}` once the cause is gone, `retcon drop {item}` to give it up")
            }
            Self::OrderRefused { .. } => {
                "the values moved meanwhile: look at the record again, then decide again".to_owned()
            }
            Self::StillThere { item, .. } => {
                format!("it goes on by itself; `retcon work` lists what is not done, {item} among it")
            }
            Self::NoSuchKey { entity, .. } => format!("`retcon records {entity}` lists the records and their keys"),
            Self::Read { .. } => "`-` stands for standard input".to_owned(),
            Self::Merge(_) => "docs/merging.md describes the form".to_owned(),
            Self::Source(error) => error.hint()?.to_owned(),
            Self::Init(error) => error.hint()?.to_owned(),
            Self::Demo(error) => error.hint()?.to_owned(),
            Self::Partly { .. } | Self::Output(_) | Self::Runtime(_) | Self::Closed => return None,
        })
    }
}

/// Writes what is wrong with a configuration, or doubtful, and what to do about it, on one line.
pub(super) fn finding(finding: &Finding) -> String {
    let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{finding}{hint}")
}

/// Says what a person can do about an answer, or about there being none.
fn client_hint(error: &ClientError) -> Option<String> {
    let hint = match error {
        ClientError::BadUrl { .. } => "for example --url http://127.0.0.1:8470",
        ClientError::Unreachable { source, .. } => match source.kind() {
            io::ErrorKind::PermissionDenied => {
                "the socket is its owner's alone: run this as the user of retcond, or as root"
            }
            io::ErrorKind::TimedOut => "retcond is there and too busy or stuck: see its log",
            _ => "is retcond running? --config, --url or RETCON_URL may name another one",
        },
        ClientError::BadAnswer { .. } => "are `retcon` and `retcond` of one version?",
        ClientError::Problem(problem) => problem_hint(&problem.code)?,
        ClientError::BadToken => "RETCON_TOKEN has what `retcon token create` printed",
        ClientError::Setup(_) => return None,
    };
    Some(hint.to_owned())
}

/// Says what helps against a problem by its code, as docs/api.md does at length.
fn problem_hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "unknown-entity" | "unknown-source" => "`retcon status` lists the entities and their sources",
        "unknown-record" => "`retcon records ENTITY` lists the records",
        "unknown-version" => "`retcon history ENTITY ID` lists the versions",
        "unknown-conflict" => "`retcon conflicts` lists the open ones",
        "unknown-work-item" => "`retcon work` lists them; finished ones are forgotten after `retention.work`",
        "invalid-foreign-key" => "a foreign key is made of 1 to 1024 of A-Z a-z 0-9 . - , _ and space",
        "stale-conflict" => "`retcon conflicts` shows it as it stands now; decide again",
        "undo-blocked" => "`retcon history ENTITY ID` shows the later version; undo that one first",
        "senseless-resolution" => "`retcon conflicts` shows the contenders",
        "wrong-state" => "only an item that is ready, waiting or parked can be retried or dropped",
        "store-unavailable" => "the daemon cannot reach its database, and keeps trying; `retcon status` says more",
        "unavailable" | "not-ready" => "try again in a moment; `retcon status` says more",
        "unauthorized" => {
            "RETCON_TOKEN has the token for --url; `retcon token create` makes one, on the daemon's own machine"
        }
        "forbidden" => "`retcon token list` shows the role of each token, and what it is limited to",
        "unknown-token" => "`retcon token list` lists them",
        "token-exists" => "choose another name, or `retcon token revoke` the old one first",
        "misdirected" => "server.hosts has the names by which the daemon may be asked",
        "too-many-requests" => "try again in a moment; `retcon token list` shows the rates",
        "internal" => "the daemon's log says more",
        _ => return None,
    })
}
