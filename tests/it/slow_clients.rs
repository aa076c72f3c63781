//! Clients that send too slowly, or too much: they are let go, and the socket answers everybody else meanwhile.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::wait::DEADLINE;

/// How many of them there are at once: more than the daemon has threads, and than it would have room for in a backlog.
const CLIENTS: usize = 300;
const MIB: usize = 1 << 20;

/// Connects and sends the beginning of a request.
fn begin(socket: &Path, text: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).expect("it is served");
    stream.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
    stream.write_all(text.as_bytes()).expect("it is taken");
    stream
}

/// What comes until the daemon closes the connection.
#[track_caller]
fn rest(mut stream: UnixStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the daemon closes the connection");
    answer
}

/// The most memory that the daemon ever had, in bytes.
#[track_caller]
fn most_memory(daemon: &Daemon<'_>) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

#[test]
fn clients_that_do_not_go_on_are_let_go_and_hold_nobody_up() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let daemon = site.start();
    let socket = daemon.socket();
    let half_a_head = "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-";
    let no_body = "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{";
    let heads: Vec<_> = (0..CLIENTS).map(|_| begin(&socket, half_a_head)).collect();
    let bodies: Vec<_> = (0..CLIENTS).map(|_| begin(&socket, no_body)).collect();
    // Not one of them has had an answer yet, and everybody else has.
    for client in heads.iter().chain(&bodies) {
        client.set_nonblocking(true).expect("it is a socket");
        let early = (&*client).read(&mut [0; 1]);
        assert_eq!(early.map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock));
        client.set_nonblocking(false).expect("it is a socket");
    }
    site.system("crm").put("1", r#"{"name":"Ann"}"#);
    site.notify("crm", "1");
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Ann"}"#]);
    for client in heads {
        let answer = rest(client);
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("head-timeout"), "{answer}");
    }
    for client in bodies {
        let answer = rest(client);
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body-timeout"), "{answer}");
    }
    daemon.stop();
}

#[test]
fn bodies_of_50_mib_are_refused_and_fill_no_memory() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let daemon = site.start();
    site.get("/v1/status");
    let before = most_memory(&daemon);
    let body = "x".repeat(50 * MIB);
    for _ in 0..5 {
        site.http("POST", "/v1/notifications", Some(&body)).has_problem(413, "body-too-large");
    }
    let chunked = "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut stream = begin(&daemon.socket(), chunked);
    // It is refused half-way; whether the daemon takes the rest does not matter.
    drop(write!(stream, "{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    let mut head = [0; 13];
    stream.read_exact(&mut head).expect("it answers");
    assert_eq!(&head, b"HTTP/1.1 413 ");
    let grown = most_memory(&daemon).saturating_sub(before);
    assert!(grown < 20 * MIB, "{grown} bytes more");
    site.get("/v1/status");
    daemon.stop();
}
