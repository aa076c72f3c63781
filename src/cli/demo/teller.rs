//! How the story is told: plain lines, with a little colour on a terminal.

use std::io::{self, Write as _};

use super::super::output;
use super::error::DemoError;
use super::systems::System;

/// Where the values of a line of the story begin.
const INDENT: &str = "   ";

/// Writes the story to standard output.
#[derive(Debug)]
pub(super) struct Teller {
    coloured: bool,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self { coloured: output::coloured() }
    }

    pub(super) fn title(&self, text: &str) -> Result<(), DemoError> {
        write(&format!("{}\n\n", self.paint("1", text)))
    }

    /// Begins a part of the story.
    pub(super) fn part(&self, text: &str) -> Result<(), DemoError> {
        write(&format!("\n{}\n", self.paint("1", text)))
    }

    pub(super) fn say(&self, text: &str) -> Result<(), DemoError> {
        write(&format!("{INDENT}{text}\n"))
    }

    /// Shows what somebody does in one of the systems, or what stands there.
    pub(super) fn system(&self, system: System, text: &str) -> Result<(), DemoError> {
        write(&format!("{INDENT}{} {text}\n", self.paint("33", &format!("{:8}", system.name()))))
    }

    /// Shows a command that is about to be run.
    pub(super) fn command(&self, typed: &str) -> Result<(), DemoError> {
        write(&format!("{INDENT}{}\n", self.paint("36", &format!("$ {typed}"))))
    }

    /// Shows what a command printed.
    pub(super) fn printed(&self, text: &str) -> Result<(), DemoError> {
        text.lines().try_for_each(|line| write(&format!("{}\n", format!("{INDENT}{line}").trim_end())))
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.coloured { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn write(text: &str) -> Result<(), DemoError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => DemoError::Closed,
        _ => DemoError::Output(error),
    })
}
