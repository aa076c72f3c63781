//! From the file's types to the checked configuration: what concerns several values at once, or the file system.
//!
//! Goes on after every mistake, so that all are found; the result is of use only if there were none.

mod program;
mod server;
mod entity;
mod rules;
mod source;

use std::path::{Path, PathBuf};

use self::program::SearchPath;
use super::file::{self, Parsed, Root};
use super::finding::Finding;
use super::inputs::Inputs;
use super::key_path::KeyPath;
use super::model::{AlertKind, Alerts, Config, Log, Reload, Retention};
use super::places::Places;
use super::words::Word;

/// What the checks share: where values stand, where programs are, and what was found so far.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) places: &'a Places,
    /// The absolute directory of the file, to which relative paths are relative.
    pub(crate) directory: PathBuf,
    pub(crate) search: SearchPath,
    /// The files that were read so far.
    pub(crate) inputs: &'a mut Inputs,
    pub(crate) errors: Vec<Finding>,
    pub(crate) warnings: Vec<Finding>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        places: &'a Places,
        directory: PathBuf,
        path_variable: Option<&str>,
        inputs: &'a mut Inputs,
    ) -> Self {
        let search = SearchPath::of(path_variable);
        Self { places, directory, search, inputs, errors: Vec::new(), warnings: Vec::new() }
    }

    fn absolute(&self, path: &str) -> PathBuf {
        absolute(&self.directory, path)
    }

    fn error(&mut self, path: &KeyPath, message: impl Into<String>) {
        self.errors.push(self.finding(path, message.into(), None));
    }

    fn error_with_hint(&mut self, path: &KeyPath, message: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(self.finding(path, message.into(), Some(hint.into())));
    }

    fn warn(&mut self, path: &KeyPath, message: impl Into<String>, hint: Option<&str>) {
        self.warnings.push(self.finding(path, message.into(), hint.map(str::to_owned)));
    }

    fn finding(&self, path: &KeyPath, message: String, hint: Option<String>) -> Finding {
        Finding { place: self.places.of(path), key: path.to_string(), message, hint }
    }
}

/// Returns the absolute form of a path in the file, without `.` in it.
pub(crate) fn absolute(directory: &Path, path: &str) -> PathBuf {
    directory.join(path).components().collect()
}

/// Builds the configuration; [`Context::errors`] says whether it may be used.
pub(crate) fn config(context: &mut Context<'_>, root: Root) -> Config {
    let database = server::database(context, root.database);
    let server = server::server(context, root.server, &database);
    Config {
        server,
        database,
        log: Log { level: root.log.level.0, format: root.log.format.0 },
        reload: Reload { watch: root.reload.watch },
        retention: Retention {
            work: root.retention.work.0,
            history: root.retention.history.0,
            events: root.retention.events.0,
        },
        alerts: alerts(context, root.alerts),
        entities: root
            .entities
            .into_iter()
            .map(|(Parsed(name), entity)| (name.clone(), entity::entity(context, name, entity).into()))
            .collect(),
    }
}

fn alerts(context: &mut Context<'_>, alerts: file::Alerts) -> Alerts {
    let mut on: Vec<AlertKind> = alerts.on.into_iter().map(|Word(kind)| kind).collect();
    on.sort_unstable();
    on.dedup();
    let path = KeyPath::of(["alerts", "command"]);
    let command = program::resolve(context, &path, &alerts.command).and_then(|command| {
        let program = command.program.into_os_string().into_string().ok()?;
        Some(std::iter::once(program).chain(command.args).collect())
    });
    // A path that is no text stays as it was written: relative to the directory in which it is run.
    let directory = context.directory.clone();
    Alerts { command: command.unwrap_or_else(|| alerts.command.into_words()), on, directory }
}
