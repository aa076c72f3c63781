//! Reads a TOML text that may be broken in several places, and says of each at which key the broken value began.
//!
//! The parser's own recovery goes on after a mistake, but an unclosed list swallows the sections below it. So each broken
//! statement is blanked out and the text is parsed again, until what is left is good; the rest of the file is then checked in full.

mod statement;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::statement::{Form, Opened, Statement, statements};
use super::finding::Finding;
use super::key_path::KeyPath;
use super::places::{Places, SourceText};
use super::schema::form::quote;

/// After so many broken statements the rest is not looked at.
const MANY: usize = 100;

/// What the parser calls a key that stands twice; it then goes on with the first, or with both tables as one.
const DUPLICATE: &str = "duplicate key";

/// Finds every broken statement of `source`, hands each to `errors`, and returns the text without them, offsets unchanged.
pub(crate) fn repair(source: &SourceText<'_>, places: &mut Places, errors: &mut Vec<Finding>) -> String {
    let all = statements(source.text);
    let mut text = source.text.to_owned();
    let mut reported = Vec::new();
    while let Some((broken, message)) = first_broken(&all, &text, &reported) {
        errors.push(finding(source, &all, broken, &message));
        reported.push(broken.index);
        if message == DUPLICATE {
            continue;
        }
        places.lose(path_of(&all[broken.index]).unwrap_or_default());
        blank(&mut text, &all, broken.index);
        if reported.len() == MANY {
            text = " ".repeat(text.len());
        }
    }
    text
}

/// A statement, and the offset at which the parser noticed.
#[derive(Debug, Clone, Copy)]
struct Broken {
    index: usize,
    offset: usize,
}

/// Returns the first broken statement that is not yet reported, with the parser's message.
///
/// To blame is the statement that stands where the parser noticed, unless an unclosed one above it reaches down there.
fn first_broken(all: &[Statement<'_>], text: &str, reported: &[usize]) -> Option<(Broken, String)> {
    let is_there = |statement: &Statement<'_>| !text[statement.span.clone()].trim().is_empty();
    let unclosed = |statement: &Statement<'_>| matches!(statement.form, Form::Unclosed(_)) && is_there(statement);
    let first_unclosed = all.iter().position(unclosed).unwrap_or(usize::MAX);
    let (_, parser_errors) = DeTable::parse_recoverable(text);
    parser_errors
        .iter()
        .map(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let here = all.partition_point(|statement| statement.span.start <= offset).saturating_sub(1);
            (Broken { index: here.min(first_unclosed), offset }, error.message())
        })
        .filter(|(broken, _)| broken.index < all.len() && !reported.contains(&broken.index))
        .min_by_key(|(broken, _)| (broken.index, broken.offset))
        .map(|(broken, message)| (broken, message.to_owned()))
}

fn finding(source: &SourceText<'_>, all: &[Statement<'_>], broken: Broken, message: &str) -> Finding {
    let statement = &all[broken.index];
    let key = [Some(statement.header), statement.key].into_iter().flatten().filter(|part| !part.is_empty());
    let offset = if statement.span.contains(&broken.offset) { broken.offset } else { statement.span.end };
    let (offset, message) = match statement.form {
        Form::Unclosed(opened) => {
            (statement.span.start, format!("the {} that begins here is never closed", name_of(opened)))
        }
        Form::Header | Form::Entry | Form::Comment if message == DUPLICATE => {
            (offset, duplicate(source, all, statement, offset))
        }
        Form::Entry if statement.key.is_none() => {
            (offset, format!("not TOML{}: {message}", beginning(source, statement)))
        }
        Form::Entry if has_no_value(source, statement) => (offset, "the value is missing".to_owned()),
        Form::Header | Form::Entry | Form::Comment => (offset, format!("not TOML: {message}")),
    };
    Finding { place: source.place(offset), key: key.collect::<Vec<_>>().join("."), message, hint: None }
}

fn name_of(opened: Opened) -> &'static str {
    match opened {
        Opened::Text => "text",
        Opened::List => "list",
        Opened::Table => "table",
    }
}

fn duplicate(source: &SourceText<'_>, all: &[Statement<'_>], again: &Statement<'_>, offset: usize) -> String {
    let same =
        |other: &&Statement<'_>| other.form == again.form && (other.header, other.key) == (again.header, again.key);
    let name = word_at(source.text, offset);
    match all.iter().find(same) {
        Some(first) if first != again => {
            format!("{name} stands twice, first in line {}", source.line(first.span.start))
        }
        Some(_) | None => format!("{name} stands twice"),
    }
}

/// Says what a line without a key begins with, but for one that may hold a secret.
fn beginning(source: &SourceText<'_>, statement: &Statement<'_>) -> String {
    let word = word_at(source.text, statement.span.start);
    let may_be_secret = statement.header.rsplit('.').next() == Some("env");
    if may_be_secret || word == "\"\"" { String::new() } else { format!(", in the line that begins with {word}") }
}

fn has_no_value(source: &SourceText<'_>, statement: &Statement<'_>) -> bool {
    let value = source.text[statement.span.clone()].split_once('=').map(|(_, value)| value.trim_start());
    value.is_some_and(|value| value.is_empty() || value.starts_with('#'))
}

/// Returns what looks like a bare key at `offset`, in quotes.
fn word_at(text: &str, offset: usize) -> String {
    let rest = text.get(offset..).unwrap_or_default();
    quote(&rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(rest.len())])
}

/// Returns the path of the setting that a statement sets, if it can be read.
fn path_of(statement: &Statement<'_>) -> Option<KeyPath> {
    let key = [Some(statement.header), statement.key].into_iter().flatten().filter(|part| !part.is_empty());
    let line = format!("{} = 0", key.collect::<Vec<_>>().join("."));
    let table = DeTable::parse(&line).ok()?;
    let mut path = KeyPath::default();
    let mut inner = Some(table.get_ref());
    while let Some((name, value)) = inner.and_then(|table| table.iter().next()) {
        path = path.key(name.get_ref());
        inner = table_of(value);
    }
    Some(path)
}

fn table_of<'a, 'i>(value: &'a Spanned<DeValue<'i>>) -> Option<&'a DeTable<'i>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// Blanks out a statement; with a header also what stands below it, which would otherwise count to another section.
fn blank(text: &mut String, all: &[Statement<'_>], index: usize) {
    let start = all[index].span.start;
    let below = &all[index + 1..];
    let end = match all[index].form {
        Form::Header => below.iter().find(|next| next.form == Form::Header).map_or(text.len(), |next| next.span.start),
        Form::Comment | Form::Entry | Form::Unclosed(_) => all[index].span.end,
    };
    let blanks: String = text[start..end].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    text.replace_range(start..end, &blanks);
}
