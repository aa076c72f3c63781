//! Finds every path that a Rust file names, in `use` and in the middle of code, as seen from the root of the crate.

use std::collections::BTreeMap;

use super::tokens::{Token, tokens};

/// A path, resolved: `["crate", "store", ...]` or `["tokio", ...]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) path: Vec<String>,
    /// Whether all below the path is meant.
    pub(super) glob: bool,
    pub(super) line: usize,
}

/// Gives what a file names whose own place in the crate is `module`, e.g. `["crate", "domain", "merge"]`.
pub(super) fn paths(source: &str, module: &[&str]) -> Vec<Named> {
    let mut reader = Reader {
        tokens: tokens(source),
        at: 0,
        module: module.iter().map(|name| (*name).to_owned()).collect(),
        opened: Vec::new(),
        depth: 0,
        aliases: BTreeMap::new(),
        found: Vec::new(),
    };
    // Twice: a name may be used above the `use` that explains it.
    for _ in 0..2 {
        (reader.at, reader.depth) = (0, 0);
        reader.found.clear();
        reader.read();
    }
    reader.found
}

/// Tells whether code is asynchronous anywhere, and on which line.
pub(super) fn asynchronous(source: &str) -> Option<usize> {
    tokens(source).into_iter().find(|token| matches!(token.text.as_str(), "async" | "await")).map(|token| token.line)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    module: Vec<String>,
    /// The depth of braces at which each module in this file was opened.
    opened: Vec<usize>,
    depth: usize,
    /// What names of this file stand for.
    aliases: BTreeMap<String, Vec<String>>,
    found: Vec<Named>,
}

impl Reader {
    fn read(&mut self) {
        while self.at < self.tokens.len() {
            match self.text(0) {
                "use" if self.text(1) != "<" => {
                    self.at += 1;
                    self.tree(&[]);
                }
                "extern" if self.text(1) == "crate" => {
                    self.at += 2;
                    self.tree(&[]);
                }
                "mod" if self.text(2) == "{" => {
                    self.module.push(self.text(1).to_owned());
                    self.opened.push(self.depth);
                    self.at += 2;
                }
                "{" => {
                    self.depth += 1;
                    self.at += 1;
                }
                "}" => self.close(),
                "::" => self.path_in_code(Vec::new()),
                text if is_name(text) => self.path_in_code(vec![text.to_owned()]),
                _ => self.at += 1,
            }
        }
    }

    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text.as_str())
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |token| token.line)
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.opened.last() == Some(&self.depth) {
            self.opened.pop();
            self.module.pop();
        }
        self.at += 1;
    }

    /// Reads a path in the middle of code, whose first name, if it has one, is `path`.
    fn path_in_code(&mut self, mut path: Vec<String>) {
        let (line, relative) = (self.line(), !path.is_empty());
        // A method or a field is no path.
        let is_member = self.at > 0 && self.tokens[self.at - 1].text == ".";
        self.at += usize::from(relative);
        while self.text(0) == "::" && is_name(self.text(1)) {
            path.push(self.text(1).to_owned());
            self.at += 2;
        }
        if self.text(0) == "::" {
            self.at += 1;
        }
        if !is_member && path.len() > usize::from(relative) {
            let path = if relative { self.resolve(path) } else { path };
            self.found.push(Named { path, glob: false, line });
        }
    }

    /// Reads one tree of a `use`, below `prefix`; stops behind it.
    fn tree(&mut self, prefix: &[String]) {
        let (mut path, line) = (prefix.to_vec(), self.line());
        loop {
            match self.text(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while !matches!(self.text(0), "}" | "") {
                        self.tree(&path);
                        self.at += usize::from(self.text(0) == ",");
                    }
                    self.at += 1;
                    return;
                }
                "*" => {
                    self.at += 1;
                    self.found.push(Named { path: self.resolve(path), glob: true, line });
                    return;
                }
                name if is_name(name) && name != "as" => {
                    path.push(name.to_owned());
                    self.at += 1;
                }
                _ => break,
            }
        }
        // `use a::b::{self}` is `use a::b`.
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut alias = path.last().cloned().unwrap_or_default();
        if self.text(0) == "as" {
            alias = self.text(1).to_owned();
            self.at += 2;
        }
        let path = self.resolve(path);
        if path.first() != Some(&alias) {
            self.aliases.insert(alias, path.clone());
        }
        self.found.push(Named { path, glob: false, line });
    }

    /// Gives a path from the root of the crate.
    fn resolve(&self, path: Vec<String>) -> Vec<String> {
        let mut base = self.module.clone();
        let mut rest = path.as_slice();
        match rest.first().map(String::as_str) {
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|name| name == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            Some("crate" | "retcon") => {
                base = vec!["crate".to_owned()];
                rest = &rest[1..];
            }
            Some(first) => match self.aliases.get(first) {
                Some(meant) => {
                    base = meant.clone();
                    rest = &rest[1..];
                }
                None => base.clear(),
            },
            None => base.clear(),
        }
        base.extend_from_slice(rest);
        base
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}
