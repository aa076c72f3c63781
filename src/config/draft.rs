//! A configuration file as it was read: every value checked by itself, nothing yet checked against anything else.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::check::{Checker, Ground};
use super::file::Root;
use super::finding::{ConfigErrors, Finding, Place};
use super::inputs::Inputs;
use super::key_path::KeyPath;
use super::places::{Places, SourceText};
use super::schema::ROOT;
use super::{environment, layers, syntax};

/// What could be read of a file and the environment, defaults filled in, and what could not.
pub(crate) struct Draft {
    pub(crate) root: Root,
    pub(crate) places: Places,
    pub(crate) errors: Vec<Finding>,
}

impl Draft {
    pub(crate) fn of(path: &Path, text: String, variables: &[(String, String)]) -> Result<Self, ConfigErrors> {
        let source = SourceText::new(path, &text);
        let mut places = Places::new(path);
        let mut errors = Vec::new();
        let repaired = syntax::repair(&source, &mut places, &mut errors);
        let (table, _) = DeTable::parse_recoverable(&repaired);
        let mut checker = Checker { ground: Ground::File(&source), places: &mut places, errors: &mut errors };
        let file = checker.table(table.get_ref(), &ROOT, &KeyPath::default());
        let overrides = environment::read(variables, &mut places, &mut errors);
        match layers::merge(file, overrides) {
            Ok(root) => Ok(Self { root, places, errors }),
            Err(error) => {
                let message = format!("cannot lay the environment over the file: {error}");
                errors.push(of_file(path, message, None));
                Err(ConfigErrors::new(path, errors))
            }
        }
    }
}

/// Reads the text of the file.
pub(crate) fn read(path: &Path, inputs: &mut Inputs) -> Result<String, ConfigErrors> {
    String::from_utf8(read_bytes(path, inputs)?).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let good = String::from_utf8_lossy(good);
        let place = SourceText::new(path, &good).place(good.len());
        only(
            path,
            Finding { place, key: String::new(), message: "expected UTF-8, found other bytes".to_owned(), hint: None },
        )
    })
}

/// Reads the text of the file, with U+FFFD for what is not UTF-8.
pub(crate) fn read_lossy(path: &Path) -> Result<String, ConfigErrors> {
    Ok(String::from_utf8_lossy(&read_bytes(path, &mut Inputs::default())?).into_owned())
}

fn read_bytes(path: &Path, inputs: &mut Inputs) -> Result<Vec<u8>, ConfigErrors> {
    inputs.read(path).map_err(|error| {
        let hint =
            (error.kind() == std::io::ErrorKind::NotFound).then(|| "`retcon init` writes a configuration".to_owned());
        only(path, of_file(path, format!("cannot read the file: {error}"), hint))
    })
}

/// Returns the absolute directory of the file, to which its relative paths are relative.
pub(crate) fn directory_of(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.parent().unwrap_or(Path::new("/")).to_owned()
}

fn of_file(path: &Path, message: String, hint: Option<String>) -> Finding {
    Finding { place: Place::File(path.to_owned()), key: String::new(), message, hint }
}

fn only(path: &Path, error: Finding) -> ConfigErrors {
    ConfigErrors::new(path, vec![error])
}
