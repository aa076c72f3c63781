//! Every page, with nothing, something and ten thousand of everything on it: what holds for all of them, and pictures to be looked at.
//!
//! `RETCON_PICTURES=1` writes them to target/screenshots (`make pictures`).

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::browser::{Browser, Size};
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::tcp::{self, Call, token};

/// What somebody typed who wants to see whether it is shown as text.
const HOSTILE: &str = r#"<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"#;
/// Text that runs from right to left.
const ARABIC: &str = "\u{645}\u{62d}\u{645}\u{62f} (\u{627}\u{644}\u{642}\u{627}\u{647}\u{631}\u{629})";

/// The pages, each with a name for its pictures; those that are not there yet are passed over.
const PAGES: [(&str, &str); 18] = [
    ("overview", "/"),
    ("records", "/records"),
    ("records-of-entity", "/records/customer"),
    ("found", "/records/customer?key=4711"),
    ("record", "/records/customer/1"),
    ("record-now", "/records/customer/1/now"),
    ("record-origin", "/records/customer/1/origin"),
    ("conflicts", "/conflicts"),
    ("conflict", "/conflicts/1"),
    ("doubts", "/doubts"),
    ("work", "/work"),
    ("parked", "/work/parked"),
    ("sources", "/sources"),
    ("source", "/sources/customer/billing"),
    ("configuration", "/configuration"),
    ("audit", "/audit"),
    ("deletes", "/deletes"),
    ("not-found", "/nothing-here"),
];

/// A site with a conflict, hostile and long values, a write in doubt, something parked and a source that cannot be reached.
fn populated() -> Site {
    Site::with(
        "retry = { first = \"20ms\", max = \"100ms\", attempts = 1 }\n[entities.supplier]\ndescription = \"Where we buy\"\n\
         [entities.supplier.sources.erp]\nread = \"/bin/false\"\n[entities.supplier.sources.wiki]\nread = \"/bin/false\"\n\
         [entities.customer.throttle]\nin_flight = 8",
        &[Sh.source("billing"), Sh.source("crm"), Sh.source("ldap")],
    )
}

fn populate(site: &Site) {
    let long = "A very long note. ".repeat(60);
    let document = |name: &str, mail: &str| {
        json!({"name": name, "email": mail, "city": ARABIC, "note": long, "html": HOSTILE, "vip": true, "limit": 1250.50,
               "phones": [{"type": "home", "number": "030 1234"}], "fax": null, "middle": ""})
        .to_string()
    };
    site.system("crm").put("4711", &document("Ann", "ann@example.com"));
    site.notify("crm", "4711");
    let copy = site.system("billing").only_key();
    site.system("crm").put("4711", &document("Anne", "anne@example.com"));
    site.system("billing").put(&copy, &document("Anna", "a.smith@example.com"));
    site.notify("crm", "4711");
    site.system("crm").put("4712", r#"{"name": "Bob"}"#);
    site.notify("crm", "4712");
    // Its next write is refused, and that of another record has an end that nobody knows.
    site.system("ldap").fault("create", "echo 'the directory refuses <b>this</b> name' >&2; exit 3");
    site.system("crm").put("4713", r#"{"name": "Cleo"}"#);
    site.retcon(&["notify", "--wait", "customer", "crm", "4713"]).exits(1);
    site.system("ldap").heal();
    site.system("ldap").fault("create.after", "exit 9");
    site.system("crm").put("4714", r#"{"name": "Dora"}"#);
    site.retcon(&["notify", "--wait", "customer", "crm", "4714"]);
    site.system("ldap").fault_everywhere("echo 'connection to ldap.example.com refused' >&2; exit 1");
    site.system("crm").put("4715", r#"{"name": "Emil"}"#);
    site.retcon(&["notify", "customer", "crm", "4715"]).exits(0);
}

/// Ten thousand records, each with a conflict, a write in doubt, a held deletion, parked work, and somebody who did something.
const MUCH: &str = r#"
    insert into entity (name, last_internal_key) values ('customer', 10000)
    on conflict (name) do update set last_internal_key = 10000;
    insert into record (entity, id, version, agreed)
    select 'customer', n, 1, format('{"name": "Customer %s", "email": "c%s@example.com"}', n, n)::json from generate_series(1, 10000) as n;
    insert into version (entity, record, version, cause, changes, state)
    select 'customer', n, 1, '{"kind": "sync"}', '[]', 'live' from generate_series(1, 10000) as n;
    insert into foreign_key (entity, source, key, record, state)
    select 'customer', source, 'k' || n, n, 'current' from generate_series(1, 10000) as n, unnest('{billing,crm}'::text[]) as source;
    insert into link (entity, record, source, state, foreign_key, shadow, ack, in_step)
    select 'customer', id, source, 'linked', 'k' || id, agreed, agreed, true
    from record, unnest('{billing,crm}'::text[]) as source;
    insert into conflict (entity, record, path, path_hash, kind, agreed, contenders, contended, opened_at)
    select 'customer', n, '"/name"', 'x', 'edit-edit', '"Ann"', contenders, contenders, now() - n * interval '1 minute'
    from generate_series(1, 10000) as n,
         (select '[{"sources": ["billing"], "value": "Anna"}, {"sources": ["crm"], "value": "Anne"}]'::json as contenders) as c;
    insert into operation (id, entity, record, source, kind, state, document, carries, version, attempts, last_end)
    select gen_random_uuid(), 'customer', n, 'billing', 'update', 'in-doubt', '{"name": "Anna"}',
           '{"unknown": [], "owed": []}', 1, 3, 'killed by signal 9'
    from generate_series(1, 10000) as n;
    insert into work_item (entity, subject, source, foreign_key, record, state, attempts, last_error)
    select 'customer', 'copy', 'crm', 'k' || n, n, 'parked', 5, 'billing: exit status 3: the name is too long'
    from generate_series(1, 10000) as n;
    insert into held_delete (entity, record, source, foreign_key)
    select 'customer', n, 'crm', 'k' || n from generate_series(1, 10000) as n;
    insert into audit (who, via, peer, act, target, request, status, ended_at)
    select 'ann', 'token', '192.0.2.7:50123', 'retry', '/v1/work-items/' || n || '/retry', '{}', 200, now()
    from generate_series(1, 10000) as n;
    analyze;
"#;

/// Whether a page is served: others may still be on their way.
fn is_there(address: SocketAddr, token: &str, path: &str) -> bool {
    let status = Call::get(path).with("Accept", "text/html").bearing(token).send(address).status;
    status == 200 || path == "/nothing-here"
}

/// axe, as packaging/setup.sh has it.
pub(super) fn axe() -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target directory");
    let libraries = fs::read_dir(target.join("tools/lib")).into_iter().flatten().flatten();
    let found = libraries
        .map(|library| library.path().join("site-packages/axe_playwright_python/axe.min.js"))
        .find_map(|path| fs::read_to_string(path).ok());
    found.expect("axe is not there: packaging/setup.sh tools installs it")
}

/// What axe finds wrong with the page that is open.
#[track_caller]
pub(super) fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    browser.script(axe, Vec::new());
    let run = "const done = arguments[arguments.length - 1];
        axe.run(document).then(r => done(r.violations.map(v =>
            v.id + ': ' + v.help + ': ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | '))),
            e => done(['axe failed: ' + e]));";
    let found = browser.script_to_its_end(run, Vec::new());
    found.as_array().into_iter().flatten().map(Value::to_string).collect()
}

pub(super) fn pictures() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target directory");
    let wanted = std::env::var_os("RETCON_PICTURES").is_some_and(|wanted| !wanted.is_empty());
    wanted.then(|| target.join("screenshots"))
}

/// Looks at pages in one browser, and takes down what is wrong.
struct Inspection<'a> {
    browser: &'a Browser,
    axe: String,
    pictures: Option<PathBuf>,
    /// What the names of pictures begin with.
    prefix: &'static str,
    found: Vec<String>,
}

impl Inspection<'_> {
    /// Looks at the page that is open, in each of these windows, light and dark.
    #[track_caller]
    fn look(&mut self, name: &str, looks: &[(Size, bool)]) {
        for (size, is_dark) in looks {
            self.browser.resize(*size);
            self.browser.darken(*is_dark);
            let name = format!(
                "{}{name}-{}-{}",
                self.prefix,
                match size {
                    Size::Desktop => "desktop",
                    Size::Phone => "phone",
                },
                if *is_dark { "dark" } else { "light" }
            );
            let wrong = violations(self.browser, &self.axe);
            self.found.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
            let wide = self.browser.script("return document.documentElement.scrollWidth - innerWidth", Vec::new());
            if wide.as_i64().is_some_and(|wide| wide > 0) {
                self.found.push(format!("{name}: {wide} pixels wider than the window"));
            }
            if let Some(directory) = &self.pictures {
                fs::create_dir_all(directory).expect("a directory");
                fs::write(directory.join(format!("{name}.png")), self.browser.picture()).expect("a file");
            }
        }
        self.browser.resize(Size::Desktop);
        self.browser.darken(false);
    }
}

/// Looks at every page of a site.
#[track_caller]
fn inspect(address: SocketAddr, token: &str, prefix: &'static str, looks: &[(Size, bool)]) {
    let browser = Browser::start(address);
    let mut inspection = Inspection { browser: &browser, axe: axe(), pictures: pictures(), prefix, found: Vec::new() };
    browser.open("/login").sees("Your token");
    inspection.look("login", looks);
    browser.sign_in(token, "/");
    for (name, path) in PAGES.iter().filter(|(_, path)| is_there(address, token, path)) {
        browser.complaints();
        browser.open(path);
        inspection.look(name, looks);
        assert!(!browser.script("return document.title", Vec::new()).to_string().contains("taken"), "{name}");
        let complaints = browser.complaints();
        let complaints: Vec<&String> = complaints.iter().filter(|told| !told.contains("404")).collect();
        assert!(complaints.is_empty(), "{name}: {complaints:?}");
    }
    assert!(inspection.found.is_empty(), "{}", inspection.found.join("\n"));
}

#[test]
fn every_page_is_fit_for_everybody_in_light_and_dark_on_a_phone_and_on_a_desk() {
    let site = populated();
    let (daemon, address) = tcp::start(&site);
    populate(&site);
    let token = token(&site, "ann", "operate", &[]);
    let everywhere = [(Size::Desktop, false), (Size::Desktop, true), (Size::Phone, false), (Size::Phone, true)];
    inspect(address, &token, "", &everywhere);
    daemon.stop();
}

#[test]
fn every_page_is_fit_for_everybody_where_there_is_nothing_yet() {
    let site = Site::new(&[Sh.source("billing"), Sh.source("crm")]);
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "view", &[]);
    inspect(address, &token, "nothing-", &[(Size::Desktop, false), (Size::Phone, true)]);
    daemon.stop();
}

#[test]
fn every_page_is_fit_for_everybody_where_there_are_ten_thousand_of_everything() {
    let site = Site::new(&[Sh.source("billing"), Sh.source("crm")]);
    let (daemon, address) = tcp::start(&site);
    let token = token(&site, "ann", "operate", &[]);
    site.database().run(MUCH);
    inspect(address, &token, "much-", &[(Size::Desktop, false), (Size::Phone, true)]);
    daemon.stop();
}
