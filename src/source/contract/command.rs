//! What a program is given: its arguments and its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use crate::config::model::{Command, Commands, Source};
use crate::domain::key::ForeignKey;

use super::super::process::{Spec, Variables};
use super::{Context, Operation, Program, Task};

/// What stands for the foreign key in a command.
const KEY: &str = "%fk";

/// What a program has from our own environment, where it is set there.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// Returns the command for an operation, if the configuration has one.
pub(super) fn command(source: &Source, operation: Operation) -> Option<&Command> {
    let Commands { create, read, update, delete, list, find } = &source.commands;
    match operation {
        Operation::Create => create.as_ref(),
        Operation::Read => Some(read),
        Operation::Update => update.as_ref(),
        Operation::Delete => delete.as_ref(),
        Operation::List => list.as_ref(),
        Operation::Find => find.as_ref(),
    }
}

/// Puts together all that `command` is run with.
pub(super) fn spec(program: &Program, command: &Command, task: Task<'_>, context: &Context) -> Spec {
    Spec {
        program: command.program.clone(),
        args: arguments(&command.args, task.key),
        kept: Arc::clone(&program.kept),
        env: told(program, task, context),
        directory: program.source.directory.clone(),
        stdin: task.document.map(|document| format!("{document}\n").into_bytes()),
    }
}

/// Puts the key in its places, or at the end if it has none; it is never more than a part of one argument.
fn arguments(words: &[String], key: Option<&ForeignKey>) -> Vec<OsString> {
    let Some(key) = key else { return words.iter().map(OsString::from).collect() };
    let mut args: Vec<OsString> = words.iter().map(|word| word.replace(KEY, key.as_str()).into()).collect();
    if !words.iter().any(|word| word.contains(KEY)) {
        args.push(key.as_str().into());
    }
    args
}

/// Returns what a program has from our own environment.
pub(in crate::source) fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    INHERITED.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
}

/// Returns what every run at a source has in its environment: some of ours, and the source's own. What we tell of the operation comes
/// besides, under names that the configuration lets nobody else have.
pub(super) fn kept(source: &Source) -> Variables {
    let mut env: BTreeMap<OsString, OsString> = inherited().collect();
    env.extend(source.env.iter().map(|(name, value)| (name.into(), value.into())));
    env.into_iter().collect()
}

/// Returns what we tell about the operation.
fn told(program: &Program, task: Task<'_>, context: &Context) -> Variables {
    let mut env = Variables::default();
    env.push("RETCON_ENTITY", program.entity.as_str());
    env.push("RETCON_SOURCE", program.source.name.as_str());
    env.push("RETCON_OPERATION", task.operation.as_str());
    if let Some(key) = task.key {
        env.push("RETCON_KEY", key.as_str());
    }
    if let Some(key) = context.internal_key {
        env.push("RETCON_INTERNAL_KEY", key.to_string());
    }
    if let Some(id) = context.operation_id.filter(|_| task.operation.changes_something()) {
        env.push("RETCON_OPERATION_ID", id.0.to_string());
    }
    if let Some(digest) = context.expected_sha256.filter(|_| task.operation.rests_on_a_read()) {
        env.push("RETCON_EXPECTED_SHA256", hex(&digest));
    }
    env
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
