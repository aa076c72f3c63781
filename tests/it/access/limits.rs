//! What is bounded over TCP, and what the socket answers meanwhile.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, Call, proc_of, token};
use crate::support::wait::DEADLINE;

/// How many connections say nothing, or not all of it.
const IDLE: usize = 10_000;
const DRIPPING: usize = 200;
const MIB: u64 = 1 << 20;

/// The memory that the daemon has now, in bytes.
fn memory(daemon: &Daemon<'_>) -> u64 {
    let status = fs::read_to_string(proc_of(daemon).join("status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// Has as many descriptors as this process may have; gives how many connections there is room for.
fn room() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .expect("a process may use what it may have");
    let most = limit.maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    IDLE.min(most.saturating_sub(2_000))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
    stream
}

/// Everybody else is answered; gives the longest that one waited, in milliseconds.
fn ask_all(site: &Site, address: SocketAddr, token: &str) -> u128 {
    let mut longest = 0;
    for _ in 0..20 {
        let asked: [&dyn Fn(); 3] =
            [&|| drop(Call::get("/healthz").send(address).has_status(200)), &|| drop(site.get("/v1/status")), &|| {
                drop(Call::get("/v1/status").bearing(token).send(address).has_status(200))
            }];
        for ask in asked {
            let began = Instant::now();
            ask();
            longest = longest.max(began.elapsed().as_millis());
        }
    }
    longest
}

#[test]
fn thousands_of_silent_connections_and_dripping_bodies_hold_up_nobody_and_take_little_memory() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    let notify = token(&site, "notify", "notify", &[]);
    let view = token(&site, "view", "view", &[]);
    ask_all(&site, address, &view);
    let before = memory(&daemon);
    let idle: Vec<TcpStream> = (0..room()).map(|_| connect(address)).collect();
    let after_idle = ask_all(&site, address, &view);
    let grown_by_idle = memory(&daemon).saturating_sub(before);
    // Half a head each, from as many.
    let slow: Vec<TcpStream> = (0..1_000)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").expect("it is taken");
            stream
        })
        .collect();
    let head = format!(
        "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {notify}\r\nContent-Length: 1000\r\n\r\n{{"
    );
    let mut dripping: Vec<TcpStream> = (0..DRIPPING)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(head.as_bytes()).expect("it is taken");
            stream
        })
        .collect();
    let mut after_drips = 0;
    for _ in 0..5 {
        // Who is let go meanwhile need not be written to.
        dripping.iter_mut().for_each(|stream| drop(stream.write_all(b" ")));
        after_drips = after_drips.max(ask_all(&site, address, &view));
    }
    let grown = memory(&daemon).saturating_sub(before);
    println!(
        "{} idle: {after_idle} ms at most, {grown_by_idle} bytes more; {} slow heads and {DRIPPING} dripping bodies besides: {after_drips} ms at most, {grown} bytes more",
        idle.len(),
        slow.len(),
    );
    assert!(grown_by_idle < 64 * MIB && grown < 64 * MIB, "{grown_by_idle} and {grown} bytes more");
    for mut stream in dripping {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the daemon closes the connection");
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body-timeout"), "{answer}");
    }
    drop((idle, slow));
    daemon.stop();
}

#[test]
fn a_head_that_does_not_end_and_one_without_end_are_refused() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    let check = |text: &str, status: &str, code: &str| {
        let mut stream = connect(address);
        stream.write_all(text.as_bytes()).expect("it is taken");
        let mut answer = String::new();
        // A connection that is closed with something unread is reset, perhaps after the answer.
        drop(stream.read_to_string(&mut answer));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(code), "{answer}");
    };
    check("GET /healthz HTTP/1.1\r\nHost: loc", "408", "head-timeout");
    let long = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ".to_owned() + &"x".repeat(16 << 10);
    check(&long, "431", "head-too-large");
    let body = "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
    check(body, "401", "unauthorized");
    Call::get("/healthz").send(address).has_status(200);
    daemon.stop();
}

#[test]
fn many_large_bodies_at_once_find_no_room_and_small_ones_always_do() {
    const LARGE: usize = 900 << 10;
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    let notify = token(&site, "notify", "notify", &[]);
    let small = r#"{"entity":"customer","source":"crm","key":"1"}"#;
    let tell = || Call::new("POST", "/v1/notifications").bearing(&notify).body(small).send(address);
    tell().has_status(202);
    let before = memory(&daemon);
    let head = format!(
        "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {notify}\r\nContent-Length: 1000000\r\n\r\n"
    );
    let mut large: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = connect(address);
            // One that is refused half-way need not take the rest.
            drop(stream.write_all((head.clone() + &" ".repeat(LARGE)).as_bytes()));
            stream
        })
        .collect();
    tell().has_status(202);
    let grown = memory(&daemon).saturating_sub(before);
    let mut statuses: Vec<String> = large
        .iter_mut()
        .map(|stream| {
            let mut answer = Vec::new();
            drop(stream.read_to_end(&mut answer));
            String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned()
        })
        .collect();
    println!("100 large bodies: {grown} bytes more");
    assert!(grown < 96 * MIB, "{grown} bytes more");
    statuses.sort_unstable();
    statuses.dedup();
    assert!(statuses.contains(&"503".to_owned()) && statuses.contains(&"408".to_owned()), "{statuses:?}");
    tell().has_status(202);
    daemon.stop();
}

#[test]
fn a_body_over_1_mib_is_refused_over_tcp_as_well() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    let notify = token(&site, "notify", "notify", &[]);
    let large = Call::new("POST", "/v1/notifications").bearing(&notify).body(&"x".repeat((1 << 20) + 1));
    large.send(address).has_problem(413, "body-too-large");
    daemon.stop();
}
