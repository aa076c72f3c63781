//! Characters that cannot be seen, or that change the order in which others are: written out, so that texts that differ look different.

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Plain(String),
    /// Characters that cannot be seen, as JSON writes them out: `\u202E`.
    Unseen(String),
}

/// Takes a text apart.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for c in text.chars() {
        match (is_unseen(c), pieces.last_mut()) {
            (true, Some(Piece::Unseen(last))) => last.push_str(&escaped(c)),
            (true, Some(Piece::Plain(_)) | None) => pieces.push(Piece::Unseen(escaped(c))),
            (false, Some(Piece::Plain(last))) => last.push(c),
            (false, Some(Piece::Unseen(_)) | None) => pieces.push(Piece::Plain(c.to_string())),
        }
    }
    pieces
}

/// Writes a text with all of it to be seen.
pub(crate) fn visible(text: &str) -> String {
    let piece = |piece| match piece {
        Piece::Plain(text) | Piece::Unseen(text) => text,
    };
    pieces(text).into_iter().map(piece).collect()
}

fn escaped(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect()
}

/// Tells whether a character leaves no mark of its own: controls, blanks other than the common ones, and what only acts on its neighbours.
fn is_unseen(c: char) -> bool {
    match c {
        '\n' | '\t' | ' '..='~' => false,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' => true,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control() || other.is_whitespace(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        let plain = |text: &str| Piece::Plain(text.to_owned());
        let unseen = |text: &str| Piece::Unseen(text.to_owned());
        assert_eq!(pieces("Änne \u{645}, 山"), [plain("Änne \u{645}, 山")]);
        assert_eq!(pieces("a\u{202e}\u{200b}b"), [plain("a"), unseen("\\u202E\\u200B"), plain("b")]);
        for hidden in
            ['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200b}', '\u{200d}', '\u{feff}', '\u{a0}', '\u{2003}']
        {
            assert_eq!(visible(&hidden.to_string()), format!("\\u{:04X}", u32::from(hidden)));
        }
        assert_eq!(visible("\u{e0041}"), "\\uDB40\\uDC41");
        assert_eq!(visible("{\n  1\n}"), "{\n  1\n}");
    }
}
