//! Tokens: made, shown once, listed, limited by their rate, revoked here and elsewhere, and known without the database.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;
use tokio_postgres::NoTls;

use crate::support::cable::Cable;
use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::socket::call_with;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, Call, listening_at, token};
use crate::support::wait::{DEADLINE, until};

fn site() -> Site {
    Site::new(&[Sh.source("crm"), Sh.source("billing")])
}

/// The lock under which a daemon makes the tables of its database.
const MIGRATIONS: i64 = 0x7265_7463_6f6e_0001;

#[test]
fn a_token_that_is_asked_for_while_the_database_is_being_prepared_is_made_as_soon_as_it_is() {
    let site = site();
    site.database().run("drop schema public cascade; create schema public");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let client = runtime.block_on(async {
        let connected = site.database().config().connect(NoTls).await;
        let (client, connection) = connected.expect("the server takes connections");
        tokio::spawn(connection);
        client.batch_execute(&format!("select pg_advisory_lock({MIGRATIONS})")).await.expect("a lock");
        client
    });
    let mut daemon = Daemon::spawn(&site);
    let ask = || {
        let headers = [("Content-Type", "application/json")];
        call_with(&daemon.socket(), "POST", "/v1/tokens", &headers, Some(br#"{"name": "early", "role": "view"}"#))
    };
    let early = || ask().ok().filter(|answer| answer.body.contains("being prepared"));
    until(early, || "it is not being prepared".to_owned()).has_problem(503, "not-ready");
    let seen = || daemon.events().iter().filter(|event| event["msg"] == "connection to the socket").count();
    let before = seen();
    std::thread::scope(|scope| {
        let made = scope.spawn(|| site.retcon(&["token", "create", "ann", "--role", "view"]));
        // It comes before there is any table.
        until(|| (seen() > before).then_some(()), || daemon.log_text());
        let unlock = format!("select pg_advisory_unlock({MIGRATIONS})");
        runtime.block_on(client.batch_execute(&unlock)).expect("the lock");
        assert!(made.join().expect("it ends").exits(0).stdout().starts_with("retcon_"));
    });
    daemon.wait_until_ready();
    daemon.stop();
}

#[test]
fn a_token_is_shown_once_and_kept_as_its_hash_alone() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let made = site.retcon(&["token", "create", "grafana", "--role", "view"]).exits(0);
    let shown = made.stdout().trim_end().to_owned();
    assert!(shown.len() == 7 + 64 && shown.starts_with("retcon_"), "{made}");
    assert!(!made.stderr().contains(&shown) && made.stderr().contains("once"), "{made}");
    Call::get("/v1/status").bearing(&shown).send(address).has_status(200);
    let other = token(&site, "other", "notify", &["--entity", "customer", "--rate", "7"]);
    assert_ne!(other, shown);
    let listed = site.ask(&["token", "list"]);
    let items = listed["items"].as_array().expect("a list");
    let summary: Vec<String> = items
        .iter()
        .map(|item| format!("{} {} {} {}", item["name"], item["role"], item["entities"], item["rate"]))
        .collect();
    assert_eq!(summary, [r#""grafana" "view" [] 10000"#, r#""other" "notify" ["customer"] 7"#]);
    assert!(!listed.to_string().contains(&shown[7..]), "{listed}");
    site.retcon(&["token", "create", "grafana", "--role", "view"]).exits(1).complains_of("token-exists");
    Call::get("/v1/status").bearing(&shown).send(address).has_status(200);
    // Part by part, as lists are.
    let first = site.get("/v1/tokens?limit=1");
    let next = first["next"].as_str().expect("there is more");
    assert_eq!(site.get(&format!("/v1/tokens?limit=1&after={next}"))["items"][0]["name"], "other");
    site.retcon(&["token", "revoke", "grafana"]).exits(0);
    Call::get("/v1/status").bearing(&shown).send(address).has_problem(401, "unauthorized");
    site.retcon(&["token", "revoke", "grafana"]).exits(1).complains_of("unknown-token");
    for bad in [r#"{"name":"a b","role":"view"}"#, r#"{"name":"a","role":"root"}"#, r#"{"name":"a"}"#] {
        site.http("POST", "/v1/tokens", Some(bad)).has_problem(400, "malformed");
    }
    daemon.stop();
}

#[test]
fn the_commands_work_over_tcp_with_a_token_from_the_environment() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let view = token(&site, "ann", "view", &[]);
    let url = format!("http://{address}");
    let retcon = |token: &str, arguments: &[&str]| {
        site.retcon_in(&[("RETCON_TOKEN", token)], &[&["--url", &url], arguments].concat())
    };
    retcon(&view, &["status"]).exits(0);
    retcon("", &["status"]).exits(1).complains_of("unauthorized").complains_of("RETCON_TOKEN");
    retcon(&view, &["reload"]).exits(1).complains_of("forbidden");
    retcon("a\nb", &["status"]).exits(2).complains_of("cannot send the token");
    daemon.stop();
}

#[test]
fn a_token_that_is_revoked_at_one_daemon_is_unknown_to_the_others() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let mut other = Daemon::spawn_with(&site, "other", listening_at(""));
    other.wait_until_ready();
    let mine = token(&site, "mine", "view", &[]);
    Call::get("/v1/status").bearing(&mine).send(address).has_status(200);
    let delete = crate::support::socket::call(&other.socket(), "DELETE", "/v1/tokens/mine", None);
    delete.expect("it answers").has_status(200);
    let answer = || Call::get("/v1/status").bearing(&mine).send(address);
    until(|| (answer().status == 401).then_some(()), || answer().to_string());
    other.signal(Signal::TERM);
    other.wait();
    other.bury();
    daemon.stop();
}

#[test]
fn a_stream_ends_when_its_token_is_revoked() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let view = token(&site, "view", "view", &[]);
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
    let request = format!("GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {view}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it is taken");
    let mut head = [0; 13];
    stream.read_exact(&mut head).expect("it begins");
    assert_eq!(&head, b"HTTP/1.1 200 ");
    site.retcon(&["token", "revoke", "view"]).exits(0);
    // Something happens that would be told.
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    let mut rest = String::new();
    // The chunk that would end a whole stream may be missing.
    drop(stream.read_to_string(&mut rest));
    assert!(!rest.contains("Ann") && rest.len() < 4096, "{rest}");
    daemon.stop();
}

#[test]
fn without_the_database_a_known_token_stays_good_and_of_another_nobody_can_say() {
    let cable = Cable::new();
    let site = &cable.site;
    let (daemon, address) = tcp::start(site);
    let known = token(site, "known", "view", &[]);
    Call::get("/v1/supervision").bearing(&known).send(address).has_status(200);
    cable.pull();
    let unknown = Call::get("/v1/supervision").bearing(&known.replace("retcon_", "retcon-"));
    until(|| (unknown.send(address).status == 503).then_some(()), || unknown.send(address).to_string());
    let refused = unknown.send(address).has_problem(503, "store-unavailable");
    assert!(refused.head.to_lowercase().contains("\r\nretry-after: "), "{refused}");
    Call::get("/v1/supervision").bearing(&known).send(address).has_status(200);
    Call::get("/healthz").send(address).has_status(200);
    Call::new("POST", "/v1/tokens").bearing(&known).send(address).has_problem(403, "forbidden");
    cable.plug();
    until(|| (unknown.send(address).status == 401).then_some(()), || unknown.send(address).to_string());
    daemon.stop();
}

#[test]
fn a_token_is_good_for_so_many_requests_a_second() {
    const REQUESTS: usize = 20;
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let slow = token(&site, "slow", "view", &["--rate", "1"]);
    // All at once, on one connection.
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("it is a socket");
    let request = format!("GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {slow}\r\n\r\n");
    stream.write_all(request.repeat(REQUESTS).as_bytes()).expect("it is taken");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("the daemon closes the connection");
    assert!(answers.starts_with("HTTP/1.1 404 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 429 ") && answers.to_lowercase().contains("\r\nretry-after: 1"), "{answers}");
    assert!(answers.contains("too-many-requests"), "{answers}");
    // Somebody else is let through meanwhile, and so is the same one a little later.
    let other = token(&site, "other", "view", &[]);
    Call::get("/v1/status").bearing(&other).send(address).has_status(200);
    let again = || Call::get("/v1/status").bearing(&slow).send(address);
    until(|| (again().status == 200).then_some(()), || again().to_string());
    daemon.stop();
}
