//! What is wrong as HTTP is refused in words like everything else, over TCP and at the socket, at once and on a connection that
//! was good before; what can be answered is answered, and nobody is waited for without end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, token};
use crate::support::wait::DEADLINE;

/// Where the daemon is asked, and with what.
enum Door {
    Socket(PathBuf),
    Tcp(SocketAddr, String),
}

impl Door {
    /// The field by which somebody is let in here.
    fn credentials(&self) -> String {
        match self {
            Self::Socket(_) => String::new(),
            Self::Tcp(_, token) => format!("Authorization: Bearer {token}\r\n"),
        }
    }

    /// A request that is right, after which the connection stays.
    fn good(&self) -> String {
        format!("GET /v1/config HTTP/1.1\r\nHost: localhost\r\n{}\r\n", self.credentials())
    }

    /// Sends a text, and returns the answers that come until the daemon closes the connection: status and body.
    #[track_caller]
    fn send(&self, text: &str) -> Vec<(u16, String)> {
        let answers = match self {
            Self::Socket(path) => {
                let stream = UnixStream::connect(path).expect("it is served");
                stream.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
                exchange(stream, text)
            }
            Self::Tcp(address, _) => {
                let stream = TcpStream::connect(address).expect("it listens");
                stream.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
                exchange(stream, text)
            }
        };
        parse(&answers)
    }

    /// Expects a problem as the last of so many answers.
    #[track_caller]
    fn refuses(&self, text: &str, answers: usize, status: u16, code: &str) {
        let shown: String = text.chars().take(300).collect();
        let found = self.send(text);
        assert_eq!(found.len(), answers, "{shown:?}: {found:?}");
        let (found, body) = found.last().expect("there is one");
        let problem: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{shown:?}: {error}: {body:?}"));
        assert_eq!((*found, problem["code"].as_str()), (status, Some(code)), "{shown:?}: {problem}");
        assert_eq!(problem["status"], status, "{shown:?}");
    }
}

#[track_caller]
fn exchange(mut stream: impl Read + Write, text: &str) -> Vec<u8> {
    stream.write_all(text.as_bytes()).expect("it is taken");
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).expect("the daemon answers and closes the connection");
    answers
}

/// Takes answers apart, each of which says how long it is.
#[track_caller]
fn parse(answers: &[u8]) -> Vec<(u16, String)> {
    let mut rest = std::str::from_utf8(answers).expect("it is text");
    let mut found = Vec::new();
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect(head);
        let head = head.to_lowercase();
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).expect(&head);
        assert!(status < 400 || head.contains("content-type: application/problem+json"), "{head}");
        let (body, after) = after.split_at(length);
        found.push((status, body.to_owned()));
        rest = after;
    }
    assert_eq!(rest, "", "it ends with an answer");
    found
}

/// Tries something at the socket and over TCP, at the same time.
#[track_caller]
fn at_both(act: impl Fn(&Door) + Sync) {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    let operate = token(&site, "operate", "operate", &[]);
    let (act, doors) = (&act, [Door::Socket(site.socket()), Door::Tcp(address, operate)]);
    std::thread::scope(|scope| doors.iter().for_each(|door| drop(scope.spawn(move || act(door)))));
    // Nothing of it was carried out, and everybody else is served.
    assert_eq!(site.get("/v1/work-items")["items"], serde_json::json!([]));
    daemon.stop();
}

#[test]
fn a_head_that_is_wrong_is_refused_in_words() {
    let get = |fields: &str| format!("GET /v1/status HTTP/1.1\r\n{fields}\r\n");
    let post = |fields: &str| format!("POST /v1/reload HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    let cases = [
        get(""),
        get("Host: localhost\r\nHost: localhost\r\n"),
        get("Host: localhost\r\nX: \0\r\n"),
        get("Host: localhost\r\nX: a\r\n b\r\n"),
        get("Host: localhost\r\nno field\r\n"),
        post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
        post("Content-Length: 2\r\nContent-Length: 2\r\n"),
        post("Content-Length: 2\r\nContent-Length: 3\r\n"),
        post("Content-Length: -1\r\n"),
        post("Content-Length: +1\r\n"),
        post("Content-Length: two\r\n"),
        post("Transfer-Encoding: gzip, chunked\r\n"),
        post("Transfer-Encoding: identity\r\n"),
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        "POST /v1/reload HTTP/1.0\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /v1/status\r\n\r\n".to_owned(),
        "GET /v1/status HTTP/1.2\r\nHost: localhost\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "hello\r\n\r\n".to_owned(),
    ];
    at_both(|door| {
        for case in &cases {
            door.refuses(case, 1, 400, "malformed");
            door.refuses(&format!("{}{case}", door.good()), 2, 400, "malformed");
        }
    });
}

#[test]
fn a_head_that_is_too_large_is_refused_in_words() {
    let get = |fields: &str| format!("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    let large = get(&format!("X: {}\r\n", "x".repeat(16 << 10)));
    let many = get(&"X: y\r\n".repeat(96));
    at_both(|door| {
        for case in [&large, &many] {
            door.refuses(case, 1, 431, "head-too-large");
            door.refuses(&format!("{}{case}", door.good()), 2, 431, "head-too-large");
        }
        let fields = format!("{}{}Connection: close\r\n", door.credentials(), "X: y\r\n".repeat(90));
        assert_eq!(door.send(&get(&fields))[0].0, 200, "so many there may be");
    });
}

#[test]
fn a_head_that_does_not_go_on_is_given_up_also_on_a_connection_that_was_good() {
    let cut = "GET /v1/status HTTP/1.1\r\nHost: loc";
    at_both(|door| {
        // Each is waited for as long.
        std::thread::scope(|scope| {
            scope.spawn(|| door.refuses(cut, 1, 408, "head-timeout"));
            scope.spawn(|| door.refuses(&format!("{}{cut}", door.good()), 2, 408, "head-timeout"));
            // One who says nothing is told nothing.
            scope.spawn(|| assert_eq!(door.send(""), []));
            scope.spawn(|| assert_eq!(door.send(&door.good()).len(), 1));
        });
    });
}

#[test]
fn what_is_refused_for_its_head_is_counted() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    let doors = [Door::Socket(site.socket()), Door::Tcp(address, token(&site, "operate", "operate", &[]))];
    for door in &doors {
        door.refuses("GET /v1/status HTTP/1.2\r\nHost: localhost\r\n\r\n", 1, 400, "malformed");
        door.refuses(&format!("{}CANARY\r\n\r\n", door.good()), 2, 400, "malformed");
        door.refuses(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(16 << 10)), 1, 431, "head-too-large");
    }
    let told = site.http("GET", "/metrics", None).has_status(200).body;
    let refused: Vec<&str> = told.lines().filter(|line| line.contains("route=\"\"")).collect();
    let expected = [("400", "malformed", 4), ("431", "head-too-large", 2)].map(|(status, problem, number)| {
        format!(
            "retcon_http_requests_total{{method=\"other\",route=\"\",status=\"{status}\",problem=\"{problem}\"}} {number}"
        )
    });
    assert_eq!(refused, expected, "{told}");
    daemon.stop();
}

#[test]
fn chunks_that_are_wrong_are_refused_in_words_and_a_huge_one_at_once() {
    at_both(|door| {
        let post = |chunks: &str| {
            let head = "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
            format!("{head}{}Transfer-Encoding: chunked\r\n\r\n{chunks}", door.credentials())
        };
        for chunks in ["-1\r\n", "x\r\n", "2\n{}\n0\n\n", "2\r\n{}x", "2\r\n{}\r\n0\r\n\n"] {
            door.refuses(&post(chunks), 1, 400, "malformed");
            door.refuses(&format!("{}{}", door.good(), post(chunks)), 2, 400, "malformed");
        }
        for chunks in ["ffffffffffffffff\r\n", "2\r\n{}\r\n100001\r\n"] {
            door.refuses(&post(chunks), 1, 413, "body-too-large");
        }
        let announced = format!(
            "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: 18446744073709551615\r\n\r\n",
            door.credentials()
        );
        door.refuses(&announced, 1, 413, "body-too-large");
    });
}

#[test]
fn what_is_offered_and_not_taken_holds_nobody_up() {
    at_both(|door| {
        let offer = |line: &str, more: &str| {
            format!("{line} HTTP/1.1\r\nHost: localhost\r\n{}Connection: Upgrade\r\n{more}\r\n", door.credentials())
        };
        let last = door.good().replacen("\r\n", "\r\nConnection: close\r\n", 1);
        for protocol in ["websocket", "h2c"] {
            let get = offer("GET /v1/config", &format!("Upgrade: {protocol}\r\n"));
            let post = offer("POST /v1/notifications", &format!("Upgrade: {protocol}\r\nContent-Length: 1\r\n"));
            let found = door.send(&format!("{get}{post}{{{last}"));
            let statuses: Vec<u16> = found.iter().map(|(status, _)| *status).collect();
            assert_eq!(statuses, [200, 400, 200], "{protocol}: {found:?}");
        }
        for target in ["/v1/status", "/v1/notifications"] {
            door.refuses(&offer(&format!("CONNECT {target}"), ""), 1, 405, "method-not-allowed");
        }
        door.refuses(&offer("CONNECT localhost:443", "Content-Length: 0\r\n"), 1, 404, "unknown-route");
    });
}
