//! `[entities.NAME.sources.NAME]`.

use super::Context;
use super::program::resolve;
use crate::config::command_line::{CommandLine, KEY};
use crate::config::file::{self, Parsed};
use crate::config::key_path::KeyPath;
use crate::config::model::{Command, Commands, Source};
use crate::domain::name::SourceName;

/// Builds a source; `None` if it cannot be read from.
pub(super) fn source(
    context: &mut Context<'_>,
    path: &KeyPath,
    name: SourceName,
    source: file::Source,
) -> Option<Source> {
    let written = Written {
        command: source.command,
        create: source.create,
        read: source.read,
        update: source.update,
        delete: source.delete,
        list: source.list,
        find: source.find,
    };
    if source.fields.as_ref().is_some_and(Vec::is_empty) && !context.places.mentions(&path.key("fields").element(0)) {
        let hint = "leave fields out for a source that holds the whole document";
        context.error_with_hint(&path.key("fields"), "expected at least one pointer, found an empty list", hint);
    }
    let commands = commands(context, path, &written)?;
    Some(Source {
        name,
        description: source.description,
        commands,
        timeout: source.timeout.0,
        list_timeout: source.list_timeout.0,
        fields: source.fields.map(|fields| fields.into_iter().map(|Parsed(pointer)| pointer).collect()),
        read_back: source.read_back.0,
        recheck: source.recheck.0,
        create_is_idempotent: source.create_is_idempotent,
        renamed_from: source.renamed_from.parse().ok(),
        env: source.env,
        directory: context.directory.clone(),
    })
}

/// The commands as the file has them.
struct Written {
    command: Option<CommandLine>,
    create: Option<CommandLine>,
    read: Option<CommandLine>,
    update: Option<CommandLine>,
    delete: Option<CommandLine>,
    list: Option<CommandLine>,
    find: Option<CommandLine>,
}

fn commands(context: &mut Context<'_>, path: &KeyPath, written: &Written) -> Option<Commands> {
    check_keyless(context, path, written);
    let base = written.command.as_ref().and_then(|command| resolve(context, &path.key("command"), command));
    let mut own = |name: &str, command: &Option<CommandLine>| {
        command.as_ref().and_then(|command| resolve(context, &path.key(name), command))
    };
    let derived = |name: &str| {
        let with_operation = |base: &Command| {
            let args = base.args.iter().cloned().chain([name.to_owned()]).collect();
            Command { program: base.program.clone(), args }
        };
        base.as_ref().map(with_operation)
    };
    let create = own("create", &written.create).or_else(|| derived("create"));
    let read = own("read", &written.read).or_else(|| derived("read"));
    let update = own("update", &written.update).or_else(|| derived("update"));
    let delete = own("delete", &written.delete).or_else(|| derived("delete"));
    let (list, find) = (own("list", &written.list), own("find", &written.find));
    let is_there = [("create", create.is_some()), ("update", update.is_some()), ("delete", delete.is_some())];
    check_left_out(context, path, read.is_some(), &is_there);
    Some(Commands { create, read: read?, update, delete, list, find })
}

/// A create, a `list` and a `find` have no key to put in the place of `%fk`.
fn check_keyless(context: &mut Context<'_>, path: &KeyPath, written: &Written) {
    let takes_key = |command: &Option<CommandLine>| command.as_ref().is_some_and(CommandLine::takes_key);
    for (name, command) in [("create", &written.create), ("list", &written.list), ("find", &written.find)] {
        if takes_key(command) {
            context.error(&path.key(name), format!("{KEY} stands for a foreign key, and {name} has none"));
        }
    }
    if takes_key(&written.command) && written.create.is_none() {
        let message = format!("{KEY} stands for a foreign key, and create, which command is used for too, has none");
        context.error_with_hint(&path.key("command"), message, "set create, read, update and delete each by itself");
    }
}

fn check_left_out(context: &mut Context<'_>, path: &KeyPath, can_read: bool, others: &[(&str, bool)]) {
    let is_broken =
        |name: &str| context.places.mentions(&path.key(name)) || context.places.mentions(&path.key("command"));
    let missing: Vec<&str> =
        others.iter().filter(|(name, there)| !there && !is_broken(name)).map(|(name, _)| *name).collect();
    if !can_read && !is_broken("read") {
        context.error_with_hint(
            path,
            "expected command or read, found neither",
            "without read no copy can ever be looked at",
        );
    }
    for name in missing {
        let message = format!("{name} is left out: work that needs it is parked");
        context.warn(path, message, None);
    }
}
