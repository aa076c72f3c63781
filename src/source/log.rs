//! What is logged of an invocation.

use std::fmt::Write;

use slog::{KV, Logger, Record, Serializer};

use crate::log::key;

use super::contract::Run;
use super::process::Exit;

/// Logs an invocation as one event, at the severity that the contract gives its end.
pub fn log_run(log: &Logger, run: &Run) {
    crate::log::event(log, run.severity, run.message, Fields(run));
}

/// The values of an event; what does not apply is left out.
struct Fields<'a>(&'a Run);

impl KV for Fields<'_> {
    fn serialize(&self, _record: &Record<'_>, out: &mut dyn Serializer) -> slog::Result {
        let run = self.0;
        out.emit_str(key::ENTITY, run.entity.as_str())?;
        out.emit_str(key::SOURCE, run.source.as_str())?;
        out.emit_str(key::OPERATION, run.operation.as_str())?;
        if let Exit::Status(status) = run.exit {
            out.emit_i32(key::EXIT_STATUS, status)?;
        }
        if let Some(foreign_key) = &run.foreign_key {
            out.emit_str(key::FOREIGN_KEY, foreign_key.as_str())?;
        }
        if let Some(internal_key) = run.internal_key {
            out.emit_i64(key::INTERNAL_KEY, internal_key.0)?;
        }
        out.emit_u64(key::ELAPSED_MS, u64::try_from(run.elapsed.as_millis()).unwrap_or(u64::MAX))?;
        if !run.stderr.is_empty() {
            out.emit_str(key::STDERR, &run.stderr)?;
        }
        match &run.error {
            Some(error) => out.emit_str(key::ERROR, error),
            None => Ok(()),
        }
    }
}

/// Returns what a program wrote as text that is safe on a terminal: tabs and newlines stay (but for the last newlines), and
/// what a terminal would act on instead of showing it is spelled: `^[` for escape, `<U+202E>`, `<0xff>` where it is not UTF-8.
///
/// `dropped` is how many bytes came before and were let go; that is said.
pub(crate) fn visible(bytes: &[u8], dropped: u64) -> String {
    let mut text = String::with_capacity(bytes.len());
    if dropped > 0 {
        let _ = write!(text, "[{dropped} bytes left out] ");
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' | '\t' => text.push(c),
                c if c.is_ascii_control() => text.extend(['^', char::from(c as u8 ^ 0x40)]),
                c if crate::log::is_unseen(c) => {
                    let _ = write!(text, "<U+{:04X}>", c as u32);
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "<{byte:#04x}>");
        }
    }
    text.truncate(text.trim_end_matches('\n').len());
    text
}

#[cfg(test)]
mod tests {
    use super::visible;

    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(visible(bytes, 0), expected, "of {}", bytes.escape_ascii());
    }

    #[test]
    fn what_a_terminal_would_act_on_is_spelled() {
        check(b"\x1b[31mred\x1b[0m", "^[[31mred^[[0m");
        check(b"bell\x07 null\0 delete\x7f return\r", "bell^G null^@ delete^? return^M");
        check("\u{9b}31m \u{202e}desrever".as_bytes(), "<U+009B>31m <U+202E>desrever");
        check(b"latin-1 \xe9, cut off \xf0\x9f", "latin-1 <0xe9>, cut off <0xf0><0x9f>");
    }

    #[test]
    fn text_stays_as_it_is_but_for_the_last_newlines() {
        check("Grüße, 世界 🙂\n\tat line 2\n\n".as_bytes(), "Grüße, 世界 🙂\n\tat line 2");
        check(b"\n", "");
    }

    #[test]
    fn bytes_let_go_are_said() {
        assert_eq!(visible(b"end", 70_000), "[70000 bytes left out] end");
    }
}
