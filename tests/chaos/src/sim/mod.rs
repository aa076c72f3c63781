//! The program of a simulated system: `sim RUN ENTITY SOURCE create|read|update|delete|list|find [KEY]`.
//!
//! It keeps the contract of data sources (docs/data-sources.md) but for the faults of its plan, and enters what it does in the books.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::books::{
    BookError, EntityFacts, Facts, FaultPlan, RunDir, RunEvent, RunLine, SourceFacts, append, read_json,
};
use crate::chance::Chance;
use crate::clock;

mod fault;
mod lock;
mod operation;
pub mod system;
pub mod tidy;

use fault::Fault;
use system::System;

/// How much of what was printed is entered in the books.
const QUOTED: usize = 300;

/// Why a run cannot be made: the books cannot be kept, or the command line is not one.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    #[error("cannot keep the books")]
    Books(#[from] BookError),
    #[error("cannot reach the system")]
    System(#[from] rusqlite::Error),
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    #[error("cannot understand the command line")]
    Usage,
}

/// One run of the program.
struct Run {
    dir: RunDir,
    name: String,
    entity: EntityFacts,
    source: SourceFacts,
    /// How many daemons there are to talk to.
    daemons: u32,
    operation: String,
    key: Option<String>,
    operation_id: Option<String>,
    expected: Option<String>,
    fault: Option<Fault>,
    chance: Chance,
    /// Locks that are held until the end.
    held: Vec<File>,
}

/// How a run ends.
struct End {
    exit: i32,
    printed: Vec<u8>,
    complaint: String,
}

impl End {
    fn of(printed: impl Into<Vec<u8>>) -> Self {
        Self { exit: 0, printed: printed.into(), complaint: String::new() }
    }

    fn failed(exit: i32, complaint: &str) -> Self {
        Self { exit, printed: Vec::new(), complaint: complaint.to_owned() }
    }
}

/// Makes a run, and gives its exit status.
///
/// # Errors
/// [`SimError`]: the program itself is at fault, and the run shows nothing.
pub fn run(arguments: &[String]) -> Result<i32, SimError> {
    let [dir, entity, source, operation, key @ ..] = arguments else { return Err(SimError::Usage) };
    let dir = RunDir::new(dir);
    let facts = dir.facts()?;
    let mut system = System::open(&dir.source_path(entity, source))?;
    let mut run = Run::new(dir, &facts, (entity, source), operation, key.first(), &mut system)?;
    run.begin()?;
    let end = run.perform(&mut system)?;
    run.print(&end)?;
    Ok(end.exit)
}

impl Run {
    fn new(
        dir: RunDir,
        facts: &Facts,
        (entity, source): (&str, &str),
        operation: &str,
        key: Option<&String>,
        system: &mut System,
    ) -> Result<Self, SimError> {
        let work = system.begin()?;
        let number = work.count("runs")?;
        work.commit()?;
        let mut chance = Chance::new(facts.seed, &format!("{entity}.{source}.{number}"));
        let plan = match read_json(&dir.plan_path(entity, source)) {
            Ok(plan) => plan,
            Err(BookError::File { .. }) => FaultPlan::default(),
            Err(error) => return Err(error.into()),
        };
        let entity = facts.entities.iter().find(|found| found.name == entity).ok_or(SimError::Usage)?;
        let source = entity.sources.iter().find(|found| found.name == source).ok_or(SimError::Usage)?;
        Ok(Self {
            dir,
            name: format!("{}.{}.{number}", entity.name, source.name),
            entity: entity.clone(),
            source: source.clone(),
            daemons: facts.daemons,
            operation: operation.to_owned(),
            key: key.cloned(),
            operation_id: variable("RETCON_OPERATION_ID"),
            expected: variable("RETCON_EXPECTED_SHA256"),
            fault: Fault::draw(&plan, &mut chance, operation),
            chance,
            held: Vec::new(),
        })
    }

    fn log(&self, event: RunEvent) -> Result<(), BookError> {
        let line = RunLine { run: self.name.clone(), at: clock::now(), event };
        append(&self.dir.runs_path(&self.entity.name, &self.source.name), &line)
    }

    /// Enters the start, and every other run that this one overlaps with.
    fn begin(&mut self) -> Result<(), SimError> {
        let record = variable("RETCON_INTERNAL_KEY");
        self.log(RunEvent::Start {
            pid: std::process::id(),
            parent: std::os::unix::process::parent_id(),
            operation: self.operation.clone(),
            entity: self.entity.name.clone(),
            source: self.source.name.clone(),
            key: self.key.clone(),
            record: record.clone(),
            operation_id: self.operation_id.clone(),
            expected: self.expected.clone(),
            config: ["SIM_CONFIG", "SIM_CONFIG_TOO"].map(|name| variable(name).unwrap_or_default()),
        })?;
        if self.operation != "list" {
            self.hold("source", &format!("{}.{}", self.entity.name, self.source.name), true)?;
        }
        if let Some(record) = record {
            let changes = matches!(self.operation.as_str(), "create" | "update" | "delete");
            self.hold("record", &format!("{}.record.{record}", self.entity.name), changes)?;
        }
        match self.fault {
            Some(fault) => Ok(self.log(RunEvent::Fault { class: fault.class().to_owned() })?),
            None => Ok(()),
        }
    }

    fn hold(&mut self, of: &str, name: &str, is_alone: bool) -> Result<(), SimError> {
        match lock::take(&self.dir.path().join("locks").join(name), &self.name, is_alone)? {
            lock::Held::Free(file) => self.held.push(file),
            lock::Held::Taken(other) => self.log(RunEvent::Overlap { of: of.to_owned(), other })?,
        }
        Ok(())
    }

    /// Does what it was told, or what its fault says.
    fn perform(&mut self, system: &mut System) -> Result<End, SimError> {
        match self.fault {
            Some(Fault::Outage) => return Ok(End::failed(1, "no route to host")),
            Some(Fault::Reject) => return Ok(End::failed(3, "refused: not on a Sunday")),
            Some(Fault::Fail) => return Ok(End::failed(4, "internal error")),
            Some(Fault::CutOff) => return Ok(End::failed(1, "connection refused")),
            Some(Fault::HangBefore) => fault::hang(&mut self.chance),
            Some(Fault::Slow) => {
                std::thread::sleep(Duration::from_millis(self.chance.within(20..500)));
            }
            Some(
                Fault::HangAfter
                | Fault::Garbage
                | Fault::Flood
                | Fault::ApplyExit1
                | Fault::ApplyExit4
                | Fault::ApplyKilled
                | Fault::Stale,
            )
            | None => {}
        }
        let end = self.operate(system)?;
        if end.exit != 0 {
            return Ok(end);
        }
        match self.fault {
            Some(Fault::HangAfter) => fault::hang(&mut self.chance),
            Some(Fault::Flood) => fault::flood(&mut self.chance),
            Some(Fault::ApplyKilled) => fault::die(),
            Some(Fault::ApplyExit1) => Ok(End::failed(1, "connection reset by peer")),
            Some(Fault::ApplyExit4) => Ok(End::failed(4, "Traceback (most recent call last):")),
            Some(Fault::Garbage) => Ok(End::of(fault::garbage(&mut self.chance, &self.operation))),
            Some(
                Fault::Outage
                | Fault::HangBefore
                | Fault::Reject
                | Fault::Fail
                | Fault::CutOff
                | Fault::Stale
                | Fault::Slow,
            )
            | None => Ok(end),
        }
    }

    /// Prints what there is to print, and enters the end.
    fn print(&self, end: &End) -> Result<(), SimError> {
        if !end.complaint.is_empty() {
            // Nobody need listen.
            let _ = writeln!(io::stderr(), "{}", end.complaint);
        }
        let mut stdout = io::stdout();
        stdout.write_all(&end.printed)?;
        stdout.flush()?;
        let printed = String::from_utf8_lossy(&end.printed).chars().take(QUOTED).collect::<String>();
        self.log(RunEvent::End { exit: end.exit, printed: (!printed.is_empty()).then_some(printed) })?;
        Ok(())
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn stdin() -> Result<String, SimError> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// Gives the hash that retcon expects of a document that is printed as it is stored.
fn hash(document: &str) -> String {
    Sha256::digest(document).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
