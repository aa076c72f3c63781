//! schemathesis, a program of other people's that reads the description of the API and tries what it allows and what it
//! does not: no answer may be a 5xx, and none another one than is described.
//!
//! `CI_LONG=1` tries more, and sequences of requests, too.

use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;

use crate::support::program::{program, run};
use crate::support::site::Site;
use crate::support::system::{Language, testing};

/// Where packaging/setup.sh has it.
fn schemathesis() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target directory");
    let found = target.join("tools/bin/schemathesis");
    assert!(found.exists(), "there is no {}: packaging/setup.sh installs it", found.display());
    found
}

/// Leads from a port of this machine to the daemon's socket, for as long as the test runs.
fn bridge(socket: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("it listens");
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = UnixStream::connect(&socket) else { continue };
            let (mut from_near, mut to_far) = (near.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
            thread::spawn(move || {
                drop(io::copy(&mut from_near, &mut to_far));
                drop(to_far.shutdown(Shutdown::Write));
            });
            let (mut from_far, mut to_near): (UnixStream, TcpStream) = (far, near);
            thread::spawn(move || {
                drop(io::copy(&mut from_far, &mut to_near));
                drop(to_near.shutdown(Shutdown::Write));
            });
        }
    });
    address
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

/// Leaves out what is tried elsewhere: over the socket nobody asks for a token, and what a key is refused for is what it
/// was used for before.
fn leave_out(operation: &mut Value) {
    if let Some(operation) = operation.as_object_mut() {
        operation.remove("security");
    }
    if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
        parameters.retain(|parameter| parameter["name"] != "Idempotency-Key");
    }
}

#[test]
fn no_answer_is_another_one_than_is_described() {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let daemon = site.start();
    populate(&site);
    let mut described = site.get("/openapi.json");
    for item in described["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        item.as_object_mut().into_iter().flat_map(|item| item.values_mut()).for_each(leave_out);
    }
    let description = site.write("openapi.json", &described.to_string());
    let long = std::env::var_os("CI_LONG").is_some();
    let (phases, examples) =
        if long { ("examples,coverage,fuzzing,stateful", "300") } else { ("examples,coverage,fuzzing", "10") };
    let url = format!("http://{}", bridge(site.socket()));
    let mut command = program(schemathesis());
    command.current_dir(site.path()).arg("--config-file").arg(testing("schemathesis.toml")).arg("run");
    command.arg(&description).args(["--url", &url, "--seed", "1", "--phases", phases, "--max-examples", examples]);
    // That one goes on for as long as somebody listens.
    command.args(["--exclude-path", "/v1/events", "--continue-on-failure", "--warnings", "off", "--no-color"]);
    let run = run(&mut command, b"");
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis.txt"), &run.stdout).expect("a file");
    run.exits(0);
    assert_eq!(site.get("/healthz")["status"], "ok");
    daemon.stop();
}
