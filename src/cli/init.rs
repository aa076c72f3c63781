//! `retcon init`: a commented configuration and a working example source, in a directory of the user's choice.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::error::{CliError, Exit};
use super::output;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to put it; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Why there is no new configuration.
#[derive(Debug, thiserror::Error)]
pub(super) enum InitError {
    #[error("cannot write {}: it is there already", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl InitError {
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists(_) => Some("nothing was changed; `retcon init DIR` writes to another directory"),
            Self::Write { .. } => None,
        }
    }
}

/// A file to be written.
struct NewFile {
    path: &'static str,
    text: &'static str,
    mode: u32,
}

const FILES: [NewFile; 4] = [
    NewFile { path: "retcon.toml", text: include_str!("init/retcon.toml"), mode: 0o644 },
    NewFile { path: "sources/files.sh", text: include_str!("../../examples/sources/files/files.sh"), mode: 0o755 },
    NewFile {
        path: "systems/crm/ann.json",
        text: "{\"name\": \"Ann Lee\", \"email\": \"ann@example.com\"}\n",
        mode: 0o644,
    },
    NewFile { path: ".gitignore", text: "# The daemon's socket, locks and database.\n/state/\n", mode: 0o644 },
];
/// A system that holds nothing yet.
const EMPTY_SYSTEM: &str = "systems/shop";

/// Writes the files, or none of them if one is there already, and says what to type next.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    write(&args.dir).map_err(CliError::Init)?;
    output::print(&next_steps(&args.dir))?;
    Ok(Exit::Done)
}

fn write(dir: &Path) -> Result<(), InitError> {
    let taken = FILES.iter().map(|file| dir.join(file.path)).find(|path| path.symlink_metadata().is_ok());
    if let Some(path) = taken {
        return Err(InitError::Exists(path));
    }
    make_directory(&dir.join(EMPTY_SYSTEM))?;
    FILES.iter().try_for_each(|file| file.write(dir))
}

fn next_steps(dir: &Path) -> String {
    let enter = match dir.to_str() {
        Some(".") => String::new(),
        Some(dir) => format!("cd {} && ", shlex::try_quote(dir).unwrap_or_else(|_| dir.into())),
        None => format!("cd {} && ", dir.display()),
    };
    format!(
        "{enter}retcond                               # in a terminal of its own: the daemon, with a private PostgreSQL\n\
         retcon notify customer crm ann --wait   # look at Ann in systems/crm: she is created in systems/shop\n\
         retcon show customer crm:ann            # what is known of her; edit one of her files, notify, look again\n\
         retcon status                           # is all well? Then put your own sources into retcon.toml\n"
    )
}

impl NewFile {
    fn write(&self, dir: &Path) -> Result<(), InitError> {
        let path = dir.join(self.path);
        make_directory(path.parent().expect("a file stands in a directory"))?;
        let file = OpenOptions::new().write(true).create_new(true).mode(self.mode).open(&path);
        file.and_then(|mut file| file.write_all(self.text.as_bytes())).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => InitError::Exists(path),
            _ => InitError::Write { path, source },
        })
    }
}

fn make_directory(path: &Path) -> Result<(), InitError> {
    fs::create_dir_all(path).map_err(|source| InitError::Write { path: path.to_owned(), source })
}
