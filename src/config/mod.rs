//! The configuration: the file, its validation with every error at once, and what a change of it means.
//!
//! A file becomes a checked [`Config`] or a list of [`Finding`]s, never something between. Every setting is declared once, in
//! `schema`: its type, its default, whether a reload applies it. This layer starts nothing and knows no actor and no store.

mod finding;
pub mod model;
mod diff;

use std::path::{Path, PathBuf};

pub use self::diff::{ConfigDiff, EntityChange, EntityDiff, SourceChange};
pub use self::finding::{ConfigErrors, Finding, Place};
pub use self::model::Config;

/// A configuration that can be used, and what is doubtful about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub config: Config,
    /// Sorted by place; a program that is not there, an operation left out.
    pub warnings: Vec<Finding>,
}

/// What a client command takes from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Absolute.
    pub state_dir: PathBuf,
}

impl Client {
    /// Returns the path of the unix socket on which the daemon serves its API.
    pub fn socket(&self) -> PathBuf {
        self.state_dir.join(model::SOCKET)
    }
}

/// Why no configuration file is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    #[error("cannot find a configuration: there is no ./retcon.toml, ./config/retcon.toml or /etc/retcon/retcon.toml")]
    Nowhere,
}

impl FindError {
    /// Returns what a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Nowhere => {
                "`retcon init` writes a configuration; `--config FILE` or RETCON_CONFIG names one that is elsewhere"
            }
        }
    }
}

/// Reads and checks the configuration at `path`, overridden by `environment`: the whole environment, of which the
/// variables that begin with `RETCON__` and `PATH` count.
///
/// Looks at the file system (schemas, programs, certificates) and resolves the host name of `server.listen`; blocks meanwhile.
///
/// # Errors
/// Every mistake at once, the file being unreadable among them.
pub fn load(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
    let _ = (path, environment.into_iter());
    todo!()
}

/// Reads what a client command needs, however broken the rest of the file is.
///
/// # Errors
/// The file cannot be read, or `server.state_dir` itself is broken.
pub fn client(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Client, ConfigErrors> {
    let _ = (path, environment.into_iter());
    todo!()
}

/// Returns the configuration file to use: `explicit`, else `$RETCON_CONFIG`, else the first of the usual places that exists.
///
/// # Errors
/// [`FindError::Nowhere`] if none is named and none exists.
pub fn find(explicit: Option<PathBuf>) -> Result<PathBuf, FindError> {
    let _ = explicit;
    todo!()
}

/// Returns the environment of this process in the form that [`load`] takes; what is not UTF-8 gets U+FFFD.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}
