//! Standard output: written whole, quiet when nobody reads it any more, coloured on a terminal alone.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, Color, ContentArrangement, Table};

use super::error::CliError;
use crate::log::is_unseen;

/// Longer lines of a cell are folded: one makes its whole column as wide.
const WIDEST: usize = 200;

/// Writes a text, with a line feed at its end.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let line_feed: &[u8] = if text.ends_with('\n') || text.is_empty() { b"" } else { b"\n" };
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(line_feed)).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => CliError::Closed,
        _ => CliError::Output(error),
    })
}

/// Writes a remark to standard error; that it cannot be written changes nothing.
pub(super) fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says whether standard output is a terminal that may be coloured.
pub(super) fn coloured() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    !refused && !dumb && io::stdout().is_terminal()
}

/// Starts a table without lines; on a terminal it fits the width.
pub(super) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(head.iter().map(Cell::new));
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    if coloured() {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

/// Renders a table without white space at the ends of its lines.
pub(super) fn lines(table: &mut Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

/// A cell of any text: long lines are folded, and what a terminal would act on instead of showing it is spelled.
pub(super) fn cell(text: impl ToString) -> Cell {
    Cell::new(shown(&text.to_string()))
}

fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut width = 0;
    for c in text.chars() {
        if c == '\n' {
            width = 0;
        } else if width == WIDEST {
            shown.push('\n');
            width = 1;
        } else {
            width += 1;
        }
        match c {
            c if c != '\n' && is_unseen(c) => shown.push_str(&format!("\\u{{{:04x}}}", c as u32)),
            c => shown.push(c),
        }
    }
    shown
}

/// A cell that stands out if something is wrong.
pub(super) fn state(word: &str, well: bool) -> Cell {
    let cell = cell(word);
    if well { cell } else { cell.fg(Color::Red) }
}

/// Writes seconds for people, in its two greatest units.
pub(super) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Cuts a time to its second.
pub(super) fn second(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}

/// Names what something is limited to.
pub(super) fn limit(names: &[String]) -> String {
    if names.is_empty() { "all".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_wider_than_can_be_read_and_turns_nothing_round() {
        assert_eq!(shown("a\nb"), "a\nb");
        assert_eq!(shown("\u{202e}live\u{1b}[31m"), "\\u{202e}live\\u{001b}[31m");
        let folded = shown(&"k".repeat(410));
        assert_eq!(folded.lines().map(str::len).collect::<Vec<_>>(), [200, 200, 10]);
    }
}
