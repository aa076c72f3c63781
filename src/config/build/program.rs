//! Finding the programs of commands, once, when the configuration is read.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Context;
use crate::config::command_line::CommandLine;
use crate::config::key_path::KeyPath;
use crate::config::model::Command;
use crate::config::schema::form::quote;

/// Where programs are looked for that are named without a slash, if `PATH` is not set.
const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The directories of `PATH`.
#[derive(Debug)]
pub(crate) struct SearchPath(Vec<PathBuf>);

impl SearchPath {
    /// Takes the directories of `variable`, but for relative ones, which would depend on where the daemon was started.
    pub(crate) fn of(variable: Option<&str>) -> Self {
        let directories = std::env::split_paths(variable.unwrap_or(USUAL));
        Self(directories.filter(|directory| directory.is_absolute()).collect())
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        self.0.iter().map(|directory| directory.join(name)).find(|program| is_executable(program))
    }
}

/// Returns the command with the absolute path of its program; `None` for the empty command.
///
/// A program that is not there is a warning only: the daemon has to start all the same, and sources may appear later.
pub(super) fn resolve(context: &mut Context<'_>, path: &KeyPath, command: &CommandLine) -> Option<Command> {
    let (name, args) = command.parts()?;
    let program = if name.contains('/') {
        let program = context.absolute(name);
        if let Some(why) = why_not(&program) {
            context.warn(path, format!("cannot run {}: {why}", quote(&program.to_string_lossy())), None);
        }
        program
    } else {
        context.search.find(name).unwrap_or_else(|| {
            let hint = "write ./NAME for a program beside the configuration file";
            context.warn(path, format!("cannot find the program {} on PATH", quote(name)), Some(hint));
            PathBuf::from(name)
        })
    };
    Some(Command { program, args: args.to_vec() })
}

fn why_not(program: &Path) -> Option<&'static str> {
    match program.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some("there is no such file"),
        Err(_) => Some("it cannot be looked at"),
        Ok(metadata) if !metadata.is_file() => Some("it is not a file"),
        Ok(_) if !is_executable(program) => Some("it is not executable; `chmod +x` makes it so"),
        Ok(_) => None,
    }
}

fn is_executable(program: &Path) -> bool {
    program.is_file() && access(program, Access::EXEC_OK).is_ok()
}
