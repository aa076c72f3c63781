//! Those who follow and do not read: they are cut off, and keep no place from others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use super::follower::Follower;
use super::{execute, site};
use crate::support::site::Site;
use crate::support::tcp::{self, token};
use crate::support::wait::{DEADLINE, until};

/// How many may follow at once.
const PLACES: usize = 256;
/// How many events are told: more than fit into what lies between the daemon and one who does not read.
const MANY: i64 = 20_000;

/// Returns how many follow, as the daemon counts them.
fn followers(site: &Site) -> usize {
    let page = site.http("GET", "/metrics", None).has_status(200).body;
    let line = page.lines().find_map(|line| line.strip_prefix("retcon_event_followers "));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("nobody counts:\n{page}"))
}

#[test]
fn who_does_not_read_is_cut_off_and_others_hear_all_and_get_the_place() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let view = token(&site, "view", "view", &[]);
    let mut reading = Follower::open(&site, "/v1/events?kind=parked", None);
    let request = format!("GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {view}\r\n\r\n");
    let mut over_tcp = TcpStream::connect(address).expect("it listens");
    over_tcp.write_all(request.as_bytes()).expect("it is read");
    let mut at_the_socket = UnixStream::connect(site.socket()).expect("it is served");
    at_the_socket.write_all(request.as_bytes()).expect("it is read");
    until(|| (followers(&site) >= 3).then_some(()), || followers(&site).to_string());
    // Nothing is told to these: they lose nothing by not reading.
    let quiet: Vec<Follower> =
        (followers(&site)..PLACES).map(|_| Follower::open(&site, "/v1/events?kind=deletes-held", None)).collect();
    site.http("GET", "/v1/events", None).has_problem(503, "unavailable");
    execute(
        &site,
        "insert into event (kind, entity, details)
            select 'parked', 'customer', json_build_object('place', n, 'error', repeat('x', 1000))
            from generate_series(1, 20000) as n",
    );
    for place in 1..=MANY {
        assert_eq!(reading.next().data["details"]["place"], place);
    }
    until(|| (followers(&site) == PLACES - 2).then_some(()), || followers(&site).to_string());
    let mut again = Follower::open(&site, "/v1/events?after=0&kind=parked", None);
    assert_eq!(again.next().data["details"]["place"], 1);
    over_tcp.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
    at_the_socket.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
    assert!(rest(&mut over_tcp) < MANY as usize * 1000, "all was told over TCP");
    assert!(rest(&mut at_the_socket) < MANY as usize * 1000, "all was told at the socket");
    assert_eq!(followers(&site), quiet.len() + 2);
    drop((quiet, again));
    daemon.stop();
}

/// Reads what lay on the way when the daemon closed the connection, and counts it.
fn rest(stream: &mut impl Read) -> usize {
    let mut read = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return read,
            Ok(length) => read += length,
            // A connection that is closed may also be reset.
            Err(error) => {
                assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it is not closed");
                return read;
            }
        }
    }
}
