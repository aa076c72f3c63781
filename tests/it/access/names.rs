//! Forged headers: whatever the credentials, a request for another host or of another's page is refused.

use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, Call, token};

/// A header that is forged, and what comes of it at a route that needs a token and at one that needs none.
#[derive(Debug)]
enum Forged<'a> {
    Host(Option<&'a str>),
    Header(&'a str, &'a str),
    Target(&'a str),
}
use Forged::{Header, Host, Target};

#[test]
fn a_forged_host_or_origin_is_refused_whatever_the_credentials_and_other_headers_count_for_nothing() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let (daemon, address) = tcp::start(&site);
    let operate = token(&site, "operate", "operate", &[]);
    let port = address.port();
    let own = format!("http://localhost:{port}");
    let own_host = format!("localhost:{port}");
    let absolute = format!("http://{own_host}/v1/status");
    let cases: &[(Forged<'_>, u16)] = &[
        (Host(Some("localhost")), 200),
        (Host(Some(&own_host)), 200),
        (Host(Some("127.0.0.1")), 200),
        (Host(Some("[::1]:80")), 200),
        // Without one it is no HTTP/1.1.
        (Host(None), 400),
        (Host(Some("")), 421),
        (Host(Some("evil.example")), 421),
        (Host(Some("evil.example:8470")), 421),
        (Host(Some("localhost.evil.example")), 421),
        (Host(Some("192.0.2.1")), 421),
        (Host(Some("0.0.0.0")), 421),
        // Nor with two.
        (Header("Host", "evil.example"), 400),
        (Header("Host", "localhost"), 400),
        (Target("http://evil.example/v1/status"), 421),
        (Target(&absolute), 200),
        (Header("Origin", &own), 200),
        (Header("Origin", "http://evil.example"), 403),
        (Header("Origin", "https://localhost"), 403),
        (Header("Origin", "http://localhost:3000"), 403),
        (Header("Origin", "null"), 403),
        (Header("Origin", ""), 403),
        (Header("Origin", "http://localhost.evil.example"), 403),
        (Header("X-Forwarded-Host", "evil.example"), 200),
        (Header("Forwarded", "host=evil.example;for=192.0.2.1"), 200),
        (Header("X-Forwarded-For", "192.0.2.1"), 200),
        (Header("X-HTTP-Method-Override", "DELETE"), 200),
        (Header("Referer", "http://evil.example/"), 200),
        (Header("Cookie", "session=forged"), 200),
    ];
    for (forged, status) in cases {
        // With a good token, with none, and where none is needed: the forgery comes first.
        for (path, token) in [
            ("/v1/status", Some(&operate)),
            ("/v1/status", None),
            ("/openapi.json", Some(&operate)),
            ("/metrics", Some(&operate)),
            ("/metrics", None),
            ("/healthz", None),
            ("/readyz", None),
        ] {
            let mut call = Call::get(path).host(Some(&own_host));
            call = match forged {
                Host(host) => call.host(*host),
                Header(name, value) => call.with(name, value),
                Target(target) => Call::get(&target.replace("/v1/status", path)).host(Some(&own_host)),
            };
            if let Some(token) = token {
                call = call.bearing(token);
            }
            let answer = call.send(address);
            match (*status, path, token) {
                (400, _, _) => drop(answer.has_problem(400, "malformed")),
                (421, _, _) => drop(answer.has_problem(421, "misdirected")),
                (403, _, _) => drop(answer.has_problem(403, "foreign-origin")),
                (_, "/v1/status" | "/metrics", None) => drop(answer.has_problem(401, "unauthorized")),
                (status, _, _) => assert_eq!(answer.status, status, "{forged:?}: {answer}"),
            }
        }
    }
    // By its first version HTTP names no host: then it is not ours.
    let nameless = Call::by_first_version("/v1/status").bearing(&operate);
    nameless.clone().host(None).send(address).has_problem(421, "misdirected");
    nameless.send(address).has_status(200);
    let twice = Call::get("/v1/status").bearing(&operate).bearing(&operate);
    twice.send(address).has_problem(401, "unauthorized");
    daemon.stop();
}

#[test]
fn a_configured_name_is_ours() {
    let site = Site::new(&[Sh.source("crm"), Sh.source("billing")]);
    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
    site.write("retcon.toml", &config.replacen("[server]", "[server]\nhosts = [\"retcon.example.com\"]", 1));
    let (daemon, address) = tcp::start(&site);
    let named = Call::get("/healthz").host(Some("retcon.example.com"));
    named.send(address).has_status(200);
    named.clone().with("Origin", "https://retcon.example.com").send(address).has_status(200);
    // As a proxy that names itself to us passes it on.
    Call::get("/healthz").with("Origin", "https://retcon.example.com").send(address).has_status(200);
    named.with("Origin", "https://www.example.com").send(address).has_problem(403, "foreign-origin");
    Call::get("/healthz").host(Some("www.example.com")).send(address).has_problem(421, "misdirected");
    daemon.stop();
}
