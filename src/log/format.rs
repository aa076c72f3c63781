//! How an event looks on its line.

use std::fmt::Write;

use crate::config::model::Severity;

use super::event::{Event, Value};
use super::is_unseen;

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `TIME SEVERITY message key=value ...`.
    Text { coloured: bool },
    /// An object with `time`, `level`, `msg`, and the keys.
    Json,
    /// Text without the time, behind the severity's number as systemd wants it.
    Journal,
}

impl Format {
    /// Returns the event on one line, with its newline; no value can break the line or act on a terminal.
    pub(super) fn line(self, event: &Event) -> String {
        match self {
            Self::Text { coloured } => {
                let name = name(event.severity);
                let name = match colour(event.severity) {
                    Some(code) if coloured => format!("\x1b[{code}m{name}\x1b[0m"),
                    Some(_) | None => name.to_owned(),
                };
                format!("{} {name} {}\n", time(event), text(event))
            }
            Self::Json => json(event),
            Self::Journal => format!("<{}>{} {}\n", event.severity as u8, name(event.severity), text(event)),
        }
    }
}

/// Returns the name of a severity, as lines show it.
fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Emerg => "EMERG",
        Severity::Alert => "ALERT",
        Severity::Crit => "CRIT",
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Notice => "NOTICE",
        Severity::Info => "INFO",
        Severity::Debug => "DEBUG",
    }
}

/// Returns the code by which a terminal shows the severity; `None`: as any other text.
fn colour(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Emerg | Severity::Alert | Severity::Crit => Some("1;31"),
        Severity::Error => Some("31"),
        Severity::Warning => Some("33"),
        Severity::Notice => Some("1"),
        Severity::Info => None,
        Severity::Debug => Some("2"),
    }
}

fn time(event: &Event) -> String {
    format!("{:.3}", event.time)
}

fn text(event: &Event) -> String {
    let mut line = String::new();
    escape(&mut line, &event.message);
    for (key, value) in &event.values {
        let _ = write!(line, " {key}=");
        match value {
            Value::Plain(value) => line.push_str(value),
            Value::Text(value) if stands_alone(value) => line.push_str(value),
            Value::Text(value) => {
                line.push('"');
                escape(&mut line, value);
                line.push('"');
            }
        }
    }
    line
}

/// Tells whether a reader sees without quotes where the value ends.
fn stands_alone(value: &str) -> bool {
    let shown = |c: char| !is_unseen(c) && !c.is_whitespace() && !matches!(c, '"' | '\\' | '=');
    !value.is_empty() && value.chars().all(shown)
}

/// Writes text so that it stays on its line: as between the quotes of a JSON string.
fn escape(line: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if is_unseen(c) => {
                let _ = write!(line, "\\u{:04x}", c as u32);
            }
            c => line.push(c),
        }
    }
}

fn json(event: &Event) -> String {
    let mut line = format!("{{\"time\":\"{}\",\"level\":\"{}\",\"msg\":", time(event), name(event.severity));
    quote(&mut line, &event.message);
    for (key, value) in &event.values {
        line.push(',');
        quote(&mut line, key);
        line.push(':');
        match value {
            Value::Plain(value) => line.push_str(value),
            Value::Text(value) => quote(&mut line, value),
        }
    }
    line.push_str("}\n");
    line
}

fn quote(line: &mut String, value: &str) {
    line.push('"');
    escape(line, value);
    line.push('"');
}
