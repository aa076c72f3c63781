//! The files of which a configuration is made, as they were read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The files of which a configuration is made, each with what it held when it was read: the file itself and the JSON
/// Schemas that it names.
///
/// Two of them are equal if the same files held the same bytes; that a file cannot be read counts as what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs(BTreeMap<PathBuf, Option<[u8; 32]>>);

impl Inputs {
    /// Reads a file that is one of them from now on.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let content = std::fs::read(path);
        let digest = content.as_ref().ok().map(|bytes| Sha256::digest(bytes).into());
        self.0.insert(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()), digest);
        content
    }

    /// Returns the absolute paths of the files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// Says whether a file was there and held no byte.
    pub fn held_nothing(&self, path: &Path) -> bool {
        let nothing: [u8; 32] = Sha256::digest([]).into();
        std::path::absolute(path).is_ok_and(|path| self.0.get(&path) == Some(&Some(nothing)))
    }

    /// Returns what the same files hold now. Blocks.
    pub fn read_again(&self) -> Self {
        let mut now = Self::default();
        for path in self.0.keys() {
            // An error is entered, too.
            let _ = now.read(path);
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::Inputs;

    #[test]
    fn they_differ_when_a_file_holds_something_else_goes_or_comes_and_not_when_it_is_written_again() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("retcon.toml");
        let write = |text: &str| std::fs::write(&path, text).expect("a file can be written");
        let mut inputs = Inputs::default();
        assert!(inputs.read(&path).is_err());
        assert_eq!(inputs.read_again(), inputs);
        write("a");
        assert_ne!(inputs.read_again(), inputs);
        assert_eq!(inputs.read(&path).expect("it is there"), b"a");
        write("a");
        assert_eq!(inputs.read_again(), inputs);
        write("b");
        assert_ne!(inputs.read_again(), inputs);
        std::fs::remove_file(&path).expect("it is there");
        assert_ne!(inputs.read_again(), inputs);
        write("");
        assert!(!inputs.held_nothing(&path));
        assert!(inputs.read_again().held_nothing(&path));
        assert_eq!(inputs.paths().collect::<Vec<_>>(), [path.as_path()]);
    }
}
