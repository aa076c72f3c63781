//! TLS to the database: which servers are believed, and what is said of the others.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use retcon::log::chain;
use retcon::store::requests::queue::Ping;
use retcon::store::{Request, SetUpError, Store};
use rstest::rstest;

use crate::support::cluster::{Node, account};
use crate::support::postgres::block_on;
use crate::support::site::open_directory;

/// An authority that signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut about = params(&[], name);
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = about.self_signed(&key).expect("a certificate");
        Self { issuer: Issuer::new(about, key), certificate }
    }

    /// Signs, and gives the certificate and its key.
    fn sign(&self, about: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let certificate = about.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

fn params(hosts: &[&str], name: &str) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).expect("host names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A server that offers TLS on a port of this machine, and what a client of it needs.
struct Secured {
    node: Node,
    port: u16,
    dir: tempfile::TempDir,
}

impl Secured {
    /// Starts a server with a certificate like this; it lets in whoever comes, or only who has a certificate of the same authority.
    fn start(about: &CertificateParams, settings: &[&str]) -> Self {
        let dir = open_directory();
        let authority = Authority::new("ours");
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("a file");
        write("ca.pem", &authority.certificate.pem());
        write("other.pem", &Authority::new("theirs").certificate.pem());
        let (cert, key) = authority.sign(&params(&[], "retcon"));
        write("client.pem", &cert);
        write("client.key", &key);
        let mut node = Node::new();
        let (cert, key) = authority.sign(about);
        give(&node.data().join("server.crt"), &cert);
        give(&node.data().join("server.key"), &key);
        give(&node.data().join("ca.pem"), &authority.certificate.pem());
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it has an address").port();
        let listen = [&format!("port={port}"), "listen_addresses=127.0.0.1", "ssl_ca_file=ca.pem"];
        node.start_at(port, &[&listen, settings].concat());
        Self { node, port, dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Opens a session with this host as the URL's, and gives what is said if that fails.
    fn ask(&self, host: &str, parameters: &str) -> Result<(), String> {
        let parameters = parameters.replace("DIR", self.dir.path().to_str().expect("it is UTF-8"));
        let url = format!("postgres://retcon@{host}:{}/postgres?{parameters}", self.port);
        let store = Store::connect_to(&url, 1).map_err(|error| chain(&error))?;
        block_on(Ping.run(&store)).map_err(|error| chain(&error))
    }

    #[track_caller]
    fn refuses(&self, host: &str, parameters: &str, why: &str) {
        let said = self.ask(host, parameters).expect_err("it is refused");
        assert!(said.contains(why), "{said}");
    }

    /// Whether the sessions that are open are encrypted.
    fn encrypted(&self) -> Vec<String> {
        self.node.ask_at(
            self.port,
            "select ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'retcon'",
        )
    }
}

/// Writes a file that only PostgreSQL may read.
fn give(file: &Path, text: &str) {
    fs::write(file, text).expect("a file");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    if let Some((uid, gid)) = account() {
        chown(file, Some(uid), Some(gid)).expect("we are root");
    }
}

#[test]
fn a_server_is_believed_if_the_right_authority_says_that_it_is_that_host() {
    let server = Secured::start(&params(&["localhost", "127.0.0.1"], "db"), &["ssl=on"]);
    for host in ["localhost", "127.0.0.1"] {
        for mode in ["verify-full", "require", "verify-ca"] {
            server.ask(host, &format!("sslmode={mode}&sslrootcert=DIR/ca.pem")).expect("it is the right one");
        }
    }
    let untrusted = "signed by no authority that is trusted here";
    for mode in ["verify-full", "require", "verify-ca"] {
        server.refuses("localhost", &format!("sslmode={mode}&sslrootcert=DIR/other.pem"), untrusted);
        // The system's authorities, if it has any, have not signed it.
        let said = server.ask("localhost", &format!("sslmode={mode}")).expect_err("it is refused");
        assert!(said.contains(untrusted) || said.contains("cannot find the system's certificates"), "{said}");
    }
    server.ask("localhost", "sslmode=disable").expect("the server takes it");
    server.ask("localhost", "").expect("nothing is checked");
}

#[test]
fn a_certificate_for_another_host_is_refused_where_names_count() {
    let server = Secured::start(&params(&["db.example.com"], "db"), &["ssl=on"]);
    for mode in ["verify-full", "require"] {
        server.refuses("localhost", &format!("sslmode={mode}&sslrootcert=DIR/ca.pem"), "for another host");
    }
    server.ask("localhost", "sslmode=verify-ca&sslrootcert=DIR/ca.pem").expect("names do not count");
}

#[test]
fn an_old_certificate_is_refused() {
    let mut about = params(&["localhost"], "db");
    about.not_before = rcgen::date_time_ymd(2020, 1, 1);
    about.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let server = Secured::start(&about, &["ssl=on"]);
    server.refuses("localhost", "sslmode=verify-full&sslrootcert=DIR/ca.pem", "has expired");
    server.refuses("localhost", "sslmode=verify-ca&sslrootcert=DIR/ca.pem", "has expired");
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_wanted() {
    let server = Secured::start(&params(&["localhost"], "db"), &["ssl=off"]);
    server.refuses("localhost", "sslmode=require&sslrootcert=DIR/ca.pem", "server does not support TLS");
    server.ask("localhost", "sslmode=prefer").expect("it is not insisted on");
}

#[test]
fn what_is_preferred_is_used_and_a_request_is_encrypted() {
    let server = Secured::start(&params(&["localhost"], "db"), &["ssl=on"]);
    let url = |parameters: &str| format!("postgres://retcon@localhost:{}/postgres?{parameters}", server.port);
    let verified = format!("sslmode=verify-full&sslrootcert={}", server.file("ca.pem").display());
    for parameters in ["sslmode=prefer", &verified] {
        let store = Store::connect_to(&url(parameters), 1).expect("the URL is one");
        block_on(Ping.run(&store)).expect("it answers");
        assert_eq!(server.encrypted(), ["t"], "{parameters}");
    }
}

#[test]
fn a_server_that_asks_for_our_certificate_gets_it() {
    let server = Secured::start(&params(&["localhost"], "db"), &["ssl=on"]);
    give(&server.node.data().join("pg_hba.conf"), "local all all trust\nhostssl all all 127.0.0.1/32 cert\n");
    assert_eq!(server.node.ask_at(server.port, "select pg_reload_conf()"), ["t"]);
    let verified = "sslmode=verify-full&sslrootcert=DIR/ca.pem";
    server.refuses("localhost", verified, "certificate");
    server.ask("localhost", &format!("{verified}&sslcert=DIR/client.pem&sslkey=DIR/client.key")).expect("it is ours");
}

#[rstest]
#[case::a_file_that_is_not_there("sslrootcert=/nowhere/ca.pem", "cannot read sslrootcert /nowhere/ca.pem")]
#[case::a_file_without_certificates("sslrootcert=/dev/null", "cannot find a certificate of an authority in /dev/null")]
fn a_file_that_is_of_no_use_is_named(#[case] parameters: &str, #[case] why: &str) {
    let url = format!("postgres://localhost/retcon?sslmode=require&{parameters}");
    let error = Store::connect_to(&url, 1).err().expect("it is of no use");
    assert!(matches!(error, SetUpError::Tls(_)), "{error:?}");
    assert!(chain(&error).contains(why), "{error:?}");
}
