//! Cuts Rust source into words and marks, without comments, strings and lifetimes.

/// A piece of source, with its line from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

/// Gives names (raw ones without `r#`), `::`, and every other mark by itself.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let (mut found, mut line, mut at) = (Vec::new(), 1, 0);
    while at < chars.len() {
        let (text, length) = next(&chars[at..]);
        if let Some(text) = text {
            found.push(Token { text, line });
        }
        line += chars[at..at + length].iter().filter(|c| **c == '\n').count();
        at += length;
    }
    found
}

/// Gives the token at the front, if what stands there is one, and how many characters it takes.
fn next(rest: &[char]) -> (Option<String>, usize) {
    match rest {
        ['/', '/', ..] => (None, rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())),
        ['/', '*', ..] => (None, block_comment(rest)),
        ['r' | 'b' | 'c', ..] if prefixed_string(rest).is_some() => (None, prefixed_string(rest).unwrap_or(1)),
        ['"', ..] => (None, string(rest)),
        ['\'', ..] => (None, character_or_lifetime(rest)),
        [':', ':', ..] => (Some("::".to_owned()), 2),
        ['r', '#', c, ..] if is_name(*c) => {
            let length = name_length(&rest[2..]);
            (Some(rest[2..2 + length].iter().collect()), 2 + length)
        }
        [c, ..] if is_name(*c) => {
            let length = name_length(rest);
            (Some(rest[..length].iter().collect()), length)
        }
        [c, ..] if c.is_whitespace() => (None, 1),
        [c, ..] => (Some(c.to_string()), 1),
        [] => (None, 0),
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn name_length(rest: &[char]) -> usize {
    rest.iter().position(|c| !is_name(*c)).unwrap_or(rest.len())
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// `r".."`, `r#".."#`, `b".."`, `br".."`, `c".."`, `b'.'`.
fn prefixed_string(rest: &[char]) -> Option<usize> {
    let letters = rest.iter().take_while(|c| matches!(c, 'r' | 'b' | 'c')).count();
    let raw = rest[..letters].contains(&'r');
    let hashes = rest[letters..].iter().take_while(|c| **c == '#').count();
    match rest.get(letters + hashes) {
        Some('"') if raw => {
            let start = letters + hashes + 1;
            let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let length = rest[start..].windows(end.len()).position(|window| window == end);
            Some(length.map_or(rest.len(), |length| start + length + end.len()))
        }
        Some('"') if hashes == 0 && letters == 1 => Some(1 + string(&rest[1..])),
        Some('\'') if hashes == 0 && rest[0] == 'b' && letters == 1 => Some(1 + character_or_lifetime(&rest[1..])),
        _ => None,
    }
}

fn character_or_lifetime(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', ..] => 3 + rest[3..].iter().position(|c| *c == '\'').unwrap_or(0) + 1,
        ['\'', _, '\'', ..] => 3,
        _ => 1 + name_length(&rest[1..]),
    }
}
