//! Reading a file that somebody may be writing.

use std::path::Path;
use std::time::Duration;

use crate::config::{self, ConfigErrors, Finding, Loaded, Place};

/// How often what changes while it is read is read again.
const TRIES: usize = 60;
/// How long until then.
const PAUSE: Duration = Duration::from_millis(50);

/// What may be in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Anything,
    /// A file without a byte is one that was opened to be written anew: it would remove every entity.
    Something,
}

/// Reads the configuration, and again if a file of it changes meanwhile: a file that is being written may look whole.
///
/// Blocks, for some seconds where the files never rest; then they are taken as they are.
pub(super) fn read(path: &Path, expected: Expected) -> Result<Loaded, ConfigErrors> {
    let mut tries = TRIES;
    loop {
        let read = config::load(path, config::environment());
        let inputs = match &read {
            Ok(loaded) => &loaded.inputs,
            Err(errors) => &errors.inputs,
        };
        let is_emptied = expected == Expected::Something && inputs.held_nothing(path);
        if tries == 0 || (!is_emptied && inputs.read_again() == *inputs) {
            return read.and_then(|loaded| if is_emptied { Err(emptied(path, loaded)) } else { Ok(loaded) });
        }
        tries -= 1;
        std::thread::sleep(PAUSE);
    }
}

fn emptied(path: &Path, loaded: Loaded) -> ConfigErrors {
    let error = Finding {
        place: Place::File(path.to_owned()),
        key: String::new(),
        message: "the file is empty, as one is that is being written".to_owned(),
        hint: Some("a file with a comment alone would remove every entity".to_owned()),
    };
    ConfigErrors { file: path.to_owned(), errors: vec![error], warnings: loaded.warnings, inputs: loaded.inputs }
}
