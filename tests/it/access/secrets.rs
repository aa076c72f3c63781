//! Secrets are planted everywhere, and looked for wherever they must not be.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use rcgen::{CertificateParams, KeyPair};

use crate::support::daemon::{Process, processes};
use crate::support::site::Site;
use crate::support::socket::call;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, Call, token};
use crate::support::wait::{DEADLINE, until};

/// Routes that tell something, and some that refuse.
const ASKED: &[(&str, &str, Option<&str>)] = &[
    ("GET", "/v1/status", None),
    ("GET", "/v1/supervision", None),
    ("GET", "/v1/records/customer", None),
    ("GET", "/v1/records/customer/1", None),
    ("GET", "/v1/records/customer/1/history", None),
    ("GET", "/v1/records/customer/1/provenance", None),
    ("GET", "/v1/work-items", None),
    ("GET", "/v1/conflicts", None),
    ("GET", "/v1/doubts", None),
    ("GET", "/v1/deletes", None),
    ("GET", "/v1/config", None),
    ("GET", "/v1/tokens", None),
    ("GET", "/v1/webhooks", None),
    ("GET", "/v1/audit", None),
    ("GET", "/metrics", None),
    ("GET", "/openapi.json", None),
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/", None),
    ("POST", "/v1/reload", None),
    ("POST", "/v1/tokens", Some(r#"{"name":"x","role":"root"}"#)),
    ("POST", "/v1/webhooks", Some(r#"{"name":"c r m"}"#)),
    ("POST", "/v1/notifications", Some("{")),
];

struct Planted {
    site: Site,
    /// Each with where it was planted.
    secrets: Vec<(&'static str, String)>,
}

/// A site with secrets in its database's URL, in the environment of its sources, and in the key of its certificate.
fn plant() -> Planted {
    let canary = "env-canary-8b1f";
    let source = |name: &str| Sh.source(name).with(&format!("env.API_KEY = {canary:?}\nenv.SYSTEM_NAME = \"x\""));
    let site = Site::new(&[source("crm"), source("billing")]);
    let key = KeyPair::generate().expect("a key");
    let about = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    site.write("cert.pem", &about.self_signed(&key).expect("a certificate").pem());
    let pem = key.serialize_pem();
    site.write("key.pem", &pem);
    let config = fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
    let config = config.replacen("[server]", "[server]\ntls = { cert = \"cert.pem\", key = \"key.pem\" }", 1);
    let config = config.replacen("postgres://retcon@", "postgres://retcon:db-canary-77aa@", 1);
    site.write("retcon.toml", &config);
    let line = pem.lines().nth(1).expect("a line of the key").to_owned();
    let secrets = vec![("env", canary.to_owned()), ("database", "db-canary-77aa".to_owned()), ("tls key", line)];
    Planted { site, secrets }
}

#[track_caller]
fn check(place: &str, text: &str, secrets: &[(&str, String)]) {
    for (what, secret) in secrets {
        assert!(!text.contains(secret.as_str()), "the secret of {what} is in {place}:\n{text}");
    }
}

/// What every process of the site shows to whoever lists processes: the daemon, its guardian, and what they have started.
fn arguments(site: &Site) -> String {
    processes(site.path()).into_iter().map(|process| process.command + "\n").collect()
}

/// The variables of the programs of sources that are running.
fn environments(site: &Site) -> String {
    let of_source = |process: &Process| process.command.contains("plain.sh");
    let file = |process: Process| format!("/proc/{}/environ", process.pid.as_raw_nonzero());
    let found = processes(site.path()).into_iter().filter(of_source).map(file);
    found.map(|file| String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).replace('\0', "\n")).collect()
}

/// What is told to those who follow, up to an event of this kind.
fn told_until(site: &Site, kind: &str) -> String {
    let mut stream = UnixStream::connect(site.socket()).expect("it is served");
    stream.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
    stream.write_all(b"GET /v1/events?after=0 HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it is read");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("something comes in time"));
    let mut told = String::new();
    while !told.ends_with(&format!("event: {kind}\n")) {
        told += &(lines.next().unwrap_or_else(|| panic!("no {kind}: {told}")) + "\n");
    }
    told + &lines.next().unwrap_or_default()
}

/// Makes the secrets of webhooks in every way there is, and has them shown where they are shown and nowhere else.
fn webhooks(site: &Site) -> Vec<(&'static str, String)> {
    let make = |arguments: &[&str]| {
        let run = site.retcon(arguments).exits(0);
        assert_eq!(run.stderr(), "", "{run}");
        let text = run.stdout();
        let secret = text.split("whsec_").nth(1).unwrap_or_else(|| panic!("no secret: {run}"));
        secret.split(|letter: char| letter == '"' || letter.is_whitespace()).next().unwrap_or_default().to_owned()
    };
    let by_hand = [
        make(&["webhook", "create", "crm"]),
        make(&["webhook", "rotate", "crm"]),
        make(&["--format", "json", "webhook", "rotate", "crm"]),
    ];
    let asked = [("/v1/webhooks", Some(r#"{"name":"billing"}"#), 201), ("/v1/webhooks/billing/rotate", None, 200)];
    let by_api = asked.map(|(path, body, status)| {
        let answer = site.http("POST", path, body).has_status(status).json();
        answer["secret"].as_str().expect("a secret")["whsec_".len()..].to_owned()
    });
    assert!(by_hand.iter().chain(&by_api).all(|secret| secret.len() > 40), "{by_hand:?} {by_api:?}");
    by_hand.into_iter().chain(by_api).map(|secret| ("a webhook", secret)).collect()
}

/// Uses tokens over TLS, good ones and one that is revoked: they travel in headers.
fn use_tokens(site: &Site, port: u16, tokens: &[String]) -> String {
    let (trusted, url) = (site.path().join("cert.pem").display().to_string(), format!("https://localhost:{port}"));
    let ask = |token: &str, arguments: &[&str]| {
        let known = [("RETCON_TOKEN", token), ("SSL_CERT_FILE", &trusted), ("SSL_CERT_DIR", "/nowhere")];
        site.retcon_in(&known, &[&["--url", &url], arguments].concat())
    };
    let [notify, view, operate] = tokens else { panic!("one for each role") };
    site.retcon(&["token", "create", "gone", "--role", "view"]).exits(0);
    let runs = [
        ask(notify, &["notify", "customer", "crm", "1"]).exits(0),
        ask(notify, &["conflicts"]).exits(1),
        ask(view, &["conflicts"]).exits(0),
        ask(operate, &["reload"]).exits(0),
        ask(operate, &["token", "revoke", "gone"]).exits(0),
        ask(operate, &["token", "revoke", "nobody"]).exits(1),
    ];
    runs.iter().map(|run| run.stdout() + &run.stderr()).collect()
}

/// While a program runs, looks at what the daemon, its guardian and the program show to others on the machine.
fn check_running(site: &Site, secrets: &[(&'static str, String)]) {
    let go = site.path().join("go");
    site.system("crm").fault("read", &format!("while [ ! -e {} ]; do sleep 0.05; done", go.display()));
    site.retcon(&["notify", "customer", "crm", "1"]).exits(0);
    until(|| arguments(site).contains("plain.sh").then_some(()), || arguments(site));
    assert!(arguments(site).contains("guardian"), "{}", arguments(site));
    check("arguments", &arguments(site), secrets);
    // What is its own it is given, and nothing else.
    let foreign: Vec<_> = secrets.iter().filter(|(what, _)| *what != "env").cloned().collect();
    let environments = environments(site);
    assert!(environments.contains("env-canary"), "{environments}");
    check("environments", &environments, &foreign);
    site.write("go", "");
    site.system("crm").heal();
    site.wait_until_at_rest();
}

#[test]
fn secrets_are_in_no_log_no_answer_no_error_and_no_argument() {
    let Planted { site, mut secrets } = plant();
    let (daemon, address) = tcp::start(&site);
    let tokens = ["notify", "view", "operate"].map(|role| token(&site, role, role, &[]));
    secrets.extend(tokens.iter().map(|token| ("a token", token["retcon_".len()..].to_owned())));
    secrets.extend(webhooks(&site));
    let made = site.http("POST", "/v1/tokens", Some(r#"{"name":"api","role":"view"}"#)).has_status(201).json();
    secrets.push(("a token", made["token"].as_str().expect("its text")["retcon_".len()..].to_owned()));
    // Things go wrong, so that there is something to tell.
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    check("what the CLI says", &use_tokens(&site, address.port(), &tokens), &secrets);
    check_running(&site, &secrets);
    site.system("crm").put("2", "no json");
    site.http("POST", "/v1/notifications", Some(r#"{"entity":"customer","source":"crm","key":"2"}"#)).has_status(202);
    until(
        || {
            (site.ask(&["work", "--state", "parked"])["items"].as_array()?.len() == 1)
                .then(|| check("arguments", &arguments(&site), &secrets))
        },
        || site.ask(&["work"]).to_string(),
    );
    for (method, path, body) in ASKED {
        let answer = call(&daemon.socket(), method, path, body.map(str::as_bytes)).expect("it answers");
        check(path, &answer.to_string(), &secrets);
    }
    let broken = fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
    site.write("retcon.toml", &broken.replace("env.API_KEY = \"", "env.API_KEY = 5 \""));
    let rejected = site.retcon(&["reload"]).exits(1);
    check("a broken reload", &rejected.to_string(), &secrets);
    check("a check", &site.retcon(&["check"]).exits(2).to_string(), &secrets);
    site.write(
        "retcon.toml",
        &broken.replace("env-canary-8b1f", "env-canary-9c2e").replace("db-canary-77aa", "db-canary-88bb"),
    );
    secrets.extend([("env", "env-canary-9c2e".to_owned()), ("database", "db-canary-88bb".to_owned())]);
    check("a reload", &site.retcon(&["reload"]).exits(0).to_string(), &secrets);
    check("status", &site.retcon(&["status"]).to_string(), &secrets);
    check("the audit trail", &site.retcon(&["audit"]).exits(0).to_string(), &secrets);
    check("events", &told_until(&site, "config-applied"), &secrets);
    check("arguments", &arguments(&site), &secrets);
    check("the log", &daemon.log_text(), &secrets);
    daemon.stop();
    check("the log", &fs::read_to_string(site.path().join("retcond.log")).expect("a log"), &secrets);
}

#[test]
fn a_token_that_is_refused_is_not_repeated() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    let shown = "canary-of-somebody-else";
    let answer = Call::get("/v1/status").bearing(shown).send(address).has_problem(401, "unauthorized");
    assert!(!answer.head.contains(shown) && !answer.body.contains(shown), "{answer}");
    let event = daemon.wait_for_event(|event| event["msg"] == "request refused");
    assert!(!daemon.log_text().contains(shown), "{event}");
    let run = site.retcon_in(&[("RETCON_TOKEN", shown)], &["--url", &format!("http://{address}"), "status"]);
    assert!(!run.exits(1).stderr().contains(shown));
    daemon.stop();
}
