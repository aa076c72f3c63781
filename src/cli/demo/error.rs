//! Why the demo did not come to its end.

use std::io;
use std::path::PathBuf;

use super::systems::System;

#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum DemoError {
    #[error("cannot go on with the demo: it was interrupted, and everything is cleared away")]
    Interrupted,
    /// Whoever read the story has enough.
    #[error("cannot go on with the demo: nobody reads it any more")]
    Closed,
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    #[error("cannot run python3, in which two of the three data sources are written: {0}")]
    Python(String),
    #[error("cannot find retcond beside retcon, in {}", .0.display())]
    NoDaemon(PathBuf),
    #[error("cannot {what}")]
    SetUp { what: &'static str, source: io::Error },
    #[error("cannot start {name}: it ended with {status}")]
    Ended { name: &'static str, status: String },
    #[error("cannot start {name}: it is not ready after {seconds} s")]
    NotReady { name: &'static str, seconds: u64 },
    #[error("cannot run `{command}`: {status}\n{stderr}")]
    Command { command: String, status: String, stderr: String },
    #[error("cannot ask {system}: {problem}")]
    System { system: System, problem: String },
    /// What the demo says would not be true.
    #[error("cannot vouch for {system}: it holds {found}, and should hold {expected}")]
    Untrue { system: System, found: String, expected: String },
    #[error("cannot vouch for `{command}`: it does not show {expected}")]
    NotShown { command: String, expected: &'static str },
    #[error("cannot clear away {what}")]
    Clear { what: String, source: io::Error },
}

impl DemoError {
    pub(in crate::cli) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Python(_) => Some("apt-get install python3"),
            Self::NoDaemon(_) => Some("install both programs side by side, or build both: `cargo build`"),
            Self::Ended { name: "retcond", .. } => Some("if PostgreSQL is what is missing: apt-get install postgresql"),
            Self::Interrupted
            | Self::Closed
            | Self::Output(_)
            | Self::SetUp { .. }
            | Self::Ended { .. }
            | Self::NotReady { .. }
            | Self::Command { .. }
            | Self::System { .. }
            | Self::Untrue { .. }
            | Self::NotShown { .. }
            | Self::Clear { .. } => None,
        }
    }
}
