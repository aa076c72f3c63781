//! What a program is given: its arguments and its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::config::model::{Command, Commands, Source};
use crate::domain::key::ForeignKey;

use super::super::process::Spec;
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
        env: environment(program, task, context),
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

/// Returns the whole environment: some of ours, the source's own, and what we tell about the operation.
fn environment(program: &Program, task: Task<'_>, context: &Context) -> Vec<(OsString, OsString)> {
    let mut env: BTreeMap<OsString, OsString> = inherited().collect();
    env.extend(program.source.env.iter().map(|(name, value)| (name.into(), value.into())));
    env.retain(|name, _| !name.as_encoded_bytes().starts_with(b"RETCON_"));
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            env.insert(name.into(), value.into());
        }
    };
    tell("RETCON_ENTITY", Some(program.entity.to_string()));
    tell("RETCON_SOURCE", Some(program.source.name.to_string()));
    tell("RETCON_OPERATION", Some(task.operation.as_str().to_owned()));
    tell("RETCON_KEY", task.key.map(ForeignKey::to_string));
    tell("RETCON_INTERNAL_KEY", context.internal_key.map(|key| key.to_string()));
    let id = context.operation_id.filter(|_| task.operation.changes_something());
    tell("RETCON_OPERATION_ID", id.map(|id| id.0.to_string()));
    let expected = context.expected_sha256.filter(|_| task.operation.rests_on_a_read());
    tell("RETCON_EXPECTED_SHA256", expected.map(|digest| hex(&digest)));
    env.into_iter().collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
