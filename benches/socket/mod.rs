//! The daemon's socket, asked without a client that could take time itself.

use std::io::{Read, Write};
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
