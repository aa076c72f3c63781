//! The daemons' configuration files.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use super::daemon::config_path;
use crate::books::{EntityFacts, Facts, RunDir, SourceFacts};

/// What reloads change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// The number of the configuration, which the programs are told.
    pub number: u64,
    /// How many records are synced at once.
    pub in_flight: u64,
}

impl Generation {
    pub const FIRST: Self = Self { number: 1, in_flight: 8 };
}

/// A mistake that makes a file one that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// A setting that there is not.
    UnknownKey,
    /// A value of the wrong kind.
    WrongKind,
    /// The file ends in the middle.
    Half,
}

/// Gives the text of a daemon's configuration.
pub fn text(run: &RunDir, facts: &Facts, program: &Path, daemon: u32, generation: Generation) -> String {
    let state = run.path().join(format!("d{daemon}"));
    let mut text = format!(
        "[server]\nlisten = \"\"\nstate_dir = {state:?}\ngrace = \"10s\"\n\n[database]\nurl = {:?}\npool_size = 6\n\n\
         [log]\nlevel = \"info\"\nformat = \"json\"\n",
        facts.database.daemon_url
    );
    for entity in &facts.entities {
        entity_table(&mut text, run, entity, program, generation);
    }
    text
}

fn entity_table(text: &mut String, run: &RunDir, entity: &EntityFacts, program: &Path, generation: Generation) {
    let name = &entity.name;
    let _ = writeln!(text, "\n[entities.{name}]\nmerge_policy = {:?}", entity.merge_policy);
    let _ = writeln!(text, "on_delete = {:?}\nmatch = {:?}", entity.on_delete, entity.matching);
    let _ = writeln!(text, "retry = {{ first = \"200ms\", max = \"2s\", attempts = {} }}", entity.attempts);
    // Users of a run delete more in an hour than is usual.
    let _ = writeln!(text, "max_deletes = {{ count = 100000, per = \"1h\" }}");
    let throttle = entity.throttle.map(|throttle| format!("rate = {:?}, burst = {}, ", throttle.rate, throttle.burst));
    let in_flight = generation.in_flight;
    let _ = writeln!(text, "throttle = {{ {}in_flight = {in_flight} }}", throttle.unwrap_or_default());
    for source in &entity.sources {
        source_table(text, run, name, source, program, generation);
    }
}

fn source_table(
    text: &mut String,
    run: &RunDir,
    entity: &str,
    source: &SourceFacts,
    program: &Path,
    generation: Generation,
) {
    let name = &source.name;
    let words = |operation: &str| {
        let program = program.to_string_lossy();
        let dir = run.path().to_string_lossy();
        let words = [program.as_ref(), dir.as_ref(), entity, name, operation].map(|word| format!("{word:?}"));
        words.join(", ")
    };
    let _ = writeln!(text, "\n[entities.{entity}.sources.{name}]\ntimeout = \"{}ms\"", source.timeout / 1000);
    for operation in ["create", "read", "update", "delete"] {
        let _ = writeln!(text, "{operation} = [{}]", words(operation));
    }
    for (operation, is_there) in [("find", source.find), ("list", source.list)] {
        if is_there {
            let _ = writeln!(text, "{operation} = [{}]", words(operation));
        }
    }
    if !source.fields.is_empty() {
        let _ = writeln!(text, "fields = {:?}", source.fields);
    }
    let _ = writeln!(text, "create_is_idempotent = {}", source.idempotent);
    let number = generation.number;
    let _ = writeln!(text, "env = {{ SIM_CONFIG = \"{number}\", SIM_CONFIG_TOO = \"{number}\" }}");
}

/// Writes a daemon's file, whole or not at all.
///
/// # Errors
/// It cannot be written.
pub fn write(run: &RunDir, daemon: u32, text: &str) -> io::Result<()> {
    let path = config_path(run, daemon);
    let fresh = path.with_extension("toml.new");
    fs::write(&fresh, text)?;
    fs::rename(fresh, path)
}

/// Makes a mistake in a file, and marks everything else in it, so that a run under it would show.
pub fn spoil(text: &str, mistake: Mistake) -> String {
    let marked = text.replace("SIM_CONFIG = \"", "SIM_CONFIG = \"broken-");
    match mistake {
        Mistake::UnknownKey => marked.replace("merge_policy", "merge_polcy"),
        Mistake::WrongKind => marked.replace("pool_size = 6", "pool_size = \"many\""),
        Mistake::Half => {
            // In the middle of a word: what is left could not pass for a smaller configuration.
            let end = marked.rfind("create_is_idem").unwrap_or(marked.len() / 2);
            marked.get(..end + 8).unwrap_or_default().to_owned()
        }
    }
}
