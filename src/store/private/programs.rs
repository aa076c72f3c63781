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
            None => places(path, Path::new(DEBIAN)),
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
fn places(path: Option<&OsStr>, debian: &Path) -> Vec<PathBuf> {
    let on_path = path.into_iter().flat_map(std::env::split_paths).filter(|directory| directory.is_absolute());
    let mut versions: Vec<(Reverse<u32>, PathBuf)> = fs::read_dir(debian)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((Reverse(entry.file_name().to_str()?.parse().ok()?), entry.path().join("bin"))))
        .collect();
    versions.sort();
    on_path.chain(versions.into_iter().map(|(_, directory)| directory)).collect()
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    /// Makes programs that tell a version. A shell writes them: a file that this process itself had open for writing could
    /// not be run while another test's child still holds a copy of the descriptor.
    fn install(directory: &Path, version: &str) {
        let script = r#"mkdir -p "$1" && cd "$1" && for program in initdb postgres; do
            printf '#!/bin/sh\necho "%s (PostgreSQL) %s"\n' "$program" "$2" > "$program" && chmod 755 "$program"
        done"#;
        let status = Command::new("sh").args(["-c", script, "sh"]).arg(directory).arg(version).status();
        assert!(status.expect("sh runs").success());
    }

    #[test]
    fn the_path_comes_before_debians_directories_and_of_those_the_highest_version_first() {
        let debian = tempfile::tempdir().expect("a directory can be made");
        for version in ["9.6", "13", "9", "100", "15", "x"] {
            fs::create_dir(debian.path().join(version)).expect("it can be made");
        }
        let path = OsString::from("/first:relative:/second");
        let expected: Vec<_> = ["/first", "/second"]
            .into_iter()
            .map(PathBuf::from)
            .chain(["100", "15", "13", "9"].map(|version| debian.path().join(version).join("bin")))
            .collect();
        assert_eq!(places(Some(&path), debian.path()), expected);
    }

    #[test]
    fn a_directory_with_only_one_of_the_programs_is_passed_over() {
        let root = tempfile::tempdir().expect("a directory can be made");
        let (half, whole) = (root.path().join("half"), root.path().join("whole"));
        install(&half, "15.1");
        fs::remove_file(half.join("initdb")).expect("it is there");
        install(&whole, "15.1");
        let path = std::env::join_paths([&half, &whole]).expect("no colons");
        let found = Programs::find(None, Some(&path), None).expect("one is whole");
        assert_eq!(found.postgres, whole.join("postgres"));
    }

    #[test]
    fn an_existing_data_directory_chooses_its_own_version() {
        let root = tempfile::tempdir().expect("a directory can be made");
        let (new, old) = (root.path().join("new"), root.path().join("old"));
        install(&new, "1017.2 (Debian 1017.2-1)");
        install(&old, "1016beta1");
        let path = std::env::join_paths([&new, &old]).expect("no colons");
        let found = Programs::find(None, Some(&path), Some("1016")).expect("it is there");
        assert_eq!(found.postgres, old.join("postgres"));
        let error = Programs::find(Some(&new), None, Some("1016")).expect_err("bin_dir decides");
        assert!(error.to_string().contains("1016") && error.to_string().contains("1017"), "{error}");
    }

    #[test]
    fn a_person_is_told_every_place_also_where_debian_has_none() {
        let looked_in = shown(None, vec![PathBuf::from("/bin"), Path::new(DEBIAN).join("15/bin")]);
        assert_eq!(looked_in, [PathBuf::from("/bin"), PathBuf::from("/usr/lib/postgresql/*/bin")]);
    }
}
