//! What a crash, a late word or an edit at the wrong moment can do, and the rules that keep it from losing or doubling anything:
//! one file for each rule of ARCHITECTURE.md, and the daemon running in each test.

mod create;
mod decide_then_act;
mod doubts;
mod last_read;
mod open_conflicts;
mod queue;
mod settle_before_merging;
mod sources_that_go;
mod stale_sources;
mod unknown_keys;
mod update_key;

use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::store::rows;
use crate::support::system::Language::Sh;
use crate::support::system::{SourceSpec, testing};
use crate::support::wait::until;

const ANN: &str = r#"{"email":"x","name":"Ann"}"#;
const BEA: &str = r#"{"email":"x","name":"Bea"}"#;
const CID: &str = r#"{"email":"x","name":"Cid"}"#;
const DAN: &str = r#"{"email":"x","name":"Dan"}"#;

/// A piece of shell that dies as a program does that is killed.
const DIE: &str = "kill -9 $$\n";

fn two() -> [SourceSpec; 2] {
    [Sh.source("billing"), Sh.source("crm")]
}

fn three() -> [SourceSpec; 3] {
    [Sh.source("billing"), Sh.source("crm"), Sh.source("ldap")]
}

/// A source of this name that lists its keys.
fn listing(name: &str) -> SourceSpec {
    let recorder = testing("sources/recorder.sh");
    let plain = testing("sources/plain.sh");
    Sh.source(name).with(&format!("list = [{recorder:?}, \"systems/{name}\", {plain:?}, \"systems/{name}\", \"list\"]"))
}

/// A piece of shell by which a data source notifies retcon of a key of its own.
fn notify(site: &Site, source: &str, key: &str) -> String {
    let (retcon, config) = (env!("CARGO_BIN_EXE_retcon"), site.path().join("retcon.toml"));
    format!("{retcon} --config {} notify customer {source} {key} >&2\n", config.display())
}

/// A piece of shell that lets the test go on, and waits until it lets the program go on.
const STOP: &str = ": > \"$system/stopped\"; until [ -e \"$system/go\" ]; do sleep 0.01; done\n";

/// Waits until a program has come to [`STOP`].
#[track_caller]
fn wait_for_stop(site: &Site, daemon: &Daemon<'_>, source: &str) {
    until(|| site.system(source).dir().join("stopped").exists().then_some(()), || daemon.log_text());
}

/// Puts Ann into crm and waits until all others have her.
#[track_caller]
fn introduce(site: &Site) -> Daemon<'_> {
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon
}

/// Asks the database itself.
fn ask(site: &Site, sql: &str) -> Vec<String> {
    block_on(rows(site.database(), sql))
}

/// The copy that a record has at a source.
#[track_caller]
fn link(site: &Site, record: u32, source: &str) -> Value {
    let record = site.get(&format!("/v1/records/customer/{record}"));
    let links = record["links"].as_array().cloned().unwrap_or_default();
    links.into_iter().find(|link| link["source"] == source).unwrap_or_else(|| panic!("no {source} in {record}"))
}

/// The only thing in doubt.
#[track_caller]
fn only_doubt(site: &Site) -> Value {
    let doubts = site.get("/v1/doubts");
    match doubts["items"].as_array().map(Vec::as_slice) {
        Some([doubt]) => doubt.clone(),
        _ => panic!("not one doubt: {doubts}"),
    }
}

#[track_caller]
fn records(site: &Site) -> usize {
    site.get("/v1/records/customer")["items"].as_array().map_or(0, Vec::len)
}

/// Waits until a work item stands so, and gives it.
#[track_caller]
fn wait_for_item(site: &Site, source: &str, key: &str, state: &str) -> Value {
    let items = || site.get("/v1/work-items?limit=1000");
    until(
        || {
            let items = items()["items"].as_array().cloned()?;
            items
                .into_iter()
                .rev()
                .find(|item| item["source"] == source && item["key"] == key && item["state"] == state)
        },
        || items().to_string(),
    )
}
