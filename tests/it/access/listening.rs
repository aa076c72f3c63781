//! Where the daemon listens: not beyond loopback without tokens, with TLS where it is configured, and nowhere in silence.

use std::net::{SocketAddr, TcpListener, TcpStream};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, Call, listening_at, token};
use crate::support::wait::until;

fn site() -> Site {
    Site::new(&[Sh.source("crm"), Sh.source("billing")])
}

#[test]
fn beyond_loopback_nobody_listens_before_there_is_a_token() {
    let site = site();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
    let mut daemon = Daemon::spawn_by(&site, listening_at(&format!("0.0.0.0:{}", free.port())));
    daemon.wait_until_ready();
    let event = daemon.wait_for_event(|event| event["msg"] == "not listening");
    assert!(event["error"].as_str().is_some_and(|error| error.contains("retcon token create")), "{event}");
    assert!(TcpStream::connect(free).is_err(), "nobody listens");
    let view = token(&site, "view", "view", &[]);
    daemon.wait_for_event(|event| event["msg"] == "listening");
    daemon.wait_for_event(|event| event["msg"] == "listening beyond loopback without tls");
    Call::get("/v1/status").bearing(&view).host(Some(&free.to_string())).send(free).has_status(200);
    Call::get("/v1/status").host(Some(&free.to_string())).send(free).has_problem(401, "unauthorized");
    daemon.stop();
    // The next daemon finds the token there.
    let mut daemon = Daemon::spawn_by(&site, listening_at(&format!("0.0.0.0:{}", free.port())));
    daemon.wait_until_ready();
    let is_there = |event: &&serde_json::Value| event["msg"] == "listening";
    until(|| (daemon.events().iter().filter(is_there).count() == 2).then_some(()), || daemon.log_text());
    daemon.stop();
}

#[test]
fn beyond_loopback_nobody_listens_any_more_when_the_last_token_is_revoked() {
    let site = site();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
    let tokens = |role| token(&site, role, role, &[]);
    let mut daemon = Daemon::spawn_by(&site, listening_at(&format!("0.0.0.0:{}", free.port())));
    daemon.wait_until_ready();
    let logged = |daemon: &Daemon<'_>, text: &str| daemon.events().iter().filter(|event| event["msg"] == text).count();
    let wait_for = |daemon: &Daemon<'_>, text: &str, times: usize| {
        until(|| (logged(daemon, text) == times).then_some(()), || daemon.log_text());
    };
    for round in 1..=2 {
        let [view, operate] = ["view", "operate"].map(tokens);
        wait_for(&daemon, "listening", round);
        let call = |method: &str, target: &str| Call::new(method, target).host(Some(&free.to_string()));
        call("DELETE", "/v1/tokens/view").bearing(&operate).send(free).has_status(200);
        call("GET", "/v1/status").bearing(&view).send(free).has_problem(401, "unauthorized");
        // The last one ends itself, and that is answered.
        call("DELETE", "/v1/tokens/operate").bearing(&operate).send(free).has_status(200);
        wait_for(&daemon, "not listening", round + 1);
        assert!(TcpStream::connect(free).is_err(), "nobody listens");
    }
    daemon.stop();
}

#[test]
fn a_port_that_is_taken_is_named_with_the_cause() {
    let site = site();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has one").to_string();
    let mut daemon = Daemon::spawn_by(&site, listening_at(&address));
    assert_eq!(daemon.wait().code(), Some(1));
    let log = daemon.log_text();
    assert!(
        log.contains(&format!("cannot listen at {address}, which server.listen names: Address already in use")),
        "{log}"
    );
}

/// An authority, and a certificate of it for this machine: in the site's files `ca.pem`, `cert.pem` and `key.pem`.
fn certify(site: &Site) {
    let mut about = CertificateParams::new(Vec::new()).expect("no names");
    about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    site.write("ca.pem", &about.self_signed(&key).expect("a certificate").pem());
    let issuer = Issuer::new(about, key);
    let key = KeyPair::generate().expect("a key");
    let about = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    site.write("cert.pem", &about.signed_by(&key, &issuer).expect("a certificate").pem());
    site.write("key.pem", &key.serialize_pem());
}

fn with_tls(site: &Site, cert: &str, key: &str) {
    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
    let tls = format!("[server]\ntls = {{ cert = {cert:?}, key = {key:?} }}");
    site.write("retcon.toml", &config.replacen("[server]", &tls, 1));
}

#[test]
fn with_a_certificate_tls_is_spoken_and_nothing_else() {
    let site = site();
    certify(&site);
    with_tls(&site, "cert.pem", "key.pem");
    let (daemon, address) = tcp::start(&site);
    let view = token(&site, "view", "view", &[]);
    let url = |host: &str| format!("https://{host}:{}", address.port());
    let trusting = |ca: &str, url: &str| {
        let file = site.path().join(ca).display().to_string();
        site.retcon_in(
            &[("RETCON_TOKEN", &view), ("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", "/nowhere")],
            &["--url", url, "status"],
        )
    };
    trusting("ca.pem", &url("localhost")).exits(0);
    trusting("ca.pem", &url("127.0.0.1")).exits(3).complains_of("certificate");
    certify(&site);
    trusting("ca.pem", &url("localhost")).exits(3).complains_of("certificate");
    assert!(Call::get("/healthz").try_send(address).is_err(), "in the clear it says nothing");
    // One who begins and does not go on holds up nobody.
    let _silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(address).expect("it listens")).collect();
    site.get("/v1/status");
    daemon.stop();
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    for (cert, key, complaint) in [
        ("key.pem", "key.pem", "cannot find a certificate in server.tls.cert"),
        ("cert.pem", "cert.pem", "cannot read server.tls.key"),
        ("ca.pem", "key.pem", "cannot use the certificate"),
    ] {
        let site = site();
        certify(&site);
        with_tls(&site, cert, key);
        let mut daemon = Daemon::spawn_by(&site, listening_at("127.0.0.1:0"));
        assert_eq!(daemon.wait().code(), Some(1));
        let log = daemon.log_text();
        assert!(log.contains(complaint), "{complaint}: {log}");
    }
}

#[test]
fn a_certificate_that_is_not_there_is_a_mistake_of_the_configuration() {
    let site = site();
    certify(&site);
    with_tls(&site, "nowhere.pem", "key.pem");
    let mut daemon = Daemon::spawn_by(&site, listening_at("127.0.0.1:0"));
    assert_eq!(daemon.wait().code(), Some(2));
    site.retcon(&["check"]).exits(2).complains_of("nowhere.pem");
}

#[test]
fn who_comes_by_the_socket_is_named_in_the_log() {
    let site = site();
    let daemon = site.start();
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    let uid = rustix::process::getuid().as_raw();
    site.get("/v1/status");
    daemon.wait_for_event(|event| {
        event["msg"] == "connection to the socket" && event["pid"] == pid && event["uid"] == uid
    });
    daemon.stop();
}

#[test]
fn requests_under_way_are_answered_when_the_daemon_is_stopped_and_silent_connections_hold_it_up_no_longer() {
    let site = site();
    let (daemon, address): (Daemon<'_>, SocketAddr) = tcp::start(&site);
    let _silent: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(address).expect("it listens")).collect();
    Call::get("/healthz").send(address).has_status(200);
    daemon.stop();
}
