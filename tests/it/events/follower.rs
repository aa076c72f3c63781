//! One who follows the events, written for these tests alone.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::support::site::Site;
use crate::support::wait::DEADLINE;

/// A connection over which events come.
pub(super) struct Follower(BufReader<UnixStream>);

/// An event as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) id: i64,
    pub(super) kind: String,
    pub(super) data: Value,
}

impl Follower {
    /// Follows from now on, or from after an event.
    #[track_caller]
    pub(super) fn open(site: &Site, path: &str, last: Option<i64>) -> Self {
        Self::open_at(&site.socket(), path, last)
    }

    #[track_caller]
    pub(super) fn open_at(socket: &Path, path: &str, last: Option<i64>) -> Self {
        let mut stream = UnixStream::connect(socket).expect("it is served");
        stream.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
        let seen = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        // By this version of HTTP what comes is not cut into chunks.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{seen}\r\n").expect("it is read");
        let mut follower = Self(BufReader::new(stream));
        let head: Vec<String> = std::iter::from_fn(|| Some(follower.line()).filter(|line| !line.is_empty())).collect();
        assert!(head[0].contains(" 200 "), "{head:?}");
        let is_stream = head.iter().any(|line| line.to_lowercase() == "content-type: text/event-stream");
        let is_chunked = head.iter().any(|line| line.to_lowercase().starts_with("transfer-encoding"));
        assert!(is_stream && !is_chunked, "{head:?}");
        follower
    }

    /// Reads a line; empty at the end.
    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("something comes in time");
        line.trim_end().to_owned()
    }

    /// Waits for the next event.
    #[track_caller]
    pub(super) fn next(&mut self) -> Told {
        let mut told = Told { id: 0, kind: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).expect("something comes in time");
            assert!(read > 0, "the stream has ended after {told:?}");
            let line = line.trim_end_matches('\n');
            match line.split_once(": ") {
                Some(("id", id)) => told.id = id.parse().expect("a number"),
                Some(("event", kind)) => kind.clone_into(&mut told.kind),
                Some(("data", data)) => told.data = serde_json::from_str(data).expect("JSON"),
                _ if line.is_empty() && !told.kind.is_empty() => return told,
                _ => {}
            }
        }
    }

    #[track_caller]
    pub(super) fn take(&mut self, number: usize) -> Vec<Told> {
        (0..number).map(|_| self.next()).collect()
    }

    /// Waits for an event of this kind; gives all until then, it included.
    #[track_caller]
    pub(super) fn until(&mut self, kind: &str) -> Vec<Told> {
        let mut told = vec![self.next()];
        while told.last().is_some_and(|last| last.kind != kind) {
            told.push(self.next());
        }
        told
    }

    /// Waits for a line that says nothing.
    #[track_caller]
    pub(super) fn expect_comment(&mut self) {
        while self.line() != ":" {}
    }

    /// Expects that nothing comes any more.
    #[track_caller]
    pub(super) fn expect_end(&mut self) {
        let mut rest = String::new();
        while self.0.read_line(&mut rest).expect("it ends in time") > 0 {}
    }
}
