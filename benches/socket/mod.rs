//! The daemon's socket, asked without a client that could take time itself.

#![allow(dead_code, reason = "each bench uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Asks the daemon in a directory, on a connection of its own: the status and all of the answer; `None` if it does not answer.
pub fn ask(directory: &Path, method: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = UnixStream::connect(directory.join("state/retcon.sock")).ok()?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer))
}

/// Whether the daemon in a directory is ready.
pub fn is_ready(directory: &Path) -> bool {
    ask(directory, "GET", "/readyz").is_some_and(|(status, _)| status == 200)
}

/// A connection that is kept.
pub struct Connection(BufReader<UnixStream>);

impl Connection {
    /// Connects to the daemon in a directory.
    pub fn open(dir: &Path) -> Self {
        Self(BufReader::new(UnixStream::connect(dir.join("state/retcon.sock")).expect("the daemon listens")))
    }

    /// Posts, and expects 202.
    pub fn post(&mut self, path: &str, body: &str) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(head.as_bytes()).expect("the daemon reads");
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the daemon answers");
        assert!(line.starts_with("HTTP/1.1 202 "), "{line}");
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).expect("the daemon answers");
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).expect("the daemon answers");
    }
}
