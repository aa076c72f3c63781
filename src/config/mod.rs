//! The configuration: the file, its validation with every error at once, and what a change of it means.
//!
//! A file becomes a checked [`Config`] or a list of [`Finding`]s, never something between. Every setting is declared once, in
//! `schema`: its type, its default, whether a reload applies it. This layer starts nothing and knows no actor and no store.

pub mod model;
pub mod address;
mod finding;
mod find;
mod inputs;
mod watch;
mod draft;
mod schema;
pub(crate) mod words;
mod shown;
mod duration;
mod command_line;
mod key_path;
mod places;
mod suggestion;
mod syntax;
mod check;
mod environment;
mod layers;
mod file;
mod build;
mod diff;
mod memory;

use std::path::{Path, PathBuf};

use self::build::Context;
pub use self::diff::{ConfigDiff, EntityChange, EntityDiff, SourceChange};
use self::draft::{Draft, directory_of};
pub use self::duration::display as display_duration;
pub use self::find::{FindError, find};
pub use self::finding::{ConfigErrors, Finding, Place};
pub use self::inputs::Inputs;
use self::key_path::KeyPath;
pub use self::model::Config;
pub(crate) use self::shown::HIDDEN;
pub use self::watch::InputsWatch;

/// A configuration that can be used, and what is doubtful about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub config: Config,
    /// Sorted by place; a program that is not there, an operation left out.
    pub warnings: Vec<Finding>,
    /// What it was made of.
    pub inputs: Inputs,
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

/// Reads and checks the configuration at `path`, overridden by `environment`: the whole environment, of which the
/// variables that begin with `RETCON__` and `PATH` count.
///
/// Looks at the file system (schemas, programs, certificates) and resolves the host name of `server.listen`; blocks meanwhile.
///
/// # Errors
/// Every mistake at once, the file being unreadable among them.
pub fn load(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
    let variables: Vec<(String, String)> = environment.into_iter().collect();
    let mut inputs = Inputs::default();
    let read = read(path, &variables, &mut inputs);
    memory::give_back();
    match read {
        Ok((config, warnings)) => Ok(Loaded { config, warnings, inputs }),
        Err(errors) => Err(ConfigErrors { inputs, ..errors }),
    }
}

/// Reads and checks everything, and notes the files that were read.
fn read(
    path: &Path,
    variables: &[(String, String)],
    inputs: &mut Inputs,
) -> Result<(Config, Vec<Finding>), ConfigErrors> {
    let draft = Draft::of(path, draft::read(path, inputs)?, variables)?;
    let search = variables.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_str());
    let mut context = Context::new(&draft.places, directory_of(path), search, inputs);
    let config = build::config(&mut context, draft.root);
    let mut errors = draft.errors;
    let mut warnings = context.warnings;
    errors.append(&mut context.errors);
    errors.sort();
    warnings.sort();
    if errors.is_empty() { Ok((config, warnings)) } else { Err(ConfigErrors::new(path, errors).besides(warnings)) }
}

/// Reads what a client command needs, however broken the rest of the file is.
///
/// # Errors
/// The file cannot be read, or `server.state_dir` itself is broken.
pub fn client(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Client, ConfigErrors> {
    let variables: Vec<(String, String)> = environment.into_iter().collect();
    let draft = Draft::of(path, draft::read_lossy(path)?, &variables)?;
    let setting = KeyPath::of(["server", "state_dir"]);
    let is_overridden = matches!(draft.places.of(&setting), Place::Variable(_));
    if !is_overridden && draft.places.has_lost(&setting) {
        let of_section = |finding: &Finding| finding.key == "server" || finding.key.starts_with("server.");
        let errors = draft.errors.into_iter().filter(of_section).collect();
        return Err(ConfigErrors::new(path, errors));
    }
    Ok(Client { state_dir: build::absolute(&directory_of(path), &draft.root.server.state_dir) })
}

/// Returns the environment of this process in the form that [`load`] takes; what is not UTF-8 gets U+FFFD.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}
