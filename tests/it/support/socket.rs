//! A client of the HTTP API over the unix socket, written for these tests alone, so that no error of ours is made twice.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use super::wait::DEADLINE;

/// What the daemon answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) request: String,
    pub(crate) status: u16,
    /// The lines above the body, as they came.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Expects a status, and comes back for more.
    #[track_caller]
    pub(crate) fn has_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Expects a problem document (RFC 9457) of this status and code.
    #[track_caller]
    pub(crate) fn has_problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.json()["code"].as_str()), (status, Some(code)), "{self}");
        assert!(self.head.to_lowercase().contains("content-type: application/problem+json"), "{self}");
        self
    }

    /// The value of a header, if it came once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().filter_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        values.next().filter(|_| values.next().is_none())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}\n{}\n\n{}\n", self.request, self.head, self.body)
    }
}

/// Sends one request, on a connection of its own; a body is JSON.
pub(crate) fn call(socket: &Path, method: &str, path: &str, body: Option<&[u8]>) -> io::Result<Answer> {
    let json = [("Content-Type", "application/json")];
    call_with(socket, method, path, if body.is_some() { &json } else { &[] }, body)
}

/// Likewise, with these headers.
pub(crate) fn call_with(
    socket: &Path,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let request = format!("{method} {path}");
    let mut head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(body) = body {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    // A daemon that refuses a body need not read it: what counts is its answer.
    let sent = stream.write_all(body.unwrap_or_default());
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.is_empty() {
        sent?;
    }
    parse(request, &answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, String::from_utf8_lossy(&answer)))
}

pub(super) fn parse(request: String, answer: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(body)? } else { body.to_owned() };
    Some(Answer { request, status, head: head.to_owned(), body })
}

fn unchunk(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, chunk) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body += chunk.get(..size)?;
        rest = chunk.get(size..)?.strip_prefix("\r\n")?;
    }
}
