//! What was seen of the database: a primary that was replaced, and comes back, is known by its timeline.
//!
//! At each promotion of a standby PostgreSQL counts its timeline up. Whoever is on a lower one than was seen before has not got
//! what was acknowledged since. The highest is kept in a file, so that a restart does not forget it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use slog::{Logger, info, warn};

use super::Refusal;
use crate::log::{chain, key};

/// Which server a session leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Every copy of a database by replication or backup has the same.
    pub(crate) system: u64,
    pub(crate) timeline: u32,
}

/// What was seen before.
pub(crate) struct Seen {
    /// Which database is meant.
    place: String,
    file: Option<PathBuf>,
    latest: Mutex<Option<Note>>,
    log: Logger,
}

/// As it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    place: String,
    system_identifier: u64,
    timeline: u32,
}

/// Why what was seen before is not known.
#[derive(Debug, thiserror::Error)]
pub enum SeenError {
    #[error("cannot read {}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("cannot understand {}: it says which database was used before; remove it to begin anew", file.display())]
    Garbled { file: PathBuf, source: serde_json::Error },
}

impl Seen {
    /// Takes up what `file` says; without one, only what is seen from now on counts.
    pub(crate) fn recall(place: String, file: Option<PathBuf>, log: Logger) -> Result<Self, SeenError> {
        let latest = file.as_deref().map(read).transpose()?.flatten();
        Ok(Self { place, file, latest: Mutex::new(latest), log })
    }

    /// Remembers a server, or says why it must not be used.
    pub(crate) fn admit(&self, server: &Server) -> Result<(), Refusal> {
        let mut latest = self.latest();
        let Server { system, timeline } = *server;
        match &*latest {
            Some(seen) if seen.system_identifier != system && seen.place == self.place => {
                return Err(Refusal::Other { system, seen: seen.system_identifier, file: self.file.clone() });
            }
            Some(seen) if seen.system_identifier == system && seen.timeline > timeline => {
                return Err(Refusal::LeftBehind { timeline, seen: seen.timeline, file: self.file.clone() });
            }
            Some(seen) if seen.system_identifier == system && seen.timeline == timeline && seen.place == self.place => {
                return Ok(());
            }
            Some(seen) if seen.system_identifier != system => {
                warn!(self.log, "another database than before"; "system_identifier" => system, "place" => &self.place,
                    "before" => seen.system_identifier, "place_before" => &seen.place);
            }
            Some(seen) if seen.timeline < timeline => {
                info!(self.log, "database failed over"; "timeline" => timeline, "before" => seen.timeline);
            }
            Some(_) | None => {}
        }
        let note = Note { place: self.place.clone(), system_identifier: system, timeline };
        if let Some(Err(error)) = self.file.as_deref().map(|file| write(file, &note)) {
            // It counts for as long as the daemon runs.
            warn!(self.log, "timeline not kept"; "timeline" => timeline, key::ERROR => chain(&error));
        }
        *latest = Some(note);
        Ok(())
    }

    /// Tells whether a server that was admitted has been replaced since.
    pub(crate) fn has_left_behind(&self, server: &Server) -> bool {
        self.latest()
            .as_ref()
            .is_some_and(|seen| seen.system_identifier != server.system || seen.timeline > server.timeline)
    }

    /// A panic while it was open has left nothing half-written: a note is put in whole.
    fn latest(&self) -> MutexGuard<'_, Option<Note>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> Result<Option<Note>, SeenError> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SeenError::Read { file: file.to_owned(), source }),
    };
    let garbled = |source| SeenError::Garbled { file: file.to_owned(), source };
    serde_json::from_slice(&text).map(Some).map_err(garbled)
}

/// Puts a whole file in the place of the former one, also if the power fails.
fn write(file: &Path, note: &Note) -> io::Result<()> {
    let directory = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut fresh = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&mut fresh, note)?;
    writeln!(fresh)?;
    fresh.as_file().sync_all()?;
    fresh.persist(file)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::discard;

    fn seen(place: &str, file: &Path) -> Seen {
        Seen::recall(place.to_owned(), Some(file.to_owned()), discard()).expect("it can be read")
    }

    fn at(system: u64, timeline: u32) -> Server {
        Server { system, timeline }
    }

    #[test]
    fn a_lower_timeline_is_refused_also_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("seen.json");
        seen("a/x", &file).admit(&at(7, 2)).expect("nothing was seen");
        let again = seen("a/x", &file);
        let refused = again.admit(&at(7, 1)).expect_err("it was replaced");
        assert!(matches!(refused, Refusal::LeftBehind { timeline: 1, seen: 2, .. }), "{refused:?}");
        assert!(refused.to_string().ends_with(&format!("remove {}", file.display())), "{refused}");
        again.admit(&at(7, 2)).expect("it is the same");
        again.admit(&at(7, 4)).expect("it was promoted");
        assert!(again.has_left_behind(&at(7, 2)));
        // Another way to the same database leaves nothing forgotten.
        seen("b/x", &file).admit(&at(7, 3)).expect_err("it was replaced");
    }

    #[test]
    fn another_database_at_the_same_place_is_refused_and_at_another_taken() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("seen.json");
        seen("a/x", &file).admit(&at(7, 5)).expect("nothing was seen");
        let refused = seen("a/x", &file).admit(&at(8, 9)).expect_err("it is another");
        assert!(matches!(refused, Refusal::Other { system: 8, seen: 7, .. }), "{refused:?}");
        let moved = seen("b/x", &file);
        moved.admit(&at(8, 1)).expect("another place was configured");
        moved.admit(&at(7, 5)).expect_err("within one run it is one database");
    }

    #[test]
    fn a_garbled_file_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("seen.json");
        fs::write(&file, "{").expect("a file");
        let error = Seen::recall("a/x".to_owned(), Some(file.clone()), discard()).err().expect("it says nothing");
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
}
