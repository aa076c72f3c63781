//! Cuts a TOML text, however broken, into statements: where each begins and ends, and at which key.
//!
//! Used only to attribute syntax errors; what a good text says is for the parser.

use std::ops::Range;

use toml::de::DeTable;

/// A line such as `[server]`, or a key with its value, which may span lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement<'a> {
    pub(super) span: Range<usize>,
    /// The header above an entry, or the header itself, without brackets; empty if there is none, or it is no key.
    pub(super) header: &'a str,
    /// The key of an entry as written; `None` for a header, and for a line without a key.
    pub(super) key: Option<&'a str>,
    pub(super) form: Form,
}

/// What a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Comment,
    Header,
    Entry,
    /// An entry whose text, list or table is opened and never closed.
    Unclosed(Opened),
}

/// What was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opened {
    Text,
    List,
    Table,
}

/// Returns the statements in their order.
pub(super) fn statements(text: &str) -> Vec<Statement<'_>> {
    let mut found = Vec::new();
    let mut header = "";
    let mut at = 0;
    while let Some(start) = next_start(text, at) {
        let line = line_at(text, start);
        let statement = if line.starts_with('#') {
            Statement { span: start..start + line.len(), header, key: None, form: Form::Comment }
        } else if line.starts_with('[') {
            header = header_of(line);
            Statement { span: start..start + line.len(), header, key: None, form: Form::Header }
        } else {
            let (end, form) = end_of_entry(text, start);
            Statement { span: start..end, header, key: key_of(line), form }
        };
        at = statement.span.end;
        found.push(statement);
    }
    found
}

/// Returns where the next statement begins, white space of TOML passed over.
fn next_start(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let is_space = |at: usize, c: char| " \t\n\u{feff}".contains(c) || c == '\r' && rest[at..].starts_with("\r\n");
    rest.char_indices().find(|(at, c)| !is_space(*at, *c)).map(|(at, _)| from + at)
}

fn line_at(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default().split('\n').next().unwrap_or_default()
}

/// Returns what stands in the brackets, closed or not; empty if that is no key: what is not one may be secret.
fn header_of(line: &str) -> &str {
    let inside = line.trim_start_matches('[');
    let without_comment = inside.split('#').next().unwrap_or_default().trim_end().trim_end_matches(']');
    let to_first_bracket = inside.split(']').next().unwrap_or_default();
    [without_comment, to_first_bracket].into_iter().map(str::trim).find(|header| is_key(header)).unwrap_or_default()
}

/// Returns what stands before the first `=`, if that is a key: what is not one may be secret.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    Some(key.trim()).filter(|key| is_key(key))
}

fn is_key(text: &str) -> bool {
    text.len() <= 300 && DeTable::parse(&format!("{text} = 0")).is_ok_and(|table| table.get_ref().len() == 1)
}

/// Returns the offset past the entry that begins at `start`, and how it ends.
fn end_of_entry(text: &str, start: usize) -> (usize, Form) {
    let mut open: Vec<Opened> = Vec::new();
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' | '\'' => match end_of_text(text, at, c) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => return (before_next_header(text, at), Form::Unclosed(Opened::Text)),
            },
            '#' => {
                at += line_at(text, at).len();
                continue;
            }
            '[' => open.push(Opened::List),
            '{' => open.push(Opened::Table),
            ']' | '}' => drop(open.pop()),
            '\n' => match open.last() {
                None => return (at, Form::Entry),
                Some(opened) if statement_follows(text, at + 1, *opened) => return (at, Form::Unclosed(*opened)),
                Some(_) => {}
            },
            _ => {}
        }
        at += c.len_utf8();
    }
    (text.len(), open.first().map_or(Form::Entry, |opened| Form::Unclosed(*opened)))
}

/// Returns the offset past the text that begins at `start`. One on a single line ends with that line, closed or not.
fn end_of_text(text: &str, start: usize, quote: char) -> Option<usize> {
    let triple: String = [quote; 3].iter().collect();
    let escapes = quote == '"';
    let (opening, close, lines) =
        if text[start..].starts_with(&triple) { (3, triple.as_str(), true) } else { (1, &triple[..1], false) };
    let mut at = start + opening;
    while let Some(c) = text[at..].chars().next() {
        if text[at..].starts_with(close) {
            // Up to two quotes may stand before the three that close.
            let extra =
                if lines { text[at + 3..].chars().take(2).take_while(|next| *next == quote).count() } else { 0 };
            return Some(at + close.len() + extra);
        }
        if c == '\n' && !lines {
            return Some(at);
        }
        at += c.len_utf8();
        if escapes && c == '\\' && (lines || !text[at..].starts_with('\n')) {
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    (!lines).then_some(text.len())
}

/// Says whether the line at `at` can only be the start of another statement, whatever is still open.
fn statement_follows(text: &str, at: usize, opened: Opened) -> bool {
    let line = line_at(text, at).trim();
    match opened {
        Opened::List => is_header(line) || is_entry(line),
        Opened::Table | Opened::Text => is_header(line),
    }
}

/// A bare word in a bracket at the beginning of a line is nothing but a header: values are no bare words.
fn is_header(line: &str) -> bool {
    let name = line.trim_start_matches('[').trim_start();
    let word: &str =
        &name[..name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(name.len())];
    line.starts_with('[')
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && !["true", "false", "inf", "nan"].contains(&word)
}

fn is_entry(line: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "_-. \t".contains(c);
    line.split_once('=').is_some_and(|(key, _)| !key.trim().is_empty() && key.chars().all(good))
}

fn before_next_header(text: &str, from: usize) -> usize {
    let next = text[from..].match_indices('\n').map(|(offset, _)| from + offset);
    next.into_iter().find(|end| is_header(line_at(text, end + 1).trim())).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(usize, &str, Option<&str>, Form)> {
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        let all = statements(text).into_iter().filter(|s| s.form != Form::Comment);
        all.map(|s| (line(s.span.start), s.header, s.key, s.form)).collect()
    }

    #[test]
    fn statements_carry_their_keys() {
        let text = "# c\na = 1 # [x]\n\n[ t.\"u\" ] # c\nb = [ # ]\n 'x', \"]\\\"\",\n]\nc.d = \"\"\"\n[z]\ne = 1\"\"\"\"\"\nf = '''x\n'''\n[[w]]\ng";
        assert_eq!(
            shape(text),
            [
                (2, "", Some("a"), Form::Entry),
                (4, "t.\"u\"", None, Form::Header),
                (5, "t.\"u\"", Some("b"), Form::Entry),
                (8, "t.\"u\"", Some("c.d"), Form::Entry),
                (11, "t.\"u\"", Some("f"), Form::Entry),
                (13, "w", None, Form::Header),
                (14, "w", None, Form::Entry),
            ]
        );
    }

    #[test]
    fn what_is_no_key_is_not_taken_for_one() {
        for line in ["TOKEN \"hunter2==\"", "= 1", "a b = 1", "[x \"hunter2\"]", "[x hunter2=1"] {
            let all = statements(line);
            assert_eq!((all.len(), all[0].header, all[0].key), (1, "", None), "{line}");
        }
        let header = |line, name| (line, name, None, Form::Header);
        assert_eq!(shape("[x] hunter2\n[a.\"]#\"]\n[b.'c'"), [header(1, "x"), header(2, ""), header(3, "b.'c'")]);
    }

    #[test]
    fn what_is_never_closed_ends_where_another_statement_can_only_begin() {
        let list = Form::Unclosed(Opened::List);
        assert_eq!(shape("a = [ 1,\n 2\nb = 3\n"), [(1, "", Some("a"), list), (3, "", Some("b"), Form::Entry)]);
        assert_eq!(shape("a = [ 1,\n[t]\n"), [(1, "", Some("a"), list), (2, "t", None, Form::Header)]);
        assert_eq!(shape("a = [\n [1],\n [true],\n]\n"), [(1, "", Some("a"), Form::Entry)]);
        let table = Form::Unclosed(Opened::Table);
        assert_eq!(shape("a = { b = 1,\n c = 2\n[t]\n"), [(1, "", Some("a"), table), (3, "t", None, Form::Header)]);
        let unclosed = Form::Unclosed(Opened::Text);
        assert_eq!(
            shape("a = '''\nb = 1\n[t]\nc"),
            [(1, "", Some("a"), unclosed), (3, "t", None, Form::Header), (4, "t", None, Form::Entry)]
        );
        assert_eq!(
            shape("a = 'x\nb = \"y\\\nc = 1"),
            [(1, "", Some("a"), Form::Entry), (2, "", Some("b"), Form::Entry), (3, "", Some("c"), Form::Entry)]
        );
    }
}
