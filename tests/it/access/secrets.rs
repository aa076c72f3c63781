//! Secrets are planted everywhere, and looked for wherever they must not be.

use std::fs;

use rcgen::{CertificateParams, KeyPair};

use crate::support::daemon::{Daemon, processes};
use crate::support::site::Site;
use crate::support::socket::call;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, Call, listening_at, token};
use crate::support::wait::until;

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
    ("GET", "/v1/audit", None),
    ("GET", "/metrics", None),
    ("GET", "/openapi.json", None),
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/", None),
    ("POST", "/v1/reload", None),
    ("POST", "/v1/tokens", Some(r#"{"name":"x","role":"root"}"#)),
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

/// What every process of the site shows to whoever lists processes.
fn arguments(site: &Site) -> String {
    processes(site.path()).into_iter().map(|process| process.command + "\n").collect()
}

#[test]
fn secrets_are_in_no_log_no_answer_no_error_and_no_argument() {
    let Planted { site, mut secrets } = plant();
    let mut daemon = Daemon::spawn_by(&site, listening_at("127.0.0.1:0"));
    daemon.wait_until_ready();
    for role in ["notify", "view", "operate"] {
        secrets.push(("a token", token(&site, role, role, &[])["retcon_".len()..].to_owned()));
    }
    let made = site.http("POST", "/v1/tokens", Some(r#"{"name":"api","role":"view"}"#)).has_status(201).json();
    secrets.push(("a token", made["token"].as_str().expect("its text")["retcon_".len()..].to_owned()));
    // Things go wrong, so that there is something to tell.
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
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
