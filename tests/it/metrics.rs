//! What is measured: `/metrics` as Prometheus reads it, and the rules and the dashboard that rest on it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio_postgres::NoTls;

use crate::support::cable::Cable;
use crate::support::postgres::block_on;
use crate::support::program::{program, run};
use crate::support::site::Site;
use crate::support::system::Language;
use crate::support::wait::until;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(shipped(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Expects a scrape, and gives its text.
#[track_caller]
fn scrape(site: &Site) -> String {
    let answer = site.http("GET", "/metrics", None).has_status(200);
    let kind = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(answer.head.to_lowercase().contains(kind), "{answer}");
    answer.body
}

/// Gives the value of one sample, as it is written.
#[track_caller]
fn sample<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

#[track_caller]
fn expect(text: &str, samples: &[(&str, &str)]) {
    for (name, value) in samples {
        assert_eq!(sample(text, name), Some(*value), "{name} in\n{text}");
    }
}

/// The names that are announced.
fn names(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn everything_that_was_done_is_counted() {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let _daemon = site.start();
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    site.notify("crm", "nothing");
    let body = r#"{"entity":"customers","source":"crm","key":"1"}"#;
    site.http("POST", "/v1/notifications", Some(body)).has_problem(404, "unknown-entity");
    site.retcon(&["pause", "customer/billing"]).exits(0);
    let text = scrape(&site);
    let expected = [
        (r#"retcon_paused{entity="customer",source="billing"}"#, "1"),
        ("retcon_database_up", "1"),
        ("retcon_config_last_reload_successful", "1"),
        ("retcon_config_settings_pending", "0"),
        (r#"retcon_build_info{version="0.1.0"}"#, "1"),
        (r#"retcon_actors{state="up"}"#, "7"),
        (r#"retcon_actors{state="given-up"}"#, "0"),
        (r#"retcon_entity_serving{entity="customer"}"#, "1"),
        (r#"retcon_source_up{entity="customer",source="crm"}"#, "1"),
        (r#"retcon_source_up{entity="customer",source="billing"}"#, "1"),
        (r#"retcon_records{entity="customer"}"#, "1"),
        (r#"retcon_conflicts{entity="customer"}"#, "0"),
        (r#"retcon_work_items{entity="customer",state="ready"}"#, "0"),
        (r#"retcon_work_oldest_age_seconds{entity="customer"}"#, "0"),
        (r#"retcon_notifications_total{entity="customer",result="queued"}"#, "2"),
        (r#"retcon_looks_total{outcome="synced"}"#, "1"),
        (r#"retcon_looks_total{outcome="nothing-there"}"#, "1"),
        ("retcon_look_duration_seconds_count", "2"),
        (r#"retcon_invocations_total{entity="customer",source="billing",operation="create",outcome="done"}"#, "1"),
        (r#"retcon_invocations_total{entity="customer",source="crm",operation="read",outcome="missing"}"#, "1"),
        (r#"retcon_invocation_duration_seconds_count{operation="create"}"#, "1"),
        (
            r#"retcon_http_requests_total{method="POST",route="/v1/notifications",status="404",problem="unknown-entity"}"#,
            "1",
        ),
        (r#"retcon_http_requests_total{method="POST",route="/v1/notifications",status="202",problem=""}"#, "2"),
    ];
    expect(&text, &expected);
    assert!(names(&text).iter().all(|name| name.starts_with("retcon_")), "{text}");
}

#[test]
fn no_label_comes_from_outside() {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let _daemon = site.start();
    site.system("crm").put("canary-key", r#"{"name": "canary-value"}"#);
    site.notify("crm", "canary-key");
    site.http("GET", "/canary-path", None).has_status(404);
    site.http("CANARY", "/v1/records/canary-entity", None).has_status(405);
    let text = scrape(&site);
    assert!(!text.to_lowercase().contains("canary"), "{text}");
    let nowhere = r#"retcon_http_requests_total{method="GET",route="",status="404",problem="unknown-route"}"#;
    let unknown = r#"retcon_http_requests_total{method="other",route="/v1/records/{entity}",status="405",problem="method-not-allowed"}"#;
    expect(&text, &[(nowhere, "1"), (unknown, "1")]);
}

#[test]
fn promtool_finds_nothing_to_say() {
    let site = Site::with(
        "throttle = { rate = 1000, burst = 10 }",
        &[Language::Sh.source("crm"), Language::Sh.source("billing")],
    );
    let _daemon = site.start();
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.notify("crm", "1");
    let text = scrape(&site);
    let checked = run(program("promtool").args(["check", "metrics"]), text.as_bytes()).exits(0);
    assert!(checked.stdout.is_empty() && checked.stderr.is_empty(), "{checked}\n{text}");
}

#[test]
fn while_the_database_is_away_everything_else_is_still_measured() {
    let cable = Cable::new();
    let site = &cable.site;
    let daemon = site.start();
    expect(&scrape(site), &[("retcon_database_up", "1")]);
    cable.pull();
    let is_up = |wanted: &str| sample(&scrape(site), "retcon_database_up").is_some_and(|up| up == wanted).then_some(());
    until(|| is_up("0"), || scrape(site));
    let text = scrape(site);
    expect(&text, &[(r#"retcon_source_up{entity="customer",source="crm"}"#, "1")]);
    expect(&text, &[(r#"retcon_actors{state="down"}"#, "1"), (r#"retcon_actors{state="up"}"#, "6")]);
    assert!(!text.contains("\nretcon_records{") && !text.contains("\nretcon_work_items{"), "{text}");
    site.http("GET", "/healthz", None).has_status(200);
    site.http("GET", "/readyz", None).has_problem(503, "not-ready");
    cable.plug();
    until(|| is_up("1"), || scrape(site));
    daemon.stop();
}

#[test]
fn actors_are_counted_by_the_states_that_supervision_tells() {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let daemon = site.start();
    site.system("crm").put("1", r#"{"name": "Ann"}"#);
    site.system("crm").fault_everywhere("exit 1");
    site.retcon(&["notify", "customer", "crm", "1"]).exits(0);
    let supervised = |state: &str| {
        let actors = site.get("/v1/supervision")["actors"].as_array().cloned().unwrap_or_default();
        actors.iter().filter(|actor| actor["state"] == state).count().to_string()
    };
    until(|| (supervised("down") == "1").then_some(()), || site.get("/v1/supervision").to_string());
    let text = scrape(&site);
    for state in ["starting", "up", "down", "restarting", "given-up", "stopping"] {
        expect(&text, &[(&format!("retcon_actors{{state={state:?}}}"), &supervised(state))]);
    }
    site.system("crm").heal();
    daemon.stop();
}

#[test]
fn each_alert_is_shown_to_fire_by_its_rule() {
    let directory = shipped("prometheus");
    let promtool = |arguments: &[&str]| run(program("promtool").current_dir(&directory).args(arguments), b"").exits(0);
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts.test.yml"]);
    let tests = read("prometheus/alerts.test.yml");
    let rules = read("prometheus/alerts.yml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{rules}");
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md"));
    for alert in alerts {
        assert!(tests.contains(&format!("- name: {alert} fires\n")), "{alert} is not shown to fire");
        assert!(page.contains(&format!("| `{alert}` |")), "docs/operations.md does not say what to do about {alert}");
    }
}

/// Gives every name of ours in a text, without what a histogram adds to it.
fn mentioned(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("retcon_"));
    let bare = |word: &str| {
        let suffix = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| word.strip_suffix(suffix));
        suffix.filter(|name| name.ends_with("_duration_seconds")).unwrap_or(word).to_owned()
    };
    words.map(bare).collect()
}

#[test]
fn the_rules_and_the_dashboard_and_the_documents_name_what_is_measured() {
    let site = Site::new(&[Language::Sh.source("crm"), Language::Sh.source("billing")]);
    let _daemon = site.start();
    let text = scrape(&site);
    let measured: BTreeSet<String> = names(&text).into_iter().map(str::to_owned).collect();
    let dashboard = read("grafana/retcon.json");
    let parsed: Value = serde_json::from_str(&dashboard).expect("the dashboard is JSON");
    assert!(parsed["panels"].as_array().is_some_and(|panels| panels.len() > 10), "{parsed}");
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md"));
    for (place, text) in [
        ("the rules", read("prometheus/alerts.yml")),
        ("the dashboard", dashboard),
        ("docs/operations.md", page.to_owned()),
    ] {
        let unknown: Vec<_> = mentioned(&text).difference(&measured).cloned().collect();
        assert!(unknown.is_empty(), "{place}: nothing is measured under {unknown:?}");
    }
    let untold: Vec<_> = measured.difference(&mentioned(page)).cloned().collect();
    assert!(untold.is_empty(), "docs/operations.md does not say what {untold:?} mean");
}

/// A thousand entities, a hundred thousand records, and work.
const MANY: &str = "
    update entity set last_internal_key = 100;
    insert into record (entity, id, version, agreed)
        select name, n, 1, '{}' from entity, generate_series(1, 100) as n;
    insert into work_item (entity, subject, source, foreign_key, state, due_at, blocked_by)
        select name, 'copy', 'crm', 'k' || n, 'waiting', 'infinity', '{crm}' from entity, generate_series(1, 3) as n;
    analyze";

#[test]
fn a_scrape_of_a_thousand_entities_stays_below_two_mebibytes() {
    let site = Site::empty();
    let source = |entity: usize, name: &str| {
        format!("[entities.entity-{entity:04}.sources.{name}]\ncommand = [\"/bin/true\"]\n")
    };
    let sources = ["billing", "crm", "warehouse"];
    let entities: String = (0..1000).flat_map(|entity| sources.map(|name| source(entity, name))).collect();
    let head = "[server]\nlisten = \"\"\n\n[log]\nlevel = \"error\"\nformat = \"json\"\n\n";
    site.write("retcon.toml", &format!("{head}{}{entities}", site.database_table()));
    let daemon = site.start();
    let config = site.database().config();
    block_on(async move {
        let (client, connection) = config.connect(NoTls).await.expect("the server takes connections");
        tokio::spawn(connection);
        client.batch_execute(MANY).await.expect("rows");
    });
    let text = scrape(&site);
    expect(&text, &[(r#"retcon_records{entity="entity-0999"}"#, "100")]);
    let per_entity = text.lines().filter(|line| line.contains("entity-0500")).count();
    // Each source with each of the operations that a look may make, counted: what a daemon tells after long use.
    let line =
        r#"retcon_invocations_total{entity="entity-0500",source="warehouse",operation="update",outcome="done"} 100000"#;
    let in_use = text.len() + 1000 * sources.len() * 4 * (line.len() + 1);
    assert!(per_entity > 10 && in_use < 2 << 20, "{} bytes, {in_use} in use, {per_entity} lines each", text.len());
    daemon.stop();
}
