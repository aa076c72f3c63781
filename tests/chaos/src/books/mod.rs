//! What a run leaves behind: a directory of books that everybody but retcon keeps.
//!
//! ```text
//! facts.json                    what was set up, and when what began
//! sources/ENTITY.SOURCE.db      a simulated system: its items, and its own log of changes
//! runs/ENTITY.SOURCE.jsonl      each run of its program
//! plan/ENTITY.SOURCE.json       the faults that its program makes at present
//! clients.jsonl                 each notification sent to a daemon
//! people.jsonl                  what people have ordered, before it was sent, and each answer: doubts, conflicts, parked work
//! faults.jsonl                  what the nemesis did
//! database/TABLE.jsonl          what retcon had recorded, if the run is kept
//! ```
//! Times are microseconds of `CLOCK_REALTIME`. A line is appended by one write, so lines of several processes do not mix.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

mod change;
mod facts;
mod line;
mod plan;

pub use change::{Author, Change, ChangeKind, read_changes};
pub use facts::{DatabaseFacts, Deadlines, EntityFacts, Facts, Phases, SourceFacts, Throttle, Tidying};
pub use line::{
    Answer, ClientLine, Decision, FaultLine, FaultPhase, NotifiedItem, Order, PeopleLine, RunEvent, RunLine,
};
pub use plan::FaultPlan;

/// Why a book cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    #[error("cannot open {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot read line {line} of {}", path.display())]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
    #[error("cannot read {}", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("cannot read {}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

/// The directory of a run.
#[derive(Debug, Clone)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// Names a directory; touches nothing.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Makes the directories of the books.
    ///
    /// # Errors
    /// [`BookError::File`].
    pub fn create(&self) -> Result<(), BookError> {
        for name in ["sources", "runs", "plan", "locks"] {
            let path = self.0.join(name);
            fs::create_dir_all(&path).map_err(|source| BookError::File { path, source })?;
        }
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn facts_path(&self) -> PathBuf {
        self.0.join("facts.json")
    }

    pub fn source_path(&self, entity: &str, source: &str) -> PathBuf {
        self.0.join(format!("sources/{entity}.{source}.db"))
    }

    pub fn runs_path(&self, entity: &str, source: &str) -> PathBuf {
        self.0.join(format!("runs/{entity}.{source}.jsonl"))
    }

    pub fn plan_path(&self, entity: &str, source: &str) -> PathBuf {
        self.0.join(format!("plan/{entity}.{source}.json"))
    }

    pub fn clients_path(&self) -> PathBuf {
        self.0.join("clients.jsonl")
    }

    pub fn people_path(&self) -> PathBuf {
        self.0.join("people.jsonl")
    }

    pub fn faults_path(&self) -> PathBuf {
        self.0.join("faults.jsonl")
    }

    /// Writes the rows of a table of retcon's, a line each.
    ///
    /// # Errors
    /// [`BookError::File`].
    pub fn keep_table(&self, table: &str, rows: &str) -> Result<(), BookError> {
        let path = self.0.join(format!("database/{table}.jsonl"));
        let kept = fs::create_dir_all(self.0.join("database")).and_then(|()| fs::write(&path, rows));
        kept.map_err(|source| BookError::File { path, source })
    }

    /// Reads the facts.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn facts(&self) -> Result<Facts, BookError> {
        read_json(&self.facts_path())
    }

    /// Replaces the facts, whole or not at all.
    ///
    /// # Errors
    /// [`BookError::File`].
    pub fn write_facts(&self, facts: &Facts) -> Result<(), BookError> {
        write_json(&self.facts_path(), facts)
    }

    /// Reads the runs of a source's program, in the order in which their lines were written.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn runs(&self, entity: &str, source: &str) -> Result<Vec<RunLine>, BookError> {
        read_lines(&self.runs_path(entity, source))
    }

    /// Tells how long the book of a source's runs is, in bytes.
    pub fn runs_length(&self, entity: &str, source: &str) -> u64 {
        fs::metadata(self.runs_path(entity, source)).map_or(0, |metadata| metadata.len())
    }

    /// Reads the runs that were entered behind this place, which is the end of a line.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn runs_from(&self, entity: &str, source: &str, place: u64) -> Result<Vec<RunLine>, BookError> {
        let path = self.runs_path(entity, source);
        let failed = |source| BookError::File { path: path.clone(), source };
        let mut text = Vec::new();
        let mut file = File::open(&path).map_err(failed)?;
        file.seek(SeekFrom::Start(place)).and_then(|_| file.read_to_end(&mut text)).map_err(failed)?;
        parse_lines(&path, &text)
    }

    /// Reads the log of changes of a system, in order.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn changes(&self, entity: &str, source: &str) -> Result<Vec<Change>, BookError> {
        read_changes(&self.source_path(entity, source))
    }

    /// Reads what was sent to the daemons.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn clients(&self) -> Result<Vec<ClientLine>, BookError> {
        read_lines(&self.clients_path())
    }

    /// Reads what people have ordered.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn decisions(&self) -> Result<Vec<Decision>, BookError> {
        read_lines(&self.people_path()).map(line::pair)
    }

    /// Counts the doubts that were gone before a person settled them.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn found_out(&self) -> Result<usize, BookError> {
        let lines: Vec<PeopleLine> = read_lines(&self.people_path())?;
        Ok(lines.iter().filter(|line| matches!(line, PeopleLine::FoundOut { .. })).count())
    }

    /// Reads what the nemesis did.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn faults(&self) -> Result<Vec<FaultLine>, BookError> {
        read_lines(&self.faults_path())
    }
}

/// Reads a file that is one JSON value.
///
/// # Errors
/// [`BookError::File`] and [`BookError::Json`].
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, BookError> {
    let text = fs::read(path).map_err(|source| BookError::File { path: path.into(), source })?;
    serde_json::from_slice(&text).map_err(|source| BookError::Json { path: path.into(), source })
}

/// Replaces a file by one JSON value, whole or not at all.
///
/// # Errors
/// [`BookError::File`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), BookError> {
    let failed = |source| BookError::File { path: path.into(), source };
    let fresh = path.with_extension("new");
    let text = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    fs::write(&fresh, text).map_err(failed)?;
    fs::rename(&fresh, path).map_err(failed)
}

/// Appends one line to a book.
///
/// # Errors
/// [`BookError::File`].
pub fn append<T: Serialize>(path: &Path, line: &T) -> Result<(), BookError> {
    let failed = |source| BookError::File { path: path.into(), source };
    let mut text = serde_json::to_vec(line).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    let mut file: File = OpenOptions::new().append(true).create(true).open(path).map_err(failed)?;
    file.write_all(&text).map_err(failed)
}

/// Reads the lines of a book; a book that nobody began is empty.
///
/// # Errors
/// [`BookError::File`] and [`BookError::Line`].
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, BookError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(BookError::File { path: path.into(), source }),
    };
    parse_lines(path, &text)
}

fn parse_lines<T: DeserializeOwned>(path: &Path, text: &[u8]) -> Result<Vec<T>, BookError> {
    let lines = text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    lines
        .map(|(at, line)| {
            let failed = |source| BookError::Line { path: path.into(), line: at + 1, source };
            serde_json::from_slice(line).map_err(failed)
        })
        .collect()
}

#[cfg(test)]
mod tests;
