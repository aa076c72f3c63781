//! schemathesis, a program of other people's that reads the description of the API and tries what it allows and what it
//! does not, over TCP with tokens: no answer may be a 5xx, and none another one than is described.
//!
//! `CI_LONG=1` tries more, and sequences of requests, too.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use crate::support::program::{program, run};
use crate::support::site::Site;
use crate::support::system::{Language, testing};
use crate::support::tcp::{self, Call, token};

/// Where packaging/setup.sh has it.
fn schemathesis() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target directory");
    let found = target.join("tools/bin/schemathesis");
    assert!(found.exists(), "there is no {}: packaging/setup.sh installs it", found.display());
    found
}

/// A record, a conflict and work that is parked, so that there is something of everything.
fn populate(site: &Site) {
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    let key = site.system("billing").only_key();
    site.system("crm").put("1", r#"{"name": "Anne"}"#);
    site.system("billing").put(&key, r#"{"name": "Anna"}"#);
    site.notify("crm", "1");
    assert_eq!(site.get("/v1/conflicts")["items"].as_array().map(Vec::len), Some(1));
}

/// What is tried of the description.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// All but what stands below.
    Answers,
    /// The stream of events.
    Stream,
    /// To make tokens and to revoke them, that with which it is done included.
    Tokens,
}

/// Has a part of the API tried by the bearer of a token.
#[track_caller]
fn check(site: &Site, part: Part, at: SocketAddr, role: &str, token: &str) {
    let long = std::env::var_os("CI_LONG").is_some();
    let (phases, examples) =
        if long { ("examples,coverage,fuzzing,stateful", "300") } else { ("examples,coverage,fuzzing", "10") };
    let mut command = program(schemathesis());
    command.current_dir(site.path()).arg("--config-file").arg(testing("schemathesis.toml")).arg("run");
    command.arg(site.path().join("openapi.json")).args(["--url", &format!("http://{at}"), "--seed", "1"]);
    command.args([
        "--phases",
        phases,
        "--max-examples",
        examples,
        "--header",
        &format!("Authorization: Bearer {token}"),
    ]);
    command.args(match part {
        Part::Answers => &["--exclude-path", "/v1/events", "--exclude-operation-id", "revokeToken"][..],
        Part::Stream => &["--include-path", "/v1/events"],
        Part::Tokens => &["--include-tag", "tokens"],
    });
    command.args(["--continue-on-failure", "--warnings", "off", "--no-color"]);
    let run = run(&mut command, b"");
    let told = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schemathesis-{role}-{part:?}.txt"));
    fs::write(told, &run.stdout).expect("a file");
    run.exits(0);
}

#[track_caller]
fn check_all(role: &str) {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    populate(&site);
    let token = token(&site, "of-schemathesis", role, &[]);
    let described = Call::get("/openapi.json").bearing(&token).send(address).has_status(200);
    site.write("openapi.json", &described.body);
    check(&site, Part::Answers, address, role, &token);
    check(&site, Part::Stream, cutting(address), role, &token);
    // It was good to the end: nothing was refused for that reason alone.
    Call::get("/v1/status").bearing(&token).send(address).has_status(200);
    check(&site, Part::Tokens, address, role, &token);
    daemon.stop();
}

#[test]
fn whoever_may_do_everything_gets_no_other_answer_than_is_described() {
    check_all("operate");
}

#[test]
fn whoever_may_only_look_gets_no_other_answer_than_is_described() {
    check_all("view");
}

/// Leads to the daemon, and ends each answer with the first bytes of its body: the stream has no end of its own.
fn cutting(daemon: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("it listens");
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // Who goes away in the middle is of no interest.
            thread::spawn(move || drop(pass(near, daemon)));
        }
    });
    address
}

fn pass(mut near: TcpStream, daemon: SocketAddr) -> io::Result<()> {
    let mut request = head(&mut near)?;
    let mut far = TcpStream::connect(daemon)?;
    // By this version of HTTP the answer ends where the connection does.
    if let Some(end) = request.windows(2).position(|two| two == b"\r\n") {
        request.splice(..end, [&request[..end.saturating_sub(1)], b"0"].concat());
    }
    far.write_all(&request)?;
    near.write_all(&head(&mut far)?)?;
    let mut body = [0; 64 << 10];
    let length = far.read(&mut body)?;
    near.write_all(&body[..length])
}

/// Reads to the empty line.
fn head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}
