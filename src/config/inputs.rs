//! The files of which a configuration is made, as they were read.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

/// The size past which a file is not read. A thousand entities take half a megabyte.
const LARGEST: u64 = 4 << 20;

/// The files of which a configuration is made, each with what it held when it was read: the file itself and the JSON
/// Schemas that it names.
///
/// Two of them are equal if the same files held the same bytes; that a file cannot be read counts as what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs(BTreeMap<PathBuf, Option<[u8; 32]>>);

impl Inputs {
    /// Reads a file that is one of them from now on.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let content = content(path);
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

/// Reads a file of which nobody knows what it is: never waits for a writer, as a FIFO would have it, and never reads without
/// end, as a device would.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    let without_waiting = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(without_waiting).open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file, but a pipe, a socket or a device"));
    }
    let mut content = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::path::Path;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::{Inputs, LARGEST};

    #[test]
    fn what_is_no_file_or_without_end_is_refused_at_once() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("retcon.toml");
        let refusal = |path: &Path| Inputs::default().read(path).map_err(|error| error.kind());
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO can be made");
        assert_eq!(refusal(&path), Err(ErrorKind::InvalidInput), "nobody will ever write to it");
        assert_eq!(refusal(Path::new("/dev/zero")), Err(ErrorKind::InvalidInput));
        assert_eq!(refusal(directory.path()), Err(ErrorKind::IsADirectory));
        std::fs::remove_file(&path).expect("it is there");
        let file = std::fs::File::create(&path).expect("a file can be made");
        file.set_len(LARGEST).expect("it grows");
        assert_eq!(refusal(&path).map(|content| content.len() as u64), Ok(LARGEST));
        file.set_len(LARGEST + 1).expect("it grows");
        assert_eq!(refusal(&path), Err(ErrorKind::FileTooLarge));
    }

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
