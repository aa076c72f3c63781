//! What can be wrong with the private PostgreSQL, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// Why the private PostgreSQL does not run.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    #[error("cannot find PostgreSQL (the programs initdb and postgres): looked in {}", list(looked_in))]
    NoPrograms { looked_in: Vec<PathBuf> },
    #[error("cannot use the data directory, which PostgreSQL {made_by} made: only {} is here", found.join(", "))]
    OtherVersion { made_by: String, found: Vec<String> },
    #[error("cannot run PostgreSQL as root, nor as another user: /etc/passwd names neither postgres nor nobody")]
    NoUser,
    #[error("cannot run PostgreSQL as the user {user}: {} is closed to that user", directory.display())]
    Closed { directory: PathBuf, user: String },
    #[error("cannot use {}: it belongs to the user with the number {owner}, and we run as {us}", directory.display())]
    OtherOwner { directory: PathBuf, owner: u32, us: u32 },
    #[error("cannot make a socket at {}: its path has {length} bytes, and 107 is the most", path.display())]
    SocketPath { path: PathBuf, length: usize },
    #[error("cannot use {}: this data directory was not completed by retcon", data.display())]
    Foreign { data: PathBuf },
    #[error("cannot initialise PostgreSQL: initdb ended with {status}: {output}")]
    Initdb { status: ExitStatus, output: String },
    #[error("cannot start PostgreSQL: it ended with {status}; the end of {}:\n{tail}", log.display())]
    Ended { status: ExitStatus, log: PathBuf, tail: String },
    #[error("cannot start PostgreSQL: it is not ready after {} s; the end of {}:\n{tail}", waited.as_secs(), log.display())]
    NotReady { waited: Duration, log: PathBuf, tail: String },
    #[error("cannot start PostgreSQL: it was stopped for good")]
    Stopped,
    #[error("cannot stop PostgreSQL: process {pid} still runs")]
    NotStopped { pid: i32 },
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl PrivateError {
    /// Says what the operator can do, where we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoPrograms { .. } => Some(
                "install PostgreSQL (on Debian: apt-get install postgresql), or set database.bin_dir to the directory of \
                 initdb and postgres, or database.url to the postgres:// URL of a server"
                    .to_owned(),
            ),
            Self::OtherVersion { made_by, .. } => Some(format!(
                "install PostgreSQL {made_by} beside the other, or set database.bin_dir to where it is"
            )),
            Self::NoUser => Some("run retcond as an ordinary user, or make a user named postgres".to_owned()),
            Self::Closed { directory, user } => Some(format!(
                "PostgreSQL refuses to run as root, so it runs as {user}: set server.state_dir to a directory that \
                 {user} can reach, such as /var/lib/retcon, or open the way with: chmod o+x {}",
                directory.display()
            )),
            Self::OtherOwner { owner, .. } => {
                Some(format!("run retcond as the user with the number {owner}, or set server.state_dir to another directory"))
            }
            Self::SocketPath { .. } => Some("set server.state_dir to a shorter path".to_owned()),
            Self::Foreign { data } => {
                Some(format!("if nothing in it is needed, remove it with: rm -r {}; retcon will make its own", data.display()))
            }
            Self::Initdb { .. }
            | Self::Ended { .. }
            | Self::NotReady { .. }
            | Self::Stopped
            | Self::NotStopped { .. }
            | Self::Io { .. } => None,
        }
    }
}

/// Turns the failure of an operation on a path into our error.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PrivateError {
    let path = path.to_owned();
    move |source| PrivateError::Io { action, path, source }
}

fn list(directories: &[PathBuf]) -> String {
    let names: Vec<_> = directories.iter().map(|directory| directory.display().to_string()).collect();
    names.join(", ")
}
