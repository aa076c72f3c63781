//! Where PostgreSQL's programs are.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::{PrivateError, failed};

/// Where Debian has a directory for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    pub initdb: PathBuf,
    pub postgres: PathBuf,
}

impl Programs {
    /// Finds them in `bin_dir` if given, else on the absolute directories of `path`, else where Debian has them (the
    /// highest version first).
    ///
    /// With `made_by`, the major version of an existing data directory, only an installation of that version will do.
    pub fn find(bin_dir: Option<&Path>, path: Option<&OsStr>, made_by: Option<&str>) -> Result<Self, PrivateError> {
        let places = match bin_dir {
            Some(directory) => vec![directory.to_owned()],
            None => places(path),
        };
        let found: Vec<Self> = places.iter().filter_map(|place| Self::within(place)).collect();
        let Some(made_by) = made_by else {
            return found.into_iter().next().ok_or(PrivateError::NoPrograms { looked_in: shown(bin_dir, places) });
        };
        if found.is_empty() {
            return Err(PrivateError::NoPrograms { looked_in: shown(bin_dir, places) });
        }
        let mut versions = Vec::new();
        for programs in found {
            let version = programs.major_version()?;
            if version == made_by {
                return Ok(programs);
            }
            versions.push(version);
        }
        versions.dedup();
        Err(PrivateError::OtherVersion { made_by: made_by.to_owned(), found: versions })
    }

    fn within(directory: &Path) -> Option<Self> {
        let (initdb, postgres) = (directory.join("initdb"), directory.join("postgres"));
        (is_executable(&initdb) && is_executable(&postgres)).then_some(Self { initdb, postgres })
    }

    /// Asks the server program for its major version, as it stands in `PG_VERSION`.
    fn major_version(&self) -> Result<String, PrivateError> {
        let output = Command::new(&self.postgres)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(failed("run", &self.postgres))?;
        // "postgres (PostgreSQL) 15.18 (Debian ...)", or 16beta1, or 9.6.24
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().nth(2).unwrap_or_default();
        Ok(version.chars().take_while(char::is_ascii_digit).collect())
    }
}

/// Gives the directories to look in, the preferred first.
fn places(path: Option<&OsStr>) -> Vec<PathBuf> {
    let on_path = path.into_iter().flat_map(std::env::split_paths).filter(|directory| directory.is_absolute());
    let mut debian: Vec<(Reverse<u32>, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((Reverse(entry.file_name().to_str()?.parse().ok()?), entry.path().join("bin"))))
        .collect();
    debian.sort();
    on_path.chain(debian.into_iter().map(|(_, directory)| directory)).collect()
}

/// What a person is told of the places: Debian's also where there was nothing to look into.
fn shown(bin_dir: Option<&Path>, mut places: Vec<PathBuf>) -> Vec<PathBuf> {
    if bin_dir.is_none() {
        places.retain(|place| !place.starts_with(DEBIAN));
        places.push(Path::new(DEBIAN).join("*/bin"));
    }
    places
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
