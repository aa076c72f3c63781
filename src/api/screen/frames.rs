//! What comes over a connection, taken apart into heads and bodies.

use bytes::{Buf, BytesMut};

use super::chunks::Chunks;
use super::head::{self, Follows, HEAD_SIZE};
use crate::api::problem::{Code, Refused};

/// Which part of what comes is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Head {
        /// Whether the server knows already that it has begun.
        is_announced: bool,
    },
    /// So many bytes of a body are to come.
    Body(u64),
    Chunks(Chunks),
    /// Whatever comes is for nobody.
    Rest,
}

/// Tells what is right in what comes.
#[derive(Debug)]
pub(super) struct Frames {
    part: Part,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Step {
    HandOn(BytesMut),
    /// The server is told that a head begins, and nothing of it.
    Announce,
    /// More has to come first.
    Await,
    /// The next head is refused: nothing of it is handed on.
    RefuseHead(Refused),
    /// The body of a request that was handed on is refused.
    RefuseBody(Refused),
}

impl Frames {
    /// Begins with a head for whose time we ourselves see to it that it ends.
    pub(super) fn new() -> Self {
        Self { part: Part::Head { is_announced: true } }
    }

    /// Tells whether a head is awaited.
    pub(super) fn awaits_head(&self) -> bool {
        matches!(self.part, Part::Head { .. })
    }

    /// Takes from `raw` what can be handed on.
    pub(super) fn next(&mut self, raw: &mut BytesMut) -> Step {
        let taken = match &mut self.part {
            Part::Head { .. } => return self.next_head(raw),
            Part::Rest => {
                raw.clear();
                return Step::Await;
            }
            Part::Body(left) => {
                let part = raw.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= part as u64;
                raw.split_to(part)
            }
            Part::Chunks(chunks) => match chunks.take(raw) {
                Ok(taken) => taken,
                Err(refused) => return Step::RefuseBody(refused),
            },
        };
        if matches!(self.part, Part::Body(0) | Part::Chunks(Chunks::End)) {
            self.part = Part::Head { is_announced: false };
        }
        if taken.is_empty() { Step::Await } else { Step::HandOn(taken) }
    }

    fn next_head(&mut self, raw: &mut BytesMut) -> Step {
        skip_empty_lines(raw);
        let known = raw.len().min(HEAD_SIZE);
        let read = if head::is_whole(&raw[..known]) { head::read(&raw[..known]) } else { Ok(None) };
        match read {
            Ok(Some(head)) => {
                self.part = match head.follows {
                    Follows::Body(0) => Part::Head { is_announced: false },
                    Follows::Body(length) => Part::Body(length),
                    Follows::Chunks => Part::Chunks(Chunks::Size),
                    Follows::Nothing => Part::Rest,
                };
                let as_it_came = raw.split_to(head.length);
                Step::HandOn(head.instead.unwrap_or(as_it_came))
            }
            Ok(None) if raw.len() >= HEAD_SIZE => {
                let detail = format!("the head of the request is larger than {HEAD_SIZE} bytes");
                Step::RefuseHead(Refused::new(Code::HeadTooLarge, detail))
            }
            Ok(None) if raw.is_empty() || self.part == (Part::Head { is_announced: true }) => Step::Await,
            Ok(None) => {
                self.part = Part::Head { is_announced: true };
                Step::Announce
            }
            Err(refused) => Step::RefuseHead(refused),
        }
    }
}

/// Some send empty lines after a body.
fn skip_empty_lines(raw: &mut BytesMut) {
    while let Some(length) = [&b"\r\n"[..], b"\n"].iter().find(|line| raw.starts_with(line)).map(|line| line.len()) {
        raw.advance(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed on of what comes in pieces, announcements as `~`, and the refusal at its end.
    fn take(text: &str, piece: usize) -> (String, Option<String>) {
        let (mut frames, mut raw, mut taken) = (Frames::new(), BytesMut::new(), String::new());
        for piece in text.as_bytes().chunks(piece) {
            raw.extend_from_slice(piece);
            loop {
                match frames.next(&mut raw) {
                    Step::Announce => taken.push('~'),
                    Step::HandOn(part) => taken.push_str(std::str::from_utf8(&part).expect("it came so")),
                    Step::Await => break,
                    Step::RefuseHead(refused) => return (taken, Some(format!("head: {refused}"))),
                    Step::RefuseBody(refused) => return (taken, Some(format!("body: {refused}"))),
                }
            }
        }
        (taken, None)
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

    #[test]
    fn requests_are_handed_on_as_they_came() {
        let all = format!("{GET}{POST}{GET}");
        assert_eq!(take(&all, 10_000), (all.clone(), None));
        for piece in [1, 3, 20] {
            let (taken, refused) = take(&all, piece);
            assert_eq!((taken.replace('~', ""), refused), (all.clone(), None));
        }
        assert_eq!(take(&all, 1).0, format!("{GET}~{POST}~{GET}"), "a head that comes slowly is announced once");
    }

    #[test]
    fn empty_lines_between_requests_are_nothing() {
        assert_eq!(take(&format!("\r\n{POST}\r\n\r\n\n{GET}\r\n"), 10_000), (format!("{POST}{GET}"), None));
    }

    #[test]
    fn nothing_is_handed_on_after_the_last_request() {
        let last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        assert_eq!(take(&format!("{GET}{last}rubbish\r\n\r\n"), 10_000), (format!("{GET}{last}"), None));
    }

    #[test]
    fn of_a_request_that_is_wrong_no_head_or_no_more_is_handed_on() {
        let (taken, refused) = take(&format!("{GET}rubbish\r\n\r\n"), 10_000);
        assert_eq!(taken, GET);
        assert!(refused.as_deref().is_some_and(|refused| refused.starts_with("head: malformed: ")), "{refused:?}");
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (taken, refused) = take(&format!("{head}-1\r\n"), 10_000);
        assert_eq!(taken, head);
        assert!(refused.as_deref().is_some_and(|refused| refused.starts_with("body: malformed: ")), "{refused:?}");
        let (taken, refused) = take(&format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(HEAD_SIZE)), 1000);
        assert_eq!(taken, "");
        assert!(refused.as_deref().is_some_and(|refused| refused.starts_with("head: head-too-large: ")), "{refused:?}");
    }
}
