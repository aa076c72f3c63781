//! Who may see the pages: a token is shown once, and a cookie from then on, which may do what the token may.

use std::net::SocketAddr;

use crate::support::cable::Cable;
use crate::support::site::Site;
use crate::support::socket::Answer;
use crate::support::system::Language;
use crate::support::tcp::{self, Call, token};
use crate::support::wait::until;

fn site() -> Site {
    Site::new(&[Language::Sh.source("crm")])
}

/// A request as a browser makes it to show its answer to a person.
fn look(path: &str) -> Call {
    Call::get(path).with("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
}

/// A form that a browser sends from a page of ours.
fn send(path: &str, address: SocketAddr, fields: &str) -> Call {
    let call = Call::new("POST", path).with("Accept", "text/html").with("Origin", &format!("http://{address}"));
    call.host(Some(&address.to_string())).form(fields)
}

/// Signs in, and gives the cookie as it is sent back.
#[track_caller]
fn sign_in(address: SocketAddr, token: &str) -> String {
    let answer = send("/login", address, &format!("token={token}")).send(address).has_status(303);
    cookie(&answer)
}

#[track_caller]
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {answer}"));
    set.split(';').next().unwrap_or_default().to_owned()
}

#[test]
fn somebody_who_is_not_signed_in_is_sent_to_do_that_and_from_there_to_what_they_wanted() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "view", &[]);
    let answer = look("/?entity=a b&x=%26".replace(' ', "%20").as_str()).send(address).has_status(303);
    assert_eq!(answer.header("location"), Some("/login?next=%2F%3Fentity%3Da%2520b%26x%3D%2526"), "{answer}");
    let page = look("/login?next=%2F%3Fentity%3Da%2520b").send(address).has_status(200);
    assert!(page.body.contains("value=\"/?entity=a%20b\""), "{page}");
    let answer = send("/login", address, &format!("token={token}&next=%2F%3Fentity%3Da%2520b")).send(address);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/?entity=a%20b")), "{answer}");
    let page = look("/").with("Cookie", &cookie(&answer)).send(address).has_status(200);
    assert!(page.body.contains("ann") && page.body.contains("may look, not act"), "{page}");
    daemon.stop();
}

#[test]
fn programs_are_told_in_their_own_words_that_they_have_no_token() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    Call::get("/").send(address).has_problem(401, "unauthorized");
    look("/v1/status").send(address).has_problem(401, "unauthorized");
    Call::get("/nothing").bearing(&token(&site, "ann", "view", &[])).send(address).has_problem(404, "unknown-route");
    daemon.stop();
}

#[test]
fn the_cookie_is_kept_from_scripts_and_other_sites_and_serves_the_api_and_the_events_too() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let answer = send("/login", address, &format!("token={token}")).send(address).has_status(303);
    let set = answer.header("set-cookie").expect("a cookie");
    assert!(set.starts_with("retcon_session=") && !set.contains(&token), "{set}");
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200"), "{set}");
    let cookie = cookie(&answer);
    Call::get("/v1/status").with("Cookie", &cookie).send(address).has_status(200);
    // What changes something comes from a page of ours, and says so.
    let reload = || Call::new("POST", "/v1/reload").with("Cookie", &cookie).host(Some(&address.to_string()));
    reload().send(address).has_problem(403, "foreign-origin");
    reload().with("Origin", "https://evil.example").send(address).has_problem(403, "foreign-origin");
    reload().with("Sec-Fetch-Site", "cross-site").send(address).has_problem(403, "foreign-origin");
    reload().with("Origin", &format!("http://{address}")).send(address).has_status(200);
    reload().with("Sec-Fetch-Site", "same-origin").send(address).has_status(200);
    daemon.stop();
}

#[test]
fn what_a_browser_says_is_of_another_site_changes_nothing_whatever_it_comes_with() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    let host = address.to_string();
    let sign_in = || Call::new("POST", "/login").host(Some(&host)).form(&format!("token={token}"));
    let reload = || Call::new("POST", "/v1/reload").host(Some(&host)).bearing(&token);
    for foreign in ["cross-site", "same-site"] {
        sign_in().with("Sec-Fetch-Site", foreign).send(address).has_problem(403, "foreign-origin");
        reload().with("Sec-Fetch-Site", foreign).send(address).has_problem(403, "foreign-origin");
        // A link of another site may lead here, and a page under another of our names may ask.
        look("/login").with("Sec-Fetch-Site", foreign).send(address).has_status(200);
        let own = format!("http://{address}");
        sign_in().with("Sec-Fetch-Site", foreign).with("Origin", &own).send(address).has_status(303);
    }
    // Programs say nothing of it, and neither does a browser of what somebody asks for themselves.
    sign_in().send(address).has_status(303);
    reload().send(address).has_status(200);
    reload().with("Sec-Fetch-Site", "none").send(address).has_status(200);
    daemon.stop();
}

#[test]
fn what_a_page_asks_for_by_itself_keeps_no_session_alive() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let cookie = sign_in(address, &token(&site, "ann", "view", &[]));
    site.database().run("update session set last_seen_at = now() - interval '50 minutes'");
    let used = || {
        let lately = "select count(*) from session where last_seen_at > now() - interval '40 minutes'";
        site.database().number(lately)
    };
    let ask = |call: Call| call.with("Cookie", &cookie).send(address).has_status(200);
    // Also if nothing is followed then: a stream would have no end.
    let follow = Call::get("/v1/events?kind=none").with("Cookie", &cookie);
    follow.send(address).has_problem(400, "malformed");
    ask(look("/").with("X-Retcon-Live", "1"));
    assert_eq!(used(), 0);
    ask(look("/"));
    assert_eq!(used(), 1);
    daemon.stop();
}

#[test]
fn a_token_that_is_none_and_one_for_notifications_open_nothing_and_are_entered_into_the_trail() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let page = send("/login", address, "token=retcon_wrong&next=%2Fwork").send(address).has_status(401);
    assert!(page.body.contains("unknown or revoked") && page.body.contains("value=\"/work\""), "{page}");
    assert!(page.header("set-cookie").is_none() && !page.body.contains("retcon_wrong"), "{page}");
    let page = send("/login", address, "token=").send(address).has_status(401);
    assert!(page.header("set-cookie").is_none(), "{page}");
    let notify = token(&site, "shop", "notify", &[]);
    let page = send("/login", address, &format!("token={notify}")).send(address).has_status(403);
    assert!(page.body.contains("for notifications alone") && page.header("set-cookie").is_none(), "{page}");
    let cookie = sign_in(address, &token(&site, "ann", "view", &[]));
    let out = send("/logout", address, "").with("Cookie", &cookie).send(address).has_status(303);
    assert_eq!(out.header("location"), Some("/login?done=signed-out"), "{out}");
    let trail = site.get("/v1/audit");
    let acts: Vec<String> = trail["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|act| {
            let word = |name: &str| act[name].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", word("who"), word("act"), word("outcome"))
        })
        .collect();
    let acts: Vec<&str> = acts.iter().map(String::as_str).filter(|act| act.contains("log")).collect();
    let expected =
        ["ann logout done", "ann login done", "shop login refused", "unknown login refused", "unknown login refused"];
    assert_eq!(acts, expected, "{trail}");
    assert!(!trail.to_string().contains("retcon_wrong"), "{trail}");
    daemon.stop();
}

#[test]
fn who_tries_many_tokens_waits_and_keeps_nobody_out_who_has_one() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let [ann, shop] = [("ann", "view"), ("shop", "notify")].map(|(name, role)| token(&site, name, role, &[]));
    let tries = |token: &str, times: usize| -> Vec<u16> {
        (0..times).map(|_| send("/login", address, &format!("token={token}")).send(address).status).collect()
    };
    let first = tries("x", 13);
    assert_eq!(first[..10], [401; 10], "{first:?}");
    assert_eq!(first[12], 429, "{first:?}");
    // Who comes from the same address with a token is let in, and that gives nobody else a try.
    sign_in(address, &ann);
    let second = [tries("x", 10), tries(&shop, 2), tries("x", 10)].concat();
    assert!(second.iter().filter(|status| **status == 429).count() > 11, "{second:?}");
    let page = send("/login", address, "token=x").send(address);
    assert!(page.header("set-cookie").is_none() && page.body.contains("You are not signed in"), "{page}");
    // Of those that were too many, one is in the trail.
    let trail = site.get("/v1/audit?limit=1000");
    let acts = trail["items"].as_array().cloned().unwrap_or_default();
    let too_many = acts.iter().filter(|act| act["act"] == "login" && act["status"] == 429).count();
    assert_eq!(too_many, 1, "{trail}");
    daemon.stop();
}

#[test]
fn a_session_ends_with_its_token_with_the_sign_out_and_when_it_is_over() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let names = ["one", "other", "idle", "old"];
    let [one, other, idle, old] = names.map(|name| sign_in(address, &token(&site, name, "view", &[])));
    let status = |cookie: &str| Call::get("/v1/status").with("Cookie", cookie).send(address).status;
    assert_eq!([status(&one), status(&other)], [200; 2]);
    send("/logout", address, "").with("Cookie", &one).send(address).has_status(303);
    assert_eq!(status(&one), 401);
    site.retcon(&["token", "revoke", "other"]).exits(0);
    assert_eq!(status(&other), 401);
    let of = |name| format!("where token = (select id from token where name = '{name}')");
    site.database().run(&format!("update session set last_seen_at = now() - interval '61 minutes' {}", of("idle")));
    site.database().run(&format!("update session set expires_at = now() - interval '1 second' {}", of("old")));
    assert_eq!([status(&idle), status(&old)], [401; 2]);
    assert_eq!(site.database().number("select count(*) from session"), 2);
    let fifth = sign_in(address, &token(&site, "fifth", "view", &[]));
    assert_eq!(site.database().number("select count(*) from session"), 1, "what is over is forgotten");
    assert_eq!(status(&fifth), 200);
    daemon.stop();
}

#[test]
fn whoever_signs_in_again_has_the_new_session_alone() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "view", &[]);
    let status = |cookie: &str| Call::get("/v1/status").with("Cookie", cookie).send(address).status;
    let [former, elsewhere] = [(); 2].map(|()| sign_in(address, &token));
    assert_eq!([status(&former), status(&elsewhere)], [200; 2]);
    let again = send("/login", address, &format!("token={token}")).with("Cookie", &former).send(address);
    assert_eq!([status(&former), status(&elsewhere), status(&cookie(&again))], [401, 200, 200]);
    // A token that is none ends nothing.
    send("/login", address, "token=retcon_00").with("Cookie", &elsewhere).send(address).has_status(401);
    assert_eq!(status(&elsewhere), 200);
    daemon.stop();
}

#[test]
fn what_was_given_to_nobody_is_never_looked_up_and_a_session_that_is_over_is_once() {
    let cable = Cable::new();
    let (daemon, address) = tcp::start(&cable.site);
    let token = token(&cable.site, "ann", "view", &[]);
    let status = |cookie: &str| Call::get("/v1/supervision").with("Cookie", cookie).send(address).status;
    let former = sign_in(address, &token);
    let again = send("/login", address, &format!("token={token}")).with("Cookie", &former).send(address);
    let present = cookie(&again);
    assert_eq!([status(&former), status(&present)], [401, 200]);
    cable.pull();
    // Of what was never looked up nobody can say now what it is.
    let stranger = || Call::get("/v1/supervision").bearing("retcon_00").send(address).status;
    until(|| (stranger() == 503).then_some(()), || stranger().to_string());
    let digits = present.strip_prefix("retcon_session=").expect("its name").to_owned();
    let forged = |n: u32| format!("retcon_session={n:08x}{}", &digits[8..]);
    assert_eq!([1, 2, 3].map(|n| status(&forged(n))), [401; 3]);
    assert_eq!([status(&former), status("retcon_session=something"), status(&present)], [401, 401, 200]);
    cable.plug();
    daemon.stop();
}

#[test]
fn behind_a_proxy_that_speaks_tls_the_cookie_goes_over_tls_alone() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    // As a proxy passes on what a browser sends that has loaded the page over TLS.
    let form = |path: &str, fields: &str| {
        let call = Call::new("POST", path).with("Accept", "text/html").with("Origin", &format!("https://{address}"));
        call.host(Some(&address.to_string())).form(fields)
    };
    let answer = form("/login", &format!("token={token}")).send(address).has_status(303);
    let set = answer.header("set-cookie").unwrap_or_default().to_owned();
    assert!(set.starts_with("__Host-retcon_session=") && set.ends_with("; Secure"), "{answer}");
    let secure = cookie(&answer);
    look("/").with("Cookie", &secure).send(address).has_status(200);
    form("/configuration/reload", &format!("once={}", uuid::Uuid::new_v4()))
        .with("Cookie", &secure)
        .send(address)
        .has_status(303);
    // A cookie that may have been set on a way without TLS changes nothing from a page that came over TLS.
    let plain = sign_in(address, &token);
    form("/configuration/reload", &format!("once={}", uuid::Uuid::new_v4()))
        .with("Cookie", &plain)
        .send(address)
        .has_status(401);
    let gone = form("/logout", "").with("Cookie", &secure).send(address).has_status(303);
    assert!(
        gone.header("set-cookie").is_some_and(|set| set.starts_with("__Host-") && set.contains("Max-Age=0")),
        "{gone}"
    );
    look("/").with("Cookie", &secure).send(address).has_status(303);
    daemon.stop();
}

#[test]
fn what_is_kept_of_a_session_is_no_cookie() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let cookie = sign_in(address, &token(&site, "ann", "view", &[]));
    let value = cookie.split('=').nth(1).expect("a value");
    let kept = site.database().number(&format!("select count(*) from session where encode(hash, 'hex') = '{value}'"));
    assert_eq!(kept, 0);
    assert_eq!(daemon.log_text().matches(value).count(), 0);
    daemon.stop();
}

#[test]
fn every_page_forbids_the_browser_what_it_does_not_need() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "view", &[]);
    for path in ["/", "/login", "/nothing-here"] {
        let page = look(path).bearing(&token).send(address);
        let policy = page.header("content-security-policy").unwrap_or_else(|| panic!("{path}: {page}"));
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(page.header(name), Some(value), "{path}: {page}");
        }
        assert!(!page.body.contains("style=") && !page.body.contains("<script>"), "{page}");
    }
    daemon.stop();
}

#[test]
fn what_pages_are_shown_with_is_kept_by_browsers_for_ever_under_its_own_name() {
    let site = site();
    let (daemon, address) = tcp::start(&site);
    let page = look("/login").send(address).has_status(200);
    let named = page.body.split('"').filter(|part| part.starts_with("/assets/"));
    let named: std::collections::BTreeSet<&str> = named.collect();
    assert_eq!(named.len(), 4, "{page}");
    for name in named {
        let asset = Call::get(name).send(address).has_status(200);
        assert!(asset.header("cache-control").is_some_and(|kept| kept.contains("immutable")), "{asset}");
        assert!(asset.body.len() > 100, "{asset}");
    }
    Call::get("/assets/0123456789ab.css").send(address).has_problem(404, "unknown-route");
    daemon.stop();
}

#[test]
fn over_the_unix_socket_the_pages_are_open_as_the_rest_is() {
    let site = site();
    let daemon = site.start();
    let page = site.http_with("GET", "/", &[("Accept", "text/html")], None).has_status(200);
    assert!(page.body.contains("customer") && !page.body.contains("Sign out"), "{page}");
    let answer = site.http_with("GET", "/login", &[("Accept", "text/html")], None).has_status(303);
    assert_eq!(answer.header("location"), Some("/"), "{answer}");
    daemon.stop();
}

#[test]
fn who_may_only_look_is_shown_no_form_and_refused_as_a_person_is() {
    let site = Site::with(
        "max_deletes = { count = 1, per = \"1h\" }",
        &[Language::Sh.source("crm"), Language::Sh.source("billing")],
    );
    let (daemon, address) = tcp::start(&site);
    for key in ["1", "2"] {
        site.system("crm").put(key, &format!(r#"{{"name": "{key}"}}"#));
        site.notify("crm", key);
    }
    for key in ["1", "2"] {
        site.system("crm").remove(key);
        site.notify("crm", key);
    }
    let [looks, acts] = ["view", "operate"].map(|role| sign_in(address, &token(&site, role, role, &[])));
    let page = |cookie: &str| look("/deletes?entity=customer").with("Cookie", cookie).send(address).has_status(200);
    assert!(page(&acts).body.contains("action=\"/deletes/approve\""), "{}", page(&acts));
    let seen = page(&looks);
    assert!(seen.body.contains("customer 2") && !seen.body.contains("/deletes/approve"), "{seen}");
    let fields = "once=67e55044-10b1-426f-9247-bb680e5fe0c8&entity=customer&last=1000&counted=1";
    let refused = send("/deletes/approve", address, fields).with("Cookie", &looks).send(address).has_status(403);
    assert!(
        refused.body.contains("needs the role operate") && refused.body.contains("Sign in with a token"),
        "{refused}"
    );
    assert_eq!(site.get("/v1/deletes")["items"].as_array().map(Vec::len), Some(1));
    send("/deletes/approve", address, fields).with("Cookie", &acts).send(address).has_status(303);
    site.wait_until_at_rest();
    assert!(site.system("billing").items().is_empty());
    daemon.stop();
}

#[test]
fn while_the_database_is_away_the_overview_says_so_to_who_was_signed_in_and_nobody_else_comes_in() {
    let cable = Cable::new();
    let site = &cable.site;
    let (daemon, address) = tcp::start(site);
    let ann = token(site, "ann", "view", &[]);
    let cookie = sign_in(address, &ann);
    let overview = || look("/").with("Cookie", &cookie).send(address).has_status(200);
    assert!(overview().body.contains("in step"), "{}", overview());
    cable.pull();
    until(|| overview().body.contains("The database cannot be reached").then_some(()), overview);
    assert!(overview().body.contains("customer") && overview().body.contains("not known now"), "{}", overview());
    let page = look("/deletes").with("Cookie", &cookie).send(address).has_status(503);
    assert!(
        page.body.contains("Nothing was changed and nothing is lost") && page.header("retry-after").is_some(),
        "{page}"
    );
    send("/login", address, &format!("token={ann}")).send(address).has_status(503);
    cable.plug();
    until(|| overview().body.contains("in step").then_some(()), overview);
    daemon.stop();
}
