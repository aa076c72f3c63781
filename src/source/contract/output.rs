//! What programs print: one document, one key, or a key a line.

use std::ops::ControlFlow;

use crate::domain::key::{ForeignKey, InvalidForeignKey};

use super::super::process::Stdout;

/// Keeps what is printed, up to a limit.
pub(super) struct Bounded {
    pub(super) bytes: Vec<u8>,
    limit: usize,
}

/// Hands keys over line by line, and keeps no more than one line.
pub(super) struct Keys<'a> {
    on_key: &'a mut dyn FnMut(ForeignKey) -> ControlFlow<()>,
    line: Vec<u8>,
    number: u64,
    /// Why no more lines are taken.
    pub(super) trouble: Option<BadKey>,
}

/// Why a key was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadKey {
    #[error("an empty line")]
    Nothing,
    #[error("not UTF-8 after {0} bytes")]
    Encoding(usize),
    #[error("{0}")]
    Invalid(InvalidForeignKey),
    #[error("line {line}: {problem}")]
    Line { line: u64, problem: Box<BadKey> },
    #[error("no more keys are wanted")]
    Unwanted,
}

impl Bounded {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }
}

impl Stdout for Bounded {
    fn receive(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        let room = self.limit - self.bytes.len();
        if bytes.len() > room {
            return ControlFlow::Break(());
        }
        self.bytes.extend_from_slice(bytes);
        ControlFlow::Continue(())
    }
}

impl<'a> Keys<'a> {
    pub(super) fn new(on_key: &'a mut dyn FnMut(ForeignKey) -> ControlFlow<()>) -> Self {
        Self { on_key, line: Vec::new(), number: 0, trouble: None }
    }

    /// Takes the last line, which need not end with a newline.
    pub(super) fn finish(&mut self) {
        if self.trouble.is_none() && !self.line.is_empty() {
            self.take_line();
        }
    }

    fn take_line(&mut self) {
        self.number += 1;
        let line = std::mem::take(&mut self.line);
        self.trouble = match line_key(self.number, &line) {
            Ok(key) => (self.on_key)(key).is_break().then_some(BadKey::Unwanted),
            Err(error) => Some(error),
        };
    }

    fn push(&mut self, bytes: &[u8]) {
        // A line that is too long already is not gathered any further: it is refused as it stands.
        let room = (ForeignKey::MAX_LEN + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if self.line.len() > ForeignKey::MAX_LEN {
            self.take_line();
        }
    }
}

impl Stdout for Keys<'_> {
    fn receive(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(rest) => {
                    self.push(rest);
                    if self.trouble.is_none() {
                        self.take_line();
                    }
                }
                None => self.push(piece),
            }
            if self.trouble.is_some() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

/// Reads the key that was printed, less one trailing newline.
pub(super) fn parse_key(stdout: &[u8]) -> Result<ForeignKey, BadKey> {
    let line = stdout.strip_suffix(b"\n").unwrap_or(stdout);
    if line.is_empty() {
        return Err(BadKey::Nothing);
    }
    let text = std::str::from_utf8(line).map_err(|error| BadKey::Encoding(error.valid_up_to()))?;
    text.parse().map_err(BadKey::Invalid)
}

/// Reads keys printed one a line; the last line need not end with a newline.
pub(super) fn parse_keys(stdout: &[u8]) -> Result<Vec<ForeignKey>, BadKey> {
    let mut keys = Vec::new();
    let mut gather = |key| {
        keys.push(key);
        ControlFlow::Continue(())
    };
    let mut lines = Keys::new(&mut gather);
    if lines.receive(stdout).is_continue() {
        lines.finish();
    }
    match lines.trouble {
        None => Ok(keys),
        Some(error) => Err(error),
    }
}

fn line_key(line: u64, bytes: &[u8]) -> Result<ForeignKey, BadKey> {
    parse_key(bytes).map_err(|problem| BadKey::Line { line, problem: Box::new(problem) })
}
