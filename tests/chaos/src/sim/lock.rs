//! Locks of the kernel by which a run finds out whether another overlaps with it.
//!
//! A lock is gone when its process is, however it went; so it lasts exactly as long as the run may act.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// What a run found when it came.
#[derive(Debug)]
pub enum Held {
    /// Nobody is in its way, as long as this is kept.
    Free(File),
    /// Another run holds it: its name, if it was left.
    Taken(Option<String>),
}

/// Takes a lock, for this run alone or together with others that take it so.
///
/// # Errors
/// The file cannot be opened.
pub fn take(path: &Path, run: &str, is_alone: bool) -> std::io::Result<Held> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let operation =
        if is_alone { FlockOperation::NonBlockingLockExclusive } else { FlockOperation::NonBlockingLockShared };
    if flock(&file, operation).is_err() {
        return Ok(Held::Taken(fs::read_to_string(path).ok().filter(|name| !name.is_empty())));
    }
    if is_alone {
        file.set_len(0)?;
        file.write_all(run.as_bytes())?;
    }
    Ok(Held::Free(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_learns_who_came_first_unless_both_only_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let first = take(&path, "first", true).expect("a lock");
        assert!(matches!(take(&path, "second", false), Ok(Held::Taken(Some(name))) if name == "first"));
        drop(first);
        let reads = [take(&path, "third", false), take(&path, "fourth", false)];
        assert!(reads.iter().all(|held| matches!(held, Ok(Held::Free(_)))));
    }
}
