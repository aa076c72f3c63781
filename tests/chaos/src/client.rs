//! A client of the daemons' HTTP API over their unix sockets, which enters in the books what it sends.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::books::{Answer, ClientLine, NotifiedItem, RunDir, append};
use crate::clock;

/// Sends one request, on a connection of its own.
///
/// # Errors
/// Nobody listens, or there was no whole answer in time: the request may have been served all the same.
pub fn call(socket: &Path, method: &str, path: &str, body: Option<&Value>, patience: Duration) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let kind = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{kind}{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is none of HTTP"))
}

/// Tells whether nobody listened: not a byte of the request was sent.
pub fn is_unheard(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let lower = head.to_ascii_lowercase();
    let length =
        lower.split("\r\n").find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let whole = if lower.contains("transfer-encoding: chunked") { unchunk(body)? } else { body.to_owned() };
    if length.is_some_and(|length| whole.len() != length) {
        return None;
    }
    Some(Answer { status, body: serde_json::from_str(&whole).unwrap_or(Value::Null) })
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

/// Where the daemons' sockets are: the `n`-th daemon, from 1, has its state in `dN`.
pub fn socket(run: &RunDir, daemon: u32) -> PathBuf {
    run.path().join(format!("d{daemon}/retcon.sock"))
}

/// Posts a notification to one daemon, enters it in the books, and says whether it was acknowledged.
pub fn notify(run: &RunDir, client: &str, daemon: u32, copy: (&str, &str, &str), patience: Duration) -> bool {
    let (entity, source, key) = copy;
    let sent = clock::now();
    let body = json!({"entity": entity, "source": source, "key": key});
    let answer = call(&socket(run, daemon), "POST", "/v1/notifications", Some(&body), patience);
    if answer.as_ref().is_err_and(is_unheard) {
        return false;
    }
    let answer = answer.ok();
    let item = answer.as_ref().map_or(&Value::Null, |answer| &answer.body["work_items"][0]);
    let line = ClientLine {
        client: client.to_owned(),
        daemon,
        sent,
        answered: answer.is_some().then(clock::now),
        status: answer.as_ref().map(|answer| answer.status),
        items: vec![NotifiedItem {
            entity: entity.to_owned(),
            source: source.to_owned(),
            key: key.to_owned(),
            work_item: item["id"].as_i64(),
            coalesced: item["coalesced"].as_bool(),
        }],
    };
    let is_acknowledged = answer.is_some_and(|answer| (200..300).contains(&answer.status));
    append(&run.clients_path(), &line).is_ok() && is_acknowledged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_cut_off_is_none() {
        let whole = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(parse(whole).map(|answer| answer.status), Some(202));
        assert!(parse(&whole[..whole.len() - 1]).is_none());
    }

    #[test]
    fn an_answer_in_chunks_is_put_together() {
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
        assert_eq!(parse(chunks).map(|answer| answer.body), Some(json!({"a": 1})));
    }
}
